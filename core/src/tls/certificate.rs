//! A certificate and its key, from the two files that a conf names.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::provider;
use super::validity::validity;
use crate::conf::{NamedFile, SslSettings};

/// What a listener shows, and proves to be its own.
#[derive(Debug)]
pub struct Certificate {
    pub(super) certified: Arc<CertifiedKey>,
    /// What should be mended, each with its place in the conf.
    pub warnings: Vec<String>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{at}: {path}: {why}")]
pub struct CertificateError {
    /// `FILE:LINE: DIRECTIVE`
    pub at: String,
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub why: Why,
}

/// What can be wrong with a file of a certificate, or of a key. The sentences follow its name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// It is not there, or may not be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// No PEM, or of something else.
    #[error("there is no {0} in it; it should be PEM, with the line -----BEGIN {1}-----")]
    Missing(&'static str, &'static str),
    /// PEM that is broken.
    #[error("its PEM is damaged: {0}")]
    Damaged(String),
    /// Somebody would have to type something.
    #[error(
        "the key in it is encrypted, and nobody is there to type the pass phrase; `openssl pkey -in IT -out ANOTHER` writes it in plain"
    )]
    Encrypted,
    /// Not RSA, ECDSA or Ed25519, or nonsense.
    #[error("its key is of a kind that is not known: {0}")]
    Key(String),
    /// Not X.509.
    #[error("its first certificate is not good: {0}")]
    Certificate(String),
    /// The key belongs to something else.
    #[error("the key in it does not belong to the certificate in {0}")]
    Mismatch(String),
    /// Everybody may change it.
    #[error("everybody may write it (mode {0:04o}); chmod o-w it")]
    Writable(u32),
}

/// No certificate, and no chain of them, is longer.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// A certificate that ends sooner is told of, or when three quarters of its life are over.
const SOON: Duration = Duration::from_hours(7 * 24);

impl Certificate {
    /// Reads both files, and sees whether they belong together.
    ///
    /// # Errors
    /// Which of them cannot be used, and why.
    pub fn load(ssl: &SslSettings) -> Result<Self, CertificateError> {
        let mut warnings = Vec::new();
        let chain = chain(&ssl.certificate)?;
        warnings.extend(age(&ssl.certificate, &chain[0], SystemTime::now()));
        let key = key(&ssl.key, &mut warnings)?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let (file, why) = match error {
                rustls::Error::InconsistentKeys(_) => {
                    (&ssl.key, Why::Mismatch(ssl.certificate.path.display().to_string()))
                }
                rustls::Error::InvalidCertificate(wrong) => {
                    (&ssl.certificate, Why::Certificate(wrong.to_string()))
                }
                other => (&ssl.key, Why::Key(other.to_string())),
            };
            wrong(file, why)
        })?;
        Ok(Self { certified: Arc::new(certified), warnings })
    }
}

fn wrong(file: &NamedFile, why: impl Into<Why>) -> CertificateError {
    let (at, path) = (file.at.clone(), file.path.display().to_string());
    CertificateError { at, path, why: why.into() }
}

/// Every certificate in a file; at least one.
pub(super) fn chain(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let (bytes, _) = read(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| wrong(file, Why::Damaged(error.to_string())))?;
    if found.is_empty() {
        return Err(wrong(file, Why::Missing("certificate", "CERTIFICATE")));
    }
    Ok(found)
}

fn key(
    file: &NamedFile,
    warnings: &mut Vec<String>,
) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let (bytes, mode) = read(file)?;
    if mode & 0o002 != 0 {
        return Err(wrong(file, Why::Writable(mode)));
    }
    if mode & 0o004 != 0 {
        let NamedFile { path, at } = file;
        let path = path.display();
        warnings.push(format!(
            "{at}: {path}: everybody on this machine may read the key (mode {mode:04o}); chmod o-r it"
        ));
    }
    let has = |what: &str| bytes.windows(what.len()).any(|window| window == what.as_bytes());
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let why = match error {
            _ if has("ENCRYPTED") => Why::Encrypted,
            rustls::pki_types::pem::Error::NoItemsFound => {
                Why::Missing("private key", "PRIVATE KEY")
            }
            other => Why::Damaged(other.to_string()),
        };
        wrong(file, why)
    })
}

/// The file, and its mode.
fn read(file: &NamedFile) -> Result<(Vec<u8>, u32), CertificateError> {
    let read = || {
        let mut bytes = Vec::new();
        let file = File::open(&file.path)?;
        let mode = file.metadata()?.permissions().mode() & 0o7777;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok((bytes, mode))
    };
    read().map_err(|error: io::Error| wrong(file, error))
}

/// That it is not valid now, or soon will not be.
fn age(file: &NamedFile, der: &[u8], now: SystemTime) -> Option<String> {
    let (first, last) = validity(der)?;
    let life = last.duration_since(first).unwrap_or_default();
    let what = if let Ok(since) = now.duration_since(last) {
        format!("the certificate has expired, {} ago; renew it", days(since))
    } else if let Ok(until) = first.duration_since(now) {
        format!("the certificate is not valid yet, for {}; is the clock right?", days(until))
    } else {
        let left = last.duration_since(now).unwrap_or_default();
        if left > SOON.min(life / 4) {
            return None;
        }
        format!("the certificate expires in {}; renew it", days(left))
    };
    Some(format!("{}: {}: {what}", file.at, file.path.display()))
}

fn days(span: Duration) -> String {
    match span.as_secs() / 86_400 {
        0 => "less than a day".to_owned(),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_renewed_every_week_is_not_told_of_all_the_time() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 1, 7);
        let certificate = params.self_signed(&key).unwrap();
        let (_, last) = validity(certificate.der()).unwrap();
        let file = NamedFile { path: "/x".into(), at: "c".into() };
        let told = |hours| age(&file, certificate.der(), last - Duration::from_hours(hours));
        assert_eq!(told(40), None);
        assert!(told(30).is_some());
    }

    #[test]
    fn a_certificate_that_ends_is_told_of() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 3, 1);
        let certificate = params.self_signed(&key).unwrap();
        let (first, last) = validity(certificate.der()).unwrap();
        let day = Duration::from_hours(24);
        for (now, expected) in [
            (
                first - 3 * day,
                Some("c: /x: the certificate is not valid yet, for 3 days; is the clock right?"),
            ),
            (first + day, None),
            (last - 8 * day, None),
            (last - 2 * day, Some("c: /x: the certificate expires in 2 days; renew it")),
            (last - day / 2, Some("c: /x: the certificate expires in less than a day; renew it")),
            (last + day, Some("c: /x: the certificate has expired, a day ago; renew it")),
            (last + 2 * day, Some("c: /x: the certificate has expired, 2 days ago; renew it")),
        ] {
            let file = NamedFile { path: "/x".into(), at: "c".into() };
            assert_eq!(age(&file, certificate.der(), now).as_deref(), expected);
        }
    }
}
