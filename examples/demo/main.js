// Puts the panels on their lines. A further panel is one more section, one more line here.

import { Chat } from "./chat.js";
import { Echo } from "./echo.js";
import { Feed } from "./feed.js";

const panel = (id) => document.getElementById(id);
const lamp = (id) => document.querySelector(`.lamps a[href="#${id}"]`);

new Chat(panel("chat"), lamp("chat")).start();
new Echo(panel("echo"), lamp("echo")).start();
new Feed(panel("feed"), lamp("feed")).start();

// The part of the address after # names the room, so the lamps scroll without touching it.
for (const link of document.querySelectorAll(".lamps a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const target = panel(link.hash.slice(1));
    target.scrollIntoView();
    target.querySelector("h2").focus({ preventScroll: true });
  });
}
