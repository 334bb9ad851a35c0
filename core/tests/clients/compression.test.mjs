// permessage-deflate (RFC 7692) with whatever the npm package `ws` can offer.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { on, once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { secured, shareHost, within } from "./kinds.mjs";

const KiB = 1 << 10;
const MiB = 1 << 20;
const modes = {
  "/echo-shared": { isShared: true, bits: 15, threshold: 64 },
  "/echo-dedicated": { isShared: false, bits: 12, threshold: 64 },
  "/echo-widest": { isShared: false, bits: 15, threshold: 0 },
};
let host;

shareHost((shared) => ({ host } = shared));

/** A client whose `heard` yields what comes, and the answer to its offer. */
async function open(path, perMessageDeflate, tls) {
  const ws = new WebSocket(host.url(path, tls), { ...secured(tls), perMessageDeflate });
  const heard = on(ws, "message");
  const answered = once(ws, "upgrade");
  await once(ws, "open");
  const [response] = await answered;
  return { ws, heard, answer: response.headers["sec-websocket-extensions"] };
}

/** What is sent comes back; a list is one message in fragments. Returns how many bytes that took, before TLS. */
async function echo({ ws, heard }, ...messages) {
  const before = ws._socket.bytesRead;
  for (const message of messages) send(ws, message);
  for (const message of messages) {
    const [data, isBinary] = (await heard.next()).value;
    const parts = [message].flat();
    assert.equal(isBinary, typeof parts[0] !== "string");
    assert.ok(data.equals(Buffer.concat(parts.map((part) => Buffer.from(part)))), "another message");
  }
  return ws._socket.bytesRead - before;
}

function send(ws, message) {
  const parts = [message].flat();
  parts.forEach((part, i) => ws.send(part, { fin: i === parts.length - 1 }));
}

const words = "host plugin external forward endpoint generation session shard topic window".split(" ");
const speech = (count) => Array.from({ length: count }, (_, i) => words[(i * i + count) % words.length]).join(" ");

/** What RFC 7692, section 7.1, and the conf make of an offer. `ws` lets a server choose its window unless told not to. */
function answerTo({ isShared, bits }, offer) {
  const answer = ["permessage-deflate"];
  if (isShared || offer.serverNoContextTakeover) answer.push("server_no_context_takeover");
  if (isShared || offer.clientNoContextTakeover) answer.push("client_no_context_takeover");
  if (offer.serverMaxWindowBits) answer.push(`server_max_window_bits=${Math.min(offer.serverMaxWindowBits, bits)}`);
  const { clientMaxWindowBits: client = true } = offer;
  if (!isShared && client) answer.push(`client_max_window_bits=${Math.min(client === true ? 15 : client, bits)}`);
  return answer.join("; ");
}

const several = [undefined, 8, 9, 10, 11, 12, 13, 14, 15];
const takeovers = [undefined, true].flatMap((serverNoContextTakeover) =>
  // To `ws`, false is not the same: it then hangs up on a server that asks for this.
  [undefined, true].map((clientNoContextTakeover) => ({ serverNoContextTakeover, clientNoContextTakeover })),
);

/** A test of each way of taking over and each transport. Over TLS its `version` says which one it is the turn of. */
function eachWay(path, name, run) {
  for (const takeover of takeovers) {
    for (const isSecure of [false, true]) {
      let turn = 0;
      const version = () => (isSecure ? ["TLSv1.2", "TLSv1.3"][turn++ % 2] : undefined);
      const { serverNoContextTakeover: server, clientNoContextTakeover: client } = takeover;
      const way = `takeover: server ${!server}, client ${!client}${isSecure ? ", over TLS" : ""}`;
      test(`${path}: ${name}, ${way}`, within, () => run(takeover, version));
    }
  }
}

/** All that the package can say about windows, for one way of taking over. */
function* offers(takeover) {
  for (const serverMaxWindowBits of several) {
    for (const clientMaxWindowBits of [...several, false, true]) {
      yield { ...takeover, serverMaxWindowBits, clientMaxWindowBits };
    }
  }
}

