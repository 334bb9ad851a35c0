// The demo page in Debian's Chromium, on the real host. Screenshots go to target/screenshots.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Host, root } from "../clients/host.mjs";
import { launch, within } from "./browser.mjs";

const screenshots = join(root, "target/screenshots");
const desktop = { viewport: { width: 1280, height: 900 }, colorScheme: "light" };
const phone = { viewport: { width: 390, height: 844 }, colorScheme: "light" };
const dark = { viewport: { width: 1280, height: 900 }, colorScheme: "dark" };

const feed = join(root, "target/feed-cpp");
const feedConf = `
<websocket /feed>
  <external>
    program ${feed}
  </external>
</websocket>
`;

let host;
let browser;
// What the pages asked for and complained of, from all tabs of all tests.
const requests = [];
const complaints = [];

before(async () => {
  mkdirSync(screenshots, { recursive: true });
  const options = ["-std=c++17", "-O1", "-pthread", "-I", join(root, "sdk/cpp/include")];
  execFileSync("c++", [...options, "-o", feed, join(root, "examples/feed-cpp/feed.cpp")]);
  host = await Host.start(0, feedConf);
  browser = await launch();
}, within);

after(async () => {
  await browser?.close();
  await host?.stop();
}, within);

// ---- what a person does

/** A browser window of its own: its local storage is not shared with other tabs. */
async function open(options, hash = "") {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(30_000);
  return tab(context, hash);
}

async function tab(context, hash = "") {
  const page = await context.newPage();
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
  page.on("pageerror", (error) => complaints.push(`${error}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  await page.goto(`http://${host.address}/${hash}`);
  await page.locator("#echo[data-state=open]").waitFor();
  return page;
}

async function enter(page, name, room) {
  await page.getByLabel("Your name").fill(name);
  await page.getByLabel("Room").fill(room);
  await page.getByRole("button", { name: "Join" }).click();
  await page.locator("#chat[data-view=room]").waitFor();
}

async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

const heard = (page, text) => page.locator(".message-text", { hasText: text }).waitFor();
const note = (page, text) => page.locator(".note", { hasText: text }).last().waitFor();
const here = (page) => page.locator(".member").allTextContents();
const inState = (page, panel, state) => page.locator(`#${panel}[data-state=${state}]`).waitFor();

async function twoInRoom(room) {
  const ann = await open(desktop);
  await enter(ann, "ann", room);
  const bob = await open(phone, `#/${room}`);
  await enter(bob, "bob", room);
  await note(ann, "bob joined");
  return { ann, bob };
}

// A restarted host takes the same port, so that the page finds it again.
async function restart() {
  const { port } = host;
  assert.equal(await host.stop(), 0, host.log);
  return async () => (host = await Host.start(port, feedConf));
}

// ---- the page

test("two tabs chat with each other, and see who comes and goes", within, async () => {
  const { ann, bob } = await twoInRoom("lobby");
  assert.deepEqual(await here(ann), ["ann", "bob"]);
  assert.deepEqual((await here(bob)).sort(), ["ann", "bob"]);

  await say(ann, "Good morning, is the line open?");
  await heard(bob, "is the line open?");
  await say(bob, "It is. <b>No markup</b> & no surprises.");
  await heard(ann, "<b>No markup</b> & no surprises.");
  assert.equal(await ann.locator(".message.own").count(), 1);

  const carla = await open(dark, "#/lobby");
  await enter(carla, "carla", "lobby");
  await heard(carla, "is the line open?"); // from the history
  await say(carla, "I came later, and the history was here before me.");
  await heard(ann, "I came later");
  await echoAll(ann);
  await echoAll(carla);
  await ann.screenshot({ path: join(screenshots, "desktop-light.png") });
  await carla.screenshot({ path: join(screenshots, "desktop-dark.png") });
  await bob.locator(".lamps a").first().click();
  await heard(bob, "I came later");
  await bob.screenshot({ path: join(screenshots, "phone-chat.png") });

  await carla.context().close();
  await note(ann, "carla left");
  await bob.context().close();
  await note(ann, "bob left");
  assert.deepEqual(await here(ann), ["ann"]);
  await ann.context().close();
});

test("a second tab of the same person is offered a free name", within, async () => {
  const ann = await open(desktop);
  await enter(ann, "ann", "twins");
  const twin = await tab(ann.context(), "#/twins"); // joins by itself, as ann
  await twin.getByText("ann is taken in this room").waitFor();
  await twin.getByRole("button", { name: "Join" }).click();
  await twin.locator("#chat[data-view=room]").waitFor();
  await ann.locator(".member").nth(1).waitFor();
  assert.equal((await here(ann)).length, 2);
  await say(twin, "two of me");
  await heard(ann, "two of me");
  await ann.context().close();
});

async function echoAll(page) {
  const back = page.locator(".frame.received");
  await page.getByLabel("Data to send").fill("Grüße 🙂");
  await page.locator(".send").getByRole("button", { name: "Send" }).click();
  await page.getByRole("button", { name: "64 KB" }).click();
  await page.getByRole("radio", { name: "Hex" }).check();
  await page.getByLabel("Data to send").fill("de ad be ef 00 ff");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "1 MB" }).click();
  await back.nth(3).waitFor();
  return back;
}

