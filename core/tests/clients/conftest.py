"""Starts the real host on a free port, with the bundled plugins `echo` and `chat`."""

import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("SWITCHBOARD", str(ROOT / "target/debug/switchboard"))

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


class Host:
    """One running host. `log` is all it has said so far, for the message of a failed test."""

    def __init__(self, home):
        conf = home / "zope.conf"
        conf.write_text(CONF.format(home=home, root=ROOT))
        self.log, self.address, self.ready = "", None, False
        self._spoken = threading.Event()
        self._process = subprocess.Popen([PROGRAM, "serve", "-c", str(conf)], stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        if not self._spoken.wait(timeout=30) or not self.ready:
            self._process.kill()
            raise RuntimeError(f"the host did not become ready:\n{self.log}")

    def url(self, path):
        return f"ws://{self.address}{path}"

    def stop(self):
        """Asks it to end, and returns its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise RuntimeError(f"the host did not end:\n{self.log}") from None

    def is_running(self):
        return self._process.poll() is None

    def _read(self):
        for line in self._process.stderr:
            self.log += line
            if found := re.search(r"listening on (\S+)", line):
                self.address = found[1]
            if "ready" in line and self.address:
                self.ready = True
                self._spoken.set()
        self._spoken.set()  # it ended


@pytest.fixture
def new_host(tmp_path):
    """A host of the test's own, to be stopped by it."""
    host = Host(tmp_path)
    yield host
    if host.is_running():
        host.stop()


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    """The host that the tests share. Whatever they do to it, it goes on to the end."""
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    assert host.is_running(), f"the host ended on its way:\n{host.log}"
    assert host.stop() == 0, host.log
