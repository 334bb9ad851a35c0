// permessage-deflate (RFC 7692) with whatever the npm package `ws` can offer.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { on, once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { shareHost, within } from "./kinds.mjs";

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
async function open(path, perMessageDeflate) {
  const ws = new WebSocket(host.url(path), { perMessageDeflate });
  const heard = on(ws, "message");
  const answered = once(ws, "upgrade");
  await once(ws, "open");
  const [response] = await answered;
  return { ws, heard, answer: response.headers["sec-websocket-extensions"] };
}

/** What is sent comes back; returns how many bytes that took. */
async function echo({ ws, heard }, ...messages) {
  const before = ws._socket.bytesRead;
  for (const message of messages) ws.send(message);
  for (const message of messages) {
    const [data, isBinary] = (await heard.next()).value;
    assert.equal(isBinary, typeof message !== "string");
    assert.ok(data.equals(Buffer.from(message)), "another message");
  }
  return ws._socket.bytesRead - before;
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
for (const [path, mode] of Object.entries(modes)) {
  for (const serverNoContextTakeover of [undefined, true]) {
    // To `ws`, false is not the same: it then hangs up on a server that asks for this.
    for (const clientNoContextTakeover of [undefined, true]) {
      const takeover = `server ${!serverNoContextTakeover}, client ${!clientNoContextTakeover}`;
      test(`${path}: each offer is answered and works, takeover: ${takeover}`, within, async () => {
        const noise = randomBytes(700);
        const messages = ["", Buffer.alloc(0), "short", speech(200), noise, speech(200), noise, speech(3000)];
        for (const serverMaxWindowBits of several) {
          for (const clientMaxWindowBits of [...several, false, true]) {
            const windows = { serverMaxWindowBits, clientMaxWindowBits };
            const offer = { serverNoContextTakeover, clientNoContextTakeover, ...windows };
            const client = await open(path, { ...offer, threshold: clientMaxWindowBits ? 0 : 1024 });
            assert.equal(client.answer, answerTo(mode, offer));
            await echo(client, ...messages);
            client.ws.terminate();
          }
        }
      });
    }
  }

  test(`${path}: what can be made shorter is`, within, async () => {
    const client = await open(path, true);
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
