#!/usr/bin/env python3
"""An endpoint in one file: sends every message back, and counts the messages of each client.

Written from sdk/spec/endpoint-protocol.md alone; the numbers in brackets are its sections.
It counts credit both ways, splits long messages, answers pings and ends when the host wants it to.
"""

import os
import re
import select
import socket
import struct
import sys
from collections import deque

HEADER = struct.Struct("<IBBHII")  # [2] len, type, flags, aux, stream, seq
VALUE = struct.Struct("<HHI")  # [3] tag, tflags, len
HELLO, HELLO_OK, READY, PING, PONG, DRAIN, GOAWAY, LOG = 1, 2, 3, 4, 5, 6, 7, 8
OPEN, ACCEPT, REJECT, DATA, CREDIT, ACK, CLOSE, CLOSED, RESET = range(0x10, 0x19)
TEXT, MORE = 1, 2

FRAME_BYTES_MAX = 262_144
FRAGMENT_BYTES = 65_536
UNCOUNTED = 0xFFFFFFFF
STREAM_BYTES, STREAM_MESSAGES, LINK_BYTES = 65_536, 64, 16_777_216  # what the host may send [4.3]
CLOSE_WISH = re.compile(rb"close (\d{4})\b ?(.{0,123})", re.DOTALL)  # what a client says to be closed

NONE, PROTOCOL, VERSION, UNSUPPORTED, FLOW, TOO_BIG, LIMIT, TIMEOUT, FAULT, DENIED, BAD_TEXT = range(11)

# ---- frames: what each type may carry [5]
# type: (who sends it, on which streams, flags, has aux, sizes of the numbers, what follows them)
H, E, LINK, STREAM, BOTH = "h", "e", 1, 2, 3
TEXT_VALUE = {9: "text"}
LAYOUT = {
    0x01: (E, LINK, 1, False, "42244444422", {1: "text", 2: "text", 3: "text", 4: "text*", 5: "bytes"}),
    0x02: (H, LINK, 0, False, "224444444", {1: "text", 2: "text", 4: "text*", 6: "text", 7: "u64", 8: "pair*"}),
    0x03: (E, LINK, 0, True, "", TEXT_VALUE),
    0x04: (H + E, LINK, 0, False, "8", None),
    0x05: (H + E, LINK, 0, False, "8", None),
    0x06: (H + E, LINK, 0, True, "4", TEXT_VALUE),
    0x07: (H + E, LINK, 0, True, "4", TEXT_VALUE),
    0x08: (E, LINK, 0, True, "", {9: "text", 10: "text", 11: "pair*"}),
    0x09: (H, LINK, 0, True, "", None),
    0x10: (H, STREAM, 3, False, "", {
        16: "u64", **{tag: "text" for tag in range(17, 27)}, 27: "text*", 28: "pair*",
        32: "text", 33: "bytes", 34: "u64", 35: "u64"}),
    0x11: (E, STREAM, 0, False, "", {26: "text", 28: "pair*"}),
    0x12: (E, STREAM, 0, True, "", {28: "pair*", 29: "text"}),
    0x13: (H + E, STREAM, 7, False, "", "payload"),
    0x14: (H + E, BOTH, 0, False, "44", None),
    0x15: (H + E, STREAM, 0, False, "8", None),
    0x16: (H + E, STREAM, 0, True, "4", "text"),
    0x17: (E, STREAM, 0, False, "", None),
    0x18: (H + E, STREAM, 0, True, "", TEXT_VALUE),
    0x19: (E, STREAM, 1, False, "8", {32: "text", 33: "bytes"}),
    0x1A: (H, STREAM, 0, False, "4", None),
    0x1B: (H, STREAM, 0, False, "", None),
    0x1C: (E, LINK, 3, False, "4", "payload"),
    0x1D: (H, STREAM, 0, False, "", {16: "u64", 26: "text", 48: "text", 49: "bytes"}),
    0x20: (E, LINK, 0, False, "4", "text"),
    0x21: (E, STREAM, 1, False, "44", {40: "bytes", 41: "bytes", 42: "message", 43: "message"}),
    0x22: (E, STREAM, 0, False, "4", None),
    0x23: (E, LINK, 11, False, "44", "payload"),
    0x24: (H, STREAM, 2, True, "48", {40: "bytes", 44: "member*", 45: "retained*"}),
    0x25: (E, STREAM, 0, False, "4", None),
}
AUX_RULES = {
    (READY, H): lambda aux: aux <= 1,
    (0x09, H): lambda aux: aux != 0,
    (REJECT, H): lambda aux: 400 <= aux <= 599,
    (CLOSE, H): lambda aux: 1000 <= aux <= 4999,
    (CLOSE, E): lambda aux: aux in (1000, 1001, 1003) or 1007 <= aux <= 1014 or 3000 <= aux <= 4999,
}


