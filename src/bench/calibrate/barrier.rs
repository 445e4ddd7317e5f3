//! What it costs that all workers meet.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::bench::rates;
use crate::stats;
use crate::team::{Team, Worker};

/// Barriers in one round.
const BARRIERS: usize = 200;

/// Rounds; the best counts, in which no worker was kept from arriving.
const ROUNDS: usize = 51;

/// No further rounds after this: threads that share a processor meet a thousand times more slowly.
const TIME: Duration = Duration::from_millis(200);

/// Nanoseconds of one barrier of the team, when all arrive together.
pub fn measure(team: &Team) -> f64 {
    let go_on = AtomicBool::new(true);
    let bests = rates::each(team, |worker| one(worker, &go_on));
    // All have seen the same barriers.
    stats::median(&bests)
}

fn one(worker: &Worker, go_on: &AtomicBool) -> f64 {
    let begun = Instant::now();
    let (mut best, mut rounds) = (f64::INFINITY, 0);
    loop {
        worker.barrier();
        let round = Instant::now();
        for _ in 0..BARRIERS {
            worker.barrier();
        }
        best = best.min(round.elapsed().as_secs_f64() * 1e9 / BARRIERS as f64);
        rounds += 1;
        if worker.index() == 0 {
            go_on.store(rounds < ROUNDS && begun.elapsed() < TIME, Relaxed);
        }
        // All go on, or none does.
        worker.barrier();
        if !go_on.load(Relaxed) {
            return best;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_team_has_a_barrier_that_takes_time() {
        for threads in [1, 2, 5] {
            assert!(measure(&Team::new(threads).unwrap()) > 0.0);
        }
    }
}
