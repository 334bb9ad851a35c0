//! What went wrong with the peer, as a sentence on it.

use rustls::{CertificateError, Error, InvalidMessage};

/// Why a session is over before its time.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The peer broke a rule, refused, or is not whom we want.
    #[error("{}", explain(.0))]
    Failed(#[from] Error),
    /// It announced more than anybody needs.
    #[error("it sends a message of TLS that is too long")]
    TooLong,
    /// Nothing can be sent any more.
    #[error("the TLS session has ended")]
    Closed,
}

/// A sentence on the peer.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "it does not speak TLS".into(),
        Error::InvalidMessage(wrong) => format!("it does not speak TLS as it should: {wrong:?}"),
        Error::AlertReceived(alert) => format!("it refused: {alert:?}"),
        Error::InvalidCertificate(wrong) => explain_certificate(wrong),
        Error::PeerIncompatible(why) => format!("it has no way of TLS in common with us: {why:?}"),
        Error::NoApplicationProtocol => "it does not want to speak HTTP/1.1".into(),
        other => format!("TLS failed: {other}"),
    }
}

fn explain_certificate(wrong: &CertificateError) -> String {
    match wrong {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".into()
        }
        CertificateError::UnknownIssuer => {
            "its certificate is signed by nobody who is trusted".into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let name = expected.to_str();
            format!("its certificate is not for {name} but for {}", names(presented))
        }
        CertificateError::BadSignature => "its certificate is not signed by whom it says".into(),
        CertificateError::NotValidForName => "its certificate is for another name".into(),
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is one that signs others (CA:TRUE), and none of a server".into()
        }
        other => format!("its certificate is not good: {other}"),
    }
}

/// rustls shows each as `DnsName("a.test")`.
fn names(presented: &[String]) -> String {
    let bare = |shown: &String| shown.split('"').nth(1).unwrap_or(shown).to_owned();
    let all: Vec<String> = presented.iter().map(bare).collect();
    if all.is_empty() { "no name at all".to_owned() } else { all.join(", ") }
}
