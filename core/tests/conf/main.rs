//! The conf from its text to settings, and from its mistakes to messages.

mod settings;

mod layers;

mod wrong;

mod explained;

mod transcript;

mod pem;

mod example;

mod many;

mod show;

mod reference;

mod support;
