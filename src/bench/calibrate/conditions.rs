//! The conditions that make measurements on this machine doubtful: other programs, limits, a falling clock.

use std::fs;
use std::time::{Duration, Instant};

use crate::bench::peak;
use crate::bench::rates::{best, each};
use crate::stats;
use crate::team::Team;

/// How long the workers only read the clock...
const WATCH: Duration = Duration::from_millis(250);
/// ...and the time from which a gap is no longer an interrupt but somebody else's turn.
const GAP: Duration = Duration::from_micros(50);

/// For so long the multiply-add peak is measured over and over, to see whether it is sustained...
const SUSTAINED: Duration = Duration::from_millis(1800);
/// ...each time for so long.
const SUSTAINED_TIME: Duration = Duration::from_millis(5);

/// The part of a processor's time in gaps from which a warning is given.
const LOST: f64 = 0.01;
/// The distance from the best to the median measurement of the peak from which a warning is given.
const SPREAD: f64 = 0.05;
/// The fall of the sustained peak from which a warning is given.
const FALL: f64 = 0.05;
/// The part of a processor by which threads and other programs want more than there are, for a warning.
const TOO_MANY: f64 = 0.1;
/// The part of the machine's time that its host took, for a warning.
const STOLEN: f64 = 0.01;

/// Gaps in which a worker wanted nothing but to read the clock, and could not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaps {
    /// The part of the time, the mean over the workers.
    pub lost: f64,
    pub longest: Duration,
}

/// The load of all processors over some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub processors: usize,
    /// Processors that programs other than this one kept busy.
    pub others: f64,
    /// Part of all processors' time that the host of a virtual machine gave to others.
    pub stolen: f64,
}

/// The conditions from which the warnings are made.
#[derive(Clone, Debug)]
pub struct Conditions {
    pub threads: usize,
    pub cores: usize,
    pub quota: Option<f64>,
    pub governor: Option<String>,
    pub gaps: Gaps,
    /// The spread of the measurements of the peak on all threads: see [`spread`].
    pub spread: f64,
    /// The measurements of the sustained peak on all threads, in flops per second.
    pub sustained: Vec<f64>,
    /// The load of the processors; absent where the system does not tell.
    pub work: Option<Load>,
}

impl Conditions {
    /// The warnings, one sentence each, with its numbers and what to do.
    pub fn warnings(&self) -> Vec<String> {
        let oversubscribed = [self.too_many_threads(), self.too_small_a_quota()];
        let noisy = [self.others(), self.stolen(), self.gaps(), self.spread()];
        let throttled = [self.throttled(), self.governed()];
        [&oversubscribed[..], &noisy, &throttled].concat().into_iter().flatten().collect()
    }

    fn too_many_threads(&self) -> Option<String> {
        let Conditions { threads, cores, .. } = self;
        (threads > cores).then(|| {
            format!("oversubscribed: {threads} threads share {cores} cores; measure with at most {cores}")
        })
    }

    fn too_small_a_quota(&self) -> Option<String> {
        let (threads, quota) = (self.threads, self.quota?);
        (quota < threads as f64).then(|| {
            let fitting = (quota as usize).max(1);
            format!(
                "oversubscribed: {threads} threads, but the control group may use the time of {quota:.1} \
                 processors only; measure with {fitting}, or raise the quota"
            )
        })
    }

    fn others(&self) -> Option<String> {
        let Load { processors, others, .. } = self.work?;
        (self.threads as f64 + others > processors as f64 + TOO_MANY).then(|| {
            format!(
                "oversubscribed: other programs kept {others:.1} of {processors} processors busy beside {} of \
                 our threads; stop them and measure again",
                self.threads
            )
        })
    }

    fn stolen(&self) -> Option<String> {
        let stolen = self.work?.stolen;
        (stolen > STOLEN).then(|| {
            format!(
                "noisy: the host of this virtual machine gave {:.1} % of its time to others; repeat \
                 measurements, or move to a machine of your own",
                100.0 * stolen
            )
        })
    }

    fn gaps(&self) -> Option<String> {
        let Gaps { lost, longest } = self.gaps;
        (lost > LOST).then(|| {
            format!(
                "noisy: threads that only read the clock lost {:.1} % of their time, up to {:.1} ms at once; \
                 stop other programs and measure again",
                100.0 * lost,
                longest.as_secs_f64() * 1e3
            )
        })
    }

