// The list of what was said in a room. It knows nothing of connections.

import { dayOf, make, timeElement } from "./format.js";

const linesMax = 500;
const groupFor = 5 * 60_000;

export class Messages {
  #list;
  #more;
  #seen = new Set();
  #last = null;
  #unread = 0;

  /** `list` scrolls; `more` is the button that says that there is something below. */
  constructor(list, more) {
    this.#list = list;
    this.#more = more;
    more.addEventListener("click", () => this.#toEnd());
    list.addEventListener("scroll", () => this.#atEnd() && this.#allRead());
    this.#stayAtEnd();
  }

  clear() {
    this.#list.replaceChildren();
    this.#seen.clear();
    this.#last = null;
    this.#allRead();
  }

  /** Adds what the host kept and was not here yet, and returns that. What is shown stays. */
  history(messages, self) {
    this.#list.setAttribute("aria-busy", "true");
    const fresh = messages.filter((message) => this.message(message, self));
    this.#list.setAttribute("aria-busy", "false");
    this.#toEnd();
    return fresh;
  }

  /** False when it was here already. */
  message({ name, text, time }, self) {
    const key = JSON.stringify([time, name, text]);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    const today = dayOf(Date.now());
    if ((this.#last?.day ?? today) !== dayOf(time)) this.#append(make("li", "day", dayOf(time)));
    const follows = this.#last?.name === name && time - this.#last.time < groupFor;
    const item = make("li", "message");
    item.classList.toggle("own", name === self);
    item.classList.toggle("follows", follows);
    item.style.setProperty("--hue", hue(name));
    const head = make("p", "message-head");
    head.append(make("b", "", name), timeElement(time));
    item.append(head, make("p", "message-text", text));
    this.#append(item, name === self);
    this.#last = { name, time, day: dayOf(time) };
    return true;
  }

  /** A line about the room: who came, who left, what became of the connection. */
  note(text, kind = "") {
    const item = make("li", `note ${kind}`.trim());
    item.append(make("span", "", text), timeElement(Date.now()));
    this.#append(item);
    if (this.#last) this.#last.name = null;
  }

  // A phone's keyboard, a longer draft or a longer state line take room from the list.
  // Scrolling that comes of that is not the person's.
  #stayAtEnd() {
    const list = this.#list;
    let height = 0;
    let atEnd = true;
    list.addEventListener("scroll", () => {
      if (list.clientHeight === height) atEnd = this.#atEnd();
    });
    new ResizeObserver(() => {
      height = list.clientHeight;
      if (atEnd) this.#toEnd();
    }).observe(list);
  }

  #append(item, follow = false) {
    const stick = follow || this.#atEnd();
    this.#list.append(item);
    while (this.#list.children.length > linesMax) this.#list.firstElementChild.remove();
    if (stick) return this.#toEnd();
    if (item.classList.contains("message")) this.#unread++;
    this.#more.hidden = this.#unread === 0;
    this.#more.textContent = `${this.#unread} new below`;
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < 40;
  }

  #toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#allRead();
  }

  #allRead() {
    this.#unread = 0;
    this.#more.hidden = true;
  }
}

/** A colour for a name, the same in every tab. */
export function hue(name) {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 65_521;
  return Math.round(sum * 137.508) % 360; // the golden angle: near sums, far colours
}
