// The npm package `ws`, a client nobody here wrote, against the real host.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { Host } from "./host.mjs";

const MiB = 1 << 20;
const within = { timeout: 20_000 };
let host;

before(async () => (host = await Host.start()), within);
after(async () => assert.equal(await host.stop(), 0, host.log), within);

/** A client that keeps all it hears, so that nothing is lost between two awaits. */
class Client {
  #heard = [];
  #waiting = [];

  static async open(path, ...options) {
    const client = new Client();
    client.ws = new WebSocket(host.url(path), ...options);
    client.ended = once(client.ws, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
    client.ws.on("message", (data, isBinary) => client.#hear(isBinary ? data : String(data)));
    client.ws.on("upgrade", (response) => (client.response = response));
    await once(client.ws, "open");
    return client;
  }

  /** The next message: a string when it was text, a Buffer when it was binary. */
  next() {
    if (this.#heard.length) return this.#heard.shift();
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      this.ended.then(({ code }) => reject(new Error(`closed with ${code} instead of a message`)));
    });
  }

  #hear(message) {
    const waiting = this.#waiting.shift();
    waiting ? waiting(message) : this.#heard.push(message);
  }
}

async function checkEcho(...messages) {
  const client = await Client.open("/echo");
  for (const message of messages) {
    client.ws.send(message);
    assert.deepEqual(await client.next(), message);
  }
  client.ws.close();
  await client.ended;
}

// ---- messages

test("text comes back", within, () => checkEcho("hello", "Grüße, 世界 🙂", "\0 and \r\n"));

test("binary comes back", within, () => checkEcho(Buffer.from([...Array(256).keys()]), Buffer.from([0xff, 0xfe])));

test("empty messages come back", within, () => checkEcho("", Buffer.alloc(0), ""));

test("one mebibyte of text comes back", within, () => checkEcho("1 MiB of text...".repeat(MiB / 16)));

test("one mebibyte of binary comes back", within, () => checkEcho(randomBytes(MiB)));

test("a message over the limit is refused with 1009", within, async () => {
  const client = await Client.open("/echo");
  client.ws.send(Buffer.alloc(MiB + 1));
  assert.equal((await client.ended).code, 1009);
});

for (const [kind, chunk] of [["text", "0123456789abcdef"], ["binary", Buffer.from([0, 1, 0xfe, 0xff])]]) {
  test(`64 fragments of ${kind} with pings between are one message`, within, async () => {
    const client = await Client.open("/echo");
    const pings = Array.from({ length: 63 }, (_, i) => `ping ${i}`);
    const pongs = [];
    client.ws.on("pong", (data) => pongs.push(String(data)));
    for (const ping of pings) {
      client.ws.send(chunk, { fin: false });
      client.ws.ping(ping);
    }
    client.ws.send(chunk, { fin: true });
    const expected = kind === "text" ? chunk.repeat(64) : Buffer.concat(Array(64).fill(chunk));
    assert.deepEqual(await client.next(), expected);
    assert.deepEqual(pongs, pings);
    client.ws.close();
  });
}

test("many messages at once come back in order", within, async () => {
  const client = await Client.open("/echo");
  const messages = Array.from({ length: 5_000 }, (_, i) => (i % 2 ? `${i}` : Buffer.from(`${i}`)));
  for (const message of messages) client.ws.send(message);
  for (const message of messages) assert.deepEqual(await client.next(), message);
  client.ws.close();
});

// ---- ends

for (const [code, reason] of [[1000, ""], [1000, "done"], [3000, "r".repeat(123)], [4999, "genug 🙂"]]) {
  test(`the host answers a close with its code: ${code} ${reason.slice(0, 8)}`, within, async () => {
    const client = await Client.open("/echo");
    client.ws.close(code, reason);
    assert.equal((await client.ended).code, code);
  });
}

test("what was sent before a close is answered first", within, async () => {
  const client = await Client.open("/echo");
  client.ws.send("last words");
  client.ws.close(1000);
  assert.equal(await client.next(), "last words");
  assert.equal((await client.ended).code, 1000);
});

