"""permessage-deflate (RFC 7692) with whatever the client of the PyPI package `websockets` can offer."""

import asyncio
import functools
import itertools
import json
import random
from contextlib import asynccontextmanager

import pytest
from conftest import secured
from test_chat import hear, tell
from test_websockets import MIB, Client
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

WINDOWS = {"/echo-shared": ("shared", 15), "/echo-dedicated": ("dedicated", 12), "/echo-widest": ("dedicated", 15)}
# zlib inflates what has a window of 8 bits, but cannot deflate so without a header: the package does not offer that.
SERVER_BITS, CLIENT_BITS = range(8, 16), range(9, 16)
OVER = pytest.mark.parametrize("tls", [None, "1.2", "1.3"], ids=["plain", "tls-1.2", "tls-1.3"])
WORDS = "host plugin external forward endpoint generation session shard topic window".split()


class Counting(ClientConnection):
    """Counts the bytes that come."""

    came = 0

    def data_received(self, data):
        self.came += len(data)
        super().data_received(data)


@functools.cache
def noise(length, seed=0):
    """What no compressor makes shorter."""
    return random.Random(seed).randbytes(length)


@functools.cache
def speech(words, seed=0):
    """What every compressor makes shorter, and takeover much shorter."""
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(words))


@asynccontextmanager
async def dial(host, path, tls=None, **offer):
    factory = ClientPerMessageDeflateFactory(**offer)
    options = {"extensions": [factory], "compression": None, "create_connection": Counting, "max_size": None}
    async with connect(host.url(path, tls), **secured(tls), **options) as ws:
        yield ws


async def check_echo(ws, *messages):
    """What is sent comes back; a list is one message in fragments."""
    for message in messages:
        await ws.send(message)
        assert await ws.recv() == (message[0][:0].join(message) if isinstance(message, list) else message)


def answer_to(mode, bits, offer):
    """What RFC 7692, section 7.1, and the conf make of an offer."""
    answer = ["permessage-deflate"]
    for name in ["server_no_context_takeover", "client_no_context_takeover"]:
        if offer[name] or mode == "shared":
            answer.append(name)
    if server := offer["server_max_window_bits"]:
        answer.append(f"server_max_window_bits={min(server, bits)}")
    if (client := offer["client_max_window_bits"]) and mode == "dedicated":
        answer.append(f"client_max_window_bits={min(15 if client is True else client, bits)}")
    return "; ".join(answer)


def offers(takeover):
    """All that the package can say about windows, for one way of taking over."""
    for server, client in itertools.product([None, *SERVER_BITS], [None, True, *CLIENT_BITS]):
        yield {**takeover, "server_max_window_bits": server, "client_max_window_bits": client}


SIDES = ["server_no_context_takeover", "client_no_context_takeover"]
TAKEOVERS = {
    f"server-{'alone' if server else 'takes-over'}-client-{'alone' if client else 'takes-over'}": dict(
        zip(SIDES, (server, client))
    )
    for server, client in itertools.product([False, True], repeat=2)
}


def each_way(paths):
    """A test of every path, way of taking over, and transport."""

    def mark(test):
        test = pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])(test)
        test = pytest.mark.parametrize("takeover", TAKEOVERS.values(), ids=TAKEOVERS)(test)
        return pytest.mark.parametrize("path", paths)(test)

    return mark


def versions(is_secure):
    return itertools.cycle(["1.2", "1.3"] if is_secure else [None])


@each_way(WINDOWS)
async def test_each_offer_is_answered_and_works(host, path, takeover, is_secure):
    # Longer than the windows, and said twice: what is referred to is in the window or just outside.
    fragments = [speech(100), "", speech(100), "short"]
    messages = ["", b"", "short", speech(200), noise(700), speech(200), noise(700), fragments, speech(3000, seed=1)]
    messages += [noise(40_000, seed=2), noise(40_000, seed=2)[9_000:], b"again"]
    for offer, tls in zip(offers(takeover), versions(is_secure)):
        async with dial(host, path, tls, **offer) as ws:
            answer = ws.response.headers["Sec-WebSocket-Extensions"]
            assert answer == answer_to(*WINDOWS[path], offer), offer
            await check_echo(ws, *messages)


