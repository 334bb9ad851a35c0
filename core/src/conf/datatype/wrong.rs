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
            text => format!("expected {}, found '{text}'{}", self.0, habit(text)),
        }
    }
}

/// About what belongs to a value in other kinds of conf files, and is a part of it here.
pub(in crate::conf) fn habit(text: &str) -> &'static str {
    let is_quoted = |quote| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if text.contains(" #") {
        "; a comment stands on a line of its own"
    } else if is_quoted('"') || is_quoted('\'') {
        "; write it without quotes"
    } else if text.starts_with('=') || text.starts_with(": ") {
        "; only a blank stands between a key and its value"
    } else if text.ends_with(';') {
        "; write it without the semicolon"
    } else {
        ""
    }
}

impl From<String> for Wrong {
    fn from(what: String) -> Self {
        Self(what.into())
    }
}
