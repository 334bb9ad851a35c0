"""A message and the end of its connection in one write, by bytes: the reply comes before the Close."""

import asyncio
import itertools
from urllib.parse import urlsplit

import pytest
from conftest import secured

ROUNDS = 20
MASK = bytes([0x37, 0xFA, 0x21, 0x3D])
TEXT, CLOSE = 0x81, 0x88  # with FIN, RFC 6455, section 5.2


def frame(first, payload):
    """A frame of a client, of at most 125 bytes."""
    masked = bytes(byte ^ mask for byte, mask in zip(payload, itertools.cycle(MASK)))
    return bytes([first, 0x80 | len(payload)]) + MASK + masked


async def read_frame(reader):
    """First byte and payload of a short frame of the host; None when the stream has ended in its order."""
    if not (head := await reader.read(1)):
        return None
    length = (await reader.readexactly(1))[0]
    assert length <= 125
    return head[0], await reader.readexactly(length)


async def open_raw(url, tls):
    url = urlsplit(url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, **secured(tls))
    head = [
        f"GET {url.path} HTTP/1.1",
        f"Host: {url.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


ENDS = {
    "a-close": (frame(CLOSE, b"\x0f\xa1enough"), 4001),
    "a-close-without-a-code": (frame(CLOSE, b""), None),
    "a-close-with-a-code-that-is-none": (frame(CLOSE, b"\x03\xed"), 1002),
    "a-reserved-bit": (frame(TEXT | 0x40, b"bad"), 1002),
    "a-reserved-opcode": (frame(0x83, b"bad"), 1002),
    "no-mask": (b"\x81\x03bad", 1002),
    "a-fragment-of-nothing": (frame(0x80, b"bad"), 1002),
    "text-that-is-not-utf-8": (frame(TEXT, b"bad\xff"), 1007),
    "a-message-that-is-too-long": (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + MASK, 1009),
}


@pytest.mark.parametrize("bad, code", ENDS.values(), ids=ENDS)
async def test_the_reply_comes_before_the_close(endpoint, bad, code):
    for _ in range(ROUNDS):
        reader, writer = await open_raw(endpoint.in_order_url, endpoint.kind.tls)
        writer.write(frame(TEXT, b"last words") + bad)
        assert await read_frame(reader) == (TEXT, b"last words")
        if endpoint.kind.counts:
            assert await read_frame(reader) == (TEXT, b"message 1")
        first, payload = await read_frame(reader)
        assert first == CLOSE
        assert payload[:2] == (code.to_bytes(2, "big") if code else b"")
        assert await read_frame(reader) is None
        writer.close()
