//! The worker team: all workers enter a function together, once, and synchronise inside it with
//! barriers that cost a fraction of a microsecond, instead of forking and joining per operation.

mod barrier;
pub mod clock;
pub mod counters;
mod denormals;
mod pin;
mod shared;
mod system;
mod workers;

use workers::refused;
pub use workers::{MAX_THREADS, Team, Worker};
pub(crate) use workers::{not_started, share};

pub use denormals::flushed;
pub use pin::pin;
pub use shared::Shared;

use crate::Result;

/// Runs `work` with as many threads for its parallel iterators as the process may use: those of the pool that it
/// is called in, or others that end with it.
///
/// # Errors
/// [`Error::Mismatch`](crate::Error::Mismatch) if the system refuses to start them.
pub fn in_parallel<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    if rayon::current_thread_index().is_some() {
        return Ok(work());
    }
    // A pool of its own: rayon's global one panics where its threads cannot be started.
    let pool =
        rayon::ThreadPoolBuilder::new().build().map_err(|error| refused("one for each processor", &error))?;
    Ok(pool.install(work))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn shares_cover_everything_once() {
        for threads in [1, 2, 3, 8] {
            let team = Team::new(threads).unwrap();
            for items in [0, 1, 7, 100] {
                let seen: Vec<AtomicUsize> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                team.run(|w| w.share(items).for_each(|i| _ = seen[i].fetch_add(1, Ordering::Relaxed)), None);
                assert!(seen.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn barriers_separate_phases() {
        let team = Team::new(4).unwrap();
        let arrived = AtomicUsize::new(0);
        team.run(
            |worker| {
                for round in 1..=500 {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    worker.barrier();
                    assert_eq!(arrived.load(Ordering::Relaxed), 4 * round);
                    worker.barrier();
                }
            },
            None,
        );
    }

    #[test]
    fn a_panic_in_one_worker_ends_the_run_with_its_message() {
        let team = Team::new(3).unwrap();
        let run = || {
            team.run(
                |worker| {
                    if worker.index() == 1 {
                        panic!("worker one fell");
                    }
                    worker.barrier();
                },
                None,
            )
        };
        let panic = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"worker one fell"));
        team.run(|worker| worker.barrier(), None);
    }

    #[test]
    fn workers_flush_denormals() {
        let team = Team::new(2).unwrap();
        let tiny = std::hint::black_box(1e-39f32);
        let flushed = AtomicUsize::new(0);
        team.run(
            |_| {
                if std::hint::black_box(tiny) * std::hint::black_box(1.0f32) == 0.0 {
                    flushed.fetch_add(1, Ordering::Relaxed);
                }
            },
            None,
        );
        let expected = if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) { 2 } else { 0 };
        assert_eq!(flushed.load(Ordering::Relaxed), expected);
        assert!(tiny * std::hint::black_box(1.0f32) > 0.0, "the caller's thread is left alone");
    }

    #[test]
    fn absurd_thread_counts_are_refused() {
        for threads in [0, MAX_THREADS + 1, usize::MAX] {
            assert!(Team::new(threads).is_err());
        }
    }
}