test("the echo comes back, text and binary, with its size and round trip", within, async () => {
  const page = await open(phone);
  const back = await echoAll(page);
  const frames = (await back.allInnerTexts()).map((text) => text.replace(/\s+/g, " "));
  const shapes = [/text 12 B .* ms Grüße 🙂/, /text 64 KB .* ms abc/, /binary 6 B .* ms de ad be ef 00 ff/, /binary 1 MB .* ms 00 1f/];
  shapes.forEach((shape, i) => assert.match(frames[i], shape));
  await page.getByText("4 sent, 4 back").waitFor();

  await page.getByLabel("Data to send").fill("abc"); // not whole bytes
  await page.keyboard.press("Enter");
  await page.getByText("Hex has two digits a byte").waitFor();
  await page.locator(".lamps a[href='#echo']").click();
  await page.screenshot({ path: join(screenshots, "phone-echo.png") });

  await page.getByLabel("Code").fill("4001");
  await page.getByLabel("Reason").fill("seen enough");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.locator(".frame.event", { hasText: "closed, 4001" }).waitFor();
  await page.getByRole("button", { name: "Open again" }).click();
  await inState(page, "echo", "open");
  await page.context().close();
});

test("a restarted host is missed, and both tabs come back by themselves", within, async () => {
  const { ann, bob } = await twoInRoom("restart");
  await say(ann, "before");
  await heard(bob, "before");
  const start = await restart();
  for (const page of [ann, bob]) {
    await inState(page, "chat", "lost");
    await inState(page, "echo", "lost");
    await page.locator("#chat .line-text", { hasText: "Connection lost" }).waitFor();
    await page.locator("#chat .line-count", { hasText: "Next try in" }).waitFor();
    await note(page, "Connection lost (1001");
  }
  await say(ann, "written while it was lost"); // Enter does nothing now
  assert.equal(await ann.getByLabel("Message", { exact: true }).inputValue(), "written while it was lost");
  await ann.screenshot({ path: join(screenshots, "desktop-lost.png") });
  await bob.locator(".lamps a").first().click();
  await bob.screenshot({ path: join(screenshots, "phone-lost.png") });

  await start();
  for (const page of [ann, bob]) {
    await note(page, "Connection is back");
    await inState(page, "echo", "open");
  }
  await ann.locator(".member", { hasText: "bob" }).waitFor();
  await bob.locator(".member", { hasText: "ann" }).waitFor();
  await ann.getByLabel("Message", { exact: true }).press("Enter");
  await heard(bob, "written while it was lost");
  await say(bob, "and after");
  await heard(ann, "and after");
  await heard(ann, "before"); // what was on the screen stays there
  await ann.context().close();
  await bob.context().close();
});

test("a lost connection is tried at once when asked, and when the network is back", within, async () => {
  const context = await browser.newContext(desktop);
  await context.clock.install();
  const page = await tab(context);
  await enter(page, "ann", "at-once");
  await page.clock.pauseAt(Date.now() + 60_000); // no wait of the page ends any more
  const start = await restart();
  await inState(page, "echo", "lost");
  await inState(page, "chat", "lost");
  await start();
  await page.locator("#chat").getByRole("button", { name: "Try now" }).click();
  await inState(page, "chat", "open");
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await inState(page, "echo", "open");
  await context.close();
});

