//! `fallline calibrate`, and whether its peak is to be believed.

#[path = "../common/mod.rs"]
pub mod common;

use std::hint::black_box;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::common::program::{fallline, names, succeeds};
use fallline::engine::bench::peak;
use fallline::engine::bench::record::Calibration;
use fallline::engine::team::Team;
use serde_json::Value;

/// How far the peak may lie from the hand count.
const TOLERANCE: f64 = 0.05;

/// Independent sums of the hand count: not as many as the crate's.
const SUMS: usize = 16;
const STEPS: usize = 5_000;

/// Operations of one step of the loops below, counted by hand: a multiplication and an addition for
/// each lane of each sum.
const fn flops_of_a_step(lanes: usize) -> usize {
    (1 + 1) * lanes * SUMS
}

#[cfg(target_arch = "x86_64")]
mod loops {
    use super::{SUMS, flops_of_a_step};
    use std::arch::x86_64::*;
    use std::hint::black_box;

    #[target_feature(enable = "avx512f")]
    unsafe fn avx512(steps: usize) {
        let (a, b) = (_mm512_set1_ps(black_box(0.25)), _mm512_set1_ps(black_box(0.5)));
        let mut sums = [_mm512_set1_ps(0.0); SUMS];
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_set1_ps(black_box(index as f32));
        }
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, a, b);
            }
        }
        black_box(sums);
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(steps: usize) {
        let (a, b) = (_mm256_set1_ps(black_box(0.25)), _mm256_set1_ps(black_box(0.5)));
        // Sixteen sums would need all registers: two turns of eight.
        for turn in 0..2 {
            let mut sums = [_mm256_set1_ps(0.0); SUMS / 2];
            for (index, sum) in sums.iter_mut().enumerate() {
                *sum = _mm256_set1_ps(black_box((turn + index) as f32));
            }
            for _ in 0..steps {
                for sum in &mut sums {
                    *sum = _mm256_fmadd_ps(*sum, a, b);
                }
            }
            black_box(sums);
        }
    }

    /// Runs the best loop of this CPU; gives the operations it did, or nothing where there is none.
    pub fn run(steps: usize) -> Option<usize> {
        // Safety of both: the CPU was asked.
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            unsafe { avx512(steps) };
            Some(steps * flops_of_a_step(16))
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            unsafe { avx2(steps) };
            Some(steps * flops_of_a_step(8))
        } else {
            None
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod loops {
    pub fn run(_: usize) -> Option<usize> {
        None
    }
}

/// Flops per second of the hand-counted loop, over a millisecond.
fn hand_count() -> Option<f64> {
    let begun = Instant::now();
    let mut flops = 0;
    while begun.elapsed() < Duration::from_millis(1) {
        flops += loops::run(black_box(STEPS))?;
    }
    Some(flops as f64 / begun.elapsed().as_secs_f64())
}

/// The hand count over the crate's peak, both the best of many, measured in turns.
fn ratio(team: &Team) -> Option<f64> {
    let (mut hand, mut ours) = (0.0f64, 0.0f64);
    for _ in 0..100 {
        hand = hand.max(hand_count()?);
        ours = ours.max(peak::flops_per_second(team, Duration::from_millis(1)));
    }
    Some(hand / ours)
}

/// Two rates that are measured in turns are compared, and no time is asserted: a slow machine slows
/// both, and of a hundred short measurements one is undisturbed even where others work.
#[test]
fn the_peak_is_what_a_hand_count_gives() {
    let team = Team::new(1).unwrap();
    let agrees = |ratio: f64| (ratio - 1.0).abs() <= TOLERANCE;
    let mut seen = Vec::new();
    for _ in 0..5 {
        let Some(ratio) = ratio(&team) else {
            eprintln!("\n*** SKIPPED: no loop to count by hand for this CPU ***\n");
            return;
        };
        seen.push(ratio);
        // The check sees a count that is wrong by a tenth.
        if agrees(ratio) && !agrees(1.1 * ratio) && !agrees(ratio / 1.1) {
            eprintln!("hand count over peak: {seen:.4?}");
            return;
        }
    }
    panic!("the hand count over the peak is {seen:?}");
}

fn calibrate(folder: &Path, arguments: &[&str]) -> Output {
    fallline(folder, &[&["calibrate"], arguments].concat())
}

#[track_caller]
fn calibrates(folder: &Path, arguments: &[&str]) -> String {
    succeeds(folder, &[&["calibrate"], arguments].concat())
}

/// All keys of the record, as the README has them.
const KEYS: [&str; 10] = [
    "schema",
    "fingerprint",
    "machine",
    "topology",
    "peaks",
    "bandwidths",
    "latencies",
    "barriers",
    "warnings",
    "seconds",
];

#[test]
fn a_machine_is_measured_shown_written_and_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let text = calibrates(folder.path(), &["--json", "machine.json"]);
    for part in ["multiply-add peak, GFLOP/s", "bandwidth, GB/s", "wrote machine.json", "kept in "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let written = std::fs::read_to_string(folder.path().join("machine.json")).unwrap();
    let json: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), KEYS);
    assert_eq!(json["schema"], "fallline.calibration/1");

    let measured: Calibration = serde_json::from_value(json).unwrap();
    let threads = measured.machine.cores;
    let best = |isa: &str| {
        let peaks = measured.peaks.iter().filter(|peak| peak.instruction_set == isa);
        peaks.map(|peak| peak.flops_per_second).fold(0.0, f64::max)
    };
    assert!(measured.peaks.iter().any(|peak| peak.threads == threads && peak.precision == "f32"));
    assert!(best(&measured.machine.instruction_set) > 0.0 && best("baseline") > 0.0);
    assert_eq!(measured.barriers.len(), (2..=threads).filter(|&count| count <= 8).count());
    let levels: Vec<&str> = measured.bandwidths.iter().map(|bandwidth| bandwidth.level.as_str()).collect();
    assert_eq!(levels.last(), Some(&"DRAM"));
    let rates = measured.bandwidths.iter().flat_map(|level| [level.read, level.write, level.triad]);
    assert!(rates.into_iter().all(|rate| rate.is_finite() && rate > 0.0));

    let kept = names(&folder.path().join("fallline"));
    assert_eq!(kept, [format!("calibration-{}.json", measured.fingerprint)]);
    let kept = std::fs::read_to_string(folder.path().join("fallline").join(&kept[0])).unwrap();
    assert_eq!(kept, written);
}

#[test]
fn a_look_at_fewer_threads_is_not_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let text = calibrates(folder.path(), &["--threads", "1"]);
    assert!(!text.contains("kept in ") && !text.contains("barrier"), "{text}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn mistakes_are_refused_before_measuring() {
    for (arguments, message) in [
        (["--threads", "0"], "invalid value '0' for '--threads <N>'"),
        (["--threads", "x"], "invalid value 'x' for '--threads <N>'"),
        (["--threads", "5000"], "team: `threads`: expected 1 to 1024, found 5000"),
        (["--json", "none/machine.json"], "none: cannot create a file in this folder: "),
        (["--json", "."], ".: cannot write: "),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let output = calibrate(folder.path(), &arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains(message), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty() && names(folder.path()).is_empty());
    }
}

#[test]
fn help_has_examples() {
    let text = calibrates(Path::new("."), &["--help"]);
    assert!(text.contains("Examples:") && text.contains("fallline calibrate --json machine.json"), "{text}");
}
