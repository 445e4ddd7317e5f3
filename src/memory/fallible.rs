//! Vectors whose memory is asked for, so that a refusal is an error and not the end of the program.

use std::cell::Cell;

use super::check::refused;
use crate::Result;

thread_local! {
    /// Whether what this thread asks for may be refused. Read by the allocator, so it must not need memory
    /// itself: constant at first, and nothing to be dropped.
    static IS_REFUSABLE: Cell<bool> = const { Cell::new(false) };
}

/// Does something that can deal with memory being refused: the program's allocator then hands the refusal on.
pub fn refusable<T>(ask: impl FnOnce() -> T) -> T {
    let outer = IS_REFUSABLE.replace(true);
    let answer = ask();
    IS_REFUSABLE.set(outer);
    answer
}

/// Whether this thread is inside [`refusable`].
pub fn is_refusable() -> bool {
    IS_REFUSABLE.get()
}

/// An empty vector with room for `len` values; `what` names them in the error.
///
/// # Errors
/// That of [`refused`].
pub fn reserved<T>(what: &str, len: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    reserve(what, &mut values, len)?;
    Ok(values)
}

/// Makes room for `more` values and no others; `what` names the vector in the error.
///
/// # Errors
/// That of [`refused`].
pub fn reserve<T>(what: &str, values: &mut Vec<T>, more: usize) -> Result<()> {
    let asked = refusable(|| values.try_reserve_exact(more));
    asked.map_err(|_| refused(what, values.len().saturating_add(more).saturating_mul(size_of::<T>())))
}

/// `len` times the same value; `what` names them in the error.
///
/// # Errors
/// That of [`refused`].
pub fn filled<T: Copy>(what: &str, value: T, len: usize) -> Result<Vec<T>> {
    let mut values = reserved(what, len)?;
    values.resize(len, value);
    Ok(values)
}

/// A copy of the values; `what` names them in the error.
///
/// # Errors
/// That of [`refused`].
pub fn copied<T: Copy>(what: &str, from: &[T]) -> Result<Vec<T>> {
    let mut values = reserved(what, from.len())?;
    values.extend_from_slice(from);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_no_system_has_is_an_error_that_names_it() {
        for len in [usize::MAX, 1 << 60, 1 << 50] {
            let refused = filled("the moons", 0.0f64, len).unwrap_err().to_string();
            assert!(refused.starts_with("memory for the moons: expected what the system gives"), "{refused}");
        }
        assert_eq!(filled("x", 7u8, 3).unwrap(), [7, 7, 7]);
        assert_eq!(copied("x", &[1, 2]).unwrap(), [1, 2]);
    }

    #[test]
    fn only_what_is_asked_for_inside_may_be_refused() {
        assert!(!is_refusable());
        assert!(refusable(|| refusable(is_refusable) && is_refusable()));
        assert!(!is_refusable());
    }
}
