//! Two profiles side by side.

use console::{measure_text_width, style};

use super::facts::{micros, percent};
use super::names::{cut, longest_name};
use crate::bench::profile::compare::{ProfileComparison, SiteChange};
use crate::report::markup::printable;
use crate::report::table::{Side, table};
use crate::report::wrap::wrapped;

/// The widest line of a sentence.
const WIDEST_TEXT: usize = 100;

/// A column: its title, its meaning, and its text; empty where it has no value.
pub(super) struct Column {
    pub title: &'static str,
    pub hint: &'static str,
    pub value: fn(&SiteChange) -> Option<f64>,
    pub text: fn(f64) -> String,
}

pub(super) const COLUMNS: [Column; 5] = [
    Column { title: "before", hint: "of the other profile", value: |site| site.before, text: micros_or_less },
    Column { title: "after", hint: "of this profile", value: |site| site.after, text: micros_or_less },
    Column {
        title: "difference",
        hint: "after less before; what is in one profile only takes no time in the other",
        value: |site| Some(site.difference()),
        text: signed,
    },
    Column { title: "ratio", hint: "after over before", value: SiteChange::ratio, text: times },
    Column {
        title: "share",
        hint: "what became of the share of the step",
        value: |site| Some(site.share),
        text: |share| format!("{:+.1} %", 100.0 * share),
    },
];

fn micros_or_less(seconds: f64) -> String {
    // Of a sample, a call site may take nanoseconds.
    if seconds > 0.0 && seconds < 0.95e-6 { format!("{:.3}", 1e6 * seconds) } else { micros(seconds) }
}

fn signed(seconds: f64) -> String {
    format!("{}{}", if seconds < 0.0 { "-" } else { "+" }, micros_or_less(seconds.abs()))
}

pub(super) fn times(ratio: f64) -> String {
    format!("{ratio:.2} ×")
}

/// The unit of times: "µs of a step", or of a sample.
pub(super) fn unit(comparison: &ProfileComparison) -> &'static str {
    if comparison.per_sample { "µs for a sample" } else { "µs of a step" }
}

/// The result in a sentence: "The step takes 0.93 times as long: 812 µs, not 873 µs."
pub(super) fn sentence(comparison: &ProfileComparison) -> String {
    let what = if comparison.per_sample { "A sample" } else { "The step" };
    let [before, after] = [comparison.before, comparison.after].map(micros_or_less);
    let Some(ratio) = comparison.ratio() else {
        return format!("{what} took {before} µs before and takes {after} µs now.");
    };
    let verdict = match () {
        () if comparison.is_slower() => "slower",
        () if ratio < 1.0 / (1.0 + comparison.tolerance) => "faster",
        () => "the same",
    };
    let tolerance = percent(comparison.tolerance);
    format!(
        "{what} took {before} µs before and takes {after} µs now, {ratio:.3} times as long: {verdict}, with a \
         tolerance of {tolerance}."
    )
}

/// The comparison in lines of at most `columns`.
pub fn text(comparison: &ProfileComparison, columns: usize) -> String {
    let narrow = columns.min(WIDEST_TEXT);
    let mut text = format!("{}\n", style("Compared with the other profile").bold());
    for change in &comparison.settings {
        text += &wrapped(&printable(change), narrow, "");
    }
    let mut shown: Vec<&Column> = COLUMNS.iter().collect();
    let row = |site: &SiteChange, shown: &[&Column]| {
        let names = [site.layer.as_deref().unwrap_or("-"), &site.operation]
            .map(|name| cut(name, longest_name(columns)));
        let cells = shown.iter().map(|column| cell(comparison, site, column));
        names.into_iter().chain(cells).collect::<Vec<String>>()
    };
    let lines = loop {
        let mut titles = vec![("layer", Side::Left), ("operation", Side::Left)];
        titles.extend(shown.iter().map(|column| (column.title, Side::Right)));
        let rows: Vec<Vec<String>> = comparison.sites.iter().map(|site| row(site, &shown)).collect();
        let lines = table(&titles, &rows, 0);
        let fits = lines.lines().all(|line| measure_text_width(line) <= columns);
        let yields = ["share", "difference"].into_iter().find(|t| shown.iter().any(|c| c.title == *t));
        match yields {
            Some(title) if !fits => shown.retain(|column| column.title != title),
            _ => break lines,
        }
    };
    text += &lines;
    text += &wrapped(
        &format!("before, after, difference: {}, mean over the workers", unit(comparison)),
        narrow,
        "",
    );
    for warning in &comparison.warnings {
        text += &style(wrapped(&printable(warning), narrow, "warning: ")).yellow().to_string();
    }
    let sentence = wrapped(&sentence(comparison), narrow, "");
    text + &if comparison.is_slower() { style(sentence).red().bold() } else { style(sentence).bold() }
        .to_string()
}

fn cell(comparison: &ProfileComparison, site: &SiteChange, column: &Column) -> String {
    let Some(value) = (column.value)(site) else { return "-".into() };
    let text = (column.text)(value);
    match () {
        () if column.title != "ratio" => text,
        () if value > 1.0 + comparison.tolerance => style(text).yellow().to_string(),
        () if value < 1.0 / (1.0 + comparison.tolerance) => style(text).green().to_string(),
        () => text,
    }
}
