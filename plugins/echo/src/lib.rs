//! The bundled plugin echo.
