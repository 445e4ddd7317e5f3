//! What is shown of a profile, from made-up records alone.
//!
//! The pages are left in `$FALLLINE_PAGE_DIR`, or in the folder for temporary files of tests, where
//! `scripts/check_page.py` opens them.

use std::path::PathBuf;

use crate::common::csv::parsed;
use crate::common::profile_record::{HOSTILE, convolutions, hostile, perceptron};
use fallline::engine::bench::profile::ProfileRecord;
use fallline::engine::bench::profile::compare::ProfileComparison;
use fallline::engine::probe::Operation;
use fallline::engine::report::chart::{Chart, dark_rules};
use fallline::engine::report::profile::{
    Family, charts, comparison, csv, flame, folded, page, table, write_all,
};

fn records() -> [ProfileRecord; 3] {
    [perceptron(), convolutions(), hostile()]
}

fn plain(text: &str) -> String {
    console::strip_ansi_codes(text).into_owned()
}

/// The table of a record in a terminal of so many columns, without colours.
fn shown(record: &ProfileRecord, columns: usize) -> String {
    plain(&table(record, columns, None, None))
}

#[test]
fn the_largest_saving_stands_first_and_sums_stand_last() {
    let record = perceptron();
    let text = shown(&record, 250);
    let lines: Vec<&str> = text.lines().collect();
    let titles = lines.iter().position(|line| line.starts_with("layer")).unwrap();
    for title in [
        "operation",
        "kind",
        "calls",
        "median µs",
        "mean µs",
        "share",
        "GFLOP/s",
        "GB/s",
        "flops/byte",
        "nominal Mflop",
        "roof",
        "of roof",
        "could save µs",
        "bound by",
    ] {
        assert!(lines[titles].contains(title), "{title} in {}", lines[titles]);
    }
    let most = record.sites.iter().max_by(|a, b| a.saving.total_cmp(&b.saving)).unwrap();
    assert!(lines[titles + 2].contains(&most.operation), "{text}");
    let uncovered = lines.iter().find(|line| line.contains("uncovered ")).unwrap();
    assert!(uncovered.contains("7.5") && uncovered.contains('%'), "{uncovered}");
    let total = lines.iter().find(|line| line.contains("total ")).unwrap();
    assert!(total.contains("360") && total.contains("100.0 %"), "{total}");
    assert!(text.contains("roofs: AVX-512 f32 480 GFLOP/s · L1 820 GB/s up to 48 KiB"), "{text}");
    assert!(text.contains("they cost 0.4 % (0.1 to 0.7)"), "{text}");
    let unbroken = text.replace('\n', " ");
    assert!(
        unbroken.contains("The others wait for worker 1: it comes last to 77.0 % of the barriers"),
        "{text}"
    );
    assert!(text.contains("try: fallline profile mnist-mlp --batch 1024"), "{text}");
    assert!(
        text.contains("fallline bench --kernel 'dense 784 → 128 + relu batch 256 weight-gradient'"),
        "{text}"
    );
}

#[test]
fn the_table_fits_every_terminal() {
    for record in records() {
        let sites = record.sites.len();
        for columns in [60, 72, 80, 100, 120, 160, 200, 300] {
            let text = shown(&record, columns);
            for line in text.lines() {
                let width = console::measure_text_width(line);
                // A command that is broken cannot be copied.
                let is_command = line.contains("try: ") || line.starts_with("    ");
                let is_word = !line.trim_start().contains(' ');
                assert!(width <= columns || is_command || is_word, "{columns}: {width} in {line}");
            }
            let begin = text.lines().position(|line| line.starts_with("layer")).unwrap();
            let rows = text.lines().skip(begin + 2).take_while(|line| !line.starts_with('─'));
            assert_eq!(rows.count(), sites, "{columns}: no call site is missing");
            for always in ["could save µs", "uncovered", "total"] {
                assert!(text.contains(always), "{always} at {columns}");
            }
        }
    }
    let narrow = shown(&perceptron(), 80);
    assert!(narrow.contains("no room for: ") && !shown(&perceptron(), 250).contains("no room for"));
}

#[test]
fn one_layer_is_shown_alone() {
    let record = convolutions();
    let text = plain(&table(&record, 250, Some("3"), None));
    let begin = text.lines().position(|line| line.starts_with("layer")).unwrap();
    let rows: Vec<&str> = text.lines().skip(begin + 2).take_while(|line| !line.starts_with('─')).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(rows.iter().all(|row| row.starts_with("3.layers.0 ")), "{rows:?}");
    assert!(text.contains("these sites") && text.contains("uncovered"));
}

