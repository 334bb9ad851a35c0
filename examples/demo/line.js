// Shows the state of one connection: the line in its panel, and its lamp at the top of the page.

const words = {
  idle: "not connected",
  connecting: "connecting",
  open: "open",
  lost: "lost",
  closing: "closing",
  closed: "closed",
};

export class Line {
  #panel;
  #lamp;
  #connection = null;
  #clock = 0;
  #kept;

  /** `kept` says what is safe while the connection is lost. */
  constructor(panel, lamp, kept) {
    this.#panel = panel;
    this.#lamp = lamp;
    this.#kept = kept;
    this.#part(".line button").addEventListener("click", () => {
      const { state } = this.#connection;
      state === "lost" ? this.#connection.tryNow() : this.#connection.open();
    });
  }

  /** Follows this connection from now on, and forgets the one before. */
  follow(connection) {
    this.#connection = connection;
    connection.addEventListener("state", () => connection === this.#connection && this.show());
    this.show();
  }

  show() {
    const { state } = this.#connection;
    this.#panel.dataset.state = state;
    this.#lamp.dataset.state = state;
    this.#lamp.querySelector("b").textContent = words[state];
    this.#part(".line-text").textContent = sentence(this.#connection, this.#kept);
    const button = this.#part(".line button");
    button.hidden = state !== "lost" && state !== "closed";
    button.textContent = state === "closed" ? "Open again" : "Try now";
    clearInterval(this.#clock);
    if (state === "lost") this.#clock = setInterval(() => this.#count(), 250);
    this.#count();
  }

  // Outside of the live region: a screen reader hears of the loss once, not of every second.
  #count() {
    const { state, retryAt } = this.#connection;
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    this.#part(".line-count").textContent = state === "lost" ? `Next try in ${seconds}\u00a0s.` : "";
  }

  #part(selector) {
    return this.#panel.querySelector(selector);
  }
}

function sentence({ state, code, reason, path, wasOpen }, kept) {
  switch (state) {
    case "connecting":
      return wasOpen ? `Connecting to ${path} again` : `Connecting to ${path}`;
    case "open":
      return `Connected to ${path}`;
    case "lost":
      return `${wasOpen ? "Connection lost" : "No connection"}: ${why(code, reason)}. ${kept}`;
    case "closing":
      return "Closing: waiting for the host's answer";
    case "closed":
      return `Closed with ${why(code, reason)}.`;
    default:
      return "Not connected yet";
  }
}

/** A close code in words, with the reason the host gave. */
export function why(code, reason) {
  const meaning = {
    1000: "normal end",
    1001: "the host is going away",
    1006: "the host cannot be reached, or refuses",
    1007: "invalid data",
    1008: "policy",
    1009: "message too big",
    1011: "an error in the endpoint",
    1012: "the endpoint restarts",
    1013: "try again later",
  }[code];
  return [code, reason || meaning].filter(Boolean).join(", ");
}