    fn spread(&self) -> Option<String> {
        (self.spread > SPREAD).then(|| {
            format!(
                "noisy: half of the measurements of the multiply-add peak lie more than {:.0} % below the \
                 best; measure again when the machine is idle",
                100.0 * self.spread
            )
        })
    }

    fn throttled(&self) -> Option<String> {
        // The effect of other programs cannot be told from that of the clock.
        if self.others().is_some() || self.gaps().is_some() {
            return None;
        }
        let (first, last) = thirds(&self.sustained)?;
        (last < (1.0 - FALL) * first).then(|| {
            format!(
                "throttled: the multiply-add peak fell from {:.0} to {:.0} GFLOP/s within {:.1} s; check \
                 cooling and power limits, and compare runs of equal length only",
                first / 1e9,
                last / 1e9,
                SUSTAINED.as_secs_f64()
            )
        })
    }

    fn governed(&self) -> Option<String> {
        let governor = self.governor.as_deref().filter(|&name| name != "performance")?;
        Some(format!(
            "the clock follows the load (governor \"{governor}\"); for steady numbers choose \"performance\", \
             such as with `cpupower frequency-set --governor performance`"
        ))
    }
}

/// The best of the first third and of the last: noise lowers single measurements, a falling clock
/// also the best ones.
fn thirds(runs: &[f64]) -> Option<(f64, f64)> {
    let third = runs.len().div_ceil(3);
    (third > 0).then(|| (best(&runs[..third]), best(&runs[runs.len() - third..])))
}

/// How far the median of `runs` lies below the best, as a part of the best.
pub fn spread(runs: &[f64]) -> f64 {
    let best = best(runs);
    if best > 0.0 { 1.0 - stats::median(runs) / best } else { 0.0 }
}

/// Measures the peak on all workers, over and over.
pub fn sustained(team: &Team) -> Vec<f64> {
    let begun = Instant::now();
    let mut peaks = Vec::new();
    while begun.elapsed() < SUSTAINED {
        peaks.push(peak::flops_per_second(team, SUSTAINED_TIME));
    }
    peaks
}

/// Lets all workers read the clock for a while.
pub fn gaps(team: &Team) -> Gaps {
    let found = each(team, |worker| {
        worker.barrier();
        let begun = Instant::now();
        let (mut last, mut lost, mut longest) = (begun, Duration::ZERO, Duration::ZERO);
        while last - begun < WATCH {
            let now = Instant::now();
            let gap = now - last;
            if gap > GAP {
                lost += gap;
                longest = longest.max(gap);
            }
            last = now;
        }
        (lost.as_secs_f64() / (last - begun).as_secs_f64(), longest)
    });
    Gaps {
        lost: found.iter().map(|(lost, _)| lost).sum::<f64>() / found.len() as f64,
        longest: found.iter().map(|&(_, longest)| longest).max().unwrap_or_default(),
    }
}

/// Clock ticks that all processors have spent since the machine's start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    all: u64,
    busy: u64,
    stolen: u64,
    /// The part of `busy` that this process spent.
    own: u64,
}

impl Work {
    /// The ticks up to now, where Linux tells.
    pub fn now() -> Option<Work> {
        let read = |path| fs::read_to_string(path).ok();
        Work::parse(&read("/proc/stat")?, &read("/proc/self/stat")?)
    }

    /// The ticks in these files: `all` is `/proc/stat`, `own` is `/proc/self/stat`.
    fn parse(all: &str, own: &str) -> Option<Work> {
        let line = all.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line.split_whitespace().map(|tick| tick.parse().ok()).collect::<Option<_>>()?;
        // user nice system idle iowait irq softirq steal; guests' time is part of the users'.
        let &[user, nice, system, idle, waiting, irq, softirq, stolen] = ticks.first_chunk()?;
        let busy = user + nice + system + irq + softirq;
        // The program's name, in brackets, may have spaces in it.
        let (_, fields) = own.rsplit_once(')')?;
        let mut times = fields.split_whitespace().skip(11).map(|tick| tick.parse::<u64>().ok());
        let own = times.next()?? + times.next()??;
        Some(Work { all: busy + idle + waiting + stolen, busy, stolen, own })
    }

