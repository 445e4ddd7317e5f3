//! What the machine can do, measured in the same run as the steps.

use std::time::{Duration, Instant};

use super::record::{LevelRoof, Roofs};
use crate::bench::calibrate::{bandwidth, barrier};
use crate::bench::rates::each;
use crate::bench::topology;
use crate::kernels::simd::isa::Isa;
use crate::kernels::simd::peak::{Precision, multiply_adds};
use crate::team::Team;

/// How long the peak is measured, and each of its measurements. Of each worker the best counts, for whatever
/// else happens on a machine only slows down; a few of these are undisturbed where all workers together never are.
const PEAK_TIME: Duration = Duration::from_millis(60);
const PEAK_ONCE: Duration = Duration::from_millis(1);

/// Multiply-adds of each chain between two looks at the clock.
const ROUND: usize = 10_000;

/// A working set of so many times a cache still comes from it for a good part, so that the roof of the next
/// level would be too low.
const SLACK: usize = 2;

/// Measures the peak, the bandwidths of all levels and the barrier, in about a second; `progress` is told
/// what is being measured.
pub fn measure(team: &Team, progress: &mut dyn FnMut(&str)) -> Roofs {
    progress("multiply-add peak");
    let flops_per_second = peak_of(team);
    let topology = topology::current();
    let shares = bandwidth::shares(&topology, team.threads());
    let level = |found: crate::bench::record::Bandwidth| LevelRoof {
        capacity: shares.iter().find(|share| share.name == found.level).map_or(0, |share| share.bytes),
        bytes_per_second: found.read.max(found.write).max(found.triad),
        name: found.level,
    };
    let levels = bandwidth::measure(&topology, team, progress).into_iter().map(level).collect();
    let barrier_seconds = if team.threads() > 1 { barrier::measure(team) * 1e-9 } else { 0.0 };
    Roofs { instruction_set: Isa::current().name().into(), flops_per_second, levels, barrier_seconds }
}

/// The multiply-add peak of a team: the sum of those of its workers, while all of them are at it.
pub fn peak_of(team: &Team) -> f64 {
    let own = each(team, |worker| {
        worker.barrier();
        let (begun, mut best) = (Instant::now(), 0.0f64);
        while begun.elapsed() < PEAK_TIME {
            let (once, mut flops) = (Instant::now(), 0);
            while once.elapsed() < PEAK_ONCE {
                flops += multiply_adds(Isa::current(), Precision::F32, ROUND).flops;
            }
            best = best.max(flops as f64 / once.elapsed().as_secs_f64());
        }
        best
    });
    own.iter().sum()
}

/// The level that a working set of one worker lives in; none if no level is known.
pub fn level_of(levels: &[LevelRoof], working_set: usize) -> Option<usize> {
    let holds = |level: &LevelRoof| level.capacity == 0 || working_set <= SLACK * level.capacity;
    levels.iter().position(holds).or(levels.len().checked_sub(1))
}

/// Seconds that some work takes all workers together at the least, and what bounds it: "compute", or the name
/// of the level whose `bytes` take longest; "none" where there is nothing to do. `bytes` are those of each
/// level.
pub fn bound(roofs: &Roofs, flops: f64, bytes: &[f64]) -> (f64, String) {
    let compute = (if flops > 0.0 { flops / roofs.flops_per_second } else { 0.0 }, "compute");
    let moved = roofs.levels.iter().zip(bytes).filter(|(_, bytes)| **bytes > 0.0);
    let times = moved.map(|(level, bytes)| (bytes / level.bytes_per_second, level.name.as_str()));
    let longest = times.fold(compute, |longest, time| if time.0 > longest.0 { time } else { longest });
    match longest {
        (seconds, name) if seconds > 0.0 && seconds.is_finite() => (seconds, name.into()),
        _ => (0.0, "none".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roofs() -> Roofs {
        let level = |name: &str, capacity, bytes_per_second| LevelRoof {
            name: name.into(),
            capacity,
            bytes_per_second,
        };
        Roofs {
            instruction_set: "baseline".into(),
            flops_per_second: 100.0,
            levels: vec![level("L1", 1000, 50.0), level("L2", 5000, 20.0), level("DRAM", 0, 5.0)],
            barrier_seconds: 0.0,
        }
    }

    #[test]
    fn a_working_set_lives_in_the_first_level_that_holds_it() {
        let levels = roofs().levels;
        let found = [0, 2000, 2001, 10_000, 10_001, usize::MAX].map(|bytes| level_of(&levels, bytes));
        assert_eq!(found, [0, 0, 1, 1, 2, 2].map(Some));
        assert_eq!(level_of(&levels[..2], usize::MAX), Some(1), "the memory could not be measured");
        assert_eq!(level_of(&[], 1), None);
    }

    #[test]
    fn the_roof_is_what_takes_longest() {
        let roofs = roofs();
        assert_eq!(bound(&roofs, 200.0, &[0.0, 0.0, 0.0]), (2.0, "compute".into()));
        assert_eq!(bound(&roofs, 200.0, &[150.0, 0.0, 0.0]), (3.0, "L1".into()));
        assert_eq!(bound(&roofs, 200.0, &[150.0, 80.0, 15.0]), (4.0, "L2".into()));
        assert_eq!(bound(&roofs, 0.0, &[0.0; 3]), (0.0, "none".into()));
        let unmeasured = Roofs { flops_per_second: 0.0, levels: Vec::new(), ..roofs };
        assert_eq!(bound(&unmeasured, 5.0, &[]), (0.0, "none".into()));
    }

    #[test]
    fn any_team_has_roofs() {
        let roofs = measure(&Team::new(2).unwrap(), &mut |_| ());
        assert!(roofs.flops_per_second > 0.0 && roofs.barrier_seconds > 0.0);
        assert_eq!(roofs.levels.last().map(|level| level.name.as_str()), Some("DRAM"));
        assert!(roofs.levels.iter().all(|level| level.bytes_per_second > 0.0), "{roofs:?}");
    }
}
