//! Panics of the crates that parse foreign files, caught at the border: to the user they are the file's fault.

use std::any::Any;
use std::cell::Cell;
use std::io::{self, Read};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`caught`], so that nothing is printed of its panics.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `work` gives, or, if it panics, a phrase that says so: "makes its reader fail (message)". Nothing is
/// printed of such a panic.
///
/// # Errors
/// If `work` panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    quietly(work).map_err(|message| format!("makes its reader fail ({message})"))
}

/// What `work` gives, or the message of its panic, of which nothing is printed.
///
/// # Errors
/// If `work` panics.
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static QUIETED: Once = Once::new();
    QUIETED.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                others(info);
            }
        }));
    });
    let outer = IS_QUIET.replace(true);
    // What a half-done parser leaves behind is dropped with it.
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(outer);
    outcome.map_err(|panic| message(panic.as_ref()).to_string())
}

/// A reader whose panics are errors of reading.
pub struct Guarded<R>(pub R);

impl<R: Read> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        caught(|| self.0.read(buffer)).map_err(|panic| io::Error::new(io::ErrorKind::InvalidData, panic))?
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_phrase_and_what_does_not_panic_is_handed_on() {
        assert_eq!(caught(|| 7), Ok(7));
        let empty: &[u8] = &[];
        let refused = caught(|| empty[std::hint::black_box(3)]).unwrap_err();
        assert!(refused.starts_with("makes its reader fail (index out of bounds"), "{refused}");
        assert_eq!(caught(|| -> () { panic!("broken") }), Err("makes its reader fail (broken)".into()));
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("leaky")
            }
        }
        let refused = Guarded(Broken).read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(refused.to_string(), "makes its reader fail (leaky)");
        assert_eq!(Guarded(&b"abc"[..]).read_to_end(&mut Vec::new()).unwrap(), 3);
        // One inside another.
        assert_eq!(caught(|| caught(|| -> u8 { panic!("inner") }).is_err()), Ok(true));
    }
}
