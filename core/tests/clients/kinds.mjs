// The ways to answer, behind one host: a plugin, programs in C++ and Python, and a forward to another server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { certificates, Host, Program, root } from "./host.mjs";

const here = join(root, "core/tests/clients");

/** What each test has, and what starts and stops around them. */
export const within = { timeout: 60_000 };

// `path` echoes, and `inOrder` also what comes together with a Close. `closing` closes when asked, and says in a log
// how its clients end. One that `counts` says "message 7" behind its seventh answer. `compression` is what the
// conf says, where it is on; the package offers it unless a test says otherwise. `tls` is the version, where it is used.
export const kinds = {
  plugin: { path: "/echo", inOrder: "/echo", closing: "/probe", logsAs: "plugin: /probe .*: " },
  cpp: { path: "/cpp", inOrder: "/cpp", closing: "/cpp", logsAs: "program: /cpp: " },
  python: { path: "/python", inOrder: "/python", closing: "/python", logsAs: "program: /python: ", counts: true },
  forward: { path: "/forward", inOrder: "/forward-in-order", closing: "/forward", logsAs: "^" },
};
const compressed = [
  ["plugin", "shared"],
  ["plugin", "dedicated"],
  ["cpp", "dedicated"],
  ["python", "shared"],
  ["forward", "dedicated"],
];
for (const [kind, compression] of compressed) kinds[`${kind}-${compression}`] = under(compression, kinds[kind]);

// Each of these once over TLS, so that every kind of endpoint meets both versions.
const over12 = ["plugin", "plugin-shared", "cpp-dedicated", "python", "forward-dedicated"];
for (const [kind, how] of Object.entries(kinds)) {
  const tls = over12.includes(kind) ? "TLSv1.2" : "TLSv1.3";
  kinds[`${kind} over ${tls}`] = { ...how, tls };
}

/** The options of a client that speaks this version of TLS, and trusts the authority of the tests and no other. */
export function secured(tls) {
  return tls ? { ca: readFileSync(join(certificates, "ca.pem")), minVersion: tls, maxVersion: tls } : {};
}

/** The section of the same kind under compression. */
function under(compression, { path, inOrder, closing, logsAs, counts }) {
  const there = (path) => `${path}-${compression}`;
  logsAs = logsAs.replace(closing, there(closing));
  return { path: there(path), inOrder: there(inOrder), closing: there(closing), logsAs, counts, compression };
}

/** The server of the package `websockets` that the host forwards to. */
export class Upstream extends Program {
  #process;

  static async start() {
    const upstream = new Upstream();
    const command = [join(root, "target/venv/bin/python"), ["-B", join(here, "upstream.py")]];
    upstream.#process = spawn(...command, { stdio: ["pipe", "pipe", "inherit"] });
    upstream.follow(upstream.#process.stdout);
    upstream.address = (await upstream.waitFor(/^listening on (\S+)$/m))[1];
    return upstream;
  }

  /** Asks it to end, and resolves with its exit status. */
  async stop() {
    this.#process.stdin.end();
    const [status] = await once(this.#process, "exit");
    return status;
  }
}

/** A host that is ready with an endpoint of each kind. */
export async function startHost(upstream) {
  const conf = readFileSync(join(here, "endpoints.conf"), "utf8");
  const host = await Host.start(0, conf.replaceAll("@ROOT@", root).replaceAll("@UPSTREAM@", upstream.address));
  const programs = Object.entries(kinds).filter(([kind]) => /^(cpp|python)/.test(kind));
  for (const [, { path }] of programs) await host.waitFor(new RegExp(`${path}: ready$`, "m"));
  return host;
}

/** Starts a host and the server behind it for all tests of a file, hands them to `take`, and sees that they end well. */
export function shareHost(take) {
  let upstream;
  let host;
  before(async () => {
    upstream = await Upstream.start();
    host = await startHost(upstream);
    take({ upstream, host });
  }, within);
  after(async () => {
    assert.equal(await host.stop(), 0, host.log);
    assert.equal(await upstream.stop(), 0, upstream.log);
  }, within);
}
