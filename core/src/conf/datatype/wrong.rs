//! What a person reads about a value that is none.

use std::borrow::Cow;

/// What was expected instead of a text, as `expected a byte size such as 16MB`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(Cow<'static, str>);

impl Wrong {
    pub(in crate::conf) const fn expected(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }

    /// The whole message about `text`.
    #[must_use]
    pub fn about(&self, text: &str) -> String {
        match text {
            "" => format!("expected {}, found nothing", self.0),
            text => format!("expected {}, found '{text}'", self.0),
        }
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self(what.into())
    }
}
