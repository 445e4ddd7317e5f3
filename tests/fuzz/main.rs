//! Hostile input for every reader of the program: it may be refused, with an error that can be shown, and
//! nothing else may happen. `docs/hostile-input.md` says what is promised and how to run this for longer.
//!
//! Each target has valid inputs to begin with (`seeds`) and its own ways to spoil them; `harness` hands the
//! inputs to the reader and looks at what happens.

mod allocator;
mod bytes;
mod harness;
mod random;
mod self_test;
mod targets;
mod watchdog;

#[global_allocator]
static ALLOCATOR: allocator::Watched = allocator::Watched;

#[test]
fn idx() {
    harness::run(&targets::idx::TARGET);
}
