//! The bundled plugin chat.
