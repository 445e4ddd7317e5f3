//! What each worker reached, added up.

use std::sync::{Mutex, PoisonError};

use crate::team::{Team, Worker};

/// The sum over all workers of what `rate` gives.
pub fn sum(team: &Team, rate: impl Fn(&Worker) -> f64 + Sync) -> f64 {
    each(team, rate).iter().sum()
}

/// What `measure` gives on each worker, in the order in which they end.
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
