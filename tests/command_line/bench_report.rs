//! What is shown of a benchmark, from a made-up record alone.
//!
//! The page is left in `$FALLLINE_PAGE_DIR`, or in the folder for temporary files of tests, where
//! `scripts/check_page.py` opens it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::bench_record::{BATCHES, OPTIMIZERS, THREADS, record};
use crate::common::csv::parsed;
use fallline::engine::bench::record::{BenchRecord, FALLLINE, Measured};
use fallline::engine::report::bench::{charts, csv, page, table, write_all};
use fallline::engine::report::chart::Chart;
use fallline::engine::report::markup::printable;

const HOSTILE: &str = "a<b>\"&',\u{1b}[31m\u{7}\n</script><script>alert(1)</script>";

/// The record with texts that try to leave their places.
fn hostile() -> BenchRecord {
    let mut record = record();
    for case in &mut record.cases {
        case.recipe += HOSTILE;
        case.data += HOSTILE;
        case.optimizer += HOSTILE;
        if case.framework != FALLLINE {
            case.framework += HOSTILE;
        }
    }
    record.notes.push(HOSTILE.into());
    record.machine.cpu = HOSTILE.into();
    record
}

fn titles(record: &BenchRecord) -> Vec<String> {
    charts(record).iter().map(|(_, chart)| chart.title().to_string()).collect()
}

#[test]
fn comma_separated_values_are_the_record_again() {
    for record in [record(), hostile()] {
        let rows = parsed(&csv(&record));
        assert_eq!(rows.len(), record.cases.len() + 1);
        for (row, case) in rows[1..].iter().zip(&record.cases) {
            let value = |name: &str| {
                let column = rows[0].iter().position(|title| title == name).unwrap();
                row[column].as_str()
            };
            let number = |name: &str| value(name).parse::<f64>().ok();
            assert_eq!(row.len(), rows[0].len());
            assert_eq!(
                [value("framework"), value("recipe"), value("data")],
                [&case.framework, &case.recipe, &case.data].map(|text| printable(text))
            );
            assert_eq!(
                [value("optimizer"), value("precision")],
                [&case.optimizer, &case.precision].map(|text| printable(text))
            );
            let speed = &case.samples_per_second;
            let fraction = &case.fraction_of_peak;
            for (name, expected) in [
                ("batch", Some(case.batch as f64)),
                ("threads", Some(case.threads as f64)),
                ("parameters", Some(case.parameters as f64)),
                ("train_flops_per_sample", Some(case.train_flops_per_sample)),
                ("samples_per_second", Some(speed.median)),
                ("samples_per_second_low", Some(speed.low)),
                ("samples_per_second_high", Some(speed.high)),
                ("tokens_per_second", case.tokens_per_second),
                ("runs", Some(speed.runs.len() as f64)),
                ("outliers", Some(speed.outliers as f64)),
                ("step_us", Some(case.step_us)),
                ("gflops", Some(case.gflops)),
                ("fraction_of_peak", Some(fraction.median)),
                ("fraction_of_peak_low", Some(fraction.low)),
                ("fraction_of_peak_high", Some(fraction.high)),
                ("scaling_efficiency", case.scaling_efficiency),
                ("update_bytes_per_step", case.update_bytes_per_step.map(|count| count as f64)),
                ("peak_memory_bytes", case.peak_memory_bytes.map(|count| count as f64)),
                ("waiting", case.waiting),
            ] {
                assert_eq!(number(name), expected, "{name} of {}", case.title());
            }
        }
    }
}

#[test]
fn tokens_stand_beside_samples() {
    let mut record = record();
    assert!(!table(&record, None).contains("tokens/s") && !page(&record).contains("tokens/s"));
    for case in &mut record.cases {
        case.tokens_per_second = Some(64.0 * case.samples_per_second.median);
    }
    let text = table(&record, None);
    for shown in ["tokens/s", "samples/s side by side", "tokens/s side by side"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(page(&record).contains("tokens/s"));
}

/// Lines of our own cases: optimizer, batch, threads in their first three columns.
fn own_lines(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|words| words.first().is_some_and(|word| OPTIMIZERS.contains(word))).collect()
}

