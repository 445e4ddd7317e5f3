//! What an interrupted suite has measured, taken over by the one that goes on.
//!
//! Cases are comparable because they are run in turn, round by round: all cases of a suite or, with other frameworks beside
//! them, each case and the same case of those. Such a group goes on after its last whole round. What was measured of a round
//! that was broken off is measured again, so that all runs of a round are of one time; and only the same machine, program,
//! recipes and frameworks go on with it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::plan::ROUNDS;
use super::record::{BenchRecord, CaseRecord, FALLLINE, Measured};
use crate::foreign::shortened;
use crate::stats::Summary;
use crate::train::identity::recipe_difference;
use crate::train::machine::Machine;
use crate::{Error, Result};

const RESULTS: &str = "the results to resume";

/// Takes the whole rounds of `previous` over into `record`, of which nothing is measured yet and the first `own` cases are
/// our own; those of other frameworks follow in as many each.
///
/// # Errors
/// [`Error::Mismatch`] or [`Error::Setting`] with what is different if `previous` is of another machine, program or choice.
pub(super) fn take_over(record: &mut BenchRecord, previous: &BenchRecord, own: usize) -> Result<()> {
    check(record, previous)?;
    for note in &previous.notes {
        if !record.notes.contains(note) {
            record.notes.push(note.clone());
        }
    }
    for old in &previous.cases {
        let Some(case) = record.cases.iter_mut().find(|case| case.is_same_case(old)) else {
            return Err(mismatch("cases", "only those chosen now".into(), shortened(&old.title())));
        };
        check_settings(case, old)?;
        case.samples_per_second = old.samples_per_second.clone();
        case.fraction_of_peak = old.fraction_of_peak.clone();
        case.update_bytes_per_step = old.update_bytes_per_step;
        case.peak_memory_bytes = old.peak_memory_bytes;
        case.waiting = old.waiting;
        case.measured.clone_from(&old.measured);
    }
    let is_alone = record.compared.is_empty();
    let is_new = |case: &&CaseRecord| !previous.cases.iter().any(|old| old.is_same_case(case));
    if let Some(case) = record.cases.iter().find(is_new).filter(|_| is_alone) {
        let expected = "all of those chosen now, which are measured in turn".into();
        return Err(mismatch("cases", expected, format!("none of {}", case.title())));
    }
    let all: Vec<usize> = (0..record.cases.len()).collect();
    let beside = |first: usize| all.iter().copied().skip(first).step_by(own.max(1)).collect();
    let groups: Vec<Vec<usize>> = if is_alone { vec![all.clone()] } else { (0..own).map(beside).collect() };
    groups.iter().for_each(|group| keep_whole_rounds(&mut record.cases, group));
    Ok(())
}

fn mismatch(what: &str, expected: String, found: String) -> Error {
    Error::Mismatch { what: format!("{what} of {RESULTS}"), expected, found }
}

/// Checks all that is the same for all cases.
fn check(record: &BenchRecord, previous: &BenchRecord) -> Result<()> {
    let facts = |of: &BenchRecord| {
        let Machine { cpu, cores, instruction_set, os } = &of.machine;
        let compared = if of.compared.is_empty() { "none".into() } else { of.compared.join(", ") };
        [
            ("program", format!("fallline {}", of.version)),
            ("processor", cpu.clone()),
            ("cores", cores.to_string()),
            ("instruction set", instruction_set.clone()),
            ("system", os.clone()),
            ("measuring time of a case", format!("{} s", of.seconds_per_case)),
            ("other frameworks", compared),
        ]
    };
    for ((what, new), (_, old)) in facts(record).into_iter().zip(facts(previous)) {
        if old != new {
            return Err(mismatch(what, new, shortened(&old)));
        }
    }
    Ok(())
}

/// Checks that a case of ours has the recipe that it had.
fn check_settings(case: &CaseRecord, old: &CaseRecord) -> Result<()> {
    let Some(new) = &case.settings else { return Ok(()) };
    let Some(text) = &old.settings else {
        let expected = format!("the recipe of {}", case.title());
        return Err(mismatch("cases", expected, "none, as in those of earlier versions".into()));
    };
    let place = format!("{RESULTS}: {}", case.title());
    match recipe_difference(text, new, "", &place)? {
        None => Ok(()),
        Some((key, found, expected)) => {
            Err(Error::Setting { place, key, expected: format!("{expected}, as it is now"), found })
        }
    }
}

