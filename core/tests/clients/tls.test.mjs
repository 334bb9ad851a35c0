// What the npm package `ws` sees of the host's TLS: it is who it says it is, and speaks 1.2 and 1.3.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { secured, shareHost, within } from "./kinds.mjs";

let host;

shareHost((shared) => ({ host } = shared));

/** Why a client with these options does not come in. */
async function refusal(tls, options) {
  const ws = new WebSocket(host.url("/echo", tls), options);
  const [error] = await once(ws, "error");
  return error;
}

for (const tls of ["TLSv1.2", "TLSv1.3"]) {
  test(`${tls} is spoken with who wants it`, within, async () => {
    const ws = new WebSocket(host.url("/echo", tls), secured(tls));
    await once(ws, "open");
    assert.equal(ws._socket.getProtocol(), tls);
    assert.ok(ws._socket.authorized);
    ws.close();
    assert.equal((await once(ws, "close"))[0], 1005);
  });

  test(`${tls}: a client that trusts others does not connect`, within, async () => {
    const { code } = await refusal(tls, { ...secured(tls), ca: undefined });
    assert.equal(code, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  test(`${tls}: the certificate is for no other name`, within, async () => {
    const { code } = await refusal(tls, { ...secured(tls), servername: "elsewhere.example" });
    assert.equal(code, "ERR_TLS_CERT_ALTNAME_INVALID");
  });
}

test("TLS 1.1 is not spoken", within, async () => {
  // OpenSSL must be talked into it.
  const { message } = await refusal("TLSv1.1", { ...secured("TLSv1.1"), ciphers: "DEFAULT@SECLEVEL=0" });
  assert.match(message, /SSL alert number/); // which the host has said
});
