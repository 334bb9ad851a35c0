//! Catches a panic, with what it said and where. Not a way to handle errors.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    /// A call into the author's code is under way on this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// What the last panic of such a call said.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `call`; an error says what it panicked with, and where.
///
/// What `call` has borrowed may be left half changed: the caller must not hand it out again, or
/// must be sure that it can bear it.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    listen();
    // Asked for once: in a shared library it takes a call to find.
    let result = INSIDE.with(|inside| {
        let before = inside.replace(true);
        // The callers see to it that a session is not used again; the endpoint is shared between
        // threads and so guards its own state.
        let result = catch_unwind(AssertUnwindSafe(call));
        inside.set(before);
        result
    });
    result.map_err(|payload| {
        let said = SAID.take();
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        if text.is_none() {
            // Its drop may panic in turn.
            std::mem::forget(payload);
        }
        said.or(text).unwrap_or_else(|| NO_TEXT.to_owned())
    })
}

/// Sets the hook, which alone knows where a panic came from. A shared library has a standard
/// library, and with it a hook, of its own: the host's is not touched.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.try_with(Cell::get).unwrap_or(false) {
                let _ = SAID.try_with(|said| said.replace(Some(sentence(info))));
            } else {
                before(info);
            }
        }));
    });
}

fn sentence(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or(NO_TEXT);
    match info.location() {
        Some(place) => format!("{text}, at {}:{}", place.file(), place.line()),
        None => text.to_owned(),
    }
}

const NO_TEXT: &str = "something that is no text";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_says_what_and_where() {
        let line = line!() + 1;
        let said = catch(|| panic!("of {}", "all things")).expect_err("it panics");
        assert_eq!(said, format!("of all things, at {}:{line}", file!()));
    }

    #[test]
    fn a_payload_whose_drop_panics_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        let said = catch(|| std::panic::panic_any(Bomb)).expect_err("it panics");
        assert!(said.starts_with(NO_TEXT), "{said}");
    }

    #[test]
    fn what_does_not_panic_is_handed_on() {
        assert_eq!(catch(|| 7), Ok(7));
    }
}