// ---- the live feed

/** All that the panel's line says from now on; what is said for a moment only is not missed. */
async function listen(page) {
  await page.evaluate(() => {
    const line = document.querySelector("#feed .line-text");
    window.lineSaid = [];
    new MutationObserver(() => window.lineSaid.push(line.textContent)).observe(line, { childList: true });
  });
  return (text) => page.waitForFunction((text) => window.lineSaid.some((said) => said.includes(text)), text);
}

/** Waits until each canvas has a line in a colour of its own, and as many pixels as the screen has for it. */
async function drawn(page) {
  await page.waitForFunction(() =>
    [...document.querySelectorAll("#feed canvas")].every((canvas) => {
      if (Math.abs(canvas.width - canvas.clientWidth * devicePixelRatio) > devicePixelRatio) return false;
      const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      const style = getComputedStyle(canvas);
      const colors = ["--trace", "--trace-2"].map((name) => style.getPropertyValue(name).match(/\w\w/g) ?? []);
      const wanted = colors.map((color) => color.map((hex) => parseInt(hex, 16)));
      const like = (i) => wanted.some((rgb) => rgb.length && rgb.every((part, n) => Math.abs(part - data[i + n]) < 24));
      let pixels = 0;
      for (let i = 0; i < data.length; i += 4) pixels += data[i + 3] > 100 && like(i);
      return pixels > 20;
    }),
  );
}

const sampled = (page) => page.locator("#feed .sampled").getAttribute("datetime");
const sampledAfter = (page, time) =>
  page.waitForFunction((time) => document.querySelector("#feed .sampled").dateTime > time, time);
const show = (page, panel) => page.locator(`.lamps a[href="#${panel}"]`).click();

/** Waits for another program than the one before. */
async function program(before) {
  for (;;) {
    const [pid] = host.programs();
    if (pid && pid !== before) return pid;
    await new Promise((later) => setTimeout(later, 20));
  }
}

test("the feed of the C++ program is drawn, and each tab has its own pace", within, async () => {
  const context = await browser.newContext({ ...phone, viewport: { width: 360, height: 740 }, deviceScaleFactor: 3 });
  const [page, sent, received] = [await context.newPage(), [], []];
  page.on("websocket", (socket) => {
    if (!socket.url().endsWith("/feed")) return;
    socket.on("framesent", ({ payload }) => sent.push(payload));
    socket.on("framereceived", ({ payload }) => received.push({ asked: sent.length, time: JSON.parse(payload).time }));
  });
  await page.goto(`http://${host.address}/`);
  await show(page, "feed");
  await drawn(page);
  await sampledAfter(page, await sampled(page));
  await page.locator("#feed .cpu b", { hasText: /^\d+ %$/ }).waitFor();
  await page.locator("#feed .cpu small", { hasText: /^load [\d.]+, [\d.]+, [\d.]+$/ }).waitFor();
  await page.locator("#feed .memory small", { hasText: /^[\d.]+ [MG]B of [\d.]+ [MG]B$/ }).waitFor();
  await page.locator("#feed .net .in", { hasText: /B\/s$/ }).waitFor();
  const before = await page.locator("#feed .cpu canvas").evaluate((canvas) => canvas.toDataURL());
  await page.waitForFunction((before) => document.querySelector("#feed .cpu canvas").toDataURL() !== before, before);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.screenshot({ path: join(screenshots, "feed-narrow.png") });

  assert.deepEqual(sent, []);
  await page.getByRole("radio", { name: "1 s" }).check();
  for (let i = 0; i < 4; i++) await sampledAfter(page, await sampled(page));
  assert.deepEqual(sent, ['{"every":1000}']);
  const [earlier, later] = received.filter(({ asked }) => asked === 1).slice(-2);
  assert.ok(later.time - earlier.time > 700, `${later.time - earlier.time} ms`);
  await context.close();
});

