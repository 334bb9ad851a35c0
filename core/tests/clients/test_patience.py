"""A host that does not answer fails its test, by name and in time, and the next test is run."""

import pathlib
import re
import subprocess
import sys

CONF = pathlib.Path(__file__).with_name("pytest.ini")
TESTS = """
import asyncio, threading, pytest

async def test_that_awaits_for_ever():
    await asyncio.Event().wait()

def test_that_blocks_for_ever():
    threading.Event().wait()

@pytest.fixture
async def a_host_that_never_comes():
    await asyncio.Event().wait()

async def test_whose_fixture_hangs(a_host_that_never_comes):
    pass

async def test_that_is_run_nevertheless():
    pass
"""


def test_a_test_that_hangs_fails_in_its_time_and_by_its_name(tmp_path):
    (tmp_path / "test_hanging.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-c", CONF, "-rfE", "--timeout=1", tmp_path]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50).stdout
    assert set(re.findall(r"^(FAILED|ERROR) .*::(\w+)", said, re.M)) == {
        ("FAILED", "test_that_awaits_for_ever"),
        ("FAILED", "test_that_blocks_for_ever"),
        ("ERROR", "test_whose_fixture_hangs"),
    }
    assert said.count("Failed: Timeout (>1.0s)") >= 3, said
    assert "2 failed, 1 passed, 1 error" in said


def test_every_test_here_has_its_time(pytestconfig):
    assert float(pytestconfig.getini("timeout")) == 60
