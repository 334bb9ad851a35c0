//! How serde reads a datatype.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::Datatype;

/// What serde sees of a [`Datatype`]: a text, or a number or switch of a layer that has such.
#[derive(Debug, Clone)]
pub(crate) struct Typed<T>(pub(crate) T);

impl<'de, T: Datatype> Deserialize<'de> for Typed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text(PhantomData))
    }
}

struct Text<T>(PhantomData<T>);

impl<T: Datatype> Visitor<'_> for Text<T> {
    type Value = Typed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        T::parse(text).map(Typed).map_err(|wrong| E::custom(wrong.about(text)))
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<Self::Value, E> {
        self.visit_str(if is { "on" } else { "off" })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use figment::value::Value;

    use super::super::{Boolean, ByteSize};
    use super::Typed;

    #[test]
    fn a_layer_may_have_numbers_and_switches_of_its_own() {
        let size: Typed<ByteSize> = Value::from(65_536).deserialize().expect("a size");
        assert_eq!(size.0.0, 65_536);
        let switch: Typed<Boolean> = Value::from(true).deserialize().expect("a switch");
        assert!(switch.0.0);
    }

    #[test]
    fn what_is_no_value_says_what_was_expected() {
        let wrong = |value: Value| {
            let read: figment::Result<Typed<ByteSize>> = value.deserialize();
            read.expect_err("no size").to_string()
        };
        assert_eq!(wrong("lots".into()), "expected a byte size such as 16MB, found 'lots'");
        assert_eq!(wrong((-1).into()), "expected a byte size such as 16MB, found '-1'");
    }
}
