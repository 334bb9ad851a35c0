"""A server of the package `websockets`, for a host to forward to: it echoes, and does what a text asks for.

    close 4001 enough   closes with this code and reason
    ping me             pings, and says "pong" when the pong is there
    fragments of this   says "of this" in fragments with a ping between, as text and then as bytes

Its lines are "listening on ADDRESS", and how each client has ended. It ends with its standard input.
"""

import asyncio
import re
import sys

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def answer(ws, message):
    if not isinstance(message, str):
        await ws.send(message)
    elif wish := re.fullmatch(r"close (\d{4}) ?(.*)", message, re.DOTALL):
        await ws.close(int(wish[1]), wish[2])
    elif message == "ping me":
        await (await ws.ping("are you there?"))
        await ws.send("pong")
    elif message.startswith("fragments "):
        text = message.removeprefix("fragments ")
        await ws.send(parts(ws, text))
        await ws.send(parts(ws, text.encode()))
    else:
        await ws.send(message)


async def parts(ws, whole):
    for at in range(0, len(whole), 2):
        yield whole[at : at + 2]
        await ws.ping()


async def serve_client(ws):
    try:
        async for message in ws:
            await answer(ws, message)
    except ConnectionClosed:
        pass  # as the next line says
    print(f"client has ended with {ws.close_code} {ws.close_reason}", flush=True)


async def main():
    async with serve(serve_client, "127.0.0.1", 0, max_size=None) as server:
        host, port = server.sockets[0].getsockname()
        print(f"listening on {host}:{port}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
