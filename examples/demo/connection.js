// A WebSocket that comes back by itself: connecting, open, lost, and round again.
// It knows nothing of the page; how a state looks is the business of line.js.

const firstDelay = 500;
const longestDelay = 20_000;
// A socket that has not opened after this is given up: some networks swallow packets silently.
const openTimeout = 10_000;
// Only a connection that lasted this long proves that the host is well again.
const provenAfter = 5_000;

/** Fires `state` whenever a field below changes, and `message` with the payload as `detail`. */
export class Connection extends EventTarget {
  /** "idle", "connecting", "open", "lost" (a next try is due), "closing" or "closed" (by the person). */
  state = "idle";
  /** Code and reason of the last end. 1006 is the browser's word for "without a Close frame". */
  code = 0;
  reason = "";
  /** When the next try is due, in the time of `Date.now()`. Only while lost. */
  retryAt = 0;
  /** Whether it has ever been open: a first failure reads differently from a loss. */
  wasOpen = false;

  #url;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #openedAt = 0;
  #online = () => this.tryNow();

  constructor(url) {
    super();
    this.#url = url;
  }

  get path() {
    return decodeURIComponent(new URL(this.#url).pathname);
  }

  open() {
    if (["connecting", "open", "closing"].includes(this.state)) return;
    window.addEventListener("online", this.#online);
    this.#dial();
  }

  /** Ends the wait of a lost connection. In any other state it does nothing. */
  tryNow() {
    if (this.state === "lost") this.#dial();
  }

  /** False when nothing was sent; the caller keeps its data then. */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Closes for good. Throws, as the browser does, on a code or reason that a page may not send. */
  close(code = 1000, reason = "") {
    this.#socket?.close(code, reason);
    window.removeEventListener("online", this.#online);
    clearTimeout(this.#timer);
    if (this.#socket) this.#become("closing");
    else this.#end("closed", code, reason);
  }

  #dial() {
    clearTimeout(this.#timer);
    this.#become("connecting");
    const socket = new WebSocket(this.#url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#ended(socket, 1006, "no answer"), openTimeout);
    socket.onopen = () => socket === this.#socket && this.#opened();
    socket.onclose = ({ code, reason }) => this.#ended(socket, code, reason);
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.dispatchEvent(new CustomEvent("message", { detail: data }));
    };
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#openedAt = Date.now();
    this.wasOpen = true;
    if (this.state === "connecting") this.#become("open");
  }

  #ended(socket, code, reason) {
    if (socket !== this.#socket) return;
    clearTimeout(this.#timer);
    socket.close();
    this.#socket = null;
    if (this.state === "closing") return this.#end("closed", code, reason);
    if (this.state === "open" && Date.now() - this.#openedAt > provenAfter) this.#failures = 0;
    const delay = backoff(this.#failures++);
    this.retryAt = Date.now() + delay;
    this.#timer = setTimeout(() => this.tryNow(), delay);
    this.#end("lost", code, reason);
  }

  #end(state, code, reason) {
    this.code = code;
    this.reason = reason;
    this.#become(state);
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}

// Doubles up to the longest delay; the random half keeps a thousand pages that lost
// the same host from coming back in the same instant.
function backoff(failures) {
  const full = Math.min(longestDelay, firstDelay * 2 ** Math.min(failures, 10));
  return full / 2 + Math.random() * (full / 2);
}

/** The WebSocket address of a path on the host that served this page. */
export function address(...segments) {
  const url = new URL("/" + segments.map(encodeURIComponent).join("/"), location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