class Wrong(Exception):
    """A frame that breaks a rule: RESET of its stream, or GOAWAY if that is 0 [9]."""

    def __init__(self, code, why, stream=0):
        super().__init__(why)
        self.code, self.stream = code, stream


class Frame:
    """One frame: numbers of its fixed part, values as (tag, decoded), and what follows as bytes."""

    def __init__(self, type, stream=0, aux=0, flags=0, seq=0, numbers=(), values=(), rest=b""):
        self.type, self.stream, self.aux, self.flags, self.seq = type, stream, aux, flags, seq
        self.numbers, self.values, self.rest = list(numbers), list(values), rest

    def value(self, tag, default=None):
        return next((value for found, value in self.values if found == tag), default)

    def write(self):
        layout = LAYOUT[self.type]
        body = b"".join(number.to_bytes(int(size), "little") for number, size in zip(self.numbers, layout[4]))
        for tag, value in self.values:
            raw = encode(layout[5][tag].rstrip("*"), value)
            body += VALUE.pack(tag, 0, len(raw)) + raw
        body += self.rest
        return HEADER.pack(len(body), self.type, self.flags, self.aux, self.stream, self.seq) + body


def encode(kind, value):
    if kind == "text":
        return value.encode()
    if kind == "bytes":
        return value
    if kind == "u64":
        return struct.pack("<Q", value)
    if kind == "pair":
        name = value[0].encode()
        return struct.pack("<H", len(name)) + name + value[1]
    if kind == "message":
        return bytes([value[0]]) + value[1]
    if kind == "member":
        return struct.pack("<QH", value[0], len(value[1])) + value[1] + value[2]
    return struct.pack("<QBB", value[0], value[1], value[2]) + value[3]


def decode(kind, raw):
    """The value in these bytes; raises ValueError, IndexError or struct.error if there is none [3]."""
    if kind == "text":
        return raw.decode()
    if kind == "bytes":
        return raw
    if kind == "u64":
        return struct.unpack("<Q", raw)[0]
    if kind == "pair":
        name, value = short(raw)
        return name.decode(), value
    if kind == "message":
        return one_of(raw[0], 1, 2), raw[1:]
    if kind == "member":
        return struct.unpack("<Q", raw[:8])[0], *short(raw[8:])
    seq, text, more = struct.unpack("<QBB", raw[:10])
    return seq, one_of(text, 1, 2), one_of(more, 0, 1), raw[10:]


def short(raw):
    """A u16 length, so many bytes, and what follows."""
    size = struct.unpack("<H", raw[:2])[0]
    if len(raw) < 2 + size:
        raise ValueError("cut short")
    return raw[2 : 2 + size], raw[2 + size :]


def one_of(number, *allowed):
    if number not in allowed:
        raise ValueError(number)
    return number