    /// The load since `then`, on so many processors.
    pub fn since(self, then: Work, processors: usize) -> Option<Load> {
        let all = self.all.checked_sub(then.all).filter(|&all| all > 0)? as f64;
        let busy = self.busy.saturating_sub(then.busy);
        let others = busy.saturating_sub(self.own.saturating_sub(then.own)) as f64;
        let stolen = self.stolen.saturating_sub(then.stolen) as f64;
        Some(Load { processors, others: others / all * processors as f64, stolen: stolen / all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calm() -> Conditions {
        Conditions {
            threads: 2,
            cores: 2,
            quota: Some(2.0),
            governor: Some("performance".into()),
            gaps: Gaps { lost: 0.001, longest: Duration::from_micros(80) },
            spread: 0.01,
            sustained: vec![500e9, 100e9, 480e9, 300e9, 490e9, 470e9],
            work: Some(Load { processors: 2, others: 0.05, stolen: 0.001 }),
        }
    }

    #[test]
    fn a_calm_machine_is_not_warned_of() {
        assert_eq!(calm().warnings(), [""; 0]);
        let silent = Conditions { quota: None, governor: None, sustained: vec![], work: None, ..calm() };
        assert_eq!(silent.warnings(), [""; 0]);
        // Others may use the processors that are left.
        let larger = Load { processors: 8, others: 5.9, stolen: 0.0 };
        assert_eq!(Conditions { work: Some(larger), ..calm() }.warnings(), [""; 0]);
    }

    #[test]
    fn each_condition_has_its_sentence_with_its_numbers() {
        let work = |others, stolen| Some(Load { processors: 2, others, stolen });
        let gaps = Gaps { lost: 0.034, longest: Duration::from_micros(4100) };
        let cases = [
            (Conditions { cores: 1, ..calm() }, "oversubscribed: 2 threads share 1 cores; "),
            (Conditions { quota: Some(1.5), ..calm() }, "the time of 1.5 processors only; measure with 1,"),
            (Conditions { work: work(0.8, 0.0), ..calm() }, "kept 0.8 of 2 processors busy beside 2 of our"),
            (Conditions { work: work(0.0, 0.021), ..calm() }, "gave 2.1 % of its time to others; "),
            (Conditions { gaps, ..calm() }, "lost 3.4 % of their time, up to 4.1 ms at once; "),
            (Conditions { spread: 0.12, ..calm() }, "lie more than 12 % below the best; "),
            (
                Conditions {
                    sustained: [[500e9, 490e9], [450e9, 440e9], [460e9, 400e9]]
                        .map(|pair| pair.repeat(30))
                        .concat(),
                    ..calm()
                },
                "fell from 500 to 460 GFLOP/s within 1.8 s; ",
            ),
            (Conditions { governor: Some("schedutil".into()), ..calm() }, "(governor \"schedutil\"); "),
        ];
        for (conditions, sentence) in cases {
            let warnings = conditions.warnings();
            assert!(warnings.len() == 1 && warnings[0].contains(sentence), "{sentence}: {warnings:?}");
        }
    }

    /// The clock is not blamed for what other programs do.
    #[test]
    fn a_fall_beside_other_programs_is_theirs() {
        let work = Some(Load { processors: 2, others: 1.0, stolen: 0.0 });
        let warnings = Conditions { sustained: vec![5.0, 4.0, 3.0], work, ..calm() }.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains("other programs"), "{warnings:?}");
    }

    #[test]
    fn the_spread_is_that_of_the_median() {
        assert_eq!((spread(&[]), spread(&[100.0, 75.0, 10.0])), (0.0, 0.25));
    }

    #[test]
    fn the_work_of_others_is_what_is_not_ours() {
        let all = |user, idle, stolen| format!("cpu  {user} 10 20 {idle} 5 1 2 {stolen} 7 0\ncpu0 1 2\n");
        let own = |user| format!("42 (a name) with (brackets) R 1 2 3 4 5 6 7 8 9 10 {user} 4 0 0 20\n");
        let then = Work::parse(&all(100, 1000, 0), &own(50)).unwrap();
        assert_eq!(then, Work { all: 1138, busy: 133, stolen: 0, own: 54 });
        let now = Work::parse(&all(180, 1100, 20), &own(90)).unwrap();
        // 200 ticks of all processors: 80 busy, 40 of them ours; 20 stolen.
        let load = now.since(then, 2).unwrap();
        assert_eq!(load, Load { processors: 2, others: 0.4, stolen: 0.1 });
        assert_eq!(then.since(then, 2), None);
        for (all, own) in [("", "1 (a) R"), ("cpu  1 2 3\n", "1 (a) R"), (all(1, 2, 3).as_str(), "1 (a) R 2")]
        {
            assert_eq!(Work::parse(all, own), None);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_tells() {
        assert!(Work::now().is_some());
        let gaps = gaps(&Team::new(1).unwrap());
        assert!((0.0..=1.0).contains(&gaps.lost));
    }
}
