"""Runs the Autobahn testsuite, which was written for Python 2, on Python 3.

    fuzzer.py client SPEC.json    the suite connects to the servers that the spec names
    fuzzer.py server SPEC.json    the suite waits for clients
    fuzzer.py cases               prints the names of its cases

It runs in the environment that `suite.py` makes, which has translated the suite's syntax already.
What is left is that a Python 2 string is bytes. Here such a string stays a `str`, one character a
byte (latin-1), all through the suite, and becomes bytes where the suite meets Autobahn's own
WebSocket implementation, which knows Python 3 and is used as it is.
"""

import binascii
import contextlib
import importlib.metadata
import json
import pathlib
import sys
import types

from autobahn.twisted import websocket
from autobahn.websocket import compress, protocol, utf8validator  # noqa: F401, before the suite is
from twisted.internet import reactor


def as_bytes(value):
    return value.encode("latin-1") if isinstance(value, str) else value


def as_str(value):
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value


class Utf8Validator(utf8validator.Utf8Validator):
    """The one that the suite builds its cases with."""

    def validate(self, text):
        return super().validate(as_bytes(text))


def hexed(data):
    return as_str(binascii.b2a_hex(as_bytes(data)))


@contextlib.contextmanager
def standing_in(modules):
    """What is imported in here finds these instead, and keeps them."""
    own = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in own.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})


def load(folder):
    """The modules `fuzzing` and `case` of the suite that is in `folder`."""
    # Its own `__init__` also imports tools that are not translated.
    package = types.ModuleType("autobahntestsuite")
    package.__path__ = [str(folder)]
    package.version = importlib.metadata.version("autobahntestsuite")
    sys.modules["autobahntestsuite"] = package
    instead = {
        "binascii": types.SimpleNamespace(b2a_hex=hexed, hexlify=hexed),
        "autobahn.websocket.utf8validator": types.SimpleNamespace(Utf8Validator=Utf8Validator),
        "pkg_resources": types.SimpleNamespace(resource_filename=lambda _, name: str(folder / name)),
        # Only for pages in HTML.
        "autobahntestsuite.report": types.SimpleNamespace(
            CSS_COMMON="", CSS_DETAIL_REPORT="", CSS_MASTER_REPORT="", JS_MASTER_REPORT=""
        ),
        # A case that the suite itself does not run.
        "autobahntestsuite.case.case9_9_1": types.SimpleNamespace(),
    }
    with standing_in(instead):
        from autobahntestsuite import case, fuzzing
    return fuzzing, case


# ---- where the suite meets Autobahn


def outgoing(method):
    """A method of Autobahn that wants bytes, for callers that have strings."""

    def send(self, *args, **named):
        named = {name: as_bytes(value) for name, value in named.items()}
        return method(self, *map(as_bytes, args), **named)

    return send


def repeating(method):
    """`sendFrame`, of which the part that repeats a payload is Python 2."""

    def send(self, opcode, payload=b"", payload_len=None, **named):
        if payload_len is not None:
            payload = (payload * (payload_len // len(payload) + 1))[:payload_len]
        return method(self, opcode, payload, **named)

    return send


def incoming(method, converted):
    """A method of the suite that wants a string first, called with bytes."""

    def receive(self, first, *rest):
        return method(self, converted(first), *rest)

    return receive


def shown(data, maxlen=64, replace=False):
    """How a report shows a payload: as text if it is some, else in hex."""
    data, mark = as_bytes(data), "" if len(data) <= maxlen - 4 else " ..."
    data = data[: maxlen - len(mark)]
    try:
        return data.decode("utf-8", "replace" if replace else "strict") + mark
    except UnicodeDecodeError:
        return f"0x{data.hex()}{mark}"


def shown_in_hex(data, maxlen=64):
    data = as_bytes(data)
    return data[:maxlen].hex() + (" ..." if len(data) > maxlen - 4 else "")


def log_frame_in(method):
    """A received frame comes in pieces."""

    def log(self, header, payload):
        return method(self, header, [as_str(piece) for piece in payload])

    return log


def connect(fuzzing, case):
    fuzzing.asciiLogData, fuzzing.binLogData = shown, shown_in_hex
    ours = fuzzing.FuzzingProtocol
    ours.onMessage = incoming(ours.onMessage, as_str)
    ours.onPong = incoming(ours.onPong, as_str)
    ours.logRxFrame = log_frame_in(ours.logRxFrame)
    theirs = protocol.WebSocketProtocol
    theirs.sendFrame = repeating(theirs.sendFrame)
    for name in ("sendFrame", "sendMessage", "sendMessageFrameData", "sendCloseFrame"):
        setattr(theirs, name, outgoing(getattr(theirs, name)))
    # Python 2 compared pickles, of which Python 3 makes different ones for equal things.
    case.Case.compare = lambda self, got, expected: repr(got) == repr(expected)
    # These cases make bytes of their strings themselves.
    for compressed in case.Case12_X_X + case.Case13_X_X:
        compressed.onMessage = incoming(compressed.onMessage, as_bytes)


def report(fuzzing):
    """JSON only: what writes HTML is Python 2 throughout."""
    write = fuzzing.FuzzingFactory.createReports
    fuzzing.FuzzingFactory.createReports = lambda self: write(self, produceHtml=False)
    dumps = json.dumps
    fuzzing.json = types.SimpleNamespace(
        loads=json.loads, dumps=lambda value, **how: dumps(value, default=as_str, **how)
    )


def serve(factory):
    """On any free port, which is the first line of the output."""
    factory.port = 0
    factory.externalPort = websocket.listenWS(factory, interface="127.0.0.1").getHost().port
    print(f"port {factory.externalPort}", flush=True)


def main(mode, spec=None):
    fuzzing, case = load(pathlib.Path(sys.prefix) / "translated")
    if mode == "cases":
        names = fuzzing.CaseSet(case.CaseSetname, case.CaseBasename, case.Cases, {}, {})
        return print(json.dumps([names.caseClasstoId(each) for each in case.Cases]))
    spec = json.loads(pathlib.Path(spec).read_text())
    connect(fuzzing, case)
    report(fuzzing)
    if mode == "client":
        fuzzing.startClient(spec)
    else:
        serve(fuzzing.FuzzingServerFactory(spec))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
