//! The endpoints of a soak, all of which echo: the conf that has them, and where they are.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use switchboard_load::soak::Target;
use switchboard_websocket::Url;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Who answers, each in plain; of a forward the server is this host itself.
const ENDPOINTS: [(&str, &str); 3] = [
    ("plugin", "<plugin echo />"),
    ("program", "<external>\n    program @PROGRAM@\n  </external>"),
    (
        "forward",
        "<forward>\n    url ws+unix:behind.sock:/plugin\n    append-path off\n  </forward>",
    ),
];

/// What is different at some of them: the end of the prefix, directives, and whether the host loses
/// its patience with those who do not read so soon that they can wait for it.
const KINDS: [(&str, &str, bool); 4] = [
    ("", "", false),
    ("-shared", "compression shared", false),
    ("-dedicated", "compression dedicated", false),
    ("-hasty", "<limits>\n    soft-backlog 64KB\n    slow-timeout @HASTY@s\n  </limits>", true),
];

/// How many programs the host starts: one for each endpoint of that kind.
pub(crate) const PROGRAMS: usize = KINDS.len();

/// What no conf says otherwise. Nobody is closed but who reads nothing at a hasty endpoint: a memory
/// that was used up, or a Close that was not answered soon, would close the others.
const LIMITS: &str = "max-connections 4000
  max-message-size 16MB
  max-backlog 64MB
  max-memory 8GB
  close-timeout 60s
  handshake-timeout 60s
  ping-interval 5s
  ping-timeout 120s
  slow-timeout 30s";
const PATIENT: Duration = Duration::from_secs(30);

/// What both the host and its clients need to know.
pub(crate) struct Places {
    /// How long a hasty endpoint waits.
    pub(crate) hasty: Duration,
    /// How long an idle client is silent, at most.
    pub(crate) idle_max: Duration,
    tls: Arc<ClientConfig>,
    certificate: String,
    key: String,
}

impl Places {
    /// With an authority and a certificate of their own.
    pub(crate) fn new(hasty: Duration, idle_max: Duration) -> Outcome<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["localhost".to_owned()])?;
        let certificate = params.signed_by(&key, &issuer)?.pem();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(issuer.der().to_vec()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { hasty, idle_max, tls: Arc::new(tls), certificate, key: key.serialize_pem() })
    }

    /// The conf and its other files, in the directory `home`; `program` is the echo in C++.
    pub(crate) fn write(&self, home: &Path, first: &str, program: &Path) -> Outcome<String> {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(home.join("cert.pem"), &self.certificate)?;
        std::fs::write(home.join("key.pem"), &self.key)?;
        std::fs::set_permissions(home.join("key.pem"), PermissionsExt::from_mode(0o600))?;
        let mut conf = format!(
            "{first}
<limits>
  {LIMITS}
</limits>
<listener main>
  address 127.0.0.1:0
</listener>
<listener tls>
  address 127.0.0.1:0
  <ssl>
    certificate cert.pem
    key key.pem
  </ssl>
</listener>
<listener behind>
  address ./behind.sock
</listener>
"
        );
        for (name, endpoint) in ENDPOINTS {
            for (kind, directives, _) in KINDS {
                write!(
                    conf,
                    "<websocket /{name}{kind}>\n  {endpoint}\n  {directives}\n</websocket>\n"
                )?;
            }
        }
        let hasty = self.hasty.as_secs_f64().to_string();
        let program = program.to_str().ok_or("the program's path is no UTF-8")?;
        Ok(conf.replace("@PROGRAM@", program).replace("@HASTY@", &hasty))
    }

    /// All endpoints, on the plain listener and on that with TLS.
    pub(crate) fn targets(&self, main: &str, tls: &str) -> Outcome<Vec<Target>> {
        let mut targets = Vec::new();
        for (scheme, address) in [("ws", main), ("wss", tls)] {
            for (name, _) in ENDPOINTS {
                for (kind, _, is_hasty) in KINDS {
                    let url = Url::parse(&format!("{scheme}://{address}/{name}{kind}"))?;
                    let mut target = Target::new(&format!("{scheme} {name}{kind}"), url);
                    target.tls = (scheme == "wss").then(|| Arc::clone(&self.tls));
                    target.deflate = matches!(kind, "-shared" | "-dedicated");
                    target.is_hasty = is_hasty;
                    target.slow_timeout = if is_hasty { self.hasty } else { PATIENT };
                    target.idle_max = self.idle_max;
                    targets.push(target);
                }
            }
        }
        Ok(targets)
    }
}
