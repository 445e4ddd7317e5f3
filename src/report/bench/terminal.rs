//! Tables in a terminal.

use console::style;

use super::tasks;
use super::tasks::{Task, doubts, frameworks, ratio, ratios};
use crate::bench::record::{BenchRecord, CaseRecord};
use crate::report::markup::printable;
use crate::report::numbers::{bytes, rounded, thousands};
use crate::report::table::{self, Side};
use crate::report::wrap::wrapped;

/// The most columns of a note.
const COLUMNS: usize = 100;

/// The most doubtful cases that have a line each.
const MOST_DOUBTFUL: usize = 4;

/// A column of the table of our own cases: title, side, how soon it is left out (see [`table::Column`]), and its text, empty
/// where there is none.
type Column<'a> = (&'static str, Side, u8, Box<dyn Fn(&CaseRecord) -> String + 'a>);

/// Our cases, network by network, with the doubtful ones below; then other frameworks side by side.
/// Columns that have no room in `width` are left out. Coloured if standard output is a terminal that wants it.
pub fn table(record: &BenchRecord, width: Option<usize>) -> String {
    let frameworks = frameworks(record);
    let mut text = String::new();
    for task in tasks(record) {
        let own = task.own();
        if !own.is_empty() {
            text += &heading(&task, own[0]);
            text += &own_table(&task, &own, width);
            text += &doubtful(&task, &own);
            text.push('\n');
        }
        text += &peers(&task, &frameworks, "samples/s", |case| Some(case.samples_per_second.median));
        text += &peers(&task, &frameworks, "tokens/s", |case| case.tokens_per_second);
    }
    for ratio in ratios(record) {
        text += &format!("{}\n", style(ratio.sentence()).bold());
    }
    // What was left out, and why, is no less of a result.
    for note in record.notes.iter().chain(&tasks::parts(record)) {
        text += &wrapped(&printable(note), COLUMNS, "note: ");
    }
    text
}

fn heading(task: &Task, first: &CaseRecord) -> String {
    let facts = [
        format!("data {}", printable(task.data)),
        format!("{} parameters", thousands(first.parameters as u64)),
        format!("{} flops to train a sample", rounded(first.train_flops_per_sample)),
    ];
    format!("{} · {}\n", style(printable(task.recipe)).bold(), facts.join(" · "))
}

/// The table of our own cases; columns without a single value are left out.
fn own_table(task: &Task, own: &[&CaseRecord], width: Option<usize>) -> String {
    let fastest = own.iter().map(|case| case.samples_per_second.median).fold(0.0, f64::max);
    let best = own.iter().map(|case| case.fraction_of_peak.median).fold(0.0, f64::max);
    let good = |text: String, is_best: bool| {
        if is_best { style(text).green().bold().to_string() } else { text }
    };
    let optional = |value: Option<String>| value.unwrap_or_default();
    let columns: [Column; 13] = [
        ("optimizer", Side::Left, 0, Box::new(|case| task.rule(case))),
        ("batch", Side::Right, 0, Box::new(|case| thousands(case.batch as u64))),
        ("threads", Side::Right, 0, Box::new(|case| case.threads.to_string())),
        (
            "samples/s",
            Side::Right,
            0,
            Box::new(|case| {
                let median = case.samples_per_second.median;
                good(rounded(median), median == fastest)
            }),
        ),
        ("tokens/s", Side::Right, 1, Box::new(|case| optional(case.tokens_per_second.map(rounded)))),
        ("95 % interval", Side::Right, 4, Box::new(interval)),
        ("step µs", Side::Right, 5, Box::new(|case| microseconds(case.step_us))),
        ("GFLOP/s", Side::Right, 7, Box::new(|case| format!("{:.1}", case.gflops))),
        (
            "of peak",
            Side::Right,
            2,
            Box::new(|case| {
                let fraction = case.fraction_of_peak.median;
                good(percent(fraction), fraction == best)
            }),
        ),
        ("scaling", Side::Right, 6, Box::new(|case| optional(case.scaling_efficiency.map(percent)))),
        (
            "update",
            Side::Right,
            9,
            Box::new(|case| optional(case.update_bytes_per_step.map(|count| bytes(count as u64)))),
        ),
        ("memory", Side::Right, 10, Box::new(|case| optional(case.peak_memory_bytes.map(bytes)))),
        ("waiting", Side::Right, 8, Box::new(|case| optional(case.waiting.map(waiting)))),
    ];
    let filled: Vec<&Column> =
        columns.iter().filter(|(_, _, _, text)| own.iter().any(|case| !text(case).is_empty())).collect();
    let rows: Vec<Vec<String>> =
        own.iter().map(|case| filled.iter().map(|(_, _, _, text)| text(case)).collect()).collect();
    let titles: Vec<table::Column> =
        filled.iter().map(|&&(title, side, yields, _)| table::Column { title, side, yields }).collect();
    table::fitted(&titles, &rows, 0, width, ", --out or --csv")
}

