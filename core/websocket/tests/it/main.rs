//! The decoder as a user sees it, by topic.

mod autobahn;
mod deflate;
mod limits;
mod puff;
mod round_trip;
mod rules;
mod support;
