//! What this machine can do: the numbers that every fraction is a fraction of.

pub(super) mod bandwidth;
pub(super) mod barrier;
mod cache;
mod conditions;
mod latency;

use std::time::{Duration, Instant};

pub use cache::{cached_at, fingerprint, load, load_cached, store};

use super::record::{Barrier, CALIBRATION_SCHEMA, Calibration, Peak};
use super::{peak, rates::best, topology};
use crate::Result;
use crate::kernels::simd::isa::Isa;
use crate::kernels::simd::peak::{Precision, available};
use crate::team::Team;
use crate::train::machine::Machine;
use conditions::{Conditions, Work};

/// One measurement of a peak: so short that on a busy machine some are undisturbed.
const PEAK_TIME: Duration = Duration::from_millis(5);

/// Measurements of each peak, one of each kind at a time; the best counts, because whatever else
/// happens on a machine only slows down.
const PEAK_REPEATS: usize = 20;

/// No further measurements of all kinds after this.
const PEAK_BUDGET: Duration = Duration::from_millis(500);

/// Up to so many threads, each number of them is measured; then every doubling.
const EACH_THREAD: usize = 8;

/// Measures peaks, bandwidths, latencies and barriers on up to `threads` threads, and what makes
/// them doubtful. It takes some ten seconds; `progress` is told what is being measured.
///
/// # Errors
/// As [`Team::new`].
pub fn run(threads: usize, progress: &mut dyn FnMut(&str)) -> Result<Calibration> {
    let begun = Instant::now();
    let (machine, topology) = (Machine::current(), topology::current());
    // The last first: a number that is refused shall be so at once.
    let full = Team::new(threads)?;
    let before = Work::now();

    progress("clock, for gaps");
    let gaps = conditions::gaps(&full);
    progress("sustained multiply-adds");
    let sustained = conditions::sustained(&full);

    let (mut peaks, mut barriers) = (Vec::new(), Vec::new());
    let mut spread = 0.0;
    for count in thread_counts(threads) {
        let part = if count == threads { None } else { Some(Team::new(count)?) };
        let team = part.as_ref().unwrap_or(&full);
        progress(&format!("multiply-add peaks, {count} threads"));
        for (peak, runs) in measure_peaks(team) {
            if count == threads && is_own(&peak) {
                spread = conditions::spread(&runs);
            }
            peaks.push(peak);
        }
        if count > 1 {
            progress(&format!("barrier, {count} threads"));
            barriers.push(Barrier { threads: count, nanoseconds: barrier::measure(team) });
        }
    }
    // A longer look at the same thing.
    if let Some(peak) = peaks.iter_mut().find(|peak| peak.threads == threads && is_own(peak)) {
        peak.flops_per_second = peak.flops_per_second.max(best(&sustained));
    }

    let mut bandwidths = bandwidth::measure(&topology, &Team::new(1)?, progress);
    if threads > 1 {
        bandwidths.extend(bandwidth::measure(&topology, &full, progress));
    }
    let latencies = latency::measure(&topology.allowed, progress);

    let conditions = Conditions {
        threads,
        cores: machine.cores,
        quota: topology.quota,
        governor: topology.governor.clone(),
        gaps,
        spread,
        sustained,
        work: before.zip(Work::now()).and_then(|(before, after)| after.since(before, topology.processors)),
    };
    Ok(Calibration {
        schema: CALIBRATION_SCHEMA.into(),
        fingerprint: fingerprint(&machine, &topology),
        machine,
        topology,
        peaks,
        bandwidths,
        latencies,
        barriers,
        warnings: conditions.warnings(),
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// Whether this is what the program itself computes with.
fn is_own(peak: &Peak) -> bool {
    peak.instruction_set == Isa::current().name() && peak.precision == Precision::F32.name()
}

/// 1, 2, ... and then every doubling, and `threads`.
fn thread_counts(threads: usize) -> Vec<usize> {
    let doublings = std::iter::successors(Some(2 * EACH_THREAD), |&count| Some(2 * count));
    let counts = (1..=EACH_THREAD).chain(doublings);
    counts.take_while(|&count| count < threads).chain([threads]).collect()
}

/// All peaks on this team, each with its measurements, interleaved.
fn measure_peaks(team: &Team) -> Vec<(Peak, Vec<f64>)> {
    let kinds = available();
    let mut runs = vec![Vec::with_capacity(PEAK_REPEATS); kinds.len()];
    let begun = Instant::now();
    for repeat in 0..PEAK_REPEATS {
        if repeat > 0 && begun.elapsed() > PEAK_BUDGET {
            break;
        }
        for (&(isa, precision), runs) in kinds.iter().zip(&mut runs) {
            runs.push(peak::flops_per_second_of(team, isa, precision, PEAK_TIME));
        }
    }
    let peak = |(isa, precision): (Isa, Precision), runs: &[f64]| Peak {
        instruction_set: isa.name().into(),
        precision: precision.name().into(),
        threads: team.threads(),
        flops_per_second: best(runs),
    };
    kinds.into_iter().zip(runs).map(|(kind, runs)| (peak(kind, &runs), runs)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thread_counts_end_with_all() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(3), [1, 2, 3]);
        assert_eq!(thread_counts(8), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(thread_counts(40), [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 40]);
        assert_eq!(thread_counts(1024).len(), 15);
    }
}