def read_frame(data, side=H, frame_bytes_max=FRAME_BYTES_MAX):
    """The frame at the start of `data` that `side` has written, and its length.

    (None, 0) if it is incomplete, (None, length) if it is of a type to skip.
    Raises Wrong for the first fault, in the order of section 9.
    """
    if len(data) < HEADER.size:
        return None, 0
    size, type, flags, aux, stream, seq = HEADER.unpack_from(data)
    layout = LAYOUT.get(type)
    if layout is None and type < 0x80:
        raise Wrong(PROTOCOL, f"frame type {type:#04x} is unknown")
    if layout and side not in layout[0]:
        raise Wrong(PROTOCOL, f"frame type {type:#04x} is not for this side")
    if layout and not layout[1] & (LINK if stream == 0 else STREAM):
        raise Wrong(PROTOCOL, f"frame type {type:#04x} does not belong on stream {stream}")
    if size > frame_bytes_max:
        raise Wrong(TOO_BIG, "a frame is too long")
    end = HEADER.size + size
    if len(data) < end:
        return None, 0
    if layout is None:
        return None, end
    try:
        frame = Frame(type, stream, aux, flags, seq)
        read_body(frame, layout, side, bytes(data[HEADER.size : end]))
        return frame, end
    except Wrong as wrong:
        wrong.stream, wrong.length = stream, end
        raise


def read_body(frame, layout, side, body):
    _, _, flags, has_aux, sizes, rest = layout
    demand(not frame.flags & ~(3 if frame.type == DATA and side == E else flags), "a flag without a meaning")
    rule = AUX_RULES.get((frame.type, side if frame.type == CLOSE else H))
    demand(rule(frame.aux) if rule else has_aux or frame.aux == 0, "an aux that is not allowed")
    demand(frame.seq == 0 or frame.type == DATA, "a number where there is none")
    at = 0
    for size in map(int, sizes):
        demand(len(body) - at >= size, "a body that is too short")
        frame.numbers.append(int.from_bytes(body[at : at + size], "little"))
        at += size
    check_numbers(frame, side)
    left = body[at:]
    if isinstance(rest, dict):
        read_values(frame, rest, left)
        demand(frame.type not in (OPEN, 0x1D) or frame.value(16) is not None, "CONN_UID is missing")
        return
    frame.rest = left
    if rest is None:
        demand(not left, "a body that is too long")
    elif rest == "text":
        demand(is_utf8(left), "text that is not UTF-8")
        demand(len(left) <= (123 if frame.type == CLOSE else 255), "a body that is too long")
    else:
        ids = 4 * frame.numbers[0] if frame.type == 0x1C else 0
        demand(len(left) >= ids, "a body that is too short")
        demand(not frame.flags & MORE or len(left) > ids, "an empty fragment that is not the last")


def check_numbers(frame, side):
    numbers = frame.numbers
    if frame.type == HELLO:
        demand(numbers[0] == int.from_bytes(b"SWBD", "little"), "another protocol")
        demand(numbers[1] <= numbers[2] and 65_536 <= numbers[3] <= 1 << 24, "a value that is not allowed")
        demand(all(numbers[4:8]) and numbers[10] == 0, "a value that is not allowed")
    elif frame.type == HELLO_OK:
        demand(65_536 <= numbers[2] <= 1 << 24 and all(numbers[5:8]), "a value that is not allowed")
    elif frame.type == CREDIT:
        demand(frame.stream or not numbers[1], "messages on the link")
    elif frame.type == CLOSE:
        demand(side == H or numbers[0] == 0, "a why from the endpoint")


def read_values(frame, known, left):
    seen = set()
    while left:
        demand(len(left) >= VALUE.size, "a value that is cut short")
        tag, flags, size = VALUE.unpack_from(left)
        demand(flags <= 1, "undefined flags of a value")
        raw, after = left[VALUE.size : VALUE.size + size], left[VALUE.size + size :]
        demand(len(raw) == size, "a value that is cut short")
        kind = known.get(tag)
        if kind:
            try:
                frame.values.append((tag, decode(kind.rstrip("*"), raw)))
            except (ValueError, IndexError, struct.error):
                raise Wrong(PROTOCOL, f"value {tag} is malformed") from None
            demand(kind.endswith("*") or tag not in seen, f"value {tag} stands twice")
            seen.add(tag)
        elif flags:
            raise Wrong(UNSUPPORTED, f"tag {tag} is unknown and critical")
        left = after


