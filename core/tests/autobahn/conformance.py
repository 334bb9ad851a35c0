"""Writes docs/conformance.md from what a run has found."""

import datetime
import os
import platform
import subprocess

from suite import ROOT, VERSION
from verdicts import BEHAVIOURS

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


def write(every, host, jobs, seconds):
    """`host` is what `version` said, `jobs` how many parts ran at once."""
    DOCUMENT.parent.mkdir(exist_ok=True)
    lines = [*head(host, jobs, seconds), *overview(every)]
    for verdicts in every:
        lines += table(verdicts)
    DOCUMENT.write_text("\n".join(lines).rstrip() + "\n")
    print(f"written: {DOCUMENT.relative_to(ROOT)}")


def head(host, jobs, seconds):
    cores = os.cpu_count()
    return [
        "# Conformance",
        "",
        "What the [Autobahn testsuite](https://github.com/crossbario/autobahn-testsuite) says of Switchboard.",
        "`make autobahn` writes this page; a quick selection is part of `make test`.",
        "",
        f"- Testsuite: {VERSION}, on Python {platform.python_version()} (`core/tests/autobahn/fuzzer.py` says how).",
        "  The plugin without TLS is asked all of its 517 cases.",
        "  The other paths are asked all but those of 12 and 13, and of these each set of parameters at two sizes: messages of 256 bytes, and of 8 KiB in fragments of 256.",
        "  A forward offers no compression to the server behind it, so `upstream` is asked nothing of 12 and 13.",
        f"- Host: {host}, a release build.",
        f"- Date: {datetime.date.today().isoformat()}; {minutes(seconds)} with {jobs} parts at once on {cores} cores.",
        "",
        "INFORMATIONAL are the cases for which RFC 6455 has no rule; the suite says what it saw, and nothing of whether that is right.",
        "",
    ]


def version(build):
    """The host's own, and the commit of the checkout."""
    said = lambda *command: subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout.strip()
    changed = " and changes" if said("git", "status", "--porcelain", "--untracked-files=no", "--", ":!docs") else ""
    host = said(build / "switchboard", "--version")
    return f"{host}, commit {said('git', 'rev-parse', '--short', 'HEAD')}{changed}"


def minutes(seconds):
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def overview(every):
    yield from ["## Paths", "", row("path", "is", "compression", "cases", "not OK", "INFORMATIONAL", "takes")]
    yield row(*["---"] * 7)
    for v in every:
        counts = len(v.behaviours), len(v.bad()), len(v.informational())
        yield row(f"`{v.path.name}`", v.path.what, v.compression, *counts, minutes(v.seconds))
    yield ""
    yield "Each path takes as long as its parts do one after the other."
    yield ""


def table(verdicts):
    """A path: how many cases of each section came to what, and how they ended."""
    kinds = shown(verdicts.behaviours.values(), "OK", "NON-STRICT", "FAILED")
    closes = shown(verdicts.closes.values(), "OK", "FAILED")
    yield from [f"## `{verdicts.path.name}`: {verdicts.path.what}", ""]
    yield row("section", "cases", *kinds, *(f"close {kind}" for kind in closes))
    yield row("---", *["---:"] * (1 + len(kinds) + len(closes)))
    for number, name in SECTIONS.items():
        said, ended = verdicts.of(number)
        if said:
            counts = [*(said[kind] for kind in kinds), *(ended[kind] for kind in closes)]
            yield row(f"{number} {name}", said.total(), *counts)
    yield ""
    yield f"- Not OK: {', '.join(map(verdicts.described, verdicts.bad())) or 'none'}."
    yield f"- INFORMATIONAL: {', '.join(map(verdicts.described, verdicts.informational())) or 'none'}."
    yield ""


def shown(kinds, *always):
    """The columns: those that nobody should miss, and those that are there."""
    seen = {*kinds, *always}
    return [kind for kind in BEHAVIOURS if kind in seen] + sorted(seen - set(BEHAVIOURS))
