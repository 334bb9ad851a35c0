"""The client of the PyPI package `websockets`, which nobody here wrote, and endpoints of every kind."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest
from conftest import KINDS, Endpoint, secured
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Opcode

MIB = 1 << 20
CLOSES = pytest.mark.parametrize(
    "code, reason",
    [(1000, ""), (1000, "done"), (1001, "moved"), (3000, "r" * 123), (4999, "genug 🙂")],
    ids=["1000", "1000-done", "1001-moved", "3000-long", "4999-smile"],
)


class Client:
    def __init__(self, endpoint, ws):
        self.endpoint, self.ws, self._answers = endpoint, ws, 0

    async def hear(self):
        """The next answer. Where the endpoint counts its answers, its next message is the count."""
        answer = await self.ws.recv()
        self._answers += 1
        if self.endpoint.kind.counts:
            assert await self.ws.recv() == f"message {self._answers}"
        return answer

    async def check_echo(self, *messages):
        for message in messages:
            await self.ws.send(message)
            assert await self.hear() == message

    async def hear_close(self):
        """Code and reason of the Close that comes next."""
        with pytest.raises(ConnectionClosed) as closed:
            await self.ws.recv()
        return closed.value.rcvd.code, closed.value.rcvd.reason


@asynccontextmanager
async def dial(endpoint, url=None, **options):
    async with endpoint.connect(url, max_size=None, **options) as ws:
        yield Client(endpoint, ws)


async def check_echo(endpoint, *messages):
    async with dial(endpoint) as client:
        await client.check_echo(*messages)


# ---- messages


async def test_text_comes_back(endpoint):
    await check_echo(endpoint, "hello", "Grüße, 世界 🙂", "\0 and \r\n")


async def test_binary_comes_back(endpoint):
    await check_echo(endpoint, bytes(range(256)), b"\xff\xfe not UTF-8")


async def test_empty_messages_come_back(endpoint):
    await check_echo(endpoint, "", b"", "")


async def test_each_length_of_header_is_read_and_written(endpoint):
    for size in [125, 126, 127, 65_535, 65_536, 65_537]:
        await check_echo(endpoint, "x" * size, b"\x80" * size)


async def test_16_mebibytes_of_text_come_back(endpoint):
    await check_echo(endpoint, "Grüße, 世界 🙂 0123456789\n" * (16 * MIB // 32))


async def test_16_mebibytes_of_binary_come_back(endpoint):
    await check_echo(endpoint, bytes(range(256)) * (16 * MIB // 256))


async def check_too_long(endpoint, message):
    # Without `async with`: it would close again, which asyncio of Python 3.11 fails at behind a full buffer.
    ws = await endpoint.connect()
    with pytest.raises(ConnectionClosed) as closed:
        await ws.send(message)
        await ws.recv()
    assert closed.value.rcvd.code == 1009
    await check_echo(endpoint, "still here")


async def test_a_message_over_the_limit_is_refused_with_1009(endpoint):
    await check_too_long(endpoint, b"x" * (16 * MIB + 1))


async def test_fragments_that_exceed_the_limit_together_are_refused_with_1009(endpoint):
    await check_too_long(endpoint, (b"x" * size for size in [MIB] * 16 + [1]))


@pytest.mark.parametrize("chunk", ["0123456789abcdef", b"\x00\x01\x02\x03\xfc\xfd\xfe\xff"], ids=["text", "binary"])
async def test_64_fragments_with_pings_between_are_one_message(endpoint, chunk):
    async with dial(endpoint) as client:
        pongs = []

        async def fragments():
            for number in range(64):
                yield chunk
                pongs.append(await client.ws.ping(f"ping {number}"))

        await client.ws.send(fragments())
        assert await client.hear() == chunk * 64
        assert len(await asyncio.gather(*pongs)) == 64


async def test_a_character_split_between_fragments_is_whole_again(endpoint):
    smile = "🙂".encode()
    async with dial(endpoint) as client:
        await client.ws.send((smile[i : i + 1] for i in range(4)), text=True)
        assert await client.hear() == "🙂"


async def test_many_messages_at_once_come_back_in_order(endpoint):
    messages = [str(number) if number % 2 else number.to_bytes(4, "big") for number in range(5_000)]
    async with dial(endpoint) as client:

        async def send():
            for message in messages:
                await client.ws.send(message)

        sending = asyncio.create_task(send())
        for message in messages:
            assert await client.hear() == message
        await sending


async def test_a_server_that_answers_in_fragments_is_understood(forward):
    async with dial(forward) as client:
        await client.ws.send("fragments Grüße, 世界 🙂")
        assert await client.ws.recv() == "Grüße, 世界 🙂"
        assert await client.ws.recv() == "Grüße, 世界 🙂".encode()


# ---- pings


class Watched(ClientConnection):
    """Keeps what it is pinged with; that it answers is the package's matter."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.pings = asyncio.Queue()

    def process_event(self, event):
        if getattr(event, "opcode", None) is Opcode.PING:
            self.pings.put_nowait(bytes(event.data))
        super().process_event(event)


