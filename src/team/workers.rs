//! The workers of a team.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use super::barrier::Barrier;
use super::counters::Counters;
use crate::probe::{self, Cost, Operation, Probe, Probes, Table, Turns};
use crate::team::{barrier, clock, denormals, system};
use crate::{Error, Result};

/// The most workers; more are surely a slip of the keyboard.
pub const MAX_THREADS: usize = 1024;

/// Dedicated threads that run training together.
pub struct Team {
    pool: rayon::ThreadPool,
    threads: usize,
    /// How often a worker polls a barrier.
    spins: usize,
}

impl Team {
    /// A team of `threads` workers, with denormals flushed to zero on each.
    ///
    /// # Errors
    /// If `threads` is 0 or above [`MAX_THREADS`], or the system refuses that many threads.
    pub fn new(threads: usize) -> Result<Team> {
        if threads == 0 || threads > MAX_THREADS {
            return Err(Error::Setting {
                place: "team".into(),
                key: "threads".into(),
                expected: format!("1 to {MAX_THREADS}"),
                found: threads.to_string(),
            });
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("fallline-{index}"))
            .start_handler(|_| denormals::flush_to_zero())
            .build()
            .map_err(|error| refused(&threads.to_string(), &error))?;
        Ok(Team { pool, threads, spins: barrier::spins(threads) })
    }

    /// How many workers there are.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `work` once on every worker, at the same time, and returns when all have ended.
    /// The results of the probes are added to `probes` if it is given.
    ///
    /// # Panics
    /// With the panic of the first worker that panics; the others are released from their barriers.
    pub fn run(&self, work: impl Fn(&Worker) + Sync, probes: Option<&mut Probes>) {
        let barrier = Barrier::new(self.threads, self.spins);
        let mut probes = probes;
        let (clock, most_calls, turns) =
            probes.as_ref().map_or((None, 0, Turns::ALL), |p| (Some(p.now), p.most_calls, p.turns));
        let counts = probes.as_ref().is_some_and(|probes| probes.counts);
        let mut before = probes.as_mut().map(|probes| std::mem::take(&mut probes.tables));
        before.iter_mut().for_each(|tables| tables.resize_with(self.threads, Table::default));
        let before = Mutex::new(before);
        let outcomes = self.pool.broadcast(|context| {
            let index = context.index();
            let table = match &mut *before.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(tables) => std::mem::take(&mut tables[index]),
                None => Table::default(),
            };
            let worker = Worker {
                index,
                count: self.threads,
                phase: Cell::new(0),
                barrier: &barrier,
                clock,
                turns,
                now: Cell::new(None),
                probe: RefCell::new(Probe::new(clock.unwrap_or(clock::ticks), most_calls, table)),
                nested: Cell::default(),
                ended: Cell::default(),
                counts,
                counters: RefCell::new(None),
                nested_counts: Cell::default(),
            };
            if counts {
                match Counters::open() {
                    Ok(counters) => *worker.counters.borrow_mut() = Some(counters),
                    Err(reason) => worker.probe.borrow_mut().cannot_count(reason),
                }
            }
            let begun = clock.and_then(|_| system::time_of_thread());
            let outcome = catch_unwind(AssertUnwindSafe(|| work(&worker)));
            if outcome.is_err() {
                barrier.poison();
            }
            let ended = clock.and_then(|_| system::time_of_thread());
            outcome.map(|()| {
                let mut table = worker.probe.into_inner().into_table();
                if let Some((begun, ended)) = begun.zip(ended) {
                    let sum = table.system.get_or_insert_default();
                    sum.taken += ended.taken.saturating_sub(begun.taken);
                    sum.switches += ended.switches.saturating_sub(begun.switches);
                }
                table
            })
        });
        let mut tables = Vec::with_capacity(outcomes.len());
        let mut panics = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(table) => tables.push(table),
                Err(panic) => panics.push(panic),
            }
        }
        // A worker released from a poisoned barrier panics too; report the one that began it.
        let cause = panics.iter().position(|panic| !panic.is::<barrier::Released>()).unwrap_or(0);
        if !panics.is_empty() {
            resume_unwind(panics.swap_remove(cause));
        }
        if let Some(probes) = probes {
            probes.tables = tables;
        }
    }
}

/// The error for threads that the system does not start, with the system's reason.
pub(super) fn refused(wanted: &str, error: &rayon::ThreadPoolBuildError) -> Error {
    // The words of the system are those of the cause, where there is one.
    let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    not_started(wanted, &reason)
}

/// The error for threads that the system does not start, for this reason.
pub(crate) fn not_started(wanted: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Mismatch {
        what: "threads to start".into(),
        expected: wanted.into(),
        found: format!(
            "a refusal of the system ({reason}), whose limits are `ulimit -u` and, for their stacks, `ulimit -v`"
        ),
    }
}

/// One worker inside [`Team::run`].
pub struct Worker<'a> {
    index: usize,
    count: usize,
    /// How many barriers this worker has passed: the clock of the race detector, in debug builds.
    phase: Cell<u64>,
    barrier: &'a Barrier,
    /// The clock of the probes, if there are some.
    clock: Option<fn() -> u64>,
    turns: Turns,
    /// The clock while the probes are on.
    now: Cell<Option<fn() -> u64>>,
    probe: RefCell<Probe>,
    /// Ticks and flops of the probes inside the one that is running.
    nested: Cell<[u64; 2]>,
    /// When the last probe, or barrier, ended.
    ended: Cell<u64>,
    /// Whether hardware counters are asked for.
    counts: bool,
    /// Hardware counters, where they are asked for.
    counters: RefCell<Option<Counters>>,
    nested_counts: Cell<[u64; 3]>,
}

