//! The payload of a Close frame: a code and a reason.
//! The codes that only a program tells itself (1005 no code, 1006 no Close frame, 1015 TLS failed)
//! have no place in these types, because they never appear on the wire.

use std::fmt;

use crate::ProtocolError;
use crate::frame::CONTROL_BYTES_MAX;

/// A close code that may be sent. RFC 6455, section 7.4, and IANA's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: what the connection was for has been done.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server that stops, a page that is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: a rule of the protocol was broken.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: a kind of data that cannot be accepted, such as binary where only text is.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: data that contradicts its kind, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that breaks a policy; the code for whatever has none of its own.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message that is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: a client wanted an extension that the server did not agree to.
    pub const EXTENSION_MISSING: Self = Self(1010);
    /// 1011: something unexpected kept the server from going on.
    pub const INTERNAL: Self = Self(1011);
    /// 1012: the service restarts; come back.
    pub const RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; come back later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a server in front got no right answer from the one behind it.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code with this number, if it may be sent: registered ones, 3000 to 3999 for libraries,
    /// and 4000 to 4999 for applications.
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for CloseCode {
    type Error = ProtocolError;

    fn try_from(code: u16) -> Result<Self, ProtocolError> {
        Self::new(code).ok_or(ProtocolError::CloseCodeInvalid(code))
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a Close frame says, if it says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why.
    pub code: CloseCode,
    /// Why, in words for a log; often empty. At most 123 bytes.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Reads the unmasked payload of a Close frame. An empty one is right, and says nothing.
    pub fn parse(payload: &'a [u8]) -> Result<Option<Self>, ProtocolError> {
        if payload.is_empty() {
            return Ok(None);
        }
        let Some((code, reason)) = payload.split_first_chunk() else {
            return Err(ProtocolError::CloseCodeCutShort);
        };
        if reason.len() > REASON_BYTES_MAX {
            return Err(ProtocolError::ControlTooLong);
        }
        let code = CloseCode::try_from(u16::from_be_bytes(*code))?;
        let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::CloseReasonNotUtf8)?;
        Ok(Some(Self { code, reason }))
    }

    /// Writes the payload to the front of `out`, not masked, and tells how many bytes it takes. A
    /// reason that is too long is cut before the character that does not fit.
    pub fn encode(&self, out: &mut [u8; CONTROL_BYTES_MAX]) -> usize {
        let reason_len = self.reason.floor_char_boundary(REASON_BYTES_MAX);
        let (code, reason) = out.split_at_mut(2);
        code.copy_from_slice(&self.code.get().to_be_bytes());
        reason[..reason_len].copy_from_slice(&self.reason.as_bytes()[..reason_len]);
        2 + reason_len
    }
}

/// What the code leaves of a control frame's 125 bytes.
const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_that_may_be_sent_are_these() {
        let allowed: Vec<u16> =
            (0..=u16::MAX).filter(|code| CloseCode::new(*code).is_some()).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(allowed, expected);
    }

    #[test]
    fn a_payload_is_a_code_and_a_reason() {
        let parsed = |payload| {
            CloseFrame::parse(payload).map(|close| close.map(|c| (c.code.get(), c.reason)))
        };
        #[rustfmt::skip]
        let table: [(&[u8], _); 9] = [
            (b"",                  Ok(None)),
            (b"\x03",              Err(ProtocolError::CloseCodeCutShort)),
            (b"\x03\xe8",          Ok(Some((1000, "")))),
            (b"\x03\xe9bye \xe2\x82\xac", Ok(Some((1001, "bye €")))),
            (b"\x13\x87",          Ok(Some((4999, "")))),
            (b"\x00\x00",          Err(ProtocolError::CloseCodeInvalid(0))),
            (b"\x03\xed",          Err(ProtocolError::CloseCodeInvalid(1005))),
            (b"\x13\x88",          Err(ProtocolError::CloseCodeInvalid(5000))),
            (b"\x03\xe8\xe2\x82",  Err(ProtocolError::CloseReasonNotUtf8)),
        ];
        for (payload, expected) in table {
            assert_eq!(parsed(payload), expected, "{payload:x?}");
        }
    }

    #[test]
    fn a_reason_of_124_bytes_is_refused() {
        let payload = |len| [b"\x03\xe8".as_slice(), &vec![b'x'; len]].concat();
        assert!(CloseFrame::parse(&payload(123)).is_ok());
        assert_eq!(CloseFrame::parse(&payload(124)), Err(ProtocolError::ControlTooLong));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        for (reason, expected_len) in [
            ("x".repeat(200), 123),
            ("€".repeat(50), 41 * 3),
            (format!("x{}", "€".repeat(50)), 1 + 40 * 3),
            ("short".to_owned(), 5),
        ] {
            let mut out = [0; CONTROL_BYTES_MAX];
            let used = CloseFrame { code: CloseCode::NORMAL, reason: &reason }.encode(&mut out);
            assert_eq!(used, 2 + expected_len);
            let read = CloseFrame::parse(&out[..used]).unwrap().unwrap();
            assert_eq!(read.reason, &reason[..expected_len]);
        }
    }
}
