"""Starts the real host on a free port, with the bundled plugins `echo` and `chat`, and endpoints of the other kinds."""

import asyncio
import os
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass, replace

import pytest
from websockets.asyncio.client import connect

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
SWITCHBOARD = os.environ.get("SWITCHBOARD", str(ROOT / "target/debug/switchboard"))
PATIENCE_SECONDS = 30
CERTIFICATES = ROOT / "target/certificates"

CONF = """
instancehome {home}
plugin-path {root}/target/debug
<listener main>
  address 127.0.0.1:0
</listener>
<websocket /chat>
  <plugin chat>
    <config>
      history 50
    </config>
  </plugin>
</websocket>
<websocket /echo>
  <plugin echo />
</websocket>
"""


class Program:
    """A running program. `log` is all it has said so far."""

    def __init__(self, command, **pipes):
        self.log, self._over, self._said = "", False, threading.Condition()
        self._process = subprocess.Popen(command, text=True, **pipes)
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, pattern, since=0):
        """The first match in what it says, from a place in its log on."""
        find = lambda: re.search(pattern, self.log[since:], re.MULTILINE)
        with self._said:
            self._said.wait_for(lambda: find() or self._over, PATIENCE_SECONDS)
            assert find(), f"{pattern} is not in what was said:\n{self.log}"
            return find()

    def is_running(self):
        return self._process.poll() is None

    def wait(self):
        """Its exit status. It has been asked to end."""
        try:
            return self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"it did not end:\n{self.log}") from None

    def kill(self):
        self._process.kill()
        self._process.wait()

    def _read(self):
        for line in self._process.stderr or self._process.stdout:
            with self._said:
                self.log += line
                self._said.notify_all()
        with self._said:
            self._over = True
            self._said.notify_all()


class Upstream(Program):
    """The server of the package `websockets` that the host forwards to."""

    def __init__(self):
        command = [sys.executable, "-B", HERE / "upstream.py"]
        super().__init__(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.address = self.wait_for(r"^listening on (\S+)$")[1]

    def stop(self):
        self._process.stdin.close()
        return self.wait()


class Host(Program):
    """One running host, ready with all its endpoints."""

    def __init__(self, home, upstream):
        endpoints = (HERE / "endpoints.conf").read_text()
        endpoints = endpoints.replace("@ROOT@", str(ROOT)).replace("@UPSTREAM@", upstream.address)
        (home / "zope.conf").write_text(CONF.format(home=home, root=ROOT) + endpoints)
        super().__init__([SWITCHBOARD, "serve", "-c", home / "zope.conf"], stderr=subprocess.PIPE)
        try:
            self.address = self.wait_for(r"listening on (\S+) \(listener main\)")[1]
            self.secure_port = int(self.wait_for(r"listening on \S+:(\d+) \(listener secure\)")[1])
            for ready in [": ready: ", *(f"{path}: ready$" for path in PROGRAMS)]:
                self.wait_for(ready)
        except BaseException:  # a test's time may be over too
            self.kill()
            raise

    def url(self, path, tls=None):
        return f"{'wss' if tls else 'ws'}://{self.authority(tls)}{path}"

    def authority(self, tls=None):
        """What stands before the path; over TLS it is a name of the certificate."""
        return f"localhost:{self.secure_port}" if tls else self.address

    def stop(self):
        """Asks it to end, and returns its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait()


def secured(tls):
    """The options of a client that speaks this version of TLS, and trusts the authority of the tests and no other."""
    if not tls:
        return {}
    context = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem")
    context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
    return {"ssl": context}


@dataclass(frozen=True)
class Kind:
    """A way to answer.

    `path` echoes, and `in_order` also what comes together with a Close.
    `closing` closes when asked, and says in a log how its clients end.
    """

    path: str
    in_order: str
    closing: str
    logs_as: str
    counts: bool = False  # says "message 7" behind its seventh answer
    compression: str = "off"  # in the conf; the package offers it unless a test says otherwise
    tls: str | None = None  # the version

    def under(self, compression):
        """The section of the same kind under compression."""
        there = lambda path: f"{path}-{compression}"
        return replace(
            self,
            path=there(self.path),
            in_order=there(self.in_order),
            closing=there(self.closing),
            logs_as=self.logs_as.replace(self.closing, there(self.closing)),
            compression=compression,
        )


KINDS = {
    "plugin": Kind("/echo", "/echo", "/probe", "plugin: /probe .*: "),
    "cpp": Kind("/cpp", "/cpp", "/cpp", "program: /cpp: "),
    "python": Kind("/python", "/python", "/python", "program: /python: ", counts=True),
    "forward": Kind("/forward", "/forward-in-order", "/forward", "^"),
}
COMPRESSED = [
    ("plugin", "shared"),
    ("plugin", "dedicated"),
    ("cpp", "dedicated"),
    ("python", "shared"),
    ("forward", "dedicated"),
]
KINDS |= {f"{kind}-{compression}": KINDS[kind].under(compression) for kind, compression in COMPRESSED}
PROGRAMS = [kind.path for name, kind in KINDS.items() if name.startswith(("cpp", "python"))]
# Each of these once over TLS, so that every kind of endpoint meets both versions.
OVER_TLS = {"1.2": ["plugin", "plugin-shared", "cpp-dedicated", "python", "forward-dedicated"]}
OVER_TLS["1.3"] = [kind for kind in KINDS if kind not in OVER_TLS["1.2"]]
KINDS |= {f"{kind}-tls-{tls}": replace(KINDS[kind], tls=tls) for tls, kinds in OVER_TLS.items() for kind in kinds}


class Endpoint:
    """One of the kinds, behind the shared host, for one test."""

    def __init__(self, host, upstream, kind):
        self.host, self.kind = host, KINDS[kind]
        self._log = upstream if kind.startswith("forward") else host
        self._since = len(self._log.log)
        self.url, self.in_order_url, self.closing_url = (
            host.url(path, self.kind.tls) for path in (self.kind.path, self.kind.in_order, self.kind.closing)
        )
        self.origin = f"{'https' if self.kind.tls else 'http'}://{host.authority(self.kind.tls)}"

    def connect(self, url=None, **options):
        """As the package's own, to what echoes unless it is told otherwise."""
        return connect(url or self.url, **secured(self.kind.tls), **options)

    async def saw_end(self, code, reason):
        """Waits until the endpoint itself says that a client has ended so."""
        line = f"{self.kind.logs_as}.*has ended with {code} ?{re.escape(reason)}$"
        await asyncio.to_thread(self._log.wait_for, line, self._since)


@pytest.fixture(scope="session")
def upstream():
    upstream = Upstream()
    yield upstream
    assert upstream.stop() == 0, upstream.log


@pytest.fixture(scope="session")
def host(tmp_path_factory, upstream):
    """The host that the tests share. Whatever they do to it, it goes on to the end."""
    host = Host(tmp_path_factory.mktemp("host"), upstream)
    yield host
    assert host.is_running(), f"the host ended on its way:\n{host.log}"
    assert host.stop() == 0, host.log


@pytest.fixture
def new_host(tmp_path, upstream):
    """A host of the test's own, to be stopped by it."""
    host = Host(tmp_path, upstream)
    yield host
    if host.is_running():
        host.stop()


@pytest.fixture(params=KINDS)
def endpoint(request, host, upstream):
    return Endpoint(host, upstream, request.param)


@pytest.fixture
def forward(host, upstream):
    return Endpoint(host, upstream, "forward")
