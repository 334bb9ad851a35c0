"""The example against the golden vectors, and in a conversation: python3 test_endpoint.py"""

import os
import pathlib
import socket
import subprocess
import sys
import unittest

import endpoint
from endpoint import Frame, read_frame

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parents[1] / "sdk/spec/vectors"


def pieces(text):
    for piece in text.split():
        byte, star, times = piece.partition("*")
        yield bytes.fromhex(byte) * (int(times) if star else 1)


def vectors(*names):
    for name in names:
        for line in (VECTORS / name).read_text("ascii").splitlines():
            if line and not line.startswith("#"):
                name, side, data, meaning = line.split(" | ")
                yield name, side, b"".join(pieces(data)), meaning


GOOD = ["link.txt", "stream.txt", "topics.txt"] + sorted(p.name for p in VECTORS.glob("conversation-*.txt"))


def answer(wrong, stream):
    return f"RESET stream={stream} code={wrong.code}" if stream else f"GOAWAY code={wrong.code}"


class Vectors(unittest.TestCase):
    def test_what_was_read_is_written_to_the_same_bytes(self):
        for name, side, data, _ in vectors(*GOOD):
            with self.subTest(name):
                frame, length = read_frame(data, side, 1 << 24)
                self.assertEqual(length, len(data))
                self.assertEqual(frame.write(), data)

    def test_some_meanings(self):
        found = {name: read_frame(data, side, 1 << 24)[0] for name, side, data, _ in vectors(*GOOD)}
        self.assertEqual(found["reject-everything"].aux, 599)
        self.assertEqual(found["reject-everything"].value(28), ("retry-after", b"5"))
        self.assertEqual(found["ack-large"].numbers, [4294967298])
        self.assertEqual(found["close-client"].rest, b"bye")
        self.assertEqual(found["open-everything"].value(22), "/a b")
        self.assertEqual(found["subscribed-everything"].values[-1][1][:3], (6, 2, 1))

    def test_what_nobody_writes_is_taken_all_the_same(self):
        for name, side, data, meaning in vectors("read.txt"):
            with self.subTest(name):
                frame, length = read_frame(data, side)
                self.assertEqual(length, len(data))
                self.assertEqual(frame is None, meaning.startswith("SKIPPED"))

    def test_bad_frames_are_refused_with_the_right_answer(self):
        for name, side, data, meaning in vectors("bad.txt"):
            with self.subTest(name), self.assertRaises(endpoint.Wrong) as caught:
                read_frame(data, side)
            self.assertEqual(answer(caught.exception, caught.exception.stream), meaning.split(" error=")[0], name)

    def test_bad_fragments_are_refused_with_the_right_answer(self):
        for name, side, data, meaning in vectors("bad-fragments.txt"):
            assembly = endpoint.Assembly(1024)
            with self.subTest(name), self.assertRaises(endpoint.Wrong) as caught:
                while data:
                    frame, length = read_frame(data, side)
                    data = data[length:]
                    assembly.push(frame)
            self.assertEqual(data, b"", name)
            self.assertEqual(answer(caught.exception, 1), meaning.split(" error=")[0], name)

    def test_a_frame_that_is_cut_is_incomplete(self):
        for name, side, data, _ in vectors(*GOOD):
            for size in range(min(len(data), 300)):
                self.assertEqual(read_frame(data[:size], side, 1 << 24), (None, 0), name)