#[test]
fn the_terminal_shows_every_case_in_120_columns() {
    let record = record();
    // In colours if the tests run in a terminal.
    let text = console::strip_ansi_codes(&table(&record, None)).into_owned();
    let lines = own_lines(&text);
    for case in record.cases.iter().filter(|case| case.framework == FALLLINE) {
        let (batch, threads) = (with_comma(case.batch), case.threads.to_string());
        let start = [case.optimizer.as_str(), &batch, &threads];
        let speed = with_comma(case.samples_per_second.median.round() as usize);
        let shown = lines.iter().any(|line| line[..3] == start && line[3] == speed);
        assert!(shown, "{} with {speed} in\n{text}", case.title());
    }
    // The 15 groups of other frameworks, too.
    assert_eq!(lines.len(), 2 * 3 * 5 * 2 + 15, "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 120 || line.contains("geometric mean"), "{line}");
    }
    for expected in [
        "note: ",
        "fallline is 1.",
        "times as fast as pytorch-eager (geometric mean of 15 cases, from 1.",
        "times as fast as jax (geometric mean of 15 cases, from 0.93 to ",
        "! adam batch 256, 2 threads: 1 of 11 runs far from the median",
        "! momentum batch 64, 1 thread: an interval of ",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

fn with_comma(number: usize) -> String {
    fallline::engine::report::numbers::thousands(number as u64)
}

#[test]
fn what_was_not_measured_takes_no_column() {
    let mut record = record();
    record.cases.retain(|case| case.framework == FALLLINE && case.threads == 1);
    for case in &mut record.cases {
        (case.scaling_efficiency, case.peak_memory_bytes, case.waiting) = (None, None, None);
    }
    let text = console::strip_ansi_codes(&table(&record, None)).into_owned();
    for column in ["scaling", "memory", "waiting", "side by side", "times as fast"] {
        assert!(!text.contains(column), "{column} in\n{text}");
        assert!(!page(&record).contains(&format!(">{column}</button>")), "{column}");
    }
    assert!(text.contains("update") && page(&record).contains(">update</button>"));
}

#[test]
fn parts_of_a_resumed_benchmark_are_told() {
    let mut record = record();
    let part =
        |begun: &str, runs| Measured { begun: begun.into(), ended: "2026-01-09T00:00:00Z".into(), runs };
    record.cases[0].measured = vec![part("2026-01-02T03:04:05Z", 30)];
    record.cases[1].measured = record.cases[0].measured.clone();
    let said = "parts on this machine";
    assert!(!table(&record, None).contains(said) && !page(&record).contains(said));
    record.cases[1].measured = vec![part("2026-01-02T03:04:05Z", 20), part("2026-01-08T00:00:00Z", 10)];
    let text =
        console::strip_ansi_codes(&table(&record, None)).split_whitespace().collect::<Vec<_>>().join(" ");
    let note = "measured in 2 parts on this machine, the first begun at 2026-01-02T03:04:05Z, the last at \
                2026-01-08T00:00:00Z; the results as JSON say when each case was";
    assert!(text.contains(note), "{text}");
    assert!(page(&record).contains(note));
}

#[test]
fn charts_without_values_are_left_out() {
    let all = titles(&record());
    for title in [
        "mnist-mlp: throughput, 1 thread",
        "wide-mlp: throughput, 2 threads",
        "mnist-mlp: scaling efficiency",
        "wide-mlp: fraction of peak",
        "mnist-mlp: adam, 2 threads, side by side",
        "Multiply-add peak",
        "Memory bandwidth, 2 threads",
        "From processor to processor, in nanoseconds",
    ] {
        assert!(all.iter().any(|shown| shown == title), "{title} in {all:?}");
    }
    assert_eq!(all.len(), 4 + 2 + 2 + 3 + 3, "{all:?}");

    let without = |change: &dyn Fn(&mut BenchRecord)| {
        let mut record = record();
        change(&mut record);
        let html = page(&record);
        let shown = titles(&record);
        assert!(html.contains(&format!("<body data-charts=\"{}\">", shown.len())));
        shown
    };
    let no_peers = without(&|record| record.cases.retain(|case| case.framework == FALLLINE));
    assert!(!no_peers.iter().any(|title| title.contains("side by side")), "{no_peers:?}");
    let one_batch = without(&|record| record.cases.retain(|case| case.batch == 64));
    assert!(!one_batch.iter().any(|title| title.contains("throughput")), "{one_batch:?}");
    let one_thread = without(&|record| record.cases.retain(|case| case.threads == 1));
    assert!(!one_thread.iter().any(|title| title.contains("scaling")), "{one_thread:?}");
    let not_calibrated = without(&|record| record.calibration = None);
    assert_eq!(not_calibrated.len(), all.len() - 3);
    let one_case = without(&|record| {
        record.cases.truncate(1);
        record.calibration = None;
    });
    assert!(one_case.is_empty(), "{one_case:?}");
    assert!(
        without(&|record| {
            record.cases.clear();
            record.calibration = None;
        })
        .is_empty()
    );
}

#[test]
fn throughput_charts_hold_the_medians_and_their_intervals() {
    let record = record();
    let charts = charts(&record);
    let (_, chart) =
        charts.iter().find(|(_, chart)| chart.title() == "wide-mlp: throughput, 2 threads").unwrap();
    let Chart::Lines(chart) = chart else { panic!("not a line chart") };
    assert_eq!(chart.series.iter().map(|series| series.name.as_str()).collect::<Vec<_>>(), OPTIMIZERS);
    for series in &chart.series {
        assert_eq!(series.points.len(), BATCHES.len());
        for point in &series.points {
            let is_it = |case: &&fallline::engine::bench::record::CaseRecord| {
                (case.recipe.as_str(), &case.optimizer, case.batch as f64, case.threads)
                    == ("wide-mlp", &series.name, point.x, THREADS[1])
            };
            let speed = &record.cases.iter().find(is_it).unwrap().samples_per_second;
            assert_eq!((point.y, point.low, point.high), (speed.median, speed.low, speed.high));
        }
    }
}

#[test]
fn the_page_shows_every_case_and_fact() {
    let record = record();
    let html = page(&record);
    let rows = html.matches("<tr><td").count();
    let calibration = record.calibration.as_ref().unwrap();
    assert_eq!(rows, record.cases.len() + calibration.peaks.len() + calibration.bandwidths.len());
    for case in &record.cases {
        let speed = case.samples_per_second.median;
        assert!(html.contains(&format!("data-value=\"{speed}\"")), "{}", case.title());
    }
    for expected in [
        "Made-up 9000",
        "pytorch-compile was not found",
        "the clock fell by 8 %",
        "schedutil",
        "KVM",
        "183 ns",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

#[test]
fn hostile_names_stay_texts() {
    let (plain, record) = (page(&record()), hostile());
    let html = page(&record);
    for tag in ["<script", "</script", "<b>", "<svg", "</svg", "</style"] {
        assert_eq!(html.matches(tag).count(), plain.matches(tag).count(), "{tag}");
    }
    let text = console::strip_ansi_codes(&table(&record, None)).into_owned();
    assert!(text.contains("mnist-mlp") && text.contains("pytorch-eager"));
    let letters = text.lines().flat_map(str::chars);
    assert_eq!(letters.filter(|letter| letter.is_control()).count(), 0, "{text:?}");
    // A name does not begin a line of its own.
    assert!(!text.contains("\n</script>"), "{text}");
    let stems: Vec<String> = charts(&record).into_iter().map(|(stem, _)| stem).collect();
    assert_eq!(stems.iter().collect::<BTreeSet<_>>().len(), stems.len(), "{stems:?}");
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    assert!(stems.iter().all(|stem| stem.chars().all(allowed)), "{stems:?}");
}

fn folder() -> PathBuf {
    std::env::var_os("FALLLINE_PAGE_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-report"))
}

#[test]
fn all_files_are_written() {
    let record = record();
    let folder = folder();
    write_all(&folder, &record).unwrap();
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_eq!(read("report.html"), page(&record).as_bytes());
    assert_eq!(read("cases.csv"), csv(&record).as_bytes());
    for (stem, chart) in charts(&record) {
        assert_eq!(read(&format!("{stem}.svg")), chart.to_svg().as_bytes());
        assert_eq!(read(&format!("{stem}.png"))[..8], *b"\x89PNG\r\n\x1a\n");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = write_all(&file.join("inside"), &record()).unwrap_err().to_string();
    assert!(error.contains("inside: cannot create"), "{error}");
}