eachWay("/echo", "where compression is off no offer is taken", async (takeover, version) => {
  for (const offer of offers(takeover)) {
    const client = await open("/echo", offer, version());
    assert.equal(client.answer, undefined);
    assert.equal(client.ws.extensions, "");
    await echo(client, "", speech(200), randomBytes(700));
    client.ws.terminate();
  }
});

for (const [path, mode] of Object.entries(modes)) {
  eachWay(path, "each offer is answered and works", async (takeover, version) => {
    // Longer than the windows, and said twice: what is referred to is in the window or just outside.
    const [noise, wide] = [randomBytes(700), randomBytes(40_000)];
    const fragments = [speech(100), "", speech(100), "short"];
    const messages = ["", Buffer.alloc(0), "short", speech(200), noise, speech(200), noise, fragments, speech(3000)];
    messages.push(wide, wide.subarray(9_000), "again");
    for (const offer of offers(takeover)) {
      const client = await open(path, { ...offer, threshold: offer.clientMaxWindowBits ? 0 : 1024 }, version());
      assert.equal(client.answer, answerTo(mode, offer));
      await echo(client, ...messages);
      client.ws.terminate();
    }
  });

  for (const tls of [undefined, "TLSv1.2", "TLSv1.3"]) {
    test(`${path}: what can be made shorter is, ${tls ?? "plain"}`, within, async () => {
      const client = await open(path, true, tls);
      const long = "again and again ".repeat(MiB / 16);
      assert.ok((await echo(client, long)) < MiB / 100);
      const taken = await echo(client, randomBytes(MiB));
      assert.ok(taken > MiB && taken < MiB + KiB, `${taken}`);
      for (const length of [10, 63, 64, 65]) {
        const taken = await echo(client, "x".repeat(length));
        assert.equal(taken === length + 2, length < mode.threshold, `${length}`);
      }
      client.ws.terminate();
    });
  }

  // What gets shorter and what does not, each behind the other, so that the window holds both.
  eachWay(path, "a mebibyte comes back whatever the window", async (takeover, version) => {
    const [long, noise] = ["again and again, and no more; ".repeat(MiB / 30), randomBytes(MiB)];
    for (const bits of takeover.serverNoContextTakeover ? [8, 12, 15] : [9, 13, 15]) {
      const client = await open(path, { ...takeover, serverMaxWindowBits: bits, clientMaxWindowBits: bits }, version());
      await echo(client, long, noise, [noise.subarray(0, -1000), Buffer.from(long.slice(0, 5000))], long);
      client.ws.terminate();
    }
  });
}

test("16 mebibytes come back after others like them", within, async () => {
  const client = await open("/echo-dedicated", true);
  const noise = randomBytes(16 * MiB);
  const text = speech(2 * MiB).slice(0, 16 * MiB);
  await echo(client, text.slice(-1000), text, noise.subarray(-5000), noise, text.slice(0, 1000));
  client.ws.terminate();
});

for (const path of ["/echo-shared", "/echo-dedicated", "/cpp-dedicated", "/forward-dedicated"]) {
  test(`${path}: fragments and messages in a row, with pings between`, within, async () => {
    const client = await open(path, { threshold: 0 });
    const pongs = [];
    client.ws.on("pong", (data) => pongs.push(String(data)));
    const parts = Array.from({ length: 100 }, (_, i) => `${speech(i)}🙂`);
    for (const part of parts) {
      client.ws.send(part, { fin: false });
      client.ws.ping("between");
    }
    client.ws.send("", { fin: true });
    const [whole] = (await client.heard.next()).value;
    assert.equal(String(whole), parts.join(""));
    for (let i = 0; i < 20; i++) {
      client.ws.ping(`${i}`);
      await echo(client, ...parts, randomBytes(i * 100));
    }
    assert.equal(pongs.length, 120);
    client.ws.close();
    assert.equal((await once(client.ws, "close"))[0], 1005);
  });
}
