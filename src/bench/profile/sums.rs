//! The sums of the tables of all workers, in seconds of a step.

use std::collections::BTreeMap;

use crate::probe::{Operation, STREAMS, Table};
use crate::stats::{median, median_interval, quantile};

/// Steps of a slice with or without probes. Two slices that follow each other are one of each kind.
pub const SLICE: u64 = 2;

/// A step that takes so many times the median was disturbed by something else.
const DISTURBED: f64 = 1.25;

/// The sums over steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Probed steps, and how many of those whose own times are known were disturbed; times are without these.
    pub steps: u64,
    pub disturbed: usize,
    /// Seconds of a probed step, and of one without probes, the means over the workers.
    pub step_seconds: f64,
    pub plain_step_seconds: f64,
    /// The cost of the probes.
    pub overhead: Overhead,
    /// Seconds of a step that no probe covers, of each worker.
    pub uncovered: Vec<f64>,
    pub sites: Vec<SiteSum>,
}

/// The cost of the probes, as a part of a step without them: the median over pairs of slices that followed each
/// other, so that whatever the machine went through met both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Overhead {
    pub median: f64,
    /// The 95 % interval of the median, if there were enough pairs.
    pub interval: Option<(f64, f64)>,
}

impl Overhead {
    /// The overhead by the duration of each step, in their order, and whether it was probed.
    fn of(steps: &[(f64, bool)]) -> Overhead {
        let ratio = |pair: &[(f64, bool)]| {
            let mean = |kind: bool| {
                let of_kind = || pair.iter().filter(|step| step.1 == kind).map(|step| step.0);
                of_kind().sum::<f64>() / of_kind().count() as f64
            };
            // The mean is NaN if the last pair lacks one kind.
            Some(mean(true) / mean(false) - 1.0).filter(|ratio| ratio.is_finite())
        };
        let ratios: Vec<f64> = steps.chunks(2 * SLICE as usize).filter_map(ratio).collect();
        Overhead { median: median(&ratios), interval: median_interval(&ratios) }
    }
}

/// A call site of all workers. Amounts are of all workers together.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteSum {
    pub operation: Operation,
    pub layer: Option<usize>,
    pub calls: f64,
    /// Seconds of a step for each worker.
    pub seconds: Vec<f64>,
    /// The median over the steps, of the mean over the workers.
    pub median_seconds: f64,
    pub flops: f64,
    pub nominal_flops: f64,
    /// Bytes, and the largest working set, of each kind of traffic.
    pub streams: [(f64, usize); STREAMS],
}

