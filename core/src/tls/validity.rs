//! From when until when a certificate is valid: the one thing of it that rustls does not tell its
//! owner. RFC 5280, section 4.1, and the encoding of X.690.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first and the last moment, or `None` if that cannot be read.
pub(super) fn validity(der: &[u8]) -> Option<(SystemTime, SystemTime)> {
    let mut certificate = Fields(der).next(SEQUENCE)?;
    let mut signed = certificate.next(SEQUENCE)?;
    if signed.0.first() == Some(&VERSION) {
        signed.next(VERSION)?;
    }
    signed.next(INTEGER)?;
    // Algorithm and issuer.
    signed.next(SEQUENCE)?;
    signed.next(SEQUENCE)?;
    let mut times = signed.next(SEQUENCE)?;
    Some((times.time()?, times.time()?))
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// What is left of a sequence.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The inside of the next field, which must have this tag.
    fn next(&mut self, tag: u8) -> Option<Self> {
        let (&found, rest) = self.0.split_first()?;
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(short - 0x80))?;
                (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (inside, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(Fields(inside))
    }

    fn time(&mut self) -> Option<SystemTime> {
        let tag = *self.0.first()?;
        let text = str::from_utf8(self.next(tag)?.0).ok()?;
        let text = text.strip_suffix('Z').filter(|text| text.is_ascii())?;
        let (year, rest) = match tag {
            UTC_TIME => {
                let (year, rest) = text.split_at_checked(2)?;
                let year: u64 = year.parse().ok()?;
                (if year < 50 { 2000 + year } else { 1900 + year }, rest)
            }
            GENERALIZED_TIME => {
                let (year, rest) = text.split_at_checked(4)?;
                (year.parse().ok()?, rest)
            }
            _ => return None,
        };
        let part = |at: usize| rest.get(at..at + 2)?.parse::<u64>().ok();
        let (month, day, hour, minute, second) = (part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
        if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || day == 0 {
            return None;
        }
        let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }
}

/// Days since 1970-01-01.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let of_years: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let of_months: u64 = lengths.iter().take(usize::try_from(month - 1).unwrap_or(0)).sum();
    of_years + of_months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_of_a_certificate_are_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        for (from, until, expected) in [
            ((2024, 2, 29), (2026, 11, 22), (1_709_164_800, 1_795_305_600)),
            ((1999, 12, 31), (2050, 1, 1), (946_598_400, 2_524_608_000)),
        ] {
            let mut params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
            params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
            let certificate = params.self_signed(&key).unwrap();
            let (first, last) = validity(certificate.der()).unwrap();
            let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
            assert_eq!((seconds(first), seconds(last)), expected);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_days() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        for length in 0..100 {
            assert_eq!(validity(&certificate.der()[..length]), None);
        }
    }
}