/// [`margins`], with a star if runs lie far off: "-0.8 +9.9 %*".
fn interval(case: &CaseRecord) -> String {
    let star = if case.samples_per_second.outliers > 0 { "*" } else { "" };
    let text = margins(case) + star;
    if doubts(case).is_empty() { text } else { style(text).yellow().to_string() }
}

/// How far the ends of the interval are from the median: "-0.8 +1.2 %"; empty if nothing moved.
pub(super) fn margins(case: &CaseRecord) -> String {
    let speed = &case.samples_per_second;
    if speed.median <= 0.0 {
        return String::new();
    }
    let part = |end: f64| 100.0 * (end - speed.median).abs() / speed.median;
    format!("-{:.1} +{:.1} %", part(speed.low), part(speed.high))
}

fn waiting(part: f64) -> String {
    let text = percent(part);
    if part > super::tasks::MUCH_WAITING { style(text).yellow().to_string() } else { text }
}

/// A fraction of 1 in percent, with one decimal: 67.3 %.
pub(super) fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

/// Microseconds, with one decimal below 1000: 41.7, 1,234.
pub(super) fn microseconds(time: f64) -> String {
    if time < 999.95 { format!("{time:.1}") } else { rounded(time) }
}

/// The doubtful cases, one line for each; one for all where they are many.
fn doubtful(task: &Task, own: &[&CaseRecord]) -> String {
    let count = own.iter().filter(|case| !doubts(case).is_empty()).count();
    if count > MOST_DOUBTFUL {
        let text = format!(
            "  ! {count} of {} cases are doubtful: runs far from the median, wide intervals or much waiting; the page of \
             --out says which",
            own.len()
        );
        return format!("{}\n", style(text).yellow());
    }
    let line = |case: &&CaseRecord| {
        let doubts = doubts(case);
        let text = format!("  ! {} {}: {}", task.rule(case), place(case), doubts.join(", "));
        (!doubts.is_empty()).then(|| format!("{}\n", style(text).yellow()))
    };
    own.iter().filter_map(line).collect()
}

/// The settings of a case: "batch 64, 2 threads".
pub(super) fn place(case: &CaseRecord) -> String {
    let threads = if case.threads == 1 { "thread" } else { "threads" };
    format!("batch {}, {} {threads}", thousands(case.batch as u64), case.threads)
}

/// A throughput of each framework, by its unit and its median, with how many times as fast we are. Empty where there is none.
fn peers(
    task: &Task,
    frameworks: &[&str],
    unit: &str,
    median: impl Fn(&CaseRecord) -> Option<f64>,
) -> String {
    let groups = task.side_by_side(frameworks);
    let measured = |index: usize| groups.iter().any(|group| group[index].is_some());
    let shown: Vec<usize> = (0..frameworks.len()).filter(|&index| measured(index)).collect();
    let row = |group: &Vec<Option<&CaseRecord>>| {
        let any = group.iter().flatten().next()?;
        median(any)?;
        let mut row = vec![task.rule(any), thousands(any.batch as u64), any.threads.to_string()];
        let own = group[0].filter(|_| frameworks[0] == crate::bench::record::FALLLINE);
        for &index in &shown {
            let rate = |case: &CaseRecord| median(case).map(|rate| versus(own, case, rate));
            row.push(group[index].and_then(rate).unwrap_or("-".into()));
        }
        Some(row)
    };
    let rows: Vec<Vec<String>> = groups.iter().filter_map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut titles = vec![("optimizer", Side::Left), ("batch", Side::Right), ("threads", Side::Right)];
    let names: Vec<String> = shown.iter().map(|&index| printable(frameworks[index])).collect();
    titles.extend(names.iter().map(|name| (name.as_str(), Side::Right)));
    let heading = format!(
        "{} · {unit} side by side (how many times as fast fallline is)\n",
        style(printable(task.recipe)).bold()
    );
    heading + &table::table(&titles, &rows, 0) + "\n"
}

/// The throughput of a framework with our ratio: "812,345 (1.64 ×)".
fn versus(own: Option<&CaseRecord>, case: &CaseRecord, rate: f64) -> String {
    let speed = rounded(rate);
    match own.filter(|own| own.framework != case.framework).and_then(|own| ratio(own, case)) {
        None => speed,
        Some(ratio) => {
            let text = format!("({ratio:.2} ×)");
            let text = if ratio < 1.0 { style(text).yellow() } else { style(text).green() };
            format!("{speed} {text}")
        }
    }
}
