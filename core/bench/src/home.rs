//! The directory of a server under test: the host's conf and plugins, and a certificate.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::Outcome;
use crate::server::built;

/// It goes when this does.
#[derive(Debug)]
pub(crate) struct Home(PathBuf);

/// Nothing but the address, the paths, one thread, and no pings between measurements.
const CONF: &str = "plugin-path plugins
worker-threads 1
<limits>
  ping-interval 0
</limits>
<listener main>
  address ADDRESS
SSL</listener>
<websocket /echo>
  <plugin echo />
</websocket>
<websocket /shared>
  compression shared
  <plugin echo />
</websocket>
<websocket /dedicated>
  compression dedicated
  <plugin echo />
</websocket>
<websocket /fan>
  <plugin fan />
</websocket>
";
const SSL: &str = "  <ssl>
    certificate certificate.pem
    key key.pem
  </ssl>
";

impl Home {
    /// Empty, for a server that will listen there.
    pub(crate) fn new(address: SocketAddr) -> Outcome<Self> {
        let name = format!("switchboard-bench-{}-{}", std::process::id(), address.port());
        let home = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&home.0)?;
        Ok(home)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts the host's conf and plugins there.
    pub(crate) fn furnish(&self, address: SocketAddr, is_tls: bool) -> Outcome<()> {
        let plugins = self.path("plugins");
        std::fs::create_dir_all(&plugins)?;
        for name in ["release/libecho.so", "bench/release/libfan.so"] {
            let from = built(name);
            let file = from.file_name().ok_or("no name")?;
            std::fs::copy(&from, plugins.join(file))
                .map_err(|error| format!("{}: {error}", from.display()))?;
        }
        let conf = CONF.replace("ADDRESS", &address.to_string());
        let conf = conf.replace("SSL", if is_tls { SSL } else { "" });
        Ok(std::fs::write(self.path("zope.conf"), conf)?)
    }

    /// Puts `certificate.pem` and `key.pem` there, of ECDSA P-256, and returns the certificate in
    /// DER.
    pub(crate) fn certify(&self) -> Outcome<Vec<u8>> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(self.path("certificate.pem"), made.cert.pem())?;
        let key = self.path("key.pem");
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(made.cert.der().to_vec())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
