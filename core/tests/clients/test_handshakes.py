"""How the client of the PyPI package `websockets` is let in, and how it is not."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus


async def test_an_unknown_subprotocol_is_not_chosen(endpoint):
    async with endpoint.connect(subprotocols=["nobody.knows.this", "nor.this"]) as ws:
        assert ws.subprotocol is None
        assert "Sec-WebSocket-Protocol" not in ws.response.headers


async def test_offered_compression_is_taken_where_the_conf_wants_it(endpoint):
    async with endpoint.connect(compression="deflate") as ws:
        assert "permessage-deflate" in ws.request.headers["Sec-WebSocket-Extensions"]
        is_taken = "permessage-deflate" in ws.response.headers.get("Sec-WebSocket-Extensions", "")
        assert is_taken == (endpoint.kind.compression != "off")
        await ws.send("plain " * 1000)
        assert await ws.recv() == "plain " * 1000


async def test_an_origin_of_the_same_host_is_let_in(endpoint):
    async with endpoint.connect(origin=endpoint.origin) as ws:
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
