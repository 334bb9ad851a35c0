"""The Autobahn testsuite: installed below target/, translated to Python 3, and run.

The suite and its WebSocket implementation are those of PyPI, in versions that belong together. The
suite is written in Python 2, which Debian no longer has; `fissix`, the 2to3 of the standard
library as a package, translates its syntax here, and `fuzzer.py` looks after its strings.
"""

import contextlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
VENV = ROOT / "target/autobahn/venv"
PYTHON = VENV / "bin/python"

VERSION = "25.10.1"
# The suite's own requirements are for Python 2, so it and what it is built on come without them.
ALONE = [f"autobahntestsuite=={VERSION}", "autobahn==0.10.9", "txaio==2.1.0"]
AROUND = [
    "fissix==24.4.24",
    "pyOpenSSL==25.3.0",
    "service-identity==24.2.0",
    "setuptools==75.8.2",
    "six==1.17.0",
    "Twisted==24.11.0",
    "wheel==0.45.1",
    "wsaccel==0.6.7",
]

FIXERS = ["except", "has_key", "import", "numliterals", "print", "raise", "unicode", "xrange"]
# What means something else in Python 3 and is too seldom for a fixer.
REWRITTEN = {
    r"\(object, Case, \)": "(Case, )",
    r" / self\.p\.autoFragmentSize": " // self.p.autoFragmentSize",
}


class SuiteError(Exception):
    """The suite did not come, or did not run as it should; it says nothing about the host then."""


def install():
    """Makes the environment, anew whenever the recipe has changed."""
    recipe, marker = repr((ALONE, AROUND, FIXERS, REWRITTEN)), VENV / "installed"
    if marker.exists() and marker.read_text() == recipe:
        return
    print(f"installing the Autobahn testsuite into {VENV.relative_to(ROOT)}", flush=True)
    if not can_make_environments():
        raise SuiteError("this Python has no venv; on Debian: apt-get install python3-venv")
    quietly(sys.executable, "-m", "venv", "--clear", VENV)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    quietly(*pip, *AROUND)
    quietly(*pip, "--no-deps", "--no-build-isolation", *ALONE)
    translate()
    marker.write_text(recipe)


def can_make_environments():
    probe = [sys.executable, "-c", "import ensurepip, venv"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def translate():
    [suite] = VENV.glob("lib/python3*/site-packages/autobahntestsuite")
    translated = VENV / "translated"
    fixers = [word for fixer in FIXERS for word in ("-f", fixer)]
    into = ["--write", "--nobackups", "--no-diffs", "--write-unchanged-files", "-o", translated]
    sources = [suite / name for name in ("case", "caseset.py", "fuzzing.py")]
    quietly(PYTHON, "-m", "fissix", *into, *fixers, *sources)
    for file in translated.rglob("*.py"):
        # A character of a Python 2 string is a byte of the file.
        text = file.read_bytes().decode("latin-1")
        for old, new in REWRITTEN.items():
            text = re.sub(old, new, text)
        file.write_text(text, encoding="utf-8")
    shutil.copytree(suite / "testdata", translated / "testdata")


def quietly(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}"
        raise SuiteError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}")


def cases(patterns):
    """The names of the cases that match one of `patterns`, in the suite's order."""
    done = subprocess.run([PYTHON, HERE / "fuzzer.py", "cases"], capture_output=True, text=True)
    if done.returncode:
        raise SuiteError(f"the testsuite does not run:\n{done.stderr}")
    wanted = re.compile("|".join(re.escape(p).replace(r"\*", ".*") for p in patterns))
    return [name for name in json.loads(done.stdout) if wanted.fullmatch(name)]


class Fuzzer:
    """The suite at work; a client ends by itself, a server is stopped by the end of the block."""

    def __init__(self, mode, folder, spec):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        spec = {"outdir": str(folder), "exclude-cases": [], "exclude-agent-cases": {}, **spec}
        (folder / "spec.json").write_text(json.dumps(spec, indent=1))
        self.log, self.folder = folder / "log", folder
        command = [PYTHON, HERE / "fuzzer.py", mode, folder / "spec.json"]
        with open(self.log, "w") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def finish(self, seconds_max):
        """Waits for a client; what it has not written by then is missing."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds_max)

    def port(self):
        """Where a server listens."""
        while self._process.poll() is None:
            if found := re.search(r"^port (\d+)$", self.log.read_text(), re.M):
                return int(found[1])
            time.sleep(0.05)
        raise SuiteError(f"the fuzzing server ended:\n{self.log.read_text()}")

    def results(self):
        """What came of each case, by its name."""
        log, index = self.log.read_text(), self.folder / "index.json"
        # A case that raises ends without a verdict, or worse, with one.
        if found := re.search(r"^(Unhandled|Traceback).*(\n.*){,40}", log, re.M):
            raise SuiteError(f"the suite itself has failed:\n{found[0]}")
        agents = json.loads(index.read_text()) if index.exists() else {}
        return next(iter(agents.values()), {})
