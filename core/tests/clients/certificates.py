"""Makes an authority, and a certificate that it has signed for localhost and 127.0.0.1, into a directory.

    certificates.py target/certificates

`ca.pem` is the authority's, `cert.pem` and `key.pem` are the host's. The authority's own key is thrown away.
"""

import pathlib
import subprocess
import sys

DAYS = "30"
CONF = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[host]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openssl.cnf").write_text(CONF)
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -sha256".split()
    certificate = ["openssl", "req", "-config", "openssl.cnf", "-x509", "-days", DAYS, *key]
    of_authority = ["-subj", "/CN=the authority of a test", "-extensions", "authority"]
    of_host = ["-subj", "/CN=localhost", "-extensions", "host", "-CA", "ca.pem", "-CAkey", "ca-key.pem"]
    for more in [
        [*of_authority, "-keyout", "ca-key.pem", "-out", "ca.pem"],
        [*of_host, "-keyout", "key.pem", "-out", "cert.pem"],
    ]:
        done = subprocess.run([*certificate, *more], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(done.args)} ended with {done.returncode}:\n{done.stderr}")
    (folder / "key.pem").chmod(0o600)
    (folder / "ca-key.pem").unlink()


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]))