/// Keeps the rounds in which all cases of a group were run. A framework without a run beside several of ours could not be
/// had: it is none of the group.
fn keep_whole_rounds(cases: &mut [CaseRecord], group: &[usize]) {
    let runs = |case: &CaseRecord| {
        ROUNDS.min(case.samples_per_second.runs.len()).min(case.fraction_of_peak.runs.len())
    };
    let most = group.iter().map(|&index| runs(&cases[index])).max().unwrap_or(0);
    let is_of_group = |case: &CaseRecord| case.framework == FALLLINE || runs(case) > 0 || most < 2;
    let members = group.iter().map(|&index| &cases[index]).filter(|case| is_of_group(case));
    let whole = members.map(runs).min().unwrap_or(0);
    for &index in group {
        let case = &mut cases[index];
        let kept = whole.min(runs(case));
        for summary in [&mut case.samples_per_second, &mut case.fraction_of_peak] {
            if summary.runs.len() > kept {
                *summary = if kept == 0 { Summary::default() } else { Summary::of(&summary.runs[..kept]) };
            }
        }
        keep_parts(&mut case.measured, kept);
        conclude(case);
    }
}

/// Keeps the parts in which the first `left` runs were made.
fn keep_parts(parts: &mut Vec<Measured>, mut left: usize) {
    for part in parts.iter_mut() {
        part.runs = part.runs.min(left);
        left -= part.runs;
    }
    parts.retain(|part| part.runs > 0);
}

/// Computes what follows from the runs of a case.
pub(super) fn conclude(case: &mut CaseRecord) {
    let rate = case.samples_per_second.median;
    let is_measured = !case.samples_per_second.runs.is_empty();
    case.tokens_per_second = case.tokens_per_sample.filter(|_| is_measured).map(|tokens| rate * tokens);
    case.step_us = if is_measured { case.batch as f64 / rate * 1e6 } else { 0.0 };
    case.gflops = rate * case.train_flops_per_sample / 1e9;
}

/// Counts a run that was made just now, by a suite that was begun at this time.
pub(super) fn count(case: &mut CaseRecord, begun: &str) {
    let ended = utc(SystemTime::now());
    match case.measured.last_mut().filter(|part| part.begun == begun) {
        Some(part) => (part.ended, part.runs) = (ended, part.runs + 1),
        None => case.measured.push(Measured { begun: begun.into(), ended, runs: 1 }),
    }
}

