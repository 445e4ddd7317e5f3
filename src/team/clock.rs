//! A clock for probes, which read it some hundred times a step.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The rate is known well enough after this time.
const LONG_ENOUGH: Duration = Duration::from_millis(20);

/// When and at which tick the rate began to be measured.
static BASE: OnceLock<(Instant, u64)> = OnceLock::new();

/// The time in ticks of [`seconds_per_tick`]. Where the processor's time stamp counter runs evenly it is that,
/// read in half the time of a call of the system's clock; else nanoseconds.
pub fn ticks() -> u64 {
    if counts_evenly() { counter() } else { nanoseconds() }
}

/// Seconds of a tick. The first call may take 20 ms.
pub fn seconds_per_tick() -> f64 {
    if !counts_evenly() {
        return 1e-9;
    }
    let &(begun, first) = BASE.get_or_init(|| (Instant::now(), counter()));
    if begun.elapsed() < LONG_ENOUGH {
        std::thread::sleep(LONG_ENOUGH);
    }
    let (elapsed, ticks) = (begun.elapsed(), counter() - first);
    elapsed.as_secs_f64() / ticks as f64
}

fn nanoseconds() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    BEGUN.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

/// Whether the system itself trusts the counter: it runs at one rate, and alike on all processors.
fn counts_evenly() -> bool {
    static EVENLY: OnceLock<bool> = OnceLock::new();
    *EVENLY.get_or_init(|| {
        let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        cfg!(target_arch = "x86_64") && std::fs::read_to_string(source).is_ok_and(|name| name.trim() == "tsc")
    })
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn counter() -> u64 {
    // Safety: every x86-64 processor has the counter; a system that forbids it does not use it as its clock.
    unsafe { std::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn counter() -> u64 {
    unreachable!("only x86-64 has the counter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_as_long_as_they_say() {
        let (begun, first) = (Instant::now(), ticks());
        std::thread::sleep(Duration::from_millis(50));
        let (elapsed, ticks) = (begun.elapsed().as_secs_f64(), ticks() - first);
        let ratio = ticks as f64 * seconds_per_tick() / elapsed;
        // The thread may have lost its processor between two looks.
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
    }
}
