//! How long a processor takes to see what another has written: two threads, each kept on its
//! processor, throw a number to and fro.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::bench::record::Latency;
use crate::{stats, team};

/// The pairs of at most so many processors are measured.
const PROCESSORS: usize = 8;

/// Trips to and fro in one round.
const TRIPS: u64 = 500;

/// Rounds of a pair; their median counts.
const ROUNDS: usize = 31;

/// No further rounds are made after this: on a busy machine one takes as long as the system lets others run.
const TIME: Duration = Duration::from_millis(200);

/// The number that ends a measurement.
const END: u64 = u64::MAX;

/// A number alone on its cache lines: processors fetch them in pairs.
#[repr(align(128))]
struct Ball(AtomicU64);

/// The latencies between these processors, or some of them if they are many. None where threads
/// cannot be started or kept on a processor.
pub fn measure(allowed: &[usize], progress: &mut dyn FnMut(&str)) -> Vec<Latency> {
    let some = spread(allowed, PROCESSORS);
    let mut found = Vec::new();
    for (index, &from) in some.iter().enumerate() {
        for &to in &some[index + 1..] {
            progress(&format!("latency between processors {from} and {to}"));
            if let Some(nanoseconds) = between(from, to) {
                found.push(Latency { from, to, nanoseconds });
            }
        }
    }
    found
}

/// At most `count` of the values `[n]`, the first and the last among them.
fn spread(values: &[usize], count: usize) -> Vec<usize> {
    if values.len() <= count {
        return values.to_vec();
    }
    (0..count).map(|index| values[index * (values.len() - 1) / (count - 1)]).collect()
}

/// The latency of one way between two processors, in nanoseconds.
fn between(from: usize, to: usize) -> Option<f64> {
    let (ball, pinned, start) = (Ball(AtomicU64::new(0)), AtomicUsize::new(0), Barrier::new(2));
    // Pins a thread; returns whether both threads are on their processors.
    let stand = |processor| {
        pinned.fetch_add(usize::from(team::pin(processor)), Relaxed);
        start.wait();
        pinned.load(Relaxed) == 2
    };
    std::thread::scope(|scope| {
        let serves = || stand(from).then(|| serve(&ball.0));
        let server = Builder::new().spawn_scoped(scope, serves).ok()?;
        let answers = || stand(to).then(|| answer(&ball.0));
        if Builder::new().spawn_scoped(scope, answers).is_err() {
            // If the system starts no second thread, the first one must not wait for it.
            start.wait();
        }
        server.join().unwrap_or_default()
    })
}

/// Throws odd numbers and waits for the even ones that answer them.
fn serve(ball: &AtomicU64) -> f64 {
    let begun = Instant::now();
    let mut times = Vec::with_capacity(ROUNDS);
    let mut next = 1;
    while times.len() < ROUNDS && (times.is_empty() || begun.elapsed() < TIME) {
        let round = Instant::now();
        for _ in 0..TRIPS {
            ball.store(next, Release);
            while ball.load(Acquire) != next + 1 {}
            next += 2;
        }
        times.push(round.elapsed().as_secs_f64() * 1e9 / (2 * TRIPS) as f64);
    }
    ball.store(END, Release);
    stats::median(&times)
}

fn answer(ball: &AtomicU64) {
    let mut next = 1;
    loop {
        match ball.load(Acquire) {
            END => return,
            thrown if thrown == next => {
                ball.store(next + 1, Release);
                next += 2;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_processors_are_thinned_out() {
        let all: Vec<usize> = (0..64).collect();
        assert_eq!(spread(&all, 8), [0, 9, 18, 27, 36, 45, 54, 63]);
        assert_eq!(spread(&all[..8], 8), &all[..8]);
        assert!(spread(&[], 8).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn every_pair_has_a_latency_and_processors_that_are_not_there_have_none() {
        let allowed = crate::bench::topology::current().allowed;
        let found = measure(&allowed, &mut |_| {});
        let count = allowed.len().min(PROCESSORS);
        assert_eq!(found.len(), count * (count - 1) / 2);
        assert!(found.iter().all(|latency| latency.from < latency.to && latency.nanoseconds > 0.0));
        assert_eq!(between(allowed[0], 1 << 20), None);
    }
}