/// A time as date and time of day in UTC, to the second: "2026-11-30T20:09:00Z".
pub(super) fn utc(time: SystemTime) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, of_day) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of = |year: u64| if is_leap(year) { 366 } else { 365 };
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::BENCH_SCHEMA;
    use std::time::Duration;

    #[test]
    fn times_are_those_of_the_calendar() {
        // As `date -u -d @SECONDS +%FT%TZ` says.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_764_533_340, "2025-11-30T20:09:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    /// A case with so many runs, made in two parts.
    fn case(framework: &str, batch: usize, runs: usize) -> CaseRecord {
        let values: Vec<f64> = (0..runs).map(|run| 1000.0 + run as f64).collect();
        let part = |begun: &str, runs| Measured { begun: begun.into(), ended: "later".into(), runs };
        let mut case = CaseRecord {
            framework: framework.into(),
            recipe: "r".into(),
            data: "digits".into(),
            optimizer: "adam".into(),
            batch,
            threads: 1,
            precision: "f32".into(),
            parameters: 10,
            train_flops_per_sample: 100.0,
            settings: (framework == FALLLINE).then(|| format!("train = {{ batch = {batch} }}")),
            samples_per_second: if runs == 0 { Summary::default() } else { Summary::of(&values) },
            tokens_per_sample: None,
            tokens_per_second: None,
            step_us: 0.0,
            gflops: 0.0,
            fraction_of_peak: if runs == 0 { Summary::default() } else { Summary::of(&values) },
            scaling_efficiency: None,
            update_bytes_per_step: None,
            peak_memory_bytes: (runs > 0).then_some(77),
            waiting: None,
            measured: vec![part("a", runs.min(3)), part("b", runs.saturating_sub(3))],
        };
        case.measured.retain(|part| part.runs > 0);
        case
    }

    fn record(compared: &[&str], cases: Vec<CaseRecord>) -> BenchRecord {
        BenchRecord {
            schema: BENCH_SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            machine: Machine::current(),
            calibration: None,
            notes: Vec::new(),
            seconds_per_case: 1.0,
            compared: compared.iter().map(|name| name.to_string()).collect(),
            cases,
        }
    }

    /// The runs that each case has after two of ours, and those of `compared`, have taken these over.
    fn taken(compared: &[&str], runs: &[usize]) -> Vec<usize> {
        let frameworks: Vec<&str> = [FALLLINE].into_iter().chain(compared.iter().copied()).collect();
        let cases = |runs: &dyn Fn(usize) -> usize| {
            let places =
                (0..2 * frameworks.len()).map(|place| (frameworks[place / 2], 8 << (place % 2), place));
            places.map(|(framework, batch, place)| case(framework, batch, runs(place))).collect::<Vec<_>>()
        };
        let mut new = record(compared, cases(&|_| 0));
        take_over(&mut new, &record(compared, cases(&|place| runs[place])), 2).unwrap();
        for case in &new.cases {
            let parts: usize = case.measured.iter().map(|part| part.runs).sum();
            assert_eq!(parts, case.samples_per_second.runs.len());
            assert_eq!(case.fraction_of_peak.runs.len(), parts);
            assert_eq!(case.step_us > 0.0, parts > 0);
            assert!(parts == 0 || case.peak_memory_bytes == Some(77));
        }
        new.cases.iter().map(|case| case.samples_per_second.runs.len()).collect()
    }

    #[test]
    fn a_group_goes_on_after_its_last_whole_round() {
        // All cases are one group.
        assert_eq!(taken(&[], &[5, 4]), [4, 4]);
        assert_eq!(taken(&[], &[1, 0]), [0, 0]);
        assert_eq!(taken(&[], &[30, 30]), [30, 30]);
        assert_eq!(taken(&[], &[31, 40]), [30, 30], "no more than there are");
        // Each case and the same of another framework.
        assert_eq!(taken(&["jax"], &[30, 5, 30, 4]), [30, 4, 30, 4]);
        assert_eq!(taken(&["jax"], &[30, 1, 30, 0]), [30, 0, 30, 0]);
        // One that could not be had, or was lost.
        assert_eq!(taken(&["jax"], &[30, 5, 0, 0]), [30, 5, 0, 0]);
        assert_eq!(taken(&["jax"], &[30, 5, 10, 5]), [10, 5, 10, 5]);
    }

    #[test]
    fn what_is_not_of_the_same_measurement_is_refused_with_the_difference() {
        let own = || vec![case(FALLLINE, 8, 4), case(FALLLINE, 16, 4)];
        let refusal = |change: &dyn Fn(&mut BenchRecord)| {
            let mut previous = record(&[], own());
            change(&mut previous);
            let mut new = record(&[], vec![case(FALLLINE, 8, 0), case(FALLLINE, 16, 0)]);
            take_over(&mut new, &previous, 2).unwrap_err().to_string()
        };
        for (message, expected) in [
            (
                refusal(&|old| old.version = "0.0.1".into()),
                "program of the results to resume: expected fallline ",
            ),
            (
                refusal(&|old| old.machine.cpu = "another".into()),
                "processor of the results to resume: expected ",
            ),
            (refusal(&|old| old.machine.cores += 1), "cores of the results to resume: expected "),
            (refusal(&|old| old.machine.instruction_set = "x".into()), "instruction set of the results"),
            (refusal(&|old| old.seconds_per_case = 2.0), "measuring time of a case of the results to resume"),
            (
                refusal(&|old| old.compared.push("jax".into())),
                "other frameworks of the results to resume: expected none",
            ),
            (
                refusal(&|old| old.cases[0].batch = 9),
                "cases of the results to resume: expected only those chosen now",
            ),
            (
                refusal(&|old| _ = old.cases.pop()),
                "expected all of those chosen now, which are measured in turn, found none of r adam, batch 16",
            ),
            (
                refusal(&|old| old.cases[0].settings = Some("train = { batch = 9 }".into())),
                "the results to resume: r adam, batch 8, 1 thread: `train.batch`: expected 8, as it is now, found 9",
            ),
            (refusal(&|old| old.cases[0].settings = None), "expected the recipe of r adam, batch 8"),
            (refusal(&|old| old.cases[0].settings = Some("[".into())), "not valid TOML"),
        ] {
            assert!(message.contains(expected), "{message}");
        }
    }
}
