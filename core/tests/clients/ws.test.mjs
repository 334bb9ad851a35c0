// The npm package `ws`, a client nobody here wrote, and endpoints of every kind behind a real host.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { kinds, secured, shareHost, startHost, within } from "./kinds.mjs";

const MiB = 1 << 20;
let upstream;
let host;

shareHost((shared) => ({ upstream, host } = shared));

/** A test of each kind of endpoint. */
function everywhere(name, run) {
  for (const [kind, how] of Object.entries(kinds)) test(`${kind}: ${name}`, within, () => run(how));
}

/** A client that keeps all it hears, so that nothing is lost between two awaits. */
class Client {
  #heard = [];
  #waiting = [];

  static async open({ path, tls }, options) {
    const client = new Client();
    client.ws = new WebSocket(host.url(path, tls), { ...secured(tls), ...options });
    client.pings = [];
    client.pongs = [];
    client.ended = once(client.ws, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
    client.ws.on("message", (data, isBinary) => client.#hear(isBinary ? data : String(data)));
    client.ws.on("ping", (data) => client.pings.push(String(data)));
    client.ws.on("pong", (data) => client.pongs.push(String(data)));
    client.ws.on("upgrade", (response) => (client.response = response));
    await once(client.ws, "open");
    client.ws.on("error", () => {}); // "close" follows, and says more
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

  /** Hears what was sent again. Where the endpoint counts its answers, its next message is the count. */
  async expect({ counts }, ...messages) {
    for (const message of messages) {
      assert.ok(same(await this.next(), message), "another message");
      this.answers = (this.answers ?? 0) + 1;
      if (counts) assert.equal(await this.next(), `message ${this.answers}`);
    }
  }

  #hear(message) {
    const waiting = this.#waiting.shift();
    waiting ? waiting(message) : this.#heard.push(message);
  }
}

// Not deepEqual, which takes its time with 16 MiB, and much more to tell a difference.
const same = (a, b) => (typeof a === "string" ? a === b : Buffer.isBuffer(b) && a.equals(b));

async function checkEcho(kind, ...messages) {
  const client = await Client.open(kind);
  for (const message of messages) {
    client.ws.send(message);
    await client.expect(kind, message);
  }
  client.ws.close();
  await client.ended;
}

// ---- messages

everywhere("text comes back", (kind) => checkEcho(kind, "hello", "Grüße, 世界 🙂", "\0 and \r\n"));

everywhere("binary comes back", (kind) =>
  checkEcho(kind, Buffer.from([...Array(256).keys()]), Buffer.from([0xff, 0xfe])),
);

everywhere("empty messages come back", (kind) => checkEcho(kind, "", Buffer.alloc(0), ""));

everywhere("each length of header is read and written", async (kind) => {
  for (const size of [125, 126, 127, 65_535, 65_536, 65_537]) {
    await checkEcho(kind, "x".repeat(size), Buffer.alloc(size, 0x80));
  }
});

everywhere("16 mebibytes of text come back", (kind) =>
  checkEcho(kind, "Grüße, 世界 🙂 0123456789\n".repeat((16 * MiB) / 32)),
);

everywhere("16 mebibytes of binary come back", (kind) => checkEcho(kind, randomBytes(16 * MiB)));

everywhere("a message over the limit is refused with 1009", async (kind) => {
  const client = await Client.open(kind);
  client.ws.send(Buffer.alloc(16 * MiB + 1));
  assert.equal((await client.ended).code, 1009);
  await checkEcho(kind, "still here");
});

everywhere("fragments that exceed the limit together are refused with 1009", async (kind) => {
  const client = await Client.open(kind);
  for (let i = 0; i < 16; i++) client.ws.send(Buffer.alloc(MiB), { fin: false });
  client.ws.send("x", { fin: true });
  assert.equal((await client.ended).code, 1009);
  await checkEcho(kind, "still here");
});

for (const [type, chunk] of [["text", "0123456789abcdef"], ["binary", Buffer.from([0, 1, 0xfe, 0xff])]]) {
  everywhere(`64 fragments of ${type} with pings between are one message`, async (kind) => {
    const client = await Client.open(kind);
    const pings = Array.from({ length: 63 }, (_, i) => `ping ${i}`);
    for (const ping of pings) {
      client.ws.send(chunk, { fin: false });
      client.ws.ping(ping);
    }
    client.ws.send(chunk, { fin: true });
    await client.expect(kind, type === "text" ? chunk.repeat(64) : Buffer.concat(Array(64).fill(chunk)));
    assert.deepEqual(client.pongs, pings);
    client.ws.close();
  });
}

everywhere("a character split between fragments is whole again", async (kind) => {
  const client = await Client.open(kind);
  const smile = Buffer.from("🙂");
  smile.forEach((byte, i) => client.ws.send(Buffer.from([byte]), { binary: false, fin: i === smile.length - 1 }));
  await client.expect(kind, "🙂");
  client.ws.close();
});

everywhere("many messages at once come back in order", async (kind) => {
  const client = await Client.open(kind);
  const messages = Array.from({ length: 5_000 }, (_, i) => (i % 2 ? `${i}` : Buffer.from(`${i}`)));
  for (const message of messages) client.ws.send(message);
  await client.expect(kind, ...messages);
  client.ws.close();
});

test("forward: a server that answers in fragments is understood", within, async () => {
  const client = await Client.open(kinds.forward);
  client.ws.send("fragments Grüße, 世界 🙂");
  await client.expect(kinds.forward, "Grüße, 世界 🙂", Buffer.from("Grüße, 世界 🙂"));
  client.ws.close();
});

// ---- pings

everywhere("a ping has its pong", async (kind) => {
  const client = await Client.open(kind);
  for (const payload of ["", "there?", "p".repeat(125)]) {
    client.ws.ping(payload);
    const [pong] = await once(client.ws, "pong");
    assert.equal(String(pong), payload);
  }
  client.ws.close();
});

// All at once, as each takes two seconds.
test("the host pings a silent client of each kind, and keeps one that answers", within, async () => {
  const isKept = async (kind) => {
    const client = await Client.open(kind);
    for (let i = 0; i < 2; i++) await once(client.ws, "ping");
    client.ws.send("still here");
    await client.expect(kind, "still here");
    client.ws.close();
    return client.pings.every((payload) => payload === "");
  };
  for (const [kind, kept] of Object.entries(kinds).map(([kind, how]) => [kind, isKept(how)])) assert.ok(await kept, kind);
});

test("forward: a ping of the server reaches the client, and the pong the server", within, async () => {
  const client = await Client.open(kinds.forward);
  client.ws.send("ping me");
  await client.expect(kinds.forward, "pong");
  assert.ok(client.pings.includes("are you there?"));
  client.ws.close();
});

// ---- ends

/** Waits until the endpoint itself has said that a client has ended so. */
function listen({ logsAs }) {
  const log = logsAs === "^" ? upstream : host;
  const since = log.log.length;
  return (code, reason) => log.waitFor(new RegExp(`${logsAs}.*has ended with ${code} ?${reason}$`, "m"), since);
}

const closes = [[1000, ""], [1000, "done"], [1001, "moved"], [3000, "r".repeat(123)], [4999, "genug 🙂"]];
for (const [code, reason] of closes) {
  const close = `${code} ${reason.slice(0, 8)}`.trim();

  everywhere(`a close of the client is answered, and the endpoint learns it: ${close}`, async (kind) => {
    const sawEnd = listen(kind);
    const client = await Client.open({ ...kind, path: kind.closing });
    client.ws.close(code, reason);
    assert.equal((await client.ended).code, code);
    await sawEnd(code, reason);
  });

  everywhere(`a close of the endpoint reaches the client: ${close}`, async (kind) => {
    const client = await Client.open({ ...kind, path: kind.closing });
    client.ws.send(`close ${code} ${reason}`.trim());
    assert.deepEqual(await client.ended, { code, reason });
  });
}

everywhere("a close without a code has none on the other side either", async (kind) => {
  const sawEnd = listen(kind);
  const client = await Client.open({ ...kind, path: kind.closing });
  client.ws.close();
  assert.equal((await client.ended).code, 1005);
  await sawEnd(1005, "");
});

everywhere("what the endpoint said before its close comes before it", async (kind) => {
  const client = await Client.open({ ...kind, path: kind.closing });
  client.ws.send(kind.closing.startsWith("/probe") ? "echo last words" : "last words");
  client.ws.send("close 4001 enough");
  await client.expect(kind, "last words");
  assert.deepEqual(await client.ended, { code: 4001, reason: "enough" });
});

everywhere("what was sent before a close is answered first", async (kind) => {
  const client = await Client.open({ ...kind, path: kind.inOrder });
  client.ws.send("last words");
  client.ws.close(1000);
  await client.expect(kind, "last words");
  assert.equal((await client.ended).code, 1000);
});

everywhere("an abrupt end leaves the others well", async (kind) => {
  for (let i = 0; i < 20; i++) {
    const client = await Client.open(kind);
    client.ws.send(Buffer.alloc(65_536));
    client.ws.terminate();
    await client.ended;
  }
  await checkEcho(kind, "still here");
});

test("a stopping host says 1001 to the clients of all, and exits well", within, async () => {
  const shared = host;
  const own = (host = await startHost(upstream));
  const clients = await Promise.all(Object.values(kinds).map((kind) => Client.open(kind)));
  host = shared;
  const stopped = own.stop();
  for (const client of clients) assert.equal((await client.ended).code, 1001);
  assert.equal(await stopped, 0, own.log);
});

// ---- handshakes

everywhere("an unknown subprotocol is not chosen", async ({ path, tls }) => {
  // ws gives up by itself when none of those it offered is chosen; that it says so is the proof.
  const ws = new WebSocket(host.url(path, tls), ["nobody.knows.this", "nor.this"], secured(tls));
  const [error] = await once(ws, "error");
  assert.match(error.message, /sent no subprotocol/);
});

everywhere("offered compression is taken where the conf wants it", async (kind) => {
  const { compression } = kind;
  const client = await Client.open(kind, { perMessageDeflate: true });
  const answer = client.response.headers["sec-websocket-extensions"] ?? "none";
  assert.equal(answer.startsWith("permessage-deflate"), compression !== undefined, answer);
  assert.equal(client.ws.extensions, compression ? "permessage-deflate" : "");
  client.ws.send("plain ".repeat(1000));
  assert.equal(await client.next(), "plain ".repeat(1000));
  client.ws.close();
});

everywhere("an origin of the same host is let in", async (kind) => {
  const origin = `${kind.tls ? "https" : "http"}://${host.authority(kind.tls)}`;
  const client = await Client.open(kind, { origin });
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
  const client = await Client.open({ path: `/chat/${room}` });
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
