//! The decoder as a user sees it, by topic.

mod deflate;
mod limits;
mod puff;
mod round_trip;
mod rules;
mod support;
