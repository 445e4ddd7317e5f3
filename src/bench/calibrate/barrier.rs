//! The cost of a barrier.

use std::time::Duration;

use crate::bench::rates::{Rounds, best, rates};
use crate::team::Team;

/// Barriers in one round.
const BARRIERS: usize = 50;

/// Rounds; the best counts, in which no worker was kept from arriving.
const ROUNDS: usize = 200;

/// No further rounds are made after this: threads that share a processor meet a thousand times more slowly.
const BUDGET: Duration = Duration::from_millis(200);

/// Nanoseconds of one barrier of the team, when all arrive together.
pub fn measure(team: &Team) -> f64 {
    let rounds = Rounds { most: ROUNDS, budget: BUDGET, time: Duration::ZERO };
    let barriers = rates(
        team,
        rounds,
        || (),
        |worker, ()| {
            for _ in 0..BARRIERS {
                worker.barrier();
            }
            BARRIERS
        },
    );
    // Each worker has counted every barrier.
    1e9 * team.threads() as f64 / best(&barriers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_team_has_a_barrier_that_takes_time() {
        for threads in [1, 2, 5] {
            let nanoseconds = measure(&Team::new(threads).unwrap());
            assert!(nanoseconds.is_finite() && nanoseconds > 0.0);
        }
    }
}