impl Sums {
    /// The sums of one table of each worker; all have seen the same steps.
    pub fn of(tables: &[Table], seconds_per_tick: f64) -> Sums {
        let workers = tables.len();
        let Some(first) = tables.first() else { return Sums::default() };
        let mean = |of: &dyn Fn(&Table) -> u64| {
            tables.iter().map(of).sum::<u64>() as f64 * seconds_per_tick / workers as f64
        };
        let known = tables.iter().map(|table| table.steps.len()).min().unwrap_or(0);
        let durations: Vec<f64> = (0..known).map(|step| mean(&|table| duration(table, step))).collect();
        let kinds: Vec<(f64, bool)> =
            durations.iter().zip(&first.steps).map(|(&duration, step)| (duration, step.is_probed)).collect();
        let of_kind = |is_probed: bool| -> Vec<usize> {
            (0..known).filter(|&step| first.steps[step].is_probed == is_probed).collect()
        };
        let (probed, plain) = (of_kind(true), of_kind(false));
        let undisturbed = |steps: &[usize]| -> Vec<usize> {
            let middle = median(&steps.iter().map(|&step| durations[step]).collect::<Vec<_>>());
            steps.iter().copied().filter(|&step| durations[step] <= DISTURBED * middle).collect()
        };
        let (kept, kept_plain) = (undisturbed(&probed), undisturbed(&plain));
        let mean_of = |steps: &[usize]| {
            steps.iter().map(|&step| durations[step]).sum::<f64>() / (steps.len().max(1)) as f64
        };
        let scale = seconds_per_tick / kept.len().max(1) as f64;
        let steps = first.steps_seen[1];
        let mut keys: BTreeMap<(Option<usize>, Operation), Vec<Option<usize>>> = BTreeMap::new();
        for (worker, table) in tables.iter().enumerate() {
            for (index, site) in table.sites.iter().enumerate() {
                let places = keys.entry((site.layer, site.operation)).or_insert_with(|| vec![None; workers]);
                places[worker] = Some(index);
            }
        }
        let site = |((layer, operation), places): ((Option<usize>, Operation), Vec<Option<usize>>)| {
            let ticks = |step: usize| {
                let of_worker = |(table, place): (&Table, &Option<usize>)| {
                    place.map_or(0, |site| table.ticks_of(step, site))
                };
                tables.iter().zip(&places).map(of_worker).collect::<Vec<u64>>()
            };
            let mut seconds = vec![0.0; workers];
            let mut means = Vec::with_capacity(kept.len());
            for &step in &kept {
                let ticks = ticks(step);
                seconds.iter_mut().zip(&ticks).for_each(|(sum, &ticks)| *sum += ticks as f64 * scale);
                means.push(ticks.iter().sum::<u64>() as f64 * seconds_per_tick / workers as f64);
            }
            let mut sum = SiteSum {
                operation,
                layer,
                calls: 0.0,
                seconds,
                median_seconds: median(&means),
                flops: 0.0,
                nominal_flops: 0.0,
                streams: Default::default(),
            };
            for (table, place) in tables.iter().zip(&places) {
                let Some(site) = place.map(|place| &table.sites[place]) else { continue };
                let per_step = 1.0 / steps.max(1) as f64;
                sum.calls += site.calls as f64 * per_step;
                sum.flops += site.flops as f64 * per_step;
                sum.nominal_flops += site.nominal_flops * per_step;
                for ((bytes, working_set), stream) in sum.streams.iter_mut().zip(&site.streams) {
                    *bytes += stream.bytes as f64 * per_step;
                    *working_set = (*working_set).max(stream.working_set);
                }
            }
            sum
        };
        let sites: Vec<SiteSum> = keys.into_iter().map(site).collect();
        let uncovered = |(worker, table): (usize, &Table)| {
            let all: u64 = kept.iter().map(|&step| duration(table, step)).sum();
            let covered: f64 = sites.iter().map(|site| site.seconds[worker]).sum();
            (all as f64 * scale - covered).max(0.0)
        };
        let uncovered = tables.iter().enumerate().map(uncovered).collect();
        Sums {
            steps,
            disturbed: probed.len() - kept.len(),
            step_seconds: mean_of(&kept),
            plain_step_seconds: mean_of(&kept_plain),
            overhead: Overhead::of(&kinds),
            uncovered,
            sites,
        }
    }
}

/// Ticks of a step of one worker.
fn duration(table: &Table, step: usize) -> u64 {
    table.steps[step].ended.saturating_sub(table.steps[step].begun)
}

/// The probed step, of those whose calls are all kept, that is nearest to the median: its index
/// in each table's steps.
pub fn typical_step(tables: &[Table]) -> Option<usize> {
    let first = tables.first()?;
    let known = tables.iter().map(|table| table.steps.len()).min()?;
    // The last call that was kept may be of a step of which others were not.
    let kept_until = |table: &Table| match table.calls_left_out {
        0 => u64::MAX,
        _ => table.calls.last().map_or(0, |call| call.begun),
    };
    let is_whole = |step: &usize| tables.iter().all(|table| table.steps[*step].ended <= kept_until(table));
    let whole: Vec<usize> = (0..known).filter(|&step| first.steps[step].is_probed).filter(is_whole).collect();
    let durations: Vec<f64> = whole.iter().map(|&step| duration(first, step) as f64).collect();
    let middle = quantile(&durations, 0.5);
    let far = |&index: &usize| (durations[index] - middle).abs();
    (0..whole.len()).min_by(|a, b| far(a).total_cmp(&far(b))).map(|index| whole[index])
}

