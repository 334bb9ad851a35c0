"""The PyPI package `websockets`, a client nobody here wrote, against the real host."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

MIB = 1 << 20


def echo(host, **options):
    return connect(host.url("/echo"), max_size=None, **options)


async def check_echo(host, *messages):
    async with echo(host) as ws:
        for message in messages:
            await ws.send(message)
            assert await ws.recv() == message


# ---- messages


async def test_text_comes_back(host):
    await check_echo(host, "hello", "Grüße, 世界 🙂", "\0 and \r\n")


async def test_binary_comes_back(host):
    await check_echo(host, bytes(range(256)), b"\xff\xfe not UTF-8")


async def test_empty_messages_come_back(host):
    await check_echo(host, "", b"", "")


@pytest.mark.parametrize("size", [125, 126, 127, 65_535, 65_536, 65_537])
async def test_each_length_of_header_is_read_and_written(host, size):
    await check_echo(host, "x" * size, b"\x80" * size)


async def test_one_mebibyte_comes_back(host):
    await check_echo(host, "1 MiB of text...".ljust(16) * (MIB // 16), bytes(range(256)) * (MIB // 256))


async def test_a_message_over_the_limit_is_refused_with_1009(host):
    async with echo(host) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            await ws.send(b"x" * (MIB + 1))
            await ws.recv()
    assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize("chunk", ["0123456789abcdef", b"\x00\x01\x02\x03\xfc\xfd\xfe\xff"], ids=["text", "binary"])
async def test_64_fragments_with_pings_between_are_one_message(host, chunk):
    async with echo(host) as ws:
        pongs = []

        async def fragments():
            for number in range(64):
                yield chunk
                pongs.append(await ws.ping(f"ping {number}"))

        await ws.send(fragments())
        assert await ws.recv() == chunk * 64
        assert len(await asyncio.gather(*pongs)) == 64


async def test_a_character_split_between_fragments_is_whole_again(host):
    smile = "🙂".encode()
    async with echo(host) as ws:
        await ws.send((smile[i : i + 1] for i in range(4)), text=True)
        assert await ws.recv() == "🙂"


async def test_many_messages_at_once_come_back_in_order(host):
    count = 5_000
    async with echo(host) as ws:

        async def send():
            for number in range(count):
                await ws.send(str(number) if number % 2 else number.to_bytes(4, "big"))

        sending = asyncio.create_task(send())
        for number in range(count):
            assert await ws.recv() == (str(number) if number % 2 else number.to_bytes(4, "big"))
        await sending


# ---- ends


@pytest.mark.parametrize("code, reason", [(1000, ""), (1000, "done"), (3000, "r" * 123), (4999, "genug 🙂")])
async def test_the_host_answers_a_close_with_its_code(host, code, reason):
    async with echo(host) as ws:
        await ws.close(code, reason)
        assert ws.close_code == code
        assert ws.protocol.close_rcvd.code == code


async def test_what_was_sent_before_a_close_is_answered_first(host):
    async with echo(host) as ws:
        await ws.send("last words")
        closing = asyncio.create_task(ws.close(1000))
        assert await ws.recv() == "last words"
        await closing


async def test_an_abrupt_end_leaves_the_host_well(host):
    for _ in range(20):
        ws = await echo(host)
        await ws.send(b"x" * 65_536)
        ws.transport.abort()
    await check_echo(host, "still here")


async def test_a_stopping_host_says_1001_and_exits_well(new_host):
    ws = await echo(new_host)
    stopped = asyncio.create_task(asyncio.to_thread(new_host.stop))
    with pytest.raises(ConnectionClosed) as closed:
        await ws.recv()
    assert closed.value.rcvd.code == 1001
    assert await stopped == 0


# ---- handshakes


async def test_an_unknown_subprotocol_is_not_chosen(host):
    async with echo(host, subprotocols=["nobody.knows.this", "nor.this"]) as ws:
        assert ws.subprotocol is None
        assert "Sec-WebSocket-Protocol" not in ws.response.headers


async def test_offered_compression_is_declined(host):
    async with echo(host, compression="deflate") as ws:
        assert "permessage-deflate" in ws.request.headers["Sec-WebSocket-Extensions"]
        assert "Sec-WebSocket-Extensions" not in ws.response.headers
        await ws.send("plain " * 1000)
        assert await ws.recv() == "plain " * 1000


async def test_an_origin_of_the_same_host_is_let_in(host):
    async with echo(host, origin=f"http://{host.address}") as ws:
        await ws.send("here")
        assert await ws.recv() == "here"


@pytest.mark.parametrize(
    "path, origin, status",
    [
        ("/nobody", None, 404),
        ("/echoes", None, 404),  # a prefix ends at a segment border
        ("/echo", "http://elsewhere.example", 403),
        ("/echo", "http://127.0.0.1:1", 403),
        ("/echo", "null", 403),
    ],
)
async def test_a_refusal_has_its_status(host, path, origin, status):
    with pytest.raises(InvalidStatus) as refused:
        await connect(host.url(path), origin=origin)
    assert refused.value.response.status_code == status


# ---- chat


async def tell(ws, **what):
    await ws.send(json.dumps(what))


async def hear(ws, **expected):
    """The next thing said that has these fields; of what else is said before, only a refusal is not passed over."""
    while True:
        said = json.loads(await ws.recv())
        if expected.items() <= said.items():
            return said
        assert said["type"] != "error", said


async def enter(host, room, name):
    """A client that is in the room, and its welcome: before that it may not speak, nor does it hear the others."""
    ws = await connect(host.url(f"/chat/{room}"))
    await tell(ws, type="join", name=name)
    return ws, await hear(ws, type="welcome", name=name)


async def test_two_clients_chat(host):
    ann, welcome = await enter(host, "py-two", "ann")
    assert (welcome["room"], welcome["members"], welcome["history"]) == ("py-two", ["ann"], [])
    bob, welcome = await enter(host, "py-two", "bob")
    assert set(welcome["members"]) == {"ann", "bob"}
    await hear(ann, type="joined", name="bob")

    for speaker, name, text in [(ann, "ann", "hello bob"), (bob, "bob", 'hello "ann" <🙂>')]:
        await tell(speaker, type="say", text=text)
        heard = [await hear(ws, type="message", name=name) for ws in (ann, bob)]
        assert heard[0] == heard[1]
        assert heard[0]["text"] == text
        assert heard[0]["time"] > 1_600_000_000_000  # milliseconds

    await bob.close()
    await hear(ann, type="left", name="bob")
    await ann.close()


async def test_a_taken_name_is_answered_with_a_free_one(host):
    ann, _ = await enter(host, "py-taken", "ann")
    async with connect(host.url("/chat/py-taken")) as other:
        await tell(other, type="join", name="ann")
        suggestion = (await hear(other, type="name-taken", name="ann"))["suggestion"]
        await tell(other, type="join", name=suggestion)
        await hear(other, type="welcome", name=suggestion)
    await ann.close()


async def test_the_room_hears_of_an_abrupt_end(host):
    ann, _ = await enter(host, "py-abrupt", "ann")
    bob, _ = await enter(host, "py-abrupt", "bob")
    await hear(ann, type="joined", name="bob")
    bob.transport.abort()
    await hear(ann, type="left", name="bob")
    await ann.close()


async def test_rooms_do_not_hear_each_other_and_keep_their_history(host):
    (here, _), (there, _) = await enter(host, "py-here", "ann"), await enter(host, "py-there", "ann")
    for ws, text in [(here, "said here"), (there, "said there")]:
        await tell(ws, type="say", text=text)
        await hear(ws, type="message", text=text)
    late, welcome = await enter(host, "py-here", "bob")
    assert [(message["name"], message["text"]) for message in welcome["history"]] == [("ann", "said here")]
    for ws in (here, there, late):
        await ws.close()


@pytest.mark.parametrize("nonsense", ["not JSON", "[]", "{}", '{"type":"fly"}', '{"type":"join"}', b"\x00\xff"])
async def test_nonsense_is_answered_and_the_room_goes_on(host, nonsense):
    ws = await connect(host.url("/chat/py-nonsense"))
    await ws.send(nonsense)
    try:
        assert (await hear(ws, type="error"))["reason"]
        await tell(ws, type="join", name="ann")
        await hear(ws, type="welcome")
    except ConnectionClosed as closed:
        assert closed.rcvd.code in (1003, 1007, 1008)
    await ws.close()
