//! What a server makes of the offers.

use super::params::Params;
use super::{Agreed, NAME, WindowBits};
use crate::handshake::{MalformedExtensions, extensions};

/// Whether a server compresses, and where the memory for it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Each offer is declined.
    #[default]
    Off,
    /// Without context takeover in either direction: all connections of a thread share what
    /// compresses them, 340 KB, and none has memory of its own for it.
    Shared,
    /// With context takeover where the client agrees: each connection has two windows besides,
    /// which become as large as what was said through them, but no larger than the policy and the
    /// client let them. Measured: 8.2 KiB with windows of 4 KiB, 64 KiB with the widest, 1.2 KiB
    /// with those of 512 bytes.
    Dedicated,
}

/// What a server agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether it compresses.
    pub mode: Mode,
    /// The widest window for what is sent.
    pub server_window_bits: WindowBits,
    /// The widest window for what comes. In [`Mode::Dedicated`] a client is asked to keep within
    /// it, if it says that it can; one that does not say so uses up to 32 KiB.
    pub client_window_bits: WindowBits,
}

impl Default for Policy {
    /// Off. The windows are of 4 KiB, which are enough for most of the gain.
    fn default() -> Self {
        let bits = WindowBits::new(12).unwrap_or_default();
        Self { mode: Mode::Off, server_window_bits: bits, client_window_bits: bits }
    }
}

/// An offer that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What holds for the connection.
    pub agreed: Agreed,
    /// The value of `Sec-WebSocket-Extensions` in the response.
    pub answer: String,
}

impl Policy {
    /// Takes the first offer that it can, from the values of all the headers
    /// `Sec-WebSocket-Extensions` in their order; `None` if there is none, in which case the
    /// response has no such header.
    ///
    /// RFC 7692, section 7: an offer with a parameter that is unknown, there twice or without a
    /// right value is declined, and the next one looked at.
    ///
    /// # Errors
    /// A value breaks the grammar. RFC 6455, section 9.1: the server answers 400.
    pub fn accept<'a>(
        &self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Accepted>, MalformedExtensions> {
        let mut accepted = None;
        for value in values {
            for offered in extensions(value)? {
                if accepted.is_none() && self.mode != Mode::Off && offered.name == NAME {
                    accepted = Params::read(&offered).ok().map(|offer| self.take(&offer));
                }
            }
        }
        Ok(accepted)
    }