/// The share of worker `index` among `count` in `0..items`.
pub(crate) fn share(items: usize, index: usize, count: usize) -> Range<usize> {
    let cut = |worker: usize| (items as u128 * worker as u128 / count as u128) as usize;
    cut(index)..cut(index + 1)
}

impl Worker<'_> {
    /// This worker's number, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.count
    }

    #[cfg(debug_assertions)]
    pub(crate) fn phase(&self) -> u64 {
        self.phase.get()
    }

    /// Waits until every worker has come here. All writes before it are seen by all workers after it.
    pub fn barrier(&self) {
        let begun = self.now.get().map(|now| now());
        let is_last = self.barrier.wait();
        self.phase.set(self.phase.get() + 1);
        if let (Some(begun), Some(now)) = (begun, self.now.get()) {
            self.ended.set(now());
            self.probe.borrow_mut().passed(begun, self.ended.get(), is_last);
        }
    }

    /// This worker's consecutive share of `0..items`. Nothing computed may depend on where the
    /// shares are cut.
    pub fn share(&self, items: usize) -> Range<usize> {
        share(items, self.index, self.count)
    }

    /// Runs `work` and, if probes are on, times it as an operation of a layer; `cost` is its cost by its
    /// definition. Probes inside it are not part of its time.
    #[inline]
    pub fn probe<R>(
        &self,
        operation: Operation,
        layer: Option<usize>,
        cost: impl FnOnce() -> Cost,
        work: impl FnOnce() -> R,
    ) -> R {
        let Some(now) = self.now.get() else { return work() };
        self.probe_since(now(), operation, layer, cost, work)
    }

    /// [`probe`](Worker::probe) of a call that follows another with nothing between them but a loop: it begins when
    /// that has ended, which spares a look at the clock, some 26 ns on a virtual machine.
    #[inline]
    pub fn probe_next<R>(
        &self,
        operation: Operation,
        layer: Option<usize>,
        cost: impl FnOnce() -> Cost,
        work: impl FnOnce() -> R,
    ) -> R {
        if self.now.get().is_none() {
            return work();
        }
        self.probe_since(self.ended.get(), operation, layer, cost, work)
    }

    #[inline]
    fn probe_since<R>(
        &self,
        begun: u64,
        operation: Operation,
        layer: Option<usize>,
        cost: impl FnOnce() -> Cost,
        work: impl FnOnce() -> R,
    ) -> R {
        let counting = if self.counts { self.begin_counting() } else { None };
        let (outer, flops) = (self.nested.replace([0; 2]), probe::counted_flops());
        let result = work();
        probe::delay(operation, layer);
        let ended = self.now.get().map_or(begun, |now| now());
        self.ended.set(ended);
        let all = [ended.saturating_sub(begun), probe::counted_flops().wrapping_sub(flops)];
        let inner = self.nested.get();
        let own = [0, 1].map(|i| all[i].saturating_sub(inner[i]));
        self.nested.set([0, 1].map(|i| outer[i] + all[i]));
        self.probe.borrow_mut().record(operation, layer, cost, [begun, ended], own);
        if let Some(counting) = counting {
            self.end_counting(operation, layer, counting);
        }
        result
    }

    /// The counts so far, of this thread and of the probes inside the one around; none if nothing is counted.
    #[inline]
    fn begin_counting(&self) -> Option<[[u64; 3]; 2]> {
        let mut counters = self.counters.borrow_mut();
        counters.as_mut().map(|counters| [counters.read(), self.nested_counts.replace([0; 3])])
    }

    /// Adds the counts since then to a site, without those of the probes inside.
    #[cold]
    fn end_counting(&self, operation: Operation, layer: Option<usize>, [first, outer]: [[u64; 3]; 2]) {
        let Some(last) = self.counters.borrow_mut().as_mut().map(Counters::read) else { return };
        let (all, inner) = ([0, 1, 2].map(|i| last[i].saturating_sub(first[i])), self.nested_counts.get());
        let own = [0, 1, 2].map(|i| all[i].saturating_sub(inner[i]));
        self.nested_counts.set([0, 1, 2].map(|i| outer[i] + all[i]));
        self.probe.borrow_mut().count(operation, layer, own);
    }

    /// Tells the probes that the step of this number begins, counted from 0 in a run. Steps of the same `kind`, if that
    /// is known, have the same costs, such as those of as many samples.
    pub fn begin_step(&self, number: u64, kind: Option<u64>) {
        if let Some(clock) = self.clock {
            let turn = self.turns.at(number);
            self.now.set((turn == Some(true)).then_some(clock));
            let begun = self.probe.borrow_mut().begin_step(number, turn, kind);
            self.ended.set(begun);
        }
    }

    /// [`begin_step`](Worker::begin_step) for a step that began at this tick with work of one thread alone,
    /// before the workers come together: worker 0 counts it as this operation, the others as waiting.
    pub fn begin_step_alone(&self, number: u64, begun: Option<u64>, operation: Operation) {
        self.begin_step(number, None);
        if let (Some(begun), Some(clock)) = (begun, self.clock) {
            self.probe.borrow_mut().begun_before(
                begun,
                clock(),
                if self.index == 0 { operation } else { Operation::Barrier },
            );
        }
    }

    /// Tells the probes that the step has ended.
    pub fn end_step(&self) {
        if self.clock.is_some() {
            self.now.set(None);
            self.probe.borrow_mut().end_step();
        }
    }
}
