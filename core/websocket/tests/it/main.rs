//! The decoder as a user sees it, by topic.

mod limits;
mod round_trip;
mod rules;
mod support;
