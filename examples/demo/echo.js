// The echo tester: sends text or bytes, and shows what went, what came back, and how fast.

import { address, Connection } from "./connection.js";
import { fromHex, make, milliseconds, preciseTime, size, toHex } from "./format.js";
import { Line, why } from "./line.js";

const framesMax = 200;
const drawAfter = 30; // milliseconds
const previewChars = 240;
const previewBytes = 48;

export class Echo {
  #panel;
  #connection = new Connection(address("echo"));
  #before = "idle";
  #waiting = []; // sent and not yet back, oldest first: an echo keeps the order
  #sent = 0;
  #trips = [];
  #undrawn = [];

  constructor(panel, lamp) {
    this.#panel = panel;
    new Line(panel, lamp, "What is in the box stays there.").follow(this.#connection);
    this.#connection.addEventListener("state", () => this.#changed());
    this.#connection.addEventListener("message", ({ detail }) => this.#received(detail));
    this.#listen();
  }

  start() {
    this.#showMode();
    this.#connection.open();
  }

  #listen() {
    const form = this.#part(".send");
    form.addEventListener("change", () => this.#showMode());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#sendBox();
    });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#sendBox();
    });
    for (const button of this.#panel.querySelectorAll("[data-size]")) {
      button.addEventListener("click", () => this.#send(filling(Number(button.dataset.size), this.#binary)));
    }
    this.#part(".close").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#close(event.target.elements);
    });
    this.#part(".clear").addEventListener("click", () => {
      this.#part(".frames").replaceChildren();
      this.#sent = 0;
      this.#trips = [];
      this.#showTotals();
    });
  }

  // ---- sending and receiving

  #sendBox() {
    const text = this.#box.value;
    const data = this.#binary ? fromHex(text) : text;
    if (data === null) return this.#says("Hex has two digits a byte, such as: de ad be ef");
    if (this.#send(data)) this.#box.select();
  }

  #send(data) {
    const at = performance.now();
    if (!this.#connection.send(data)) {
      this.#says("Not sent: the connection is not open. It stays in the box.");
      return false;
    }
    this.#says("");
    this.#waiting.push({ data, at });
    this.#sent++;
    this.#showFrame("sent", data, "");
    return true;
  }

  #received(data) {
    const now = performance.now();
    const sent = this.#waiting.shift();
    const bytes = typeof data === "string" ? data : new Uint8Array(data);
    if (!sent) return this.#showFrame("received", bytes, "not asked for");
    const trip = now - sent.at;
    this.#trips.push(trip);
    this.#showFrame("received", bytes, same(sent.data, bytes) ? milliseconds(trip) : "differs!");
  }

  #close({ code, reason }) {
    try {
      this.#connection.close(Number(code.value), reason.value);
    } catch {
      this.#says("A page may close with 1000 or 3000 to 4999, and a reason of at most 123 bytes.");
    }
  }

  #changed() {
    const { state, code, reason } = this.#connection;
    if (state === "open") this.#showEvent("opened");
    if (state === "closed") this.#showEvent(`closed, ${why(code, reason)}`);
    if (state === "lost" && this.#before === "open") this.#showEvent(`lost, ${why(code, reason)}`);
    if (state === "lost" || state === "closed") this.#waiting = [];
    if (state !== "connecting") this.#before = state;
    for (const button of this.#panel.querySelectorAll(".needs-open")) button.disabled = state !== "open";
  }

  // ---- the panel

  #showFrame(direction, data, remark) {
    const text = typeof data === "string";
    const item = make("li", `frame ${direction}`);
    item.append(
      make("span", "frame-time", preciseTime(Date.now())),
      make("span", "frame-way", direction),
      make("span", "frame-kind", text ? "text" : "binary"),
      make("span", "frame-size", size(text ? new TextEncoder().encode(data).length : data.length)),
      make("span", "frame-trip", remark),
      make("code", "frame-data", preview(data) || "(empty)"),
    );
    this.#append(item);
  }

  #showEvent(what) {
    const item = make("li", "frame event");
    item.append(make("span", "frame-time", preciseTime(Date.now())), make("span", "frame-what", what));
    this.#append(item);
  }

  // Drawn a moment later, so that the drawing of what was sent is no part of its round trip.
  #append(item) {
    this.#undrawn.push(item);
    if (this.#undrawn.length === 1) setTimeout(() => this.#draw(), drawAfter);
  }

  #draw() {
    const list = this.#part(".frames");
    list.append(...this.#undrawn.splice(0).slice(-framesMax));
    while (list.children.length > framesMax) list.firstElementChild.remove();
    list.scrollTop = list.scrollHeight;
    this.#showTotals();
  }

  #showTotals() {
    const trips = this.#trips.slice(-framesMax).sort((a, b) => a - b);
    const median = trips.length ? `, median ${milliseconds(trips[trips.length >> 1])}` : "";
    this.#part(".totals").textContent = `${this.#sent} sent, ${this.#trips.length} back${median}`;
  }

  #showMode() {
    this.#box.placeholder = this.#binary ? "de ad be ef" : "Anything";
    this.#box.classList.toggle("hex", this.#binary);
    this.#says("");
  }

  #says(text) {
    this.#part(".send-says").textContent = text;
  }

  get #binary() {
    return this.#part(".send").elements.mode.value === "binary";
  }

  get #box() {
    return this.#part(".send textarea");
  }

  #part(selector) {
    return this.#panel.querySelector(selector);
  }
}

function preview(data) {
  if (typeof data === "string") return data.length > previewChars ? `${data.slice(0, previewChars)}…` : data;
  return data.length > previewBytes ? `${toHex(data.subarray(0, previewBytes))} …` : toHex(data);
}

/** A message of so many bytes; a pattern, so that a shifted or cut echo would be seen. */
function filling(bytes, binary) {
  if (binary) return Uint8Array.from({ length: bytes }, (_, i) => (i * 31 + (i >> 8)) & 255);
  return Array.from({ length: bytes }, (_, i) => String.fromCharCode(97 + ((i + (i >> 8)) % 26))).join("");
}

function same(a, b) {
  if (typeof a !== typeof b) return false;
  if (typeof a === "string") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
