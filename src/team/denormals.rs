//! Denormal numbers cost a hundred cycles each on many CPUs, and the moments of dead pixels decay
//! into them. Training needs none: each worker treats them as zero.

/// Makes this thread read and write denormals as zero, where the CPU can.
pub fn flush_to_zero() {
    set(control() | FLUSH);
}

/// Runs `work` with denormals read and written as zero, on a thread that is no worker: with the
/// same bits therefore. Afterwards the thread's setting is what it was before.
pub fn flushed<T>(work: impl FnOnce() -> T) -> T {
    /// The earlier value of the control register, which is put back also after a panic.
    struct Before(Control);
    impl Drop for Before {
        fn drop(&mut self) {
            set((control() & !FLUSH) | (self.0 & FLUSH));
        }
    }
    let before = Before(control());
    set(before.0 | FLUSH);
    work()
}

#[cfg(target_arch = "x86_64")]
type Control = u32;

/// The bits of flush-to-zero (15) and denormals-are-zero (6) of MXCSR.
#[cfg(target_arch = "x86_64")]
const FLUSH: Control = 1 << 15 | 1 << 6;

#[cfg(target_arch = "x86_64")]
fn control() -> Control {
    let mut control: Control = 0;
    // Safety: reads a register that every x86-64 CPU has.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut control, options(nostack)) };
    control
}

#[cfg(target_arch = "x86_64")]
fn set(control: Control) {
    // Safety: the caller changes two documented bits of the register's value.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &control, options(nostack)) };
}

#[cfg(target_arch = "aarch64")]
type Control = u64;

/// The bit of flush-to-zero (24) of FPCR.
#[cfg(target_arch = "aarch64")]
const FLUSH: Control = 1 << 24;

#[cfg(target_arch = "aarch64")]
fn control() -> Control {
    let control: Control;
    // Safety: reads a register that every AArch64 CPU has.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control, options(nostack, nomem)) };
    control
}

#[cfg(target_arch = "aarch64")]
fn set(control: Control) {
    // Safety: the caller changes one documented bit of the register's value.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) control, options(nostack)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Control = u32;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FLUSH: Control = 0;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn control() -> Control {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set(_: Control) {}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::flushed;
    use std::hint::black_box;
    use std::panic::catch_unwind;

    #[test]
    fn a_thread_keeps_its_denormals() {
        let product = || black_box(1e-39f32) * black_box(1.0);
        assert_eq!(flushed(product), 0.0);
        assert!(product() > 0.0);
        assert!(catch_unwind(|| flushed(|| panic!("it falls"))).is_err());
        assert!(product() > 0.0);
    }
}
