"""Writes docs/conformance.md from what a run has found."""

import datetime
import subprocess

from hosts import HOST
from suite import ROOT, VERSION
from verdicts import section

DOCUMENT = ROOT / "docs/conformance.md"

SECTIONS = {
    1: "Framing",
    2: "Pings and pongs",
    3: "Reserved bits",
    4: "Opcodes",
    5: "Fragmentation",
    6: "UTF-8",
    7: "Close",
    9: "Limits and performance",
    10: "Automatic fragmentation",
    12: "Compression, different payloads",
    13: "Compression, different parameters",
}


def write(every, options):
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text("\n".join([*head(options), *paths(every), *table(every), *names(every)]) + "\n")
    print(f"written: {DOCUMENT.relative_to(ROOT)}")


def head(options):
    how = "over TLS" if options.tls else "without TLS"
    return [
        "# Conformance",
        "",
        "What the [Autobahn testsuite](https://github.com/crossbario/autobahn-testsuite) says of Switchboard.",
        "`make autobahn` writes this page; a quick selection is part of `make test`.",
        "",
        f"- Testsuite: {VERSION}, its 517 cases on Python 3 (`core/tests/autobahn/fuzzer.py` says how).",
        "  The plugin is asked all of them; of 12 and 13 the other paths get two sizes for each set of parameters.",
        f"- Host: {version()}, a debug build, {how}, compression {options.compression}.",
        f"- Date: {datetime.date.today().isoformat()}.",
        "",
    ]


def version():
    said = lambda *command: subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    changed = " and changes" if said("git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs") else ""
    return f"{said(HOST, '--version')}, commit {said('git', 'rev-parse', '--short', 'HEAD')}{changed}"


def paths(every):
    return ["## Paths", "", *(f"- **{v.path.name}**: {v.path.what}." for v in every), ""]


def table(every):
    row = lambda cells: f"| {' | '.join(cells)} |"
    titles = ["section", *(verdicts.path.name for verdicts in every)]
    yield from ["## Cases", "", row(titles), row(["---"] * len(titles))]
    for number, name in SECTIONS.items():
        yield row([f"{number} {name}", *(verdicts.cell(number) for verdicts in every)])
    closes = (", ".join(f"{n} {kind}" for kind, n in count(v.closes.values())) for v in every)
    yield row(["closes, of all sections", *closes])
    yield ""


def count(kinds):
    kinds = list(kinds)
    return [(kind, kinds.count(kind)) for kind in dict.fromkeys(kinds)]


def names(every):
    yield from ["## By name", ""]
    for verdicts in every:
        yield f"- **{verdicts.path.name}**: {described(verdicts)}"
    yield ""
    yield "INFORMATIONAL are the cases for which RFC 6455 has no rule."


def described(verdicts):
    bad = [f"{case} {verdicts.behaviours[case]} (close {verdicts.closes[case]})" for case in verdicts.bad()]
    parts = [f"not OK: {', '.join(bad)}" if bad else "none failed"]
    if tolerated := verdicts.tolerated():
        parts.append(f"NON-STRICT, {verdicts.path.lax}: {', '.join(tolerated)}")
    if informational := verdicts.informational():
        parts.append(f"INFORMATIONAL: {', '.join(informational)}")
    if left_out := sorted({section(case) for case in verdicts.left_out()}):
        parts.append(f"UNIMPLEMENTED, as nobody has asked for compression: {', '.join(f'{n}.*' for n in left_out)}")
    return "; ".join(parts) + "."
