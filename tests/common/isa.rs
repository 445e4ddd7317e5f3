//! The instruction set is one of the whole process: tests that choose one take turns.

use std::sync::{Mutex, PoisonError};

use fallline::engine::kernels::simd::isa::{self, Isa};

static CHOSEN: Mutex<()> = Mutex::new(());

/// Runs `check` on every instruction set that the CPU has, the best one last.
pub fn on_each(mut check: impl FnMut(Isa)) {
    let _turn = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    for isa in Isa::available() {
        isa::force(isa);
        assert_eq!(Isa::current(), isa);
        check(isa);
    }
}