@each_way(["/echo-shared", "/echo-widest"])
async def test_a_mebibyte_comes_back_whatever_the_window(host, path, takeover, is_secure):
    # What gets shorter and what does not, each behind the other, so that the window holds both.
    messages = [speech(MIB // 7), noise(MIB), [noise(MIB)[:-1000], speech(100).encode()], speech(MIB // 7)]
    for bits, tls in zip([9, 12, 15], versions(is_secure)):
        offer = {**takeover, "server_max_window_bits": bits, "client_max_window_bits": bits}
        async with dial(host, path, tls, **offer) as ws:
            await check_echo(ws, *messages)


@each_way(["/echo"])
async def test_where_compression_is_off_no_offer_is_taken(host, path, takeover, is_secure):
    for offer, tls in zip(offers(takeover), versions(is_secure)):
        async with dial(host, path, tls, **offer) as ws:
            assert "Sec-WebSocket-Extensions" not in ws.response.headers
            assert ws.protocol.extensions == []
            await check_echo(ws, "", speech(200), noise(700))


@OVER
@pytest.mark.parametrize("path", WINDOWS)
async def test_what_can_be_made_shorter_is(host, path, tls):
    async with dial(host, path, tls) as ws:
        before = ws.came
        await check_echo(ws, "again and again " * (MIB // 16))
        assert ws.came - before < MIB / 100
        before = ws.came
        await check_echo(ws, noise(MIB))
        assert MIB < ws.came - before < MIB + 1000


@OVER
@pytest.mark.parametrize("path", WINDOWS)
async def test_takeover_makes_many_alike_much_shorter(host, path, tls):
    async with dial(host, path, tls) as ws:
        before = ws.came
        message = noise(200).hex()
        for number in range(100):
            await check_echo(ws, f"{number} {message}")
        each = (ws.came - before) / 100
        assert each > 200 if path == "/echo-shared" else each < 50


@OVER
@pytest.mark.parametrize("path, least", [("/echo-shared", 64), ("/echo-dedicated", 64), ("/echo-widest", 0)])
async def test_what_is_shorter_than_the_threshold_comes_as_it_is(host, path, least, tls):
    async with dial(host, path, tls) as ws:
        for length in [10, 63, 64, 65]:
            before = ws.came
            await check_echo(ws, "x" * length)
            came_as_it_was = ws.came - before == length + 2
            assert came_as_it_was == (length < least), length


async def test_16_mebibytes_come_back_after_others_like_them(host):
    text, binary = speech(MIB // 8), noise(16 * MIB - 10)
    async with dial(host, "/echo-dedicated") as ws:
        await check_echo(ws, text[:1000], (text * 20)[: 16 * MIB], binary[-5000:], binary, text[-1000:])


async def test_a_message_is_held_against_the_limit_by_what_it_inflates_to(host):
    for path in ["/echo-shared", "/echo-dedicated"]:
        async with dial(host, path) as ws:
            await ws.send("0" * (16 * MIB))
            assert len(await ws.recv()) == 16 * MIB
            await ws.send("0" * (16 * MIB + 1))
            await ws.wait_closed()
            assert ws.close_code == 1009


async def test_many_messages_in_a_row_with_pings_between_come_back_in_order(endpoint):
    messages = [speech(number % 40, seed=number) if number % 3 else noise(number % 300) for number in range(2_000)]
    async with endpoint.connect(compression="deflate") as ws:
        client, pongs = Client(endpoint, ws), []

        async def send():
            for number, message in enumerate(messages):
                await ws.send(message)
                if number % 10 == 0:
                    pongs.append(await ws.ping(f"{number}"))

        sending = asyncio.create_task(send())
        for message in messages:
            assert await client.hear() == message
        await sending
        await asyncio.gather(*pongs)


@pytest.mark.parametrize("kind", [str, bytes], ids=["text", "binary"])
async def test_fragments_with_pings_between_are_one_message(endpoint, kind):
    parts = [speech(number, seed=number) + "🙂" for number in range(100)]
    parts = parts if kind is str else [part.encode() for part in parts]
    async with endpoint.connect(compression="deflate") as ws:
        client = Client(endpoint, ws)

        async def fragments():
            for part in parts:
                yield part
                await ws.ping()

        for _ in range(2):
            await ws.send(fragments())
            assert await client.hear() == kind().join(parts)


async def test_a_room_is_heard_alike_with_and_without_compression(host):
    offers = [{}, {"server_max_window_bits": 9}, {"server_no_context_takeover": True}, None]
    for path in ["/chat-shared/py", "/chat-dedicated/py"]:
        guests = []
        for number, offer in enumerate(offers):
            options = {"compression": None}
            if offer is not None:
                options["extensions"] = [ClientPerMessageDeflateFactory(**offer)]
            ws = await connect(host.url(path), **options)
            await tell(ws, type="join", name=f"guest-{number}")
            await hear(ws, type="welcome")
            guests.append(ws)
        for ws in guests[:-1]:
            await hear(ws, type="joined", name=f"guest-{len(guests) - 1}")
        said = [speech(number, seed=number) for number in range(1, 60)]
        for text in said:
            await tell(guests[0], type="say", text=text)
        heard = [[json.loads(await ws.recv()) for _ in said] for ws in guests]
        assert [message["text"] for message in heard[0]] == said
        assert all(other == heard[0] for other in heard)
        for ws in guests:
            await ws.close()