/// The ratio of two numbers; 0 if the whole is.
pub(super) fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Cost, Probe};

    /// Whether a step is probed, its call sites with their ticks, and the ticks beside them.
    type Made<'a> = (bool, &'a [(Operation, Option<usize>, u64)], u64);

    /// A worker with these steps: for each, the ticks that a site takes, and those beside it.
    pub fn worker(steps: &[Made]) -> Table {
        thread_local! { static TIME: std::cell::Cell<u64> = const { std::cell::Cell::new(0) } }
        fn now() -> u64 {
            TIME.with(|time| time.get())
        }
        let pass = |ticks: u64| TIME.with(|time| time.set(time.get() + ticks));
        let mut probe = Probe::new(now, 1000, Table::default());
        for (number, &(is_probed, sites, rest)) in steps.iter().enumerate() {
            probe.begin_step(number as u64, Some(is_probed), None);
            for &(operation, layer, ticks) in sites {
                let begun = now();
                pass(ticks);
                let cost = Cost { nominal_flops: 3.0, ..Cost::local(10 * ticks as usize) };
                if is_probed {
                    probe.record(operation, layer, || cost, [begun, now()], [ticks, 7]);
                }
            }
            pass(rest);
            probe.end_step();
        }
        probe.into_table()
    }

    const A: (Operation, Option<usize>) = (Operation::Forward, Some(0));
    const B: (Operation, Option<usize>) = (Operation::Loss, None);

    #[test]
    fn known_durations_come_back_exactly() {
        let at = |(operation, layer): (Operation, Option<usize>), ticks| (operation, layer, ticks);
        let one = worker(&[
            (true, &[at(A, 100), at(A, 20), at(B, 50)], 30),
            (false, &[at(A, 100), at(A, 20), at(B, 50)], 20),
            (true, &[at(A, 100), at(A, 20), at(B, 50)], 30),
            // A step in which something else ran.
            (true, &[at(A, 9100), at(A, 20), at(B, 50)], 30),
        ]);
        let other = worker(&[
            (true, &[at(A, 80)], 120),
            (false, &[at(A, 80)], 110),
            (true, &[at(A, 80)], 120),
            (true, &[at(A, 80)], 9120),
        ]);
        let sums = Sums::of(&[one.clone(), other.clone()], 0.5);
        assert_eq!((sums.steps, sums.disturbed), (3, 1));
        assert_eq!((sums.step_seconds, sums.plain_step_seconds), (100.0, 95.0));
        assert_eq!(sums.uncovered, [15.0, 60.0]);
        let [b, a] = &sums.sites[..] else { panic!("{sums:?}") };
        assert_eq!(((a.operation, a.layer), (b.operation, b.layer)), (A, B));
        assert_eq!((&a.seconds[..], a.median_seconds), (&[60.0, 40.0][..], 50.0));
        assert_eq!((&b.seconds[..], b.median_seconds), (&[25.0, 0.0][..], 12.5));
        assert_eq!((a.calls, a.flops, a.nominal_flops), (3.0, 21.0, 9.0));
        // The disturbed step moved bytes, too: traffic does not depend on the time.
        let a_bytes: usize = [2 * 120 + 9120, 3 * 80].iter().sum();
        assert_eq!(a.streams[0], (10.0 * a_bytes as f64 / 3.0, 91_000));
        let covered: f64 = sums.sites.iter().flat_map(|site| &site.seconds).sum();
        assert_eq!((covered + sums.uncovered.iter().sum::<f64>()) / 2.0, sums.step_seconds);
        assert_eq!(typical_step(&[one, other]), Some(0));
    }

    #[test]
    fn what_probes_cost_is_the_median_of_pairs() {
        let step = |is_probed, ticks| (is_probed, &[] as &[(Operation, Option<usize>, u64)], ticks);
        // The machine becomes slower and slower, once something else runs, and the last pair has one kind only.
        let mut steps = Vec::new();
        for pair in 0..8_u64 {
            let slow = if pair == 3 { 50_000 } else { 0 };
            let [with, without] = [(true, 1010 * (pair + 1) + slow), (false, 1000 * (pair + 1))];
            let order = if pair.is_multiple_of(2) { [with, without] } else { [without, with] };
            steps.extend(order.into_iter().flat_map(|kind| [kind; 2]));
        }
        steps.push((true, 1));
        let made: Vec<Made> = steps.into_iter().map(|(is_probed, ticks)| step(is_probed, ticks)).collect();
        let overhead = Sums::of(&[worker(&made)], 1e-9).overhead;
        assert!((overhead.median - 0.01).abs() < 1e-9, "{overhead:?}");
        let (low, high) = overhead.interval.unwrap();
        assert!((low - 0.01).abs() < 1e-9 && high > 1.0, "{overhead:?}");
        assert_eq!(Sums::of(&[worker(&made[..8])], 1e-9).overhead.interval, None);
    }

    #[test]
    fn of_nothing_there_is_nothing() {
        assert_eq!(Sums::of(&[], 1.0), Sums::default());
        let sums = Sums::of(&[Table::default()], 1.0);
        assert_eq!((sums.step_seconds, sums.sites.len()), (0.0, 0));
        assert_eq!((typical_step(&[]), typical_step(&[Table::default()])), (None, None));
    }

    #[test]
    fn a_step_whose_calls_were_left_out_is_not_typical() {
        let at = |ticks| (A.0, A.1, ticks);
        let mut table = worker(&[(true, &[at(5)], 0), (true, &[at(9)], 0), (true, &[at(9)], 0)]);
        table.calls.truncate(1);
        table.calls_left_out = 2;
        assert_eq!(typical_step(&[table.clone()]), None);
        table.calls_left_out = 0;
        assert_eq!(typical_step(&[table]), Some(1));
    }
}
