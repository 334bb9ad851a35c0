// Chromium over https:// and wss://, with a certificate that it knows by its key alone, and what it makes of compression.

import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { certificates, Host } from "../clients/host.mjs";
import { launch, within } from "./browser.mjs";

const conf = (compression) => `
<listener secure>
  address 127.0.0.1:0
  <ssl>
    certificate ${certificates}/cert.pem
    key ${certificates}/key.pem
  </ssl>
</listener>
<websocket /probe>
  compression ${compression}
  <plugin probe />
</websocket>
`;

/** Chromium takes this key's certificate, and of others only those whose authority it knows. */
const trusting = (spki) => `--ignore-certificate-errors-spki-list=${createHash("sha256").update(spki).digest("base64")}`;
const { publicKey } = new X509Certificate(readFileSync(join(certificates, "cert.pem")));
const ours = publicKey.export({ type: "spki", format: "der" });

// What Chromium offers is answered so, by RFC 7692, section 7.1, and the conf.
const offer = "permessage-deflate; client_max_window_bits";
const answers = {
  off: undefined,
  shared: "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
  dedicated: "permessage-deflate; client_max_window_bits=12",
};
const versions = { "TLS 1.2": ["--ssl-version-max=tls1.2"], "TLS 1.3": [] };
const browsers = {};
const lines = {};

before(async () => {
  for (const [version, flags] of Object.entries(versions)) browsers[version] = await launch(trusting(ours), ...flags);
  for (const compression of Object.keys(answers)) lines[compression] = await Line.start(compression);
}, within);

after(async () => {
  for (const browser of Object.values(browsers)) await browser.close();
  for (const line of Object.values(lines)) await line.stop();
}, within);

/** A host, and a port before it that counts what passes to it and back. */
class Line {
  sent = 0;
  received = 0;

  static async start(compression) {
    const line = new Line();
    line.host = await Host.start(0, conf(compression), compression);
    const port = Number(line.host.authority("TLS").split(":").pop());
    line.server = createServer((client) => line.#pass(client, connect(port, "127.0.0.1")));
    line.server.listen(0, "127.0.0.1");
    await once(line.server, "listening");
    line.authority = `localhost:${line.server.address().port}`;
    return line;
  }

  /** Counts what `run` moves in each direction. */
  async count(run) {
    const { sent, received } = this;
    await run();
    return { sent: this.sent - sent, received: this.received - received };
  }

  async stop() {
    this.server.close();
    assert.equal(await this.host.stop(), 0, this.host.log);
  }

  #pass(client, host) {
    client.on("data", (data) => (this.sent += data.length));
    host.on("data", (data) => (this.received += data.length));
    for (const [from, to] of [[client, host], [host, client]]) {
      from.setNoDelay(true);
      from.on("error", () => to.destroy()); // the other side shall see it as well
      from.pipe(to);
    }
  }
}

/** A page of the host, where `window.dial` opens a WebSocket, and `window.echo` passes messages through it. */
async function open(version, line) {
  const page = await (await browsers[version].newContext()).newPage();
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(`${error}`));
  page.on("console", (said) => ["error", "warning"].includes(said.type()) && page.complaints.push(said.text()));
  const response = await page.goto(`https://${line.authority}/`);
  assert.equal((await response.securityDetails()).protocol, version);
  await page.locator("#echo[data-state=open]").waitFor();
  await page.evaluate(() => {
    const next = (target, event) => new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
    const bytes = async (data) => new Uint8Array(await new Blob([data]).arrayBuffer());
    window.dial = async (path) => {
      const socket = (window.socket = new WebSocket(`wss://${location.host}${path}`));
      socket.binaryType = "arraybuffer";
      window.ended = next(socket, "close").then(({ code, reason, wasClean }) => ({ code, reason, wasClean }));
      await unlessClosed(next(socket, "open"));
      return socket.extensions;
    };
    const unlessClosed = (event) =>
      Promise.race([event, window.ended.then(({ code }) => Promise.reject(new Error(`closed with ${code}`)))]);
    window.echo = async (message) => {
      const answer = next(window.socket, "message");
      window.socket.send(message);
      const { data } = await unlessClosed(answer);
      if (typeof data === "string") return data === message;
      const [was, is] = [await bytes(message), await bytes(data)];
      return was.length === is.length && was.every((byte, i) => byte === is[i]);
    };
    window.noise = (length) => {
      const all = new Uint8Array(length);
      for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(all.subarray(at, at + 65_536));
      return all;
    };
  });
  return page;
}

const pages = {};

/** A test of each version of TLS and each `compression`, which have one page each. */
function everywhere(name, run) {
  for (const version of Object.keys(versions)) {
    for (const compression of Object.keys(answers)) {
      test(`${version}, compression ${compression}: ${name}`, within, async () => {
        const line = lines[compression];
        const page = (pages[version + compression] ??= await open(version, line));
        await run({ page, line, compression, version });
        const unexpected = page.complaints.filter((text) => !text.includes("/feed")); // which this host does not have
        assert.deepEqual(unexpected, []);
      });
    }
  }
}