#[test]
fn what_was_not_measured_is_no_number() {
    let mut record = perceptron();
    record.plain_step_seconds = 0.0;
    record.sites.clear();
    record.workers.truncate(1);
    record.timeline.clear();
    record.step_seconds = 0.0;
    record.roofs.levels.clear();
    record.roofs.flops_per_second = 0.0;
    let text = shown(&record, 100);
    assert!(text.contains("not measured without probes"), "{text}");
    let html = page(&record, None);
    for text in [&text, &html] {
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }
    assert!(charts(&record).is_empty());
}

#[test]
fn comma_separated_values_are_the_call_sites_again() {
    for record in records() {
        let rows = parsed(&csv(&record));
        assert_eq!(rows.len(), record.sites.len() + 2, "titles, call sites, what is uncovered");
        let column = |title: &str| rows[0].iter().position(|name| name == title).unwrap();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()));
        for (row, site) in rows[1..].iter().zip(&record.sites) {
            assert_eq!(row[column("kind")], site.kind);
            assert_eq!(row[column("operation")], site.operation);
            let number = |title: &str| row[column(title)].parse::<f64>().unwrap();
            assert_eq!(number("seconds_per_step"), site.seconds_per_step);
            assert_eq!(number("flops"), site.flops);
            assert_eq!(number("saving"), site.saving);
            assert_eq!(number("gflops_per_second"), site.flops / site.seconds_per_step / 1e9);
            assert_eq!(number("worker_1_seconds"), site.worker_seconds[1]);
            assert_eq!(row[column("fraction_of_roof")].parse().ok(), site.fraction_of_roof);
        }
        let last = rows.last().unwrap();
        assert_eq!(last[column("operation")], "uncovered");
        assert_eq!(last[column("seconds_per_step")], record.uncovered.to_string());
    }
}

#[test]
fn folded_stacks_are_frames_and_whole_nanoseconds() {
    let text = folded(&perceptron());
    let line = "mnist-mlp;worker 0;layer 0 dense 784 → 128 + relu;weight-gradient 116160\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("mnist-mlp;worker 1;gather 32240\n") && text.contains("worker 1;uncovered 7500\n"));
    for record in records() {
        let mut sum = 0;
        for line in folded(&record).lines() {
            let (stack, number) = line.rsplit_once(' ').unwrap();
            sum += number.parse::<u64>().unwrap();
            assert!((3..=4).contains(&stack.split(';').count()), "{line}");
        }
        let workers = record.workers.len() as f64;
        let expected = 1e9 * workers * record.step_seconds;
        assert!((sum as f64 - expected).abs() < 1e-3 * expected, "{sum} is not {expected}");
    }
}

#[test]
fn a_flame_graph_is_a_drawing() {
    for record in records() {
        let svg = flame(&record).unwrap();
        assert!(svg.contains("<svg ") && svg.contains("worker 1"), "{svg}");
        assert!(!svg.contains("<script>alert"));
    }
    let mut empty = perceptron();
    empty.sites.clear();
    empty.workers.clear();
    assert!(flame(&empty).unwrap_err().to_string().contains("call sites that take time"));
}

#[test]
fn every_operation_has_a_family_and_every_dot_lies_under_its_roof() {
    for operation in Operation::ALL {
        let expected = match operation {
            Operation::Forward | Operation::Recompute | Operation::Predict => Family::Forward,
            Operation::InputGradient => Family::InputGradient,
            Operation::WeightGradient => Family::WeightGradient,
            Operation::Loss | Operation::Statistics | Operation::Norms => Family::Loss,
            Operation::Gather => Family::Gather,
            Operation::Barrier => Family::Waiting,
            _ => Family::Update,
        };
        assert_eq!(Family::of(operation.name()), expected);
    }
    for record in records() {
        let Some((_, Chart::Roofline(chart))) = charts(&record).into_iter().next() else {
            panic!("no roofline")
        };
        assert!(chart.dots.len() > 5);
        for dot in &chart.dots {
            // A record from outside may name a roof that it does not have.
            let Some(roof) = dot.roof.map(|index| &chart.roofs[index]) else {
                assert_eq!(record, hostile());
                continue;
            };
            assert!(dot.y <= 1.000_001 * roof.at(dot.x), "{} is above {}", dot.name, roof.name);
            assert!(dot.lines.iter().any(|line| line.contains("GFLOP/s")), "{:?}", dot.lines);
        }
    }
}

#[test]
fn the_page_shows_everything_and_loads_nothing() {
    for record in records() {
        let html = page(&record, None);
        for expected in [
            "Where the time goes",
            "Roofline",
            "Call sites",
            "One step",
            "Flame graph",
            "Workers",
            "Machine and settings",
            "Cost of the probes",
            "Largest saving",
            "data-charts=\"3\"",
            "<td>uncovered</td>",
        ] {
            assert!(html.contains(expected), "{expected}");
        }
        let addresses = html.replace("http://www.w3.org/2000/svg", "");
        for sign in ["http:", "https:", "@import", "url("] {
            assert!(!addresses.contains(sign), "{sign}");
        }
        for (_, chart) in charts(&record) {
            let rules = dark_rules("svg");
            let svg = chart.to_inline_svg();
            for colour in svg.split("=\"#").skip(1).map(|rest| &rest[..6]) {
                assert!(rules.contains(colour), "{colour} has no dark twin");
            }
        }
    }
}

