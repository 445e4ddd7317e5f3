//! The barrier at which workers meet inside a run.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// Polls before offering the processor to others: some ten microseconds, more than most waits in a
/// balanced step. When another process takes a core, the one awaited may be queued on this very
/// core, and every poll delays it.
const SPINS: usize = 500;

/// Times the processor is offered before sleeping: about a millisecond on an idle machine.
const YIELDS: usize = 2000;

/// A barrier that spins briefly, then yields, then sleeps.
pub struct Barrier {
    members: usize,
    spins: usize,
    arrived: AtomicUsize,
    generation: AtomicUsize,
    sleepers: AtomicUsize,
    poisoned: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

/// How often so many workers poll. To ask the system for its processors reads several files, which takes longer than the step
/// of a small network: it is asked once for all runs of a team.
pub fn spins(members: usize) -> usize {
    // With more workers than processors, a spinning one keeps the one awaited from running.
    let processors = thread::available_parallelism().map_or(1, usize::from);
    if members <= processors { SPINS } else { 0 }
}

/// The panic of a worker that another one's panic has released.
pub struct Released;

impl Barrier {
    /// A barrier for `members` workers, who poll so many times before they offer the processor to others.
    pub fn new(members: usize, spins: usize) -> Self {
        Barrier {
            members,
            spins,
            arrived: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            poisoned: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Waits for all members. Returns whether all others had come before this one.
    ///
    /// # Panics
    /// With [`Released`] once the barrier is poisoned.
    pub fn wait(&self) -> bool {
        let generation = self.generation.load(Acquire);
        let is_last = self.arrived.fetch_add(1, AcqRel) + 1 == self.members;
        if is_last {
            self.arrived.store(0, Relaxed);
            self.generation.store(generation.wrapping_add(1), SeqCst);
            self.wake_sleepers();
        } else {
            self.await_others(generation);
        }
        if self.poisoned.load(Acquire) {
            resume_unwind(Box::new(Released));
        }
        is_last
    }

    /// Releases everyone for good, since a member will not come any more.
    pub fn poison(&self) {
        self.poisoned.store(true, SeqCst);
        self.wake_sleepers();
    }

    fn passed(&self, generation: usize) -> bool {
        self.generation.load(SeqCst) != generation || self.poisoned.load(SeqCst)
    }

    fn await_others(&self, generation: usize) {
        for _ in 0..self.spins {
            if self.passed(generation) {
                return;
            }
            std::hint::spin_loop();
        }
        for _ in 0..YIELDS {
            if self.passed(generation) {
                return;
            }
            thread::yield_now();
        }
        // The lock guards no data: a poisoned one is as good as any.
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Announced before the last look at the generation, which the last arrival sets before it
        // looks for sleepers (both sequentially consistent): one of the two sees the other.
        self.sleepers.fetch_add(1, SeqCst);
        while !self.passed(generation) {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, SeqCst);
    }

    fn wake_sleepers(&self) {
        if self.sleepers.load(SeqCst) > 0 {
            let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.wake.notify_all();
        }
    }
}
