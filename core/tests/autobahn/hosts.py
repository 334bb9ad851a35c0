"""The hosts that the suite talks to, or through."""

import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

from suite import ROOT, SuiteError

PROGRAM = ROOT / "target/autobahn/echo"

# 9.1.6 and 9.2.6 send 16 MiB in one message, and many cases send nothing for seconds.
CONF = """
instancehome {home}
plugin-path {build}
<listener main>
  address 127.0.0.1:0
  {ssl}
</listener>
<limits>
  max-message-size 16MB
  max-backlog 64MB
  ping-interval 0
</limits>
{sections}
"""

SSL = """<ssl>
    certificate {home}/certificate.pem
    key {home}/key.pem
  </ssl>"""


def build_folder(is_release):
    """Where cargo has put the host and the plugin."""
    return ROOT / "target" / ("release" if is_release else "debug")


def section(prefix, endpoint, compression):
    """One `<websocket>`. What compresses does so with every message, short ones too."""
    line = "" if compression == "off" else f"  compression {compression}\n  compression-threshold 0\n"
    return f"<websocket {prefix}>\n{endpoint}\n{line}</websocket>\n"


def build_program():
    """The C++ program, from its example."""
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    source = ROOT / "examples/echo-cpp/echo.cpp"
    command = ["c++", "-std=c++17", "-O2", "-pthread", "-I", ROOT / "sdk/cpp/include", "-o", PROGRAM, source]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SuiteError(f"{source.relative_to(ROOT)} does not compile:\n{done.stderr}")


class Host:
    """One running host, which ends with the block."""

    def __init__(self, sections, build, tls=False):
        self._home = tempfile.TemporaryDirectory(prefix="switchboard-autobahn-")
        home = Path(self._home.name)
        self.certificate = make_certificate(home) if tls else None
        conf = home / "zope.conf"
        ssl = SSL.format(home=home) if tls else ""
        conf.write_text(CONF.format(home=home, build=build, sections=sections, ssl=ssl))
        self._scheme = "wss" if tls else "ws"
        self._log, self._address, self._spoken = "", None, threading.Event()
        command = [build / "switchboard", "serve", "-c", conf]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._spoken.wait(timeout=60) or self._process.poll() is not None:
            self._process.kill()
            raise SuiteError(f"the host did not become ready:\n{self._log}")

    def url(self, path):
        return f"{self._scheme}://{self._address}{path}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """A host that does not end well was not well."""
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = "nothing within a minute"
        self._reader.join(timeout=5)
        self._home.cleanup()
        if status != 0:
            raise SuiteError(f"the host ended with {status}:\n{self._log}")

    def _read(self):
        for line in self._process.stderr:
            self._log += line
            if found := re.search(r"listening on (\S+)", line):
                self._address = found[1]
            if "ready" in line:
                self._spoken.set()
        self._spoken.set()  # it ended


def make_certificate(home):
    """For this run only: the suite does not ask who has signed it, and a forward is told to trust it."""
    certificate, key = home / "certificate.pem", home / "key.pem"
    kind = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost".split()
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    command = ["openssl", *kind, *names, "-keyout", key, "-out", certificate]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SuiteError(f"openssl made no certificate:\n{done.stderr}")
    key.chmod(0o600)
    return certificate
