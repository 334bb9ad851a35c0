//! The grammar of zope.conf: text to a tree with positions, without serde.
