//! Makes a library a plugin, without a build script.

/// Makes a `cdylib` the plugin `id`, served by an [`Endpoint`](crate::Endpoint); once in a library.
///
/// It emits the one exported symbol, and the ELF note that tells a host what the file is before it
/// is loaded. In this order, each may be left out:
///
/// - `version`: of the plugin. Default: the package's.
/// - `build`: what was built from what, for people. Default: the package's name and version.
/// - `never_blocks`: no callback ever waits, neither for a file, nor for a peer, nor long for a
///   lock; the host may then run them on the threads that do its I/O. Default: `false`.
///
/// ```
/// # use switchboard_sdk::*;
/// # struct Chat;
/// # impl Endpoint for Chat {
/// #     type Session = ();
/// #     fn create(_: &Setup) -> Result<Self, Error> {
/// #         Ok(Self)
/// #     }
/// #     fn open(&self, _: &Conn, _: &Request<'_>) -> Result<Opened<()>, Reject> {
/// #         Ok(Opened::accept(()))
/// #     }
/// #     fn message(&self, _: &Conn, _: &mut (), _: Message<'_>) -> Result<Handled, Error> {
/// #         Ok(Handled::Done)
/// #     }
/// # }
/// switchboard_sdk::export!(Chat, id = "com.example.chat", version = "1.4.2");
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    (
        $endpoint:ty, id = $id:expr
        $(, version = $version:expr)?
        $(, build = $build:expr)?
        $(, never_blocks = $never_blocks:expr)?
        $(,)?
    ) => {
        #[allow(unsafe_code, non_upper_case_globals)]
        const _: () = {
            use $crate::__private::{Note, entry, flags, joined, sb_entry, terminated};

            const ID: &str = $id;
            const VERSION: &str =
                $crate::__or!([$($version)?] ::core::env!("CARGO_PKG_VERSION"));
            const BUILD: &str = $crate::__or!([$($build)?] ::core::concat!(
                ::core::env!("CARGO_PKG_NAME"),
                " ",
                ::core::env!("CARGO_PKG_VERSION")
            ));
            const FLAGS: u64 = flags($crate::__or!([$($never_blocks)?] false));

            static ID_TEXT: [u8; ID.len() + 1] = terminated(ID);
            static VERSION_TEXT: [u8; VERSION.len() + 1] = terminated(VERSION);
            static BUILD_TEXT: [u8; BUILD.len() + 1] = terminated(BUILD);

            // The linker keeps notes, also with --gc-sections.
            #[used]
            #[cfg_attr(target_os = "linux", unsafe(link_section = ".note.switchboard"))]
            static NOTE: Note<{ ID.len() + VERSION.len() + 2 }> =
                Note::new(FLAGS, joined(ID, VERSION));

            #[unsafe(no_mangle)]
            static switchboard_entry_v1: sb_entry =
                entry::<$endpoint>(FLAGS, &ID_TEXT, &VERSION_TEXT, &BUILD_TEXT);
        };
    };
}

/// The expression in brackets, or else the one behind them.
#[doc(hidden)]
#[macro_export]
macro_rules! __or {
    ([] $default:expr) => {
        $default
    };
    ([$given:expr] $default:expr) => {
        $given
    };
}

/// What [`export!`](crate::export) needs. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use switchboard_abi::sb_entry;

    pub use crate::ffi::{Note, entry, joined, terminated};

    /// The flags of an entry.
    #[must_use]
    pub const fn flags(never_blocks: bool) -> u64 {
        if never_blocks { switchboard_abi::SB_ENTRY_NEVER_BLOCKS } else { 0 }
    }
}