#[test]
fn no_text_leaves_its_place() {
    let (record, harmless) = (hostile(), perceptron());
    let compared = ProfileComparison::of(&record, &harmless, 0.05);
    let html = page(&record, Some(&compared));
    assert!(!html.contains("<script>alert") && html.contains("&lt;script&gt;alert"));
    let terminal = table(&record, 120, None, Some(&compared));
    assert!(!terminal.contains('\u{7}') && !terminal.contains("\u{1b}[31ma"), "{terminal}");
    for (_, chart) in charts(&record) {
        assert!(!chart.to_svg().contains("<script"));
    }
    let folded = folded(&record);
    assert!(folded.lines().all(|line| !line.contains('\u{7}')), "{HOSTILE}");
}

#[test]
fn a_folder_gets_all_files() {
    let pages = std::env::var_os("FALLLINE_PAGE_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let mut slower = perceptron();
    slower.plain_step_seconds *= 1.2;
    let compared = ProfileComparison::of(&perceptron(), &slower, 0.05);
    for (name, record, compared) in [
        ("profile-perceptron", perceptron(), Some(&compared)),
        ("profile-convolutions", convolutions(), None),
        ("profile-hostile", hostile(), None),
    ] {
        let folder = pages.join(name);
        write_all(&folder, &record, compared).unwrap();
        let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        for file in [
            "report.html",
            "profile.json",
            "sites.csv",
            "flame.svg",
            "roofline.svg",
            "roofline.png",
            "timeline.svg",
            "timeline.png",
        ] {
            assert!(size(file) > 500, "{name}/{file}: {} bytes", size(file));
        }
        assert!(size("report.html") < 3_000_000, "{} bytes", size("report.html"));
        let text = std::fs::read_to_string(folder.join("profile.json")).unwrap();
        assert_eq!(serde_json::from_str::<ProfileRecord>(&text).unwrap(), record);
    }
}

#[test]
fn a_comparison_says_what_became_slower() {
    let (mut record, earlier) = (perceptron(), perceptron());
    let slow = record.sites.iter_mut().find(|site| site.operation == "update").unwrap();
    slow.seconds_per_step *= 3.0;
    record.plain_step_seconds += 76e-6;
    record.sites.retain(|site| site.operation != "norms");
    let compared = ProfileComparison::of(&record, &earlier, 0.05);
    assert!(compared.is_slower() && !compared.per_sample);
    assert_eq!(compared.sites[0].operation, "update");
    assert!((compared.sites[0].ratio().unwrap() - 3.0).abs() < 1e-9);
    let gone = compared.sites.iter().find(|site| site.operation == "norms").unwrap();
    assert_eq!((gone.after, gone.ratio()), (None, None));
    let text = plain(&comparison(&compared, 100)).replace('\n', " ");
    assert!(text.contains("3.00 ×") && text.contains("slower, with a tolerance of 5.0 %"), "{text}");
    assert!(!ProfileComparison::of(&record, &earlier, 0.5).is_slower());
    assert!(!ProfileComparison::of(&earlier, &record, 0.05).is_slower());
}

#[test]
fn batches_of_other_sizes_are_compared_by_the_sample() {
    let (mut record, earlier) = (perceptron(), perceptron());
    record.settings.batch = 512;
    record.settings.threads = 1;
    record.plain_step_seconds *= 1.5;
    for site in &mut record.sites {
        site.seconds_per_step *= 1.5;
    }
    let compared = ProfileComparison::of(&record, &earlier, 0.05);
    assert!(compared.per_sample && !compared.is_slower());
    assert!((compared.ratio().unwrap() - 0.75).abs() < 1e-9);
    assert!(compared.sites.iter().all(|site| (site.ratio().unwrap() - 0.75).abs() < 1e-9));
    assert_eq!(compared.settings, ["batch 256, now 512", "threads 2, now 1"]);
    let text = plain(&comparison(&compared, 100));
    assert!(text.contains("µs for a sample") && text.contains("A sample took"), "{text}");
}

#[test]
fn another_machine_and_another_clock_are_told() {
    let (mut record, earlier) = (perceptron(), perceptron());
    record.machine.cpu = "Another".into();
    record.roofs.flops_per_second *= 0.8;
    let warnings = ProfileComparison::of(&record, &earlier, 0.05).warnings;
    assert!(warnings[0].contains("another machine") && warnings[1].contains("20 % lower"), "{warnings:?}");
}
