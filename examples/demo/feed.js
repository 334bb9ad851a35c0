// The live feed: figures of the host's machine, from a program of its own, as moving plots.

import { address, Connection } from "./connection.js";
import { percent, size, wholeClock } from "./format.js";
import { Line } from "./line.js";
import { Plot, spanMs } from "./plot.js";

const programsPace = 250; // what a client gets that asks for nothing
const lossSeen = 700; // milliseconds without a sample around a loss that show as a gap
const gapSeen = 2_000; // and without a loss

const used = ({ memory }) => memory.total - memory.available;

const plots = {
  cpu: {
    values: [({ cpu }) => cpu],
    top: () => ({ end: 1, words: "100 %" }),
  },
  memory: {
    values: [used],
    top: (_, last) => ({ end: last?.memory.total || 1, words: last ? size(last.memory.total) : "" }),
  },
  net: {
    values: [({ net }) => net.in, ({ net }) => net.out],
    top: (largest) => {
      const end = Math.max(1024, 2 ** Math.ceil(Math.log2(largest || 1)));
      return { end, words: `${size(end)}/s` };
    },
  },
};

export class Feed {
  #panel;
  #connection = new Connection(address("feed"));
  #samples = []; // those in sight, oldest first
  #broken = false; // the connection was lost since the last sample
  #offset = Infinity; // from the host's clock to ours: what the quickest sample took
  #plots;
  #drawnAt = 0;
  #stale = true;
  #inSight = false;
  #moves = !matchMedia("(prefers-reduced-motion: reduce)").matches;

  constructor(panel, lamp) {
    this.#panel = panel;
    new Line(panel, lamp, "The plots go on when it is back.").follow(this.#connection);
    this.#connection.addEventListener("state", () => this.#changed());
    this.#connection.addEventListener("message", ({ detail }) => this.#received(detail));
    const stale = () => (this.#stale = true);
    this.#plots = Object.entries(plots).map(([name, what]) => new Plot(this.#part(`.${name} canvas`), what, stale));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", stale);
    this.#part(".pace").addEventListener("change", () => this.#ask());
    new IntersectionObserver((seen) => (this.#inSight = seen.at(-1).isIntersecting)).observe(panel);
  }

  start() {
    this.#connection.open();
    requestAnimationFrame(() => this.#frame());
  }

  #changed() {
    const { state } = this.#connection;
    if (state === "lost") this.#broken = true;
    if (state !== "open") return;
    this.#offset = Infinity;
    if (this.#pace !== programsPace) this.#ask(); // a new connection knows nothing of the last one's pace
  }

  #ask() {
    this.#connection.send(JSON.stringify({ every: this.#pace }));
  }

  // After the connection opens, what came before arrives once more, as far as the program kept it.
  #received(data) {
    const sample = parse(data);
    if (!sample) return;
    this.#offset = Math.min(this.#offset, performance.now() - sample.time);
    const last = this.#samples.at(-1);
    if (last && sample.time <= last.time) return;
    const gap = this.#broken ? lossSeen : Math.max(gapSeen, 2 * this.#pace);
    sample.broken = last !== undefined && sample.time - last.time > gap;
    this.#broken = false;
    this.#samples.push(sample);
    // One that is out of sight stays: the line to it is not.
    const gone = this.#samples.findIndex(({ time }) => time >= sample.time - spanMs) - 1;
    if (gone > 0) this.#samples.splice(0, gone);
    this.#stale = true;
  }

  // ---- the panel

  // Drawn when the lines have moved by a pixel or a sample came, and not at all while out of sight.
  #frame() {
    requestAnimationFrame(() => this.#frame());
    if (!this.#inSight) return;
    const now = performance.now();
    const width = Math.max(...this.#plots.map((plot) => plot.width));
    const moved = this.#moves && this.#samples.length > 0 && now - this.#drawnAt >= spanMs / width;
    if (!this.#stale && !moved) return;
    if (this.#stale) this.#showFigures();
    this.#stale = false;
    this.#drawnAt = now;
    const hostNow = Number.isFinite(this.#offset) ? now - this.#offset : this.#samples.at(-1)?.time ?? 0;
    for (const plot of this.#plots) plot.draw(this.#samples, hostNow);
  }

  #showFigures() {
    const last = this.#samples.at(-1);
    if (!last) return;
    const { time, cpu, memory, load, net } = last;
    this.#show(".cpu b", percent(cpu));
    this.#show(".cpu small", `load ${load.map((one) => one.toFixed(2)).join(", ")}`);
    this.#show(".memory b", percent(used(last) / (memory.total || 1)));
    this.#show(".memory small", `${size(used(last))} of ${size(memory.total)}`);
    this.#show(".net .in", `${size(net.in)}/s`);
    this.#show(".net .out", `${size(net.out)}/s`);
    this.#show(".sampled", wholeClock(time));
    this.#part(".sampled").dateTime = new Date(time).toISOString();
  }

  #show(selector, text) {
    this.#part(selector).textContent = text;
  }

  get #pace() {
    return Number(this.#part(".pace").elements.pace.value);
  }

  #part(selector) {
    return this.#panel.querySelector(selector);
  }
}

/** A sample, or null if it is anything else. */
function parse(data) {
  try {
    const { time, cpu, memory, load, net } = JSON.parse(data);
    const numbers = [time, cpu, memory.total, memory.available, net.in, net.out, ...load];
    return numbers.every(Number.isFinite) ? { time, cpu, memory, load, net } : null;
  } catch {
    return null;
  }
}
