"""Holds what `switchboard conf tree` says against what the real ZConfig says."""

import json
import pathlib
import subprocess
from dataclasses import dataclass

# What differs on purpose, by core/zconfig/src/lib.rs, and what ZConfig does instead. Each has to
# occur in a long run, and nothing else may differ.
DEVIATIONS = {
    "place-of-substitution": "a bad `$` has no line in ZConfig",
    "place-of-include": "a file that cannot be opened has no line in ZConfig",
    "place-of-import": "a bad component name has no line in ZConfig",
    "place-of-bad-utf8": "bad UTF-8 has neither file nor line in ZConfig",
    "byte-order-mark": "ZConfig makes it a part of the first word",
    "cycle": "ZConfig includes until Python's stack ends",
    "depth": "ZConfig has no limit but that",
    "remote": "ZConfig would fetch it, or load a package",
    "localhost": "ZConfig looks for a directory of that name",
    "directory-of-a-file": "ZConfig joins with the URL as written, not with the file it means",
    "import-of-anything": "ZConfig loads the component",
    "variable-not-utf8": "ZConfig keeps the bytes as surrogates",
}

# Every error of the grammar, by the beginning of ZConfig's message. All have to occur.
ERRORS = [
    "malformed section end", "malformed section start", "malformed section header", "malformed configuration data",
    "unexpected section end", "unbalanced section end", "unclosed sections not allowed",
    "missing or unrecognized directive", "unknown directive: ", "missing argument to %define directive",
    "missing argument to %include directive", "missing argument to %import directive", "cannot redefine ",
    "not a substitution legal name: ", "no replacement for ", "illegal lone ", "'$' not followed by '$' or name",
    "'${' not followed by name", "'${x' not followed by '}'", "'$(' not followed by name",
    "'$(HOME' not followed by ')'", "error opening file", "fragment identifiers are not supported",
    "illegal schema component name: ", "not UTF-8", "embedded null byte",
]  # fmt: skip

# ZConfig's words, where Switchboard has others.
OTHER_WORDS = {"error opening ": "cannot read ", "embedded null byte": "cannot read "}


@dataclass
class Switchboard:
    """The program, with the environment of the tests."""

    program: pathlib.Path
    environment: dict

    def trees(self, files):
        """What it prints for each of these files, in one run."""
        output, status = self.run(files)
        lines = output.split(b"\n")
        assert lines.pop() == b"" and len(lines) == len(files), f"{len(lines)} lines for {len(files)} files"
        said = [json.loads(line) for line in lines]
        assert status == (78 if any("error" in tree for tree in said) else 0), f"exit status {status}"
        return said

    def run(self, files):
        done = subprocess.run(
            [self.program, "conf", "tree", "--json", *files],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=300,
        )
        assert not done.stderr, done.stderr.decode(errors="replace")
        return done.stdout, done.returncode


def difference(theirs, ours):
    """What is different, in a line; none if nothing is."""
    if "error" not in theirs and "error" not in ours:
        return None if theirs == ours else f"the trees differ: {first_difference(theirs, ours)}"
    if "error" not in ours:
        return f"no error, but ZConfig has: {theirs['error']['message']}"
    error = ours["error"]
    if set(error) != {"file", "line", "message"}:
        return f"an error has these: {', '.join(error)}"
    if "error" not in theirs:
        return f"an error that ZConfig has not: {error['message']}"
    return wrong_place(theirs["error"], error) or wrong_words(theirs["error"]["message"], error["message"])


def first_difference(theirs, ours, way=""):
    if type(theirs) is not type(ours) or not isinstance(theirs, (dict, list)):
        return f"{way} is {ours!r}, not {theirs!r}"
    if isinstance(theirs, list):
        if len(theirs) != len(ours):
            return f"{way} has {len(ours)} parts, not {len(theirs)}"
        theirs, ours = dict(enumerate(theirs)), dict(enumerate(ours))
    if set(theirs) != set(ours):
        return f"{way} has {', '.join(ours)}"
    parts = (first_difference(theirs[key], ours[key], f"{way}/{key}") for key in theirs if theirs[key] != ours[key])
    return next(parts)


def wrong_place(theirs, ours):
    if "bytes" in theirs:
        if pathlib.Path(ours["file"]).read_bytes() != theirs["bytes"]:
            return f"not the file with the wrong byte: {ours['file']}"
    elif theirs["file"] != ours["file"]:
        return f"the error is in {ours['file']}, not in {theirs['file']}"
    if theirs["line"] != ours["line"]:
        return f"the error is in line {ours['line']}, not in {theirs['line']}"
    return None


def wrong_words(theirs, ours):
    """The words up to what is quoted: Python quotes in its own way."""
    words = theirs if theirs.startswith("'") else theirs.split("'")[0].split('"')[0]
    for begin, instead in OTHER_WORDS.items():
        words = instead if words.startswith(begin) else words
    return None if ours.startswith(words) else f"it says {ours!r}, not {theirs!r}"
