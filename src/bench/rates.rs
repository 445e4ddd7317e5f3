//! The rate of a team, all workers at the same time.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::team::{Team, Worker};

/// The results of `measure` on each worker, in the order in which they end.
pub fn each<T: Send>(team: &Team, measure: impl Fn(&Worker) -> T + Sync) -> Vec<T> {
    let found = Mutex::new(Vec::with_capacity(team.threads()));
    team.run(
        |worker| {
            let measured = measure(worker);
            found.lock().unwrap_or_else(PoisonError::into_inner).push(measured);
        },
        None,
    );
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The limits of a measurement of rates.
#[derive(Clone, Copy)]
pub struct Rounds {
    /// The most measurements...
    pub most: usize,
    /// ...and no further one after this, but always one: many threads on few cores take long.
    pub budget: Duration,
    /// The time of one measurement: each worker works until it is over.
    pub time: Duration,
}

/// The work of one worker in one measurement.
#[derive(Clone, Copy)]
struct Span {
    done: usize,
    begun: Instant,
    ended: Instant,
}

/// The rate of all workers together in each round, in work a second. `prepare` is called once on each
/// worker; `work` returns how much it did.
pub fn rates<S>(
    team: &Team,
    rounds: Rounds,
    prepare: impl Fn() -> S + Sync,
    work: impl Fn(&Worker, &mut S) -> usize + Sync,
) -> Vec<f64> {
    let go_on = AtomicBool::new(true);
    let measured = each(team, |worker| {
        let mut prepared = prepare();
        let mut spans = Vec::with_capacity(rounds.most);
        worker.barrier();
        let start = Instant::now();
        loop {
            spans.push(span(rounds.time, || work(worker, &mut prepared)));
            if worker.index() == 0 {
                go_on.store(spans.len() < rounds.most && start.elapsed() < rounds.budget, Relaxed);
            }
            // Either all continue or none does; and no worker decides anew before all have seen it.
            worker.barrier();
            let on = go_on.load(Relaxed);
            worker.barrier();
            if !on {
                return spans;
            }
        }
    });
    let count = measured.first().map_or(0, Vec::len);
    let round = |round: usize| together(&measured.iter().map(|spans| spans[round]).collect::<Vec<_>>());
    (0..count).map(round).collect()
}

fn span(time: Duration, mut work: impl FnMut() -> usize) -> Span {
    let begun = Instant::now();
    let mut done = 0;
    loop {
        done += work();
        let ended = Instant::now();
        if ended - begun >= time {
            return Span { done, begun, ended };
        }
    }
}

/// The rate of all work, in the time from the first beginning to the last end. The sum of the workers'
/// own rates would be more than the machine can do, where they take turns on a processor.
fn together(spans: &[Span]) -> f64 {
    let done: usize = spans.iter().map(|span| span.done).sum();
    let begun = spans.iter().map(|span| span.begun).min();
    let ended = spans.iter().map(|span| span.ended).max();
    let seconds = begun.zip(ended).map_or(0.0, |(begun, ended)| (ended - begun).as_secs_f64());
    if seconds > 0.0 { done as f64 / seconds } else { 0.0 }
}

/// The largest of some rates `[n]`, 0 of none.
pub fn best(rates: &[f64]) -> f64 {
    rates.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_take_turns_are_not_twice_as_fast() {
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        let span = |done, begun, ended| Span { done, begun: at(begun), ended: at(ended) };
        assert_eq!(together(&[span(5, 0, 10), span(7, 0, 10)]), 1200.0);
        assert_eq!(together(&[span(5, 0, 10), span(5, 10, 20)]), 500.0);
        assert_eq!(together(&[]), 0.0);
    }

    #[test]
    fn rounds_end_in_number_and_in_time() {
        let team = Team::new(3).unwrap();
        let count = |most, budget| {
            let rounds = Rounds { most, budget, time: Duration::ZERO };
            // Each worker's work grows from round to round.
            let rates = rates(
                &team,
                rounds,
                || 0,
                |_, calls| {
                    *calls += 1;
                    *calls
                },
            );
            assert!(rates.iter().all(|&rate| rate > 0.0));
            rates.len()
        };
        assert_eq!((count(4, Duration::MAX), count(4, Duration::ZERO)), (4, 1));
    }
}
