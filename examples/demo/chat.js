// The chat: joins a room under a name, shows who is here, sends and receives.
// The protocol is that of the bundled plugin `chat`: JSON text, one object a message.

import { address, Connection } from "./connection.js";
import { make } from "./format.js";
import { Line, why } from "./line.js";
import { hue, Messages } from "./messages.js";

const membersShown = 24;
const suggestionsTaken = 5;

export class Chat {
  #panel;
  #line;
  #messages;
  #connection = null;
  #room = "";
  #wanted = ""; // the name the person chose; empty while the form asks for another
  #self = ""; // the name the host gave; empty while not in the room
  #inRoomBefore = false;
  #tries = 0;
  #members = new Set();
  #unconfirmed = []; // texts sent and not yet seen coming back
  #returned = []; // texts given back to the box when the connection was lost

  constructor(panel, lamp) {
    this.#panel = panel;
    this.#line = new Line(panel, lamp, "What you write stays in the box.");
    this.#messages = new Messages(this.#part(".log"), this.#part(".more"));
    this.#listen();
  }

  /** Fills the form from what was chosen before, and joins if there is a name. */
  start() {
    this.#field("name").value = recall("name") ?? "";
    this.#field("room").value = roomInHash() || recall("room") || "lobby";
    if (this.#field("name").value) this.#enter();
    else this.#showForm();
  }

  #listen() {
    this.#part(".join").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#enter();
    });
    this.#part(".change").addEventListener("click", () => {
      this.#showForm();
      this.#field("name").focus();
    });
    this.#part(".back").addEventListener("click", () => this.#showRoom());
    this.#part(".compose").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say();
    });
    this.#box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#say();
    });
    window.addEventListener("hashchange", () => {
      const room = roomInHash();
      if (!room || room === this.#room) return;
      this.#field("room").value = room;
      if (this.#wanted) this.#enter();
    });
  }

  // ---- joining

  #enter() {
    const room = this.#field("room").value.trim();
    this.#wanted = this.#field("name").value.trim();
    this.#tries = 0;
    remember("name", this.#wanted);
    remember("room", room);
    history.replaceState(null, "", `#/${encodeURIComponent(room)}`);
    this.#formSays("");
    if (room === this.#room && this.#self === this.#wanted) return this.#showRoom();
    // The name was taken: the connection to the room is there already, only the name is new.
    if (room === this.#room && !this.#self && this.#connection?.state === "open") return this.#join(this.#wanted);
    this.#connect(room);
  }

  #connect(room) {
    this.#connection?.close();
    this.#leaveRoom();
    if (room !== this.#room) this.#messages.clear();
    this.#inRoomBefore = false;
    this.#room = room;
    const connection = new Connection(address("chat", room));
    this.#connection = connection;
    connection.addEventListener("state", () => connection === this.#connection && this.#changed());
    connection.addEventListener("message", ({ detail }) => connection === this.#connection && this.#receive(detail));
    this.#line.follow(connection);
    connection.open();
  }

  #changed() {
    const { state, code, reason } = this.#connection;
    if (state === "open" && this.#wanted) this.#join(this.#wanted);
    if (state === "lost" && this.#self) {
      this.#messages.note(`Connection lost (${why(code, reason)})`, "bad");
      this.#giveBack();
      this.#leaveRoom();
    }
    this.#showSending();
  }

  #join(name) {
    this.#connection.send(JSON.stringify({ type: "join", name }));
  }

  #leaveRoom() {
    this.#self = "";
    this.#members.clear();
    this.#showMembers();
  }

  // ---- what the host says

  #receive(data) {
    const said = parse(data);
    switch (said?.type) {
      case "welcome":
        return this.#welcome(said);
      case "name-taken":
        return this.#nameTaken(said);
      case "joined":
        return this.#came(said.name);
      case "left":
        return this.#went(said.name);
      case "message":
        return this.#message(said);
      case "error":
        return this.#refused(said.reason);
    }
  }

  #welcome({ name, members, history }) {
    this.#self = name;
    this.#tries = 0;
    this.#members = new Set([...members, name]);
    const back = this.#inRoomBefore;
    this.#inRoomBefore = true;
    this.#forgetDelivered(this.#messages.history(history, name));
    if (back) this.#messages.note("Connection is back", "good");
    if (name !== this.#wanted) this.#messages.note(`${this.#wanted} is still taken here: you are ${name} for now`);
    this.#part(".as").replaceChildren(make("b", "", this.#room), " as ", make("b", "", name));
    this.#showMembers();
    this.#showRoom();
    this.#showSending();
    if (!back) this.#box.focus({ preventScroll: true });
  }

  // Coming back, the host may still hold our old connection and with it our name.
  // The suggestion keeps the person in the conversation; the name is tried again next time.
  #nameTaken({ name, suggestion }) {
    if (this.#inRoomBefore && suggestion && this.#tries++ < suggestionsTaken) return this.#join(suggestion);
    this.#wanted = "";
    this.#field("name").value = suggestion ?? name;
    this.#showForm();
    this.#formSays(`${name} is taken in this room.` + (suggestion ? ` ${suggestion} is free.` : ""));
    this.#field("name").focus();
  }

  #came(name) {
    if (this.#members.has(name)) return;
    this.#members.add(name);
    this.#showMembers();
    this.#messages.note(`${name} joined`);
  }

  #went(name) {
    if (!this.#members.delete(name)) return;
    this.#showMembers();
    this.#messages.note(`${name} left`);
  }

  #message(said) {
    if (said.name === this.#self) {
      const at = this.#unconfirmed.indexOf(said.text);
      if (at >= 0) this.#unconfirmed.splice(at, 1);
    }
    this.#messages.message(said, this.#self);
  }

  #refused(reason) {
    if (!this.#self) {
      this.#showForm();
      return this.#formSays(`The host says: ${reason}`);
    }
    this.#messages.note(`The host refused this: ${reason}`, "bad");
    this.#giveBack();
  }

  // ---- what the person says

  #say() {
    const text = this.#box.value.trim();
    if (!text || !this.#self) return;
    if (!this.#connection.send(JSON.stringify({ type: "say", text }))) return;
    this.#unconfirmed.push(text);
    this.#box.value = "";
  }

  // What was sent and did not come back goes into the box again, before what was typed since.
  #giveBack() {
    if (this.#unconfirmed.length === 0) return;
    this.#box.value = [...this.#unconfirmed, this.#box.value].filter(Boolean).join("\n");
    this.#returned = this.#unconfirmed;
    this.#unconfirmed = [];
  }

  // It may have arrived all the same, and only its way back was cut: then the history knows it.
  #forgetDelivered(messages) {
    for (const text of this.#returned) {
      const delivered = messages.some((message) => message.text === text);
      if (delivered && this.#box.value.startsWith(text)) {
        this.#box.value = this.#box.value.slice(text.length).trimStart();
      }
    }
    this.#returned = [];
  }

  // ---- the panel

  #showForm() {
    this.#panel.dataset.view = "form";
    this.#part(".back").hidden = !this.#self;
  }

  #showRoom() {
    this.#panel.dataset.view = "room";
  }

  #showSending() {
    const ready = this.#self !== "";
    this.#part(".compose button").disabled = !ready;
    this.#box.placeholder = ready ? "Write a message" : "Write on meanwhile";
  }

  #showMembers() {
    const names = [...this.#members];
    const items = names.slice(0, membersShown).map((name) => {
      const item = make("li", name === this.#self ? "member own" : "member", name);
      item.style.setProperty("--hue", hue(name));
      return item;
    });
    if (names.length > membersShown) items.push(make("li", "", `and ${names.length - membersShown} more`));
    this.#part(".members").replaceChildren(...items);
    this.#part(".count").textContent = names.length ? `${names.length} here` : "Out of the room";
  }

  #formSays(text) {
    this.#part(".join-says").textContent = text;
  }

  get #box() {
    return this.#part(".compose textarea");
  }

  #field(name) {
    return this.#part(".join").elements[name];
  }

  #part(selector) {
    return this.#panel.querySelector(selector);
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

// A browser may forbid a page to keep anything; then it starts anew each time.
function recall(key) {
  try {
    return localStorage.getItem(`switchboard.${key}`);
  } catch {
    return null;
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(`switchboard.${key}`, value);
  } catch {
    // as above
  }
}

function roomInHash() {
  try {
    return decodeURIComponent(location.hash.match(/^#\/([^/]+)$/)?.[1] ?? "");
  } catch {
    return ""; // a stray % in the address
  }
}