class Conversation(unittest.TestCase):
    """The program itself at one end of a link, this test at the other."""

    def setUp(self):
        self.link, theirs = socket.socketpair()
        self.link.settimeout(10)
        self.input = b""
        self.process = subprocess.Popen(
            [sys.executable, HERE / "endpoint.py"],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "SWBD_FD": str(theirs.fileno())},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        hello = self.hear()
        self.assertEqual((hello.type, hello.numbers[1:3], hello.value(1)), (endpoint.HELLO, [1, 1], "endpoint.py"))
        self.assertEqual(self.hear().type, endpoint.READY)

    def tearDown(self):
        self.link.close()
        self.assertEqual(self.process.wait(10), 0)

    def agree(self, bytes=262_144, messages=256, link=1 << 24, max=1 << 20, settings=()):
        numbers, values = [1, 1, 262_144, 100, max, bytes, messages, link, 0], [(8, pair) for pair in settings]
        self.say(Frame(endpoint.HELLO_OK, numbers=numbers, values=values))

    def say(self, *frames):
        self.link.sendall(b"".join(frame.write() for frame in frames))

    def hear(self):
        """The next frame, None at the end."""
        while True:
            frame, length = read_frame(self.input, endpoint.E)
            self.input = self.input[length:]
            if frame:
                return frame
            data = self.link.recv(65_536)
            if not data:
                return None
            self.input += data

    def hear_data(self, stream=1):
        frame = self.hear()
        self.assertEqual((frame.type, frame.stream), (endpoint.DATA, stream))
        return frame.rest

    def hear_nothing(self):
        self.say(Frame(endpoint.PING, numbers=[77]))
        frame = self.hear()
        self.assertEqual((frame.type, frame.numbers), (endpoint.PONG, [77]))

    def open(self, stream=1):
        self.say(Frame(endpoint.OPEN, stream, values=[(16, stream), (20, "/py")]))
        frame = self.hear()
        self.assertEqual((frame.type, frame.stream), (endpoint.ACCEPT, stream))

    def data(self, payload, seq, stream=1, flags=endpoint.TEXT):
        return Frame(endpoint.DATA, stream, flags=flags, seq=seq, rest=payload)

    def close(self, stream=1, code=1000):
        return Frame(endpoint.CLOSE, stream, code, numbers=[1])

    def test_a_client_is_answered_and_its_messages_are_counted(self):
        self.agree()
        self.open(1)
        self.open(2)
        for number in (1, 2):
            self.say(self.data(b"hello", number))
            self.assertEqual(self.hear_data(), b"hello")
            self.assertEqual(self.hear_data(), b"message %d" % number)
        self.say(self.data(b"", 1, 2, 0))
        self.assertEqual((self.hear_data(2), self.hear_data(2)), (b"", b"message 1"))

    def test_settings_are_read(self):
        self.agree(settings=[("other", b"x"), ("unit", b"piece")])
        self.open()
        self.say(self.data(b"hello", 1))
        self.assertEqual((self.hear_data(), self.hear_data()), (b"hello", b"piece 1"))

    def test_the_answer_comes_before_the_end(self):
        self.agree()
        self.open()
        self.say(self.data(b"last", 1), self.close())
        self.assertEqual((self.hear_data(), self.hear_data()), (b"last", b"message 1"))
        self.assertEqual(self.hear().type, endpoint.CLOSED)
        self.say(self.data(b"late", 2))
        self.hear_nothing()

    def test_a_client_that_asks_for_it_is_closed(self):
        self.agree()
        self.open()
        self.say(self.data("close 4001 genug 🙂".encode(), 1), self.data(b"close 1005", 2), self.close(code=4001))
        frame = self.hear()
        self.assertEqual((frame.type, frame.aux, frame.numbers), (endpoint.CLOSE, 4001, [0]))
        self.assertEqual(frame.rest.decode(), "genug 🙂")
        self.assertEqual(self.hear_data(), b"close 1005")  # nobody may send that code
        self.assertEqual(self.hear_data(), b"message 1")
        self.assertEqual(self.hear().type, endpoint.CLOSED)

    def test_long_messages_go_in_fragments_both_ways(self):
        self.agree()
        self.open()
        payload = bytes(range(256)) * 800
        self.say(self.data(payload[:100_000], 1, flags=endpoint.MORE), self.data(payload[100_000:], 0, flags=0))
        self.assertEqual(self.hear().numbers, [100_000, 0])
        parts = [self.hear() for _ in range(4)]
        self.assertEqual([len(part.rest) for part in parts], [65_536, 65_536, 65_536, 8_192])
        self.assertEqual([part.flags for part in parts], [2, 2, 2, 0])
        self.assertEqual(b"".join(part.rest for part in parts), payload)
        self.assertEqual(self.hear_data(), b"message 1")
        self.assertEqual(self.hear().numbers, [104_800, 1])

    def test_answers_wait_for_credit(self):
        self.agree(bytes=1, messages=1, link=endpoint.UNCOUNTED)
        self.open()
        for number in range(1, 65):
            self.say(self.data(b"x", number))
        self.assertEqual(self.hear_data(), b"x")
        self.hear_nothing()
        self.say(Frame(endpoint.CREDIT, 1, numbers=[endpoint.UNCOUNTED, 1]))
        self.assertEqual(self.hear_data(), b"message 1")
        self.say(Frame(endpoint.CREDIT, 1, numbers=[0, endpoint.UNCOUNTED]))
        for _ in range(126):
            self.hear_data()
        self.assertEqual(self.hear().numbers, [64, 64])

    def test_answers_wait_for_the_credit_of_the_link(self):
        self.agree(link=1)
        self.open()
        self.say(self.data(b"x", 1))
        self.assertEqual(self.hear_data(), b"x")
        self.say(self.close())
        self.hear_nothing()
        self.say(Frame(endpoint.CREDIT, numbers=[17, 0]))
        self.assertEqual(self.hear_data(), b"message 1")
        self.assertEqual(self.hear().type, endpoint.CLOSED)

    def test_a_fault_costs_its_stream_only(self):
        self.agree(max=10)
        for stream, bad, code in [
            (1, self.data(b"x", 2, 1), endpoint.PROTOCOL),
            (2, self.data(b"\xff", 1, 2), endpoint.BAD_TEXT),
            (3, self.data(b"x" * 11, 1, 3), endpoint.TOO_BIG),
        ]:
            self.open(stream)
            self.say(bad)
            frame = self.hear()
            self.assertEqual((frame.type, frame.stream, frame.aux), (endpoint.RESET, stream, code))
        self.open(4)

    def test_a_stream_that_never_was_costs_the_link(self):
        self.agree()
        self.say(self.data(b"x", 1, 9))
        frame = self.hear()
        self.assertEqual((frame.type, frame.aux), (endpoint.GOAWAY, endpoint.PROTOCOL))
        self.assertIsNone(self.hear())

    def test_drain_and_goaway_are_the_end(self):
        self.agree()
        self.open()
        self.say(Frame(endpoint.DRAIN, 0, 1, numbers=[1000]))
        frame = self.hear()
        self.assertEqual((frame.type, frame.stream, frame.aux), (endpoint.CLOSE, 1, 1001))
        self.say(self.close(code=1001))
        self.assertEqual(self.hear().type, endpoint.CLOSED)
        self.say(Frame(endpoint.GOAWAY, numbers=[1]))
        self.assertIsNone(self.hear())


class ByHand(unittest.TestCase):
    def test_a_program_started_by_hand_says_so(self):
        env = {name: value for name, value in os.environ.items() if name != "SWBD_FD"}
        done = subprocess.run([sys.executable, HERE / "endpoint.py"], env=env, capture_output=True)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (64, 1))


if __name__ == "__main__":
    unittest.main()