def demand(holds, why):
    if not holds:
        raise Wrong(PROTOCOL, why)


def is_utf8(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


class Assembly:
    """Puts the fragments of one stream together [5.2]."""

    def __init__(self, message_bytes_max):
        self.parts, self.flags, self.messages, self.max = [], None, 0, message_bytes_max

    def push(self, frame):
        """(is text, payload) when a message is whole, else None."""
        flags = frame.flags & ~MORE
        if self.flags is None:
            self.messages += 1
            demand(frame.seq in (0, self.messages & 0xFFFFFFFF), "a message number that is not the next")
        else:
            demand(flags == self.flags and frame.seq == 0, "a fragment that does not fit")
        self.parts.append(frame.rest)
        if sum(map(len, self.parts)) > self.max:
            raise Wrong(TOO_BIG, "a message is too long")
        self.flags = flags if frame.flags & MORE else None
        if frame.flags & MORE:
            return None
        payload, self.parts = b"".join(self.parts), []
        if flags & TEXT and not is_utf8(payload):
            raise Wrong(BAD_TEXT, "a text message is not UTF-8")
        return bool(flags & TEXT), payload


# ---- credit [4]


class Window:
    """How much may be sent. It may fall below zero, and is paid by the CREDIT that follows."""

    def __init__(self, bytes, messages=UNCOUNTED):
        self.bytes, self.messages = counted(bytes), counted(messages)

    def is_open(self):
        return self.bytes > 0 and self.messages > 0

    def spend(self, bytes, messages):
        self.bytes -= bytes
        self.messages -= messages

    def add(self, bytes, messages):
        self.bytes += counted(bytes)
        self.messages += counted(messages)


def counted(number):
    return float("inf") if number == UNCOUNTED else number


class Grant:
    """What the host was given and has used: given back when it is half of the window."""

    def __init__(self, bytes, messages=UNCOUNTED):
        self.window, self.worth, self.owed = Window(bytes, messages), (bytes // 2, messages // 2), [0, 0]

    def received(self, bytes, begins):
        if begins and not self.window.is_open():
            raise Wrong(FLOW, "sent without credit")
        self.window.spend(bytes, int(begins))

    def done(self, bytes, messages):
        """What a CREDIT should now say, or None."""
        self.owed = [self.owed[0] + bytes, self.owed[1] + messages]
        if self.owed[0] < self.worth[0] and self.owed[1] < self.worth[1]:
            return None
        back, self.owed = self.owed, [0, 0]
        self.window.add(*back)
        return back


# ---- one client, and the link


class Stream:
    def __init__(self, window, message_bytes_max):
        self.assembly = Assembly(message_bytes_max)
        self.window = window  # for what is sent
        self.grant = Grant(STREAM_BYTES, STREAM_MESSAGES)  # for what comes
        self.waiting = deque()  # fragments without credit: (begins, frame)
        self.answered = self.ending = False
        self.owed = [0, 0]  # not given back yet, as answers wait
        self.count = 0


class Endpoint:
    """Bytes of the host go into `receive`; what is to be written gathers in `out`."""

    def __init__(self):
        self.out, self.input, self.streams = bytearray(), bytearray(), {}
        self.grant = Grant(LINK_BYTES)
        self.window = self.agreed = None
        self.last_stream, self.over, self.settings = 0, False, []
        magic = int.from_bytes(b"SWBD", "little")
        numbers = [magic, 1, 1, FRAME_BYTES_MAX, UNCOUNTED, STREAM_BYTES, STREAM_MESSAGES, LINK_BYTES, 10_000, 1, 0]
        self.write(Frame(HELLO, numbers=numbers, values=[(1, "endpoint.py")]))
        self.write(Frame(READY))

    # What a program of its own would change.

    def opened(self, id, frame):
        print(f"client {frame.value(16)} from {frame.value(24)} wants {frame.value(20)}", flush=True)
        self.accept(id)

    def message(self, id, text, payload):
        if text and (wish := CLOSE_WISH.fullmatch(payload)) and AUX_RULES[CLOSE, E](int(wish[1])):
            return self.close(id, int(wish[1]), wish[2].decode())
        stream = self.streams[id]
        stream.count += 1
        self.send(id, text, payload)
        unit = dict(self.settings).get("unit", "message")  # from <config> in the conf
        self.send(id, True, f"{unit} {stream.count}".encode())

    def closed(self, id, code, reason):
        print(f"stream {id} has ended with {code} {reason}", flush=True)

    # What it may call.

    def accept(self, id):
        self.write(Frame(ACCEPT, id))
        self.streams[id].answered = True

    def reject(self, id, status, body=""):
        self.write(Frame(REJECT, id, status, values=[(29, body)] if body else []))
        del self.streams[id]

    def send(self, id, text, payload):
        stream, parts = self.streams[id], range(0, max(len(payload), 1), FRAGMENT_BYTES)
        for at in parts:
            flags = (TEXT if text else 0) | (MORE if at != parts[-1] else 0)
            frame = Frame(DATA, id, flags=flags, rest=payload[at : at + FRAGMENT_BYTES])
            stream.waiting.append((at == 0, frame))
        self.flush(id)

    def close(self, id, code, reason=""):
        self.write(Frame(CLOSE, id, code, numbers=[0], rest=reason.encode()))

    # How it works.

    def write(self, frame):
        self.out += frame.write()

    def flush(self, id):
        """Sends what there is credit for; behind the last of it come the credit and CLOSED."""
        stream = self.streams[id]
        while stream.waiting:
            begins, frame = stream.waiting[0]
            if not self.window.is_open() or begins and not stream.window.is_open():
                return
            stream.waiting.popleft()
            stream.window.spend(len(frame.rest), int(begins))
            self.window.spend(HEADER.size + len(frame.rest), 0)
            self.write(frame)
        if stream.ending:
            self.write(Frame(CLOSED, id))
            del self.streams[id]
            return
        # The host is not asked for more while answers wait: a slow client slows itself down.
        back, stream.owed = stream.grant.done(*stream.owed), [0, 0]
        if back:
            self.write(Frame(CREDIT, id, numbers=back))

    def receive(self, data):
        self.input += data
        while not self.over:
            try:
                frame, length = read_frame(self.input)
                del self.input[:length]
                if not length:
                    return
                if frame:
                    self.handle(frame)
            except Wrong as wrong:
                del self.input[: getattr(wrong, "length", 0)]
                self.refuse(wrong)

    def refuse(self, wrong):
        print(f"the host: {wrong}", file=sys.stderr, flush=True)
        if wrong.stream and wrong.stream <= self.last_stream:
            if self.streams.pop(wrong.stream, None):
                self.write(Frame(RESET, wrong.stream, wrong.code, values=[(9, str(wrong))]))
        else:
            self.write(Frame(GOAWAY, 0, wrong.code, numbers=[self.last_stream], values=[(9, str(wrong))]))
            self.over = True

    def handle(self, frame):
        if not self.agreed and frame.type not in (HELLO_OK, GOAWAY):
            raise Wrong(PROTOCOL, "HELLO_OK was to come")
        handlers = {HELLO_OK: self.on_hello_ok, PING: self.on_ping, GOAWAY: self.on_goaway, OPEN: self.on_open,
                    DATA: self.on_data, CREDIT: self.on_credit, CLOSE: self.on_close, RESET: self.on_reset,
                    PONG: lambda _: None, DRAIN: self.on_drain}
        if frame.type not in handlers:
            raise Wrong(UNSUPPORTED, "a frame of a feature that was not agreed")
        handlers[frame.type](frame)

    def on_hello_ok(self, frame):
        if self.agreed:
            raise Wrong(PROTOCOL, "HELLO_OK does not come now")
        if frame.numbers[0] != 1:
            raise Wrong(VERSION, "this endpoint speaks version 1")
        self.agreed, self.window = frame, Window(frame.numbers[7])
        self.settings = [(name, line.decode()) for name, line in (v for tag, v in frame.values if tag == 8)]

    def on_ping(self, frame):
        self.write(Frame(PONG, numbers=frame.numbers))

    def on_drain(self, frame):
        """The host wants the clients to leave: what is on its way to them still arrives."""
        for id in self.streams:
            self.close(id, 1001, "this program ends")

    def on_goaway(self, frame):
        print(f"the host ends the link: {frame.value(9, '')}", flush=True)
        self.over = True

    def on_open(self, frame):
        if frame.stream <= self.last_stream:
            raise Wrong(PROTOCOL, "OPEN with an old number")
        self.last_stream = frame.stream
        numbers = self.agreed.numbers
        self.streams[frame.stream] = Stream(Window(numbers[5], numbers[6]), numbers[4])
        self.opened(frame.stream, frame)

    def living(self, frame):
        """The stream of a frame; None if it has ended, and the frame was on its way [6]."""
        if frame.stream > self.last_stream:
            raise Wrong(PROTOCOL, "a stream that was never opened")
        return self.streams.get(frame.stream)

    def on_data(self, frame):
        length = HEADER.size + len(frame.rest)
        self.grant.received(length, True)
        if back := self.grant.done(length, 0):
            self.write(Frame(CREDIT, numbers=[back[0], 0]))
        if not (stream := self.living(frame)):
            return
        try:
            demand(stream.answered and not stream.ending, "DATA does not come in this state")
            stream.grant.received(len(frame.rest), stream.assembly.flags is None)
            whole = stream.assembly.push(frame)
        except Wrong as wrong:
            wrong.stream = frame.stream
            raise
        if whole:
            self.message(frame.stream, *whole)
        stream.owed = [stream.owed[0] + len(frame.rest), stream.owed[1] + (whole is not None)]
        if frame.stream in self.streams:
            self.flush(frame.stream)

    def on_credit(self, frame):
        if frame.stream == 0:
            self.window.add(*frame.numbers)
            for id in list(self.streams):
                self.flush(id)
        elif stream := self.living(frame):
            stream.window.add(*frame.numbers)
            self.flush(frame.stream)

    def on_close(self, frame):
        if not (stream := self.living(frame)):
            return
        if stream.ending:
            raise Wrong(PROTOCOL, "CLOSE came twice", frame.stream)
        self.closed(frame.stream, frame.aux, frame.rest.decode())
        if frame.aux == 1006:
            stream.waiting.clear()  # there is nobody to send it to
        stream.ending = True
        self.flush(frame.stream)

    def on_reset(self, frame):
        if self.living(frame):
            del self.streams[frame.stream]
            self.closed(frame.stream, 1006, frame.value(9, ""))


def serve(link):
    """Reads and writes until the host ends the link; it reads while it waits for room to write."""
    endpoint = Endpoint()
    link.setblocking(False)
    while not endpoint.over or endpoint.out:
        readable, writable, _ = select.select(
            [] if endpoint.over else [link], [link] if endpoint.out else [], [], 5 if endpoint.over else None
        )
        try:
            if writable:
                del endpoint.out[: link.send(endpoint.out)]
            if readable:
                data = link.recv(262_144)
                if not data:
                    return
                endpoint.receive(data)
        except BlockingIOError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            return
        if endpoint.over and not (readable or writable):
            return


def main():
    if not os.environ.get("SWBD_FD"):
        print("This program is started by Switchboard, from <external> in its conf.", file=sys.stderr)
        return 64
    link = socket.socket(fileno=int(os.environ["SWBD_FD"]))
    link.set_inheritable(False)
    serve(link)
    return 0


if __name__ == "__main__":
    sys.exit(main())