test("a killed program is missed by its panel only, and comes back by itself", within, async () => {
  const tabs = [];
  for (const [options, name] of [[desktop, "ann"], [phone, "bob"], [dark, "carla"]]) {
    const context = await browser.newContext(options);
    await context.clock.install();
    const page = await tab(context);
    await enter(page, name, "killing");
    await show(page, "feed");
    await drawn(page);
    const dialled = [];
    page.on("websocket", (socket) => dialled.push(new URL(socket.url()).pathname));
    tabs.push({ page, name, dialled, said: await listen(page) });
  }
  for (const { page, name } of tabs) await page.screenshot({ path: join(screenshots, `feed-${name}.png`) });
  const [{ page: ann }, { page: bob }] = tabs;
  await ann.getByRole("radio", { name: "1 s" }).check();

  // No wait of a page ends now, so that it can be looked at.
  for (const { page } of tabs) await page.clock.pauseAt((await page.evaluate(() => Date.now())) + 1_000);
  const killed = await program();
  process.kill(killed, "SIGKILL");
  for (const { page, name, said } of tabs) {
    await said("Connection lost: 1012, the program has ended");
    await inState(page, "feed", "lost");
    await inState(page, "chat", "open");
    await inState(page, "echo", "open");
    await page.screenshot({ path: join(screenshots, `feed-lost-${name}.png`) });
  }
  await say(ann, "does the chat go on?");
  await heard(bob, "does the chat go on?");
  assert.notEqual(await program(killed), killed);

  for (const { page, name, dialled } of tabs) {
    const last = await sampled(page);
    await page.clock.resume();
    await inState(page, "feed", "open");
    await sampledAfter(page, last);
    assert.deepEqual(new Set(dialled), new Set(["/feed"]), name); // chat and echo were never lost
    assert.equal(await page.locator(".note.bad").count(), 0);
  }
  await show(ann, "feed");
  await ann.screenshot({ path: join(screenshots, "feed-back-ann.png") });
  for (const { page } of tabs) await page.context().close();
});

test("it works by keyboard alone, and fits a narrow phone", within, async () => {
  const page = await open({ viewport: { width: 360, height: 740 } });
  await page.getByLabel("Your name").focus();
  await page.keyboard.type("keys");
  await page.keyboard.press("Enter");
  await page.locator("#chat[data-view=room]").waitFor();
  await page.keyboard.type("no mouse here"); // the box has the focus
  await page.keyboard.press("Enter");
  await heard(page, "no mouse here");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(wide, 360);
  await page.reload();
  await heard(page, "no mouse here"); // name and room were remembered
  await page.context().close();
});

test("the pages and the browser's own messages pass through compression", within, async () => {
  const { port } = host;
  assert.equal(await host.stop(), 0, host.log);
  host = await Host.start(port, feedConf, "dedicated");
  const { ann, bob } = await twoInRoom("compressed");
  for (let i = 0; i < 20; i++) await say(i % 2 ? ann : bob, `the same words again and again, ${i}.`);
  for (const page of [ann, bob]) for (let i = 0; i < 20; i++) await heard(page, `again and again, ${i}.`);
  await echoAll(ann);

  // Each length twice: the second may refer to the first. Even those that get no shorter come back.
  const said = await bob.evaluate(async () => {
    const socket = new WebSocket(`ws://${location.host}/echo`);
    await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
    const noise = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => byte.toString(16));
    for (const length of [0, 1, 63, 64, 1000, 65_536, 65_536, 1_000_000, 1_000_000]) {
      const alike = "again and again ".repeat(length).slice(0, length);
      for (const text of [alike, noise(Math.min(length, 65_536)).join("")]) {
        const answer = new Promise((resolve) => (socket.onmessage = resolve));
        socket.send(text);
        if ((await answer).data !== text) throw new Error(`${length} characters came back as others`);
      }
    }
    socket.close();
    return socket.extensions;
  });
  assert.match(said, /^permessage-deflate/);
  for (const page of [ann, bob]) await page.context().close();
});

test("the pages asked nobody but the host, and complained only of lost connections", within, () => {
  const foreign = requests.filter((url) => new URL(url).host !== host.address);
  assert.deepEqual(foreign, []);
  assert.ok(requests.some((url) => url.startsWith("ws://")));
  const unexpected = complaints.filter((text) => !/WebSocket connection to .* failed/.test(text));
  assert.deepEqual(unexpected, []);
});