everywhere("what is offered is answered as the RFC and the conf say", async ({ page, compression }) => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Network.enable");
  const asked = once(cdp, "Network.webSocketWillSendHandshakeRequest");
  const answered = once(cdp, "Network.webSocketHandshakeResponseReceived");
  const extensions = await page.evaluate(() => dial("/echo"));
  const [[{ request }], [{ response }]] = [await asked, await answered];
  const header = ({ headers }) =>
    Object.entries(headers).find(([name]) => name.toLowerCase() === "sec-websocket-extensions")?.[1];
  assert.equal(header(request), offer);
  assert.equal(header(response), answers[compression]);
  assert.equal(extensions, answers[compression] ?? "");
});

everywhere("text and binary of all sizes come back", async ({ page }) => {
  await page.evaluate(() => dial("/echo"));
  const wrong = await page.evaluate(async () => {
    const wrong = [];
    const check = async (what, message) => (await echo(message)) || wrong.push(what);
    for (const size of [0, 1, 63, 64, 65, 125, 126, 127, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1_000_000]) {
      const random = noise(size);
      for (let i = 0; i < 2; i++) { // the second may refer to the first
        await check(`${size} alike`, "again and again ".repeat(size).slice(0, size));
        await check(`${size} characters`, "Grüße, 世界 🙂 ".repeat(size / 21));
        await check(`${size} random bytes`, random);
        await check(`${size} bytes of a blob`, new Blob([random.subarray(size / 2), new Uint8Array(size / 2)]));
      }
    }
    return wrong;
  });
  assert.deepEqual(wrong, []);
});

everywhere("what compression saves is not on the wire", async ({ page, line, compression }) => {
  await page.evaluate(() => dial("/echo"));
  const alike = await line.count(() => page.evaluate(() => echo("again and again ".repeat(62_500))));
  const random = await line.count(() => page.evaluate(() => echo(noise(1_000_000))));
  for (const bytes of Object.values(random)) assert.ok(bytes > 1_000_000 && bytes < 1_020_000, `${bytes}`);
  for (const bytes of Object.values(alike)) {
    if (compression === "off") assert.ok(bytes > 1_000_000, `${bytes}`);
    else assert.ok(bytes < 20_000, `${bytes}`);
  }
  // The same digits fifty times: only takeover knows them again.
  const again = await line.count(() =>
    page.evaluate(async () => {
      const digits = Array.from(noise(500), (byte) => byte.toString(16).padStart(2, "0")).join("");
      for (let i = 0; i < 50; i++) await echo(`${i} ${digits}`);
    }),
  );
  const [least, most] = { off: [1000, 1100], shared: [500, 900], dedicated: [10, 150] }[compression];
  for (const bytes of Object.values(again)) assert.ok(bytes / 50 > least && bytes / 50 < most, `${bytes / 50}`);
});

everywhere("closes have their code and reason in both directions", async ({ page, line }) => {
  const since = line.host.log.length;
  for (const [code, reason] of [[1000, ""], [1000, "done"], [3000, "r".repeat(123)], [4999, "genug 🙂"]]) {
    const expected = { code, reason, wasClean: true };
    const ofClient = await page.evaluate(async ([code, reason]) => {
      await dial("/probe");
      socket.close(code, reason);
      return ended;
    }, [code, reason]);
    assert.equal(ofClient.code, code);
    await line.host.waitFor(new RegExp(`plugin: /probe .*has ended with ${code} ?${reason}$`, "m"), since);
    const ofEndpoint = await page.evaluate(async (wish) => {
      await dial("/probe");
      socket.send(wish);
      return ended;
    }, `close ${code} ${reason}`.trim());
    assert.deepEqual(ofEndpoint, expected);
  }
  const tooLong = await page.evaluate(async () => {
    await dial("/echo");
    socket.send("0".repeat((1 << 20) + 1));
    return ended;
  });
  assert.equal(tooLong.code, 1009);
});

everywhere("the demo page works", async ({ page, version }) => {
  await page.getByLabel("Your name").fill("ann");
  await page.getByLabel("Room").fill(`secure-${version.slice(-1)}`);
  await page.getByRole("button", { name: "Join" }).click();
  await page.locator("#chat[data-view=room]").waitFor();
  for (const text of ["said over TLS", "said over TLS again"]) {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
    await page.locator(".message-text", { hasText: text }).last().waitFor();
  }
  await page.getByRole("button", { name: "1 MB" }).click();
  await page.locator(".frame.received", { hasText: "1 MB" }).waitFor();
});

test("a certificate of a key that the browser was not told of is refused", within, async (t) => {
  const other = Buffer.from(ours);
  other[other.length - 1] ^= 1;
  const stranger = await launch(trusting(other));
  t.after(() => stranger.close());
  const { authority } = lines.off;
  const page = await stranger.newPage();
  await assert.rejects(page.goto(`https://${authority}/`), /ERR_CERT_AUTHORITY_INVALID/);
  const blank = await stranger.newPage();
  const code = await blank.evaluate(
    (url) => new Promise((resolve) => (new WebSocket(url).onclose = ({ code }) => resolve(code))),
    `wss://${authority}/echo`,
  );
  assert.equal(code, 1006);
});