async def test_a_ping_has_its_pong(endpoint):
    async with dial(endpoint) as client:
        for payload in [b"", b"there?", bytes(range(125))]:
            await (await client.ws.ping(payload))
        await client.check_echo("and messages")


async def test_the_host_pings_a_silent_client_of_each_kind_and_keeps_one_that_answers(host, upstream):
    async def check(kind):
        async with dial(Endpoint(host, upstream, kind), create_connection=Watched) as client:
            for _ in range(2):
                assert await client.ws.pings.get() == b"", kind
            await client.check_echo("still here")

    await asyncio.gather(*map(check, KINDS))  # at once, as each takes two seconds


async def test_a_ping_of_the_server_reaches_the_client_and_the_pong_the_server(forward):
    async with dial(forward, create_connection=Watched) as client:
        await client.ws.send("ping me")
        while await client.ws.pings.get() != b"are you there?":
            pass  # one of the host's own
        assert await client.ws.recv() == "pong"


# ---- ends


@CLOSES
async def test_a_close_of_the_client_is_answered_and_the_endpoint_learns_it(endpoint, code, reason):
    async with dial(endpoint, endpoint.closing_url) as client:
        await client.ws.close(code, reason)
        assert client.ws.protocol.close_rcvd.code == code
    await endpoint.saw_end(code, reason)


async def test_a_close_without_a_code_has_none_on_the_other_side_either(endpoint):
    async with dial(endpoint, endpoint.closing_url) as client:
        client.ws.protocol.send_close()  # the package itself always says 1000
        client.ws.send_data()
        await client.ws.wait_closed()
        assert client.ws.close_code == 1005
    await endpoint.saw_end(1005, "")


@CLOSES
async def test_a_close_of_the_endpoint_reaches_the_client(endpoint, code, reason):
    async with dial(endpoint, endpoint.closing_url) as client:
        await client.ws.send(f"close {code} {reason}".strip())
        assert await client.hear_close() == (code, reason)


async def test_what_the_endpoint_said_before_its_close_comes_before_it(endpoint):
    say = "echo last words" if endpoint.kind.closing.startswith("/probe") else "last words"
    async with dial(endpoint, endpoint.closing_url) as client:
        await client.ws.send(say)
        await client.ws.send("close 4001 enough")
        assert await client.hear() == "last words"
        assert await client.hear_close() == (4001, "enough")


async def test_what_was_sent_before_a_close_is_answered_first(endpoint):
    async with dial(endpoint, endpoint.in_order_url) as client:
        await client.ws.send("last words")
        closing = asyncio.create_task(client.ws.close(1000))
        assert await client.hear() == "last words"
        await closing


async def test_an_abrupt_end_leaves_the_others_well(endpoint):
    for _ in range(20):
        ws = await endpoint.connect()
        await ws.send(b"x" * 65_536)
        ws.transport.abort()
    await check_echo(endpoint, "still here")


async def test_a_stopping_host_says_1001_to_the_clients_of_all_and_exits_well(new_host):
    ways = itertools.product(["/echo", "/cpp", "/python", "/forward"], [None, "1.2", "1.3"])
    clients = [await connect(new_host.url(path, tls), **secured(tls)) for path, tls in ways]
    stopped = asyncio.create_task(asyncio.to_thread(new_host.stop))
    for ws in clients:
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert closed.value.rcvd.code == 1001
    assert await stopped == 0
