// Starts the real host, for the tests written in JavaScript.

import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = resolve(fileURLToPath(import.meta.url), "../../../..");
export const certificates = join(root, "target/certificates");
const patience = 30_000; // milliseconds, to become ready and to end; less than a test has
const program = process.env.SWITCHBOARD ?? join(root, "target/debug/switchboard");

const conf = (home, port, more, compression) => `
instancehome ${home}
plugin-path ${root}/target/debug
<listener main>
  address 127.0.0.1:${port}
</listener>
<http / >
  <static>
    path ${root}/examples/demo
  </static>
</http>
<websocket /chat>
  compression ${compression}
  <plugin chat>
    <config>
      history 50
    </config>
  </plugin>
</websocket>
<websocket /echo>
  compression ${compression}
  <plugin echo />
</websocket>
${more}
`;

/** A running program. `log` is all it has said so far. */
export class Program {
  log = "";
  #said = new EventEmitter().setMaxListeners(100);

  follow(stream) {
    createInterface(stream).on("line", (line) => {
      this.log += `${line}\n`;
      this.#said.emit("line");
    });
  }

  /** Resolves with the first match in what it says, from a place in its log on. */
  async waitFor(pattern, since = 0) {
    for (;;) {
      const found = this.log.slice(since).match(pattern);
      if (found) return found;
      await once(this.#said, "line");
    }
  }
}

/** One running host, in a directory of its own that ends with it. */
export class Host extends Program {
  #home = mkdtempSync(join(tmpdir(), "switchboard-"));
  #process;

  /** Resolves when the host is ready. Port 0 is any free one; a restart asks for the same again. `more` is conf. */
  static async start(port = 0, more = "", compression = "off") {
    const host = new Host();
    await host.#start(port, more, compression);
    return host;
  }

  get port() {
    return Number(this.address.split(":").pop());
  }

  url(path = "/", tls) {
    return `${tls ? "wss" : "ws"}://${this.authority(tls)}${path}`;
  }

  /** What stands before the path; over TLS, for which the conf has a listener `secure`, a name of the certificate. */
  authority(tls) {
    return tls ? `localhost:${this.log.match(/listening on \S+:(\d+) \(listener secure\)/)[1]}` : this.address;
  }

  /** The process ids of the programs that it runs now. */
  programs() {
    const parent = (pid) => {
      try {
        return Number(readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) . /s, "").split(" ")[0]);
      } catch {
        return 0; // it ended meanwhile
      }
    };
    const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
    return all.filter((pid) => parent(pid) === this.#process.pid);
  }

  /** Asks it to end, and resolves with its exit status: null if it did not, and was killed. */
  async stop() {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill("SIGTERM");
      const killing = setTimeout(() => this.#process.kill("SIGKILL"), patience);
      await once(this.#process, "exit");
      clearTimeout(killing);
    }
    rmSync(this.#home, { recursive: true, force: true });
    return this.#process.exitCode;
  }

  async #start(port, more, compression) {
    const file = join(this.#home, "zope.conf");
    writeFileSync(file, conf(this.#home, port, more, compression));
    this.#process = spawn(program, ["serve", "-c", file], { stdio: ["ignore", "inherit", "pipe"] });
    this.follow(this.#process.stderr);
    const killing = setTimeout(() => this.#process.kill("SIGKILL"), patience);
    const ended = new Promise((_, failed) => {
      this.#process.on("error", failed);
      this.#process.on("exit", (code, signal) => {
        failed(new Error(`the host did not become ready: it ended with ${code ?? signal}\n${this.log}`));
      });
    });
    await Promise.race([this.waitFor(/: ready: /), ended]);
    clearTimeout(killing);
    this.address = this.log.match(/listening on (\S+) \(listener main\)/)[1];
  }
}
