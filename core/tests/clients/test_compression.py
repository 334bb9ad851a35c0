"""permessage-deflate (RFC 7692) with whatever the client of the PyPI package `websockets` can offer."""

import asyncio
import itertools
import json
import random
from contextlib import asynccontextmanager

import pytest
from test_chat import hear, tell
from test_websockets import MIB, Client
from websockets.asyncio.client import ClientConnection, connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

WINDOWS = {"/echo-shared": ("shared", 15), "/echo-dedicated": ("dedicated", 12), "/echo-widest": ("dedicated", 15)}
# zlib has no window of 8 bits for a stream without a header.
BITS = range(9, 16)
WORDS = "host plugin external forward endpoint generation session shard topic window".split()


class Counting(ClientConnection):
    """Counts the bytes that come."""

    came = 0

    def data_received(self, data):
        self.came += len(data)
        super().data_received(data)


def noise(length, seed=0):
    """What no compressor makes shorter."""
    return random.Random(seed).randbytes(length)


def speech(words, seed=0):
    """What every compressor makes shorter, and takeover much shorter."""
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(words))


@asynccontextmanager
async def dial(url, *, max_size=None, **offer):
    factory = ClientPerMessageDeflateFactory(**offer)
    options = {"extensions": [factory], "compression": None, "create_connection": Counting}
    async with connect(url, max_size=max_size, **options) as ws:
        yield ws


async def check_echo(ws, *messages):
    for message in messages:
        await ws.send(message)
        assert await ws.recv() == message


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


@pytest.mark.parametrize("client_no_context_takeover", [False, True], ids=["client-takes-over", "client-does-not"])
@pytest.mark.parametrize("server_no_context_takeover", [False, True], ids=["server-takes-over", "server-does-not"])
@pytest.mark.parametrize("path", WINDOWS)
async def test_each_offer_is_answered_and_works(host, path, server_no_context_takeover, client_no_context_takeover):
    # Longer than the narrowest windows, and said twice: what is referred to is in the window or just outside.
    messages = ["", b"", "short", speech(200), noise(700), speech(200), noise(700), speech(3000, seed=1)]
    for server_bits, client_bits in itertools.product([None, *BITS], [None, True, *BITS]):
        offer = {
            "server_no_context_takeover": server_no_context_takeover,
            "client_no_context_takeover": client_no_context_takeover,
            "server_max_window_bits": server_bits,
            "client_max_window_bits": client_bits,
        }
        async with dial(host.url(path), **offer) as ws:
            answer = ws.response.headers["Sec-WebSocket-Extensions"]
            assert answer == answer_to(*WINDOWS[path], offer), offer
            await check_echo(ws, *messages)


@pytest.mark.parametrize("path", WINDOWS)
async def test_what_can_be_made_shorter_is(host, path):
    async with dial(host.url(path)) as ws:
        before = ws.came
        await check_echo(ws, "again and again " * (MIB // 16))
        assert ws.came - before < MIB / 100
        before = ws.came
        await check_echo(ws, noise(MIB))
        assert MIB < ws.came - before < MIB + 1000


@pytest.mark.parametrize("path", WINDOWS)
async def test_takeover_makes_many_alike_much_shorter(host, path):
    async with dial(host.url(path)) as ws:
        before = ws.came
        message = noise(200).hex()
        for number in range(100):
            await check_echo(ws, f"{number} {message}")
        each = (ws.came - before) / 100
        assert each > 200 if path == "/echo-shared" else each < 50


@pytest.mark.parametrize("path, least", [("/echo-shared", 64), ("/echo-dedicated", 64), ("/echo-widest", 0)])
async def test_what_is_shorter_than_the_threshold_comes_as_it_is(host, path, least):
    async with dial(host.url(path)) as ws:
        for length in [10, 63, 64, 65]:
            before = ws.came
            await check_echo(ws, "x" * length)
            came_as_it_was = ws.came - before == length + 2
            assert came_as_it_was == (length < least), length


async def test_16_mebibytes_come_back_after_others_like_them(host):
    text, binary = speech(MIB // 8), noise(16 * MIB - 10)
    async with dial(host.url("/echo-dedicated")) as ws:
        await check_echo(ws, text[:1000], (text * 20)[: 16 * MIB], binary[-5000:], binary, text[-1000:])


async def test_a_message_is_held_against_the_limit_by_what_it_inflates_to(host):
    for path in ["/echo-shared", "/echo-dedicated"]:
        async with dial(host.url(path)) as ws:
            await ws.send("0" * (16 * MIB))
            assert len(await ws.recv()) == 16 * MIB
            await ws.send("0" * (16 * MIB + 1))
            await ws.wait_closed()
            assert ws.close_code == 1009


async def test_many_messages_in_a_row_with_pings_between_come_back_in_order(endpoint):
    messages = [speech(number % 40, seed=number) if number % 3 else noise(number % 300) for number in range(2_000)]
    async with connect(endpoint.url, compression="deflate") as ws:
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
    async with connect(endpoint.url, compression="deflate") as ws:
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
