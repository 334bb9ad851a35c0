"""The bundled plugin `chat`, by the client of the PyPI package `websockets`."""

import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


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
