// Draws figures over the last minute on a canvas: the right edge is now, and the lines move left.
// It keeps nothing; whoever has the samples says when to draw.

export const spanMs = 60_000;
const gridMs = 15_000;
const footer = 18; // CSS pixels below the plot, for the times
const header = 18; // and above it, for the scale
const dot = 2.5; // the radius of the last sample's

export class Plot {
  #canvas;
  #values;
  #top;
  #scale = 1; // device pixels in a CSS pixel
  #resized;

  /**
   * `values` are functions from a sample to a number, one for each line; the first is filled.
   * `top` is a function from the largest value in sight to the upper end and its words.
   */
  constructor(canvas, { values, top }, resized) {
    this.#canvas = canvas;
    this.#values = values;
    this.#top = top;
    this.#resized = resized;
    const observer = new ResizeObserver(([entry]) => this.#resize(entry));
    try {
      observer.observe(canvas, { box: "device-pixel-content-box" });
    } catch {
      observer.observe(canvas); // a browser that rounds to whole pixels by itself
    }
  }

  /** Device pixels that a minute takes. */
  get width() {
    return this.#canvas.width;
  }

  /** Samples are `{ time, broken, .. }`, oldest first; `broken` has no line to the one before. */
  draw(samples, now) {
    const context = this.#canvas.getContext("2d");
    const [width, height] = [this.#canvas.width / this.#scale, this.#canvas.height / this.#scale];
    const bottom = height - footer;
    const style = getComputedStyle(this.#canvas);
    const color = (name) => style.getPropertyValue(name);
    const seen = samples.filter((sample, i) => (samples[i + 1] ?? sample).time >= now - spanMs);
    const largest = Math.max(0, ...seen.flatMap((sample) => this.#values.map((value) => value(sample))));
    const { end, words } = this.#top(largest, seen.at(-1));
    const x = (time) => width - dot + ((time - now) / spanMs) * width;
    const y = (value) => bottom - Math.min(1, value / end) * (bottom - header);

    context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = `11px ${style.fontFamily}`;
    this.#grid(context, { width, bottom, rule: color("--rule"), soft: color("--soft"), words });
    // The second line lies over the filled first one.
    this.#values.forEach((value, i) => {
      const trace = color(i === 0 ? "--trace" : "--trace-2");
      for (const run of runs(seen)) this.#line(context, run.map((s) => [x(s.time), y(value(s))]), bottom, trace, i === 0);
    });
  }

  #grid(context, { width, bottom, rule, soft, words }) {
    const hair = 1 / this.#scale;
    const sharp = (n) => (Math.round(n * this.#scale) + 0.5) / this.#scale; // in the middle of a device pixel
    context.lineWidth = hair * Math.max(1, Math.round(this.#scale));
    context.strokeStyle = rule;
    context.fillStyle = soft;
    context.beginPath();
    for (const part of [0, 0.5, 1]) {
      const at = Math.min(sharp(header + part * (bottom - header)), bottom);
      context.moveTo(0, at);
      context.lineTo(width, at);
    }
    for (let back = gridMs; back < spanMs; back += gridMs) {
      const at = sharp(width * (1 - back / spanMs));
      context.moveTo(at, header);
      context.lineTo(at, bottom);
    }
    context.stroke();
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(words, 0, header - 6);
    context.fillText(`−${spanMs / 1000} s`, 0, bottom + 14);
    context.textAlign = "center";
    context.fillText(`−${spanMs / 2000} s`, width / 2, bottom + 14);
    context.textAlign = "right";
    context.fillText("now", width, bottom + 14);
  }

  #line(context, points, bottom, trace, filled) {
    const [first, last] = [points[0], points.at(-1)];
    context.beginPath();
    for (const [px, py] of points) context.lineTo(px, py);
    context.strokeStyle = trace;
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.stroke();
    if (filled) {
      context.lineTo(last[0], bottom);
      context.lineTo(first[0], bottom);
      context.globalAlpha = 0.16;
      context.fillStyle = trace;
      context.fill();
      context.globalAlpha = 1;
    }
    context.beginPath();
    context.arc(last[0], last[1], dot, 0, 2 * Math.PI);
    context.fillStyle = trace;
    context.fill();
  }

  // The bitmap has the very pixels of the screen, so that nothing is scaled.
  #resize(entry) {
    const { width, height } = entry.contentRect;
    if (!width) return;
    const exact = entry.devicePixelContentBoxSize?.[0];
    this.#canvas.width = pixels(width, exact?.inlineSize);
    this.#canvas.height = pixels(height, exact?.blockSize);
    this.#scale = this.#canvas.width / width;
    this.#resized();
  }
}

// What the browser says, if it can be: an emulated screen is not known to it.
function pixels(length, exact) {
  const about = length * devicePixelRatio;
  return Math.abs(exact - about) <= 1 ? exact : Math.round(about);
}

/** The samples in pieces without a gap. */
function runs(samples) {
  const pieces = [];
  for (const sample of samples) {
    if (sample.broken || pieces.length === 0) pieces.push([]);
    pieces.at(-1).push(sample);
  }
  return pieces;
}
