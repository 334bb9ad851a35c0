//! Certificates and keys that lie in `etc` of each case.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair};

use crate::support::Instance;

/// Name and text; made once, as it takes time.
static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// `etc/good.pem` and its `etc/good.key`, another pair whose certificate has expired, and so on.
pub(crate) fn write(instance: &Instance) {
    for (name, text) in FILES.get_or_init(make) {
        instance.write(name, text);
        let mode = Permissions::from_mode(if name.ends_with("key") { 0o600 } else { 0o644 });
        std::fs::set_permissions(instance.path(name), mode).expect("it is there");
    }
}

fn make() -> Vec<(String, String)> {
    let day = Duration::from_hours(24);
    let now = SystemTime::now();
    // Half a day away from the days that the messages count.
    let (year, half) = (365 * day, day / 2);
    let pairs = [
        ("good", now - half, now + year),
        ("old", now - year, now - 3 * day - half),
        ("early", now + 2 * day + half, now + year),
        ("late", now - year, now + 4 * day + half),
    ];
    let pairs = pairs.into_iter().flat_map(|(name, from, until)| {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(["a.test".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (from.into(), until.into());
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        [(format!("etc/{name}.pem"), certificate), (format!("etc/{name}.key"), key.serialize_pem())]
    });
    pairs.collect()
}