test("an abrupt end leaves the host well", within, async () => {
  for (let i = 0; i < 20; i++) {
    const client = await Client.open("/echo");
    client.ws.send(Buffer.alloc(65_536));
    client.ws.terminate();
    await client.ended;
  }
  await checkEcho("still here");
});

test("a stopping host says 1001 and exits well", within, async () => {
  const shared = host;
  const own = (host = await Host.start());
  const client = await Client.open("/echo");
  host = shared;
  const [{ code }, status] = await Promise.all([client.ended, own.stop()]);
  assert.equal(code, 1001);
  assert.equal(status, 0, own.log);
});

// ---- handshakes

test("an unknown subprotocol is not chosen", within, async () => {
  // ws gives up by itself when none of those it offered is chosen; that it says so is the proof.
  const ws = new WebSocket(host.url("/echo"), ["nobody.knows.this", "nor.this"]);
  const [error] = await once(ws, "error");
  assert.match(error.message, /sent no subprotocol/);
});

test("offered compression is declined", within, async () => {
  const client = await Client.open("/echo", { perMessageDeflate: true });
  assert.equal(client.response.headers["sec-websocket-extensions"], undefined);
  assert.equal(client.ws.extensions, "");
  client.ws.send("plain ".repeat(1000));
  assert.equal(await client.next(), "plain ".repeat(1000));
  client.ws.close();
});

test("an origin of the same host is let in", within, async () => {
  const client = await Client.open("/echo", { origin: `http://${host.address}` });
  client.ws.close();
  assert.equal((await client.ended).code, 1005);
});

for (const [path, origin, status] of [
  ["/nobody", undefined, 404],
  ["/echoes", undefined, 404], // a prefix ends at a segment border
  ["/echo", "http://elsewhere.example", 403],
  ["/echo", "null", 403],
]) {
  test(`a refusal has its status: ${path} from ${origin ?? "no origin"} is ${status}`, within, async () => {
    const ws = new WebSocket(host.url(path), origin ? { origin } : {});
    ws.on("error", () => {}); // that follows when the test ends it
    const [, response] = await once(ws, "unexpected-response");
    assert.equal(response.statusCode, status);
    ws.terminate();
  });
}

// ---- chat

const tell = (client, what) => client.ws.send(JSON.stringify(what));

/** The next thing said that has these fields; of what else is said before, only a refusal is not passed over. */
async function hear(client, expected) {
  for (;;) {
    const said = JSON.parse(await client.next());
    if (Object.entries(expected).every(([key, value]) => said[key] === value)) return said;
    assert.notEqual(said.type, "error", said.reason);
  }
}

/** A client that is in the room, and its welcome: before that it may not speak, nor does it hear the others. */
async function enter(room, name) {
  const client = await Client.open(`/chat/${room}`);
  tell(client, { type: "join", name });
  return [client, await hear(client, { type: "welcome", room, name })];
}

test("two clients chat", within, async () => {
  const [ann, alone] = await enter("ws-two", "ann");
  assert.deepEqual(alone.members, ["ann"]);
  const [bob, both] = await enter("ws-two", "bob");
  assert.deepEqual(both.members.sort(), ["ann", "bob"]);
  await hear(ann, { type: "joined", name: "bob" });
  for (const [speaker, name, text] of [[ann, "ann", "hello bob"], [bob, "bob", 'hello "ann" <🙂>']]) {
    tell(speaker, { type: "say", text });
    for (const client of [ann, bob]) await hear(client, { type: "message", name, text });
  }
  bob.ws.close();
  await hear(ann, { type: "left", name: "bob" });
  ann.ws.close();
});

test("the room hears of an abrupt end", within, async () => {
  const [ann] = await enter("ws-abrupt", "ann");
  const [bob] = await enter("ws-abrupt", "bob");
  await hear(ann, { type: "joined", name: "bob" });
  bob.ws.terminate();
  await hear(ann, { type: "left", name: "bob" });
  ann.ws.close();
});
