//! What the specification says, held against this package.

mod conversations;
mod describe;
mod mutations;
mod tables;
mod vectors;
mod words;
