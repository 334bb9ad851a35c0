// Times, sizes and bytes as people read them.

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat([], { timeStyle: "medium" });
const day = new Intl.DateTimeFormat([], { weekday: "long", day: "numeric", month: "long" });
const whole = new Intl.DateTimeFormat([], { dateStyle: "full", timeStyle: "medium" });

export const wholeClock = (time) => seconds.format(time);
export const dayOf = (time) => day.format(time);

/** A `<time>` element: hours and minutes, and everything as its title. */
export function timeElement(time) {
  const element = make("time", "", clock.format(time));
  element.dateTime = new Date(time).toISOString();
  element.title = whole.format(time);
  return element;
}

/** Hours to milliseconds, for lists where every frame counts. */
export function preciseTime(time) {
  const two = (n) => String(n).padStart(2, "0");
  const at = new Date(time);
  const ms = String(at.getMilliseconds()).padStart(3, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

export function size(bytes) {
  const power = Math.min(3, Math.max(0, Math.floor(Math.log2(bytes || 1) / 10)));
  const n = bytes / 1024 ** power;
  return `${Number.isInteger(n) ? n : n.toFixed(power ? 1 : 0)} ${["B", "KB", "MB", "GB"][power]}`;
}

export const percent = (share) => `${Math.round(share * 100)} %`;

export const milliseconds = (ms) => (ms < 9.95 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);

export const toHex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");

/** Reads "de ad", "DEAD" or "0xde, 0xad". Null when it is not whole bytes in hex. */
export function fromHex(text) {
  const digits = text.replace(/0x/gi, "").replace(/[\s,]/g, "");
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** An element with a class and a text. Text from a peer goes this way only, never as markup. */
export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