    fn take(&self, offer: &Params) -> Accepted {
        let is_shared = self.mode == Mode::Shared;
        // Section 7.1.2.1: an answer must name the window of an offer that does. Else there is no
        // need to: who is told nothing reads every window.
        let server_bits = match self.mode {
            // Nothing is kept, so a narrow window would save nothing.
            Mode::Shared => WindowBits::MAX,
            Mode::Off | Mode::Dedicated => self.server_window_bits,
        };
        let server_max_window_bits = offer.server_max_window_bits.map(|bits| bits.min(server_bits));
        // Section 7.1.2.2: only an offer that has this parameter can be answered with it.
        let client_max_window_bits = offer
            .client_max_window_bits
            .filter(|_| !is_shared)
            .map(|bits| bits.unwrap_or_default().min(self.client_window_bits));
        let answer = Params {
            server_no_context_takeover: offer.server_no_context_takeover || is_shared,
            client_no_context_takeover: offer.client_no_context_takeover || is_shared,
            server_max_window_bits,
            client_max_window_bits: client_max_window_bits.map(Some),
        };
        let agreed = Agreed {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: answer.client_no_context_takeover,
            server_max_window_bits: server_max_window_bits.unwrap_or(server_bits),
            client_max_window_bits: client_max_window_bits.unwrap_or_default(),
        };
        Accepted { agreed, answer: answer.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(mode: Mode, server: u8, client: u8) -> Policy {
        let bits = |bits| WindowBits::new(bits).unwrap();
        Policy { mode, server_window_bits: bits(server), client_window_bits: bits(client) }
    }

    /// The answer to these offers; empty if they are declined.
    fn check(policy: &Policy, offers: &str, expected: &str) {
        let offers = offers.replace("pd", NAME);
        let accepted = policy.accept([offers.as_bytes()]).unwrap();
        let answer = accepted.map_or(String::new(), |accepted| accepted.answer);
        assert_eq!(answer, expected.replace("pd", NAME), "{policy:?} {offers}");
    }

    #[test]
    fn shared_asks_for_no_takeover_either_way() {
        let shared = policy(Mode::Shared, 12, 12);
        let both = "pd; server_no_context_takeover; client_no_context_takeover";
        check(&shared, "pd", both);
        check(&shared, "pd; client_max_window_bits", both);
        check(&shared, "pd; client_max_window_bits=10", both);
        check(&shared, "pd; client_no_context_takeover; server_no_context_takeover", both);
        for bits in 8..=15 {
            check(
                &shared,
                &format!("pd; server_max_window_bits={bits}"),
                &format!("{both}; server_max_window_bits={bits}"),
            );
        }
    }

    #[test]
    fn dedicated_takes_over_within_the_smaller_windows() {
        let dedicated = policy(Mode::Dedicated, 12, 11);
        #[rustfmt::skip]
        let table = [
            ("pd",                                  "pd"),
            ("pd; client_max_window_bits",          "pd; client_max_window_bits=11"),
            ("pd; client_max_window_bits=15",       "pd; client_max_window_bits=11"),
            ("pd; client_max_window_bits=9",        "pd; client_max_window_bits=9"),
            ("pd; client_max_window_bits=\"8\"",    "pd; client_max_window_bits=8"),
            ("pd; server_max_window_bits=15",       "pd; server_max_window_bits=12"),
            ("pd; server_max_window_bits=8",        "pd; server_max_window_bits=8"),
            ("pd; server_no_context_takeover",      "pd; server_no_context_takeover"),
            ("pd; client_no_context_takeover",      "pd; client_no_context_takeover"),
            ("pd; client_max_window_bits; server_max_window_bits=10; server_no_context_takeover",
             "pd; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11"),
        ];
        for (offers, expected) in table {
            check(&dedicated, offers, expected);
        }
    }

    #[test]
    fn the_first_offer_that_fits_is_taken() {
        let dedicated = policy(Mode::Dedicated, 15, 15);
        #[rustfmt::skip]
        let table = [
            ("",                                                    ""),
            ("x-webkit-deflate-frame",                              ""),
            ("x, pd; server_no_context_takeover, pd",               "pd; server_no_context_takeover"),
            ("pd; unknown, pd; server_max_window_bits=9",           "pd; server_max_window_bits=9"),
            ("pd; unknown=1",                                       ""),
            ("pd; server_no_context_takeover=1",                    ""),
            ("pd; client_no_context_takeover=\"true\"",             ""),
            ("pd; server_max_window_bits",                          ""),
            ("pd; server_max_window_bits=7",                        ""),
            ("pd; server_max_window_bits=16",                       ""),
            ("pd; server_max_window_bits=08",                       ""),
            ("pd; server_max_window_bits=+9",                       ""),
            ("pd; server_max_window_bits=a",                        ""),
            ("pd; client_max_window_bits=7",                        ""),
            ("pd; client_max_window_bits=16",                       ""),
            ("pd; client_max_window_bits=1000000000000000000000",   ""),
            ("pd; server_no_context_takeover; server_no_context_takeover", ""),
            ("pd; server_max_window_bits=9; server_max_window_bits=9", ""),
            ("pd; client_max_window_bits; client_max_window_bits=9, pd", "pd"),
        ];
        for (offers, expected) in table {
            check(&dedicated, offers, expected);
        }
    }

    #[test]
    fn off_takes_none_and_still_wants_a_list() {
        let off = Policy::default();
        check(&off, "pd, pd; client_max_window_bits", "");
        assert_eq!(off.accept([b"a b".as_slice()]), Err(MalformedExtensions));
        assert_eq!(off.accept([]), Ok(None));
    }

    #[test]
    fn a_list_may_be_spread_over_headers() {
        let shared = Policy { mode: Mode::Shared, ..Policy::default() };
        let values = ["x-other", "permessage-deflate; server_max_window_bits=10"];
        let accepted = shared.accept(values.map(str::as_bytes)).unwrap().unwrap();
        assert_eq!(accepted.agreed.server_max_window_bits.get(), 10);
        assert!(accepted.agreed.client_no_context_takeover);
        assert_eq!(accepted.agreed.client_max_window_bits, WindowBits::MAX);
        let values = [NAME, "a;"];
        assert_eq!(shared.accept(values.map(str::as_bytes)), Err(MalformedExtensions));
    }
}
