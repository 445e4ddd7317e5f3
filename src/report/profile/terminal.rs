//! The tables of a terminal.

use super::names::{cut, longest_name};
use console::style;

use super::facts::{
    billions, digits, level, micros, millions, overhead, peak, percent, plain_seconds, rate, seconds_of,
    settings, share, step_time,
};
use super::{comparison, workers};
use crate::bench::profile::ProfileRecord;
use crate::bench::profile::compare::ProfileComparison;
use crate::bench::profile::record::Site;
use crate::bench::profile::request::is_part_of;
use crate::report::markup::printable;
use crate::report::numbers::{counted, rounded};
use crate::report::table::{self, Side};
use crate::report::wrap::wrapped;

/// The widest line of a sentence, however wide the terminal is.
const WIDEST_TEXT: usize = 100;

/// The part of the step from which a saving is marked, and the fraction from which a roof is reached.
const MUCH: f64 = 0.05;
const AT_ROOF: f64 = 0.8;

/// The most commands that are shown which run a kernel alone.
const COMMANDS: usize = 5;

/// A row of the table: a call site, or a sum.
struct Row<'a> {
    record: &'a ProfileRecord,
    site: Option<&'a Site>,
    name: &'a str,
    /// The most letters of a name that are shown.
    longest: usize,
    seconds: f64,
    median: Option<f64>,
    flops: f64,
    nominal: f64,
    bytes: f64,
    calls: f64,
    saving: Option<f64>,
}

/// A column: its title, the side of its texts, how soon it is left out where there is no room (0: never), and
/// its text, empty where it has none.
struct Column {
    title: &'static str,
    side: Side,
    yields: u8,
    text: fn(&Row) -> String,
}

const fn column(title: &'static str, side: Side, yields: u8, text: fn(&Row) -> String) -> Column {
    Column { title, side, yields, text }
}

const COLUMNS: [Column; 17] = [
    column("layer", Side::Left, 0, |row| {
        of(row, |site| cut(site.layer.as_deref().unwrap_or("-"), row.longest))
    }),
    column("operation", Side::Left, 0, |row| cut(row.name, row.longest)),
    column("kind", Side::Left, 8, |row| of(row, |site| cut(&site.kind, row.longest))),
    column("calls", Side::Right, 9, |row| positive(row.calls, digits)),
    column("median µs", Side::Right, 2, |row| row.median.map(micros).unwrap_or_default()),
    column("mean µs", Side::Right, 12, |row| micros(row.seconds)),
    column("share", Side::Right, 1, |row| percent(share(row.record, row.seconds))),
    column("GFLOP/s", Side::Right, 5, |row| positive(rate(row.flops, row.seconds), billions)),
    column("GB/s", Side::Right, 6, |row| positive(rate(row.bytes, row.seconds), billions)),
    column("flops/byte", Side::Right, 10, |row| positive(rate(row.flops, row.bytes), digits)),
    column("nominal Mflop", Side::Right, 11, |row| positive(row.nominal, millions)),
    column("instr/cycle", Side::Right, 14, |row| {
        counters(row, |counters| digits(rate(counters.instructions, counters.cycles)))
    }),
    column("misses", Side::Right, 13, |row| counters(row, |counters| rounded(counters.cache_misses))),
    column("roof", Side::Left, 4, |row| of(row, |site| cut(&site.roof, row.longest))),
    column("of roof", Side::Right, 3, |row| of(row, fraction)),
    column("could save µs", Side::Right, 0, |row| {
        row.saving.map(|saving| saved(row, saving)).unwrap_or_default()
    }),
    column("bound by", Side::Left, 7, |row| of(row, |site| cut(&site.verdict, row.longest))),
];

fn of(row: &Row, text: impl Fn(&Site) -> String) -> String {
    row.site.map(text).unwrap_or_default()
}

fn positive(number: f64, text: fn(f64) -> String) -> String {
    if number > 0.0 { text(number) } else { String::new() }
}

fn counters(row: &Row, text: fn(&crate::bench::profile::record::Counters) -> String) -> String {
    row.site.and_then(|site| site.counters.as_ref()).map(text).unwrap_or_default()
}

fn fraction(site: &Site) -> String {
    let Some(fraction) = site.fraction_of_roof else { return String::new() };
    let text = format!("{:.0} %", 100.0 * fraction);
    if fraction >= AT_ROOF { style(text).green().to_string() } else { text }
}

fn saved(row: &Row, saving: f64) -> String {
    let text = micros(saving);
    let is_much = row.site.is_some() && share(row.record, saving) > MUCH;
    if is_much { style(text).yellow().bold().to_string() } else { text }
}

/// The report of a profile in lines of at most `columns`. With a `layer`, the call sites of that layer and of
/// the layers inside it. Coloured if standard output is a terminal that wants it.
pub fn table(
    record: &ProfileRecord,
    columns: usize,
    layer: Option<&str>,
    compared: Option<&ProfileComparison>,
) -> String {
    let narrow = columns.min(WIDEST_TEXT);
    let mut text = heading(record, narrow);
    text += "\n";
    text += &sites(record, columns, layer);
    text += "\n";
    text += &of_workers(record, columns);
    for (index, finding) in record.findings.iter().enumerate() {
        if index == 0 {
            text += &format!("\n{}\n", style("Findings").bold());
        }
        text += &wrapped(&printable(&finding.text), narrow, &format!("{:2}. ", index + 1));
        if let Some(command) = &finding.command {
            text += &format!("    try: {}\n", style(printable(command)).cyan());
        }
    }
    text += &commands(record, layer);
    if let Some(compared) = compared {
        text += "\n";
        text += &comparison::text(compared, columns);
    }
    let notes = record.notes.iter().chain(&record.counters);
    for (index, note) in notes.enumerate() {
        text += if index == 0 { "\n" } else { "" };
        text += &wrapped(&printable(note), narrow, "note: ");
    }
    text
}

fn heading(record: &ProfileRecord, columns: usize) -> String {
    let name = style(printable(&record.settings.recipe)).bold();
    let mut text = wrapped(&format!("{name} · {}", settings(record).join(" · ")), columns, "");
    let speed = rate(record.settings.batch as f64, plain_seconds(record));
    let probes = if record.plain_step_seconds > 0.0 {
        let cost = match overhead(record) {
            Some(cost) => format!("they cost {cost}"),
            None => "too few steps to tell what they cost".to_string(),
        };
        format!(", {} without probes: {cost}", step_time(record.plain_step_seconds))
    } else {
        ", not measured without probes".to_string()
    };
    let steps = counted(record.steps, "step");
    let step = step_time(record.step_seconds);
    text += &wrapped(
        &format!("step {step}, the mean of {steps}{probes} · {} samples/s", rounded(speed)),
        columns,
        "",
    );
    let levels: Vec<String> = record.roofs.levels.iter().map(level).collect();
    let roofs = std::iter::once(peak(record)).chain(levels).collect::<Vec<_>>().join(" · ");
    text += &wrapped(&roofs, columns, "roofs: ");
    text
}

/// The table of call sites, without the columns that have no room.
fn sites(record: &ProfileRecord, columns: usize, layer: Option<&str>) -> String {
    let is_shown = |site: &&Site| layer.is_none_or(|module| is_part_of(site.layer.as_deref(), module));
    let shown: Vec<&Site> = record.sites.iter().filter(is_shown).collect();
    let total = |value: fn(&Site) -> f64| shown.iter().map(|site| value(site)).sum::<f64>();
    let longest = longest_name(columns);
    let sum = |name, seconds| Row {
        record,
        site: None,
        name,
        longest,
        seconds,
        median: None,
        flops: 0.0,
        nominal: 0.0,
        bytes: 0.0,
        calls: 0.0,
        saving: None,
    };
    let mut rows: Vec<Row> = shown
        .iter()
        .map(|site| Row {
            record,
            site: Some(site),
            name: &site.operation,
            longest,
            seconds: site.seconds_per_step,
            median: Some(site.median_seconds),
            flops: site.flops,
            nominal: site.nominal_flops,
            bytes: site.bytes,
            calls: site.calls,
            saving: Some(site.saving),
        })
        .collect();
    let uncovered = Row { median: Some(record.uncovered), ..sum("uncovered", record.uncovered) };
    let seconds = total(|site| site.seconds_per_step);
    // For one layer the uncovered time is unknown; that of the whole step is shown all the same.
    let (name, seconds) =
        if layer.is_some() { ("these sites", seconds) } else { ("total", seconds + record.uncovered) };
    let whole = Row {
        median: Some(seconds),
        flops: total(|site| site.flops),
        nominal: total(|site| site.nominal_flops),
        bytes: total(|site| site.bytes),
        calls: total(|site| site.calls),
        saving: Some(total(|site| site.saving)),
        ..sum(name, seconds)
    };
    rows.extend([uncovered, whole]);

    let filled = |column: &&Column| rows.iter().any(|row| !(column.text)(row).is_empty());
    let kept: Vec<&Column> = COLUMNS.iter().filter(filled).collect();
    let titles: Vec<table::Column> = kept
        .iter()
        .map(|column| table::Column { title: column.title, side: column.side, yields: column.yields })
        .collect();
    let cells = |row: &Row| kept.iter().map(|column| (column.text)(row)).collect::<Vec<String>>();
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    table::fitted(&titles, &cells, 2, Some(columns), ", --out or --csv")
}

fn of_workers(record: &ProfileRecord, columns: usize) -> String {
    let is_told = |column: &&workers::Column| record.workers.iter().any(|w| (column.value)(w).is_some());
    let shown: Vec<&workers::Column> = workers::COLUMNS.iter().filter(is_told).collect();
    // The columns in the middle are those from which the others follow.
    let yields = |title: &str| match title {
        "switches" => 3,
        "taken µs" => 2,
        "uncovered µs" => 1,
        _ => 0,
    };
    let titles: Vec<table::Column> = shown
        .iter()
        .map(|column| table::Column { title: column.title, side: Side::Right, yields: yields(column.title) })
        .collect();
    let row = |worker| {
        let cell = |column: &&workers::Column| {
            (column.value)(worker).map_or_else(|| "-".into(), |value| (column.text)(value))
        };
        shown.iter().map(cell).collect::<Vec<String>>()
    };
    let rows: Vec<Vec<String>> = record.workers.iter().map(row).collect();
    let mut text = table::fitted(&titles, &rows, 0, Some(columns), ", --out or --csv");
    let waiting = seconds_of(record, super::facts::BARRIER);
    let sentence = workers::sentence(record).unwrap_or_default();
    let share = format!("{} of a step is waiting at barriers.", percent(share(record, waiting)));
    if record.workers.len() > 1 {
        text += &wrapped(&format!("{share} {sentence}"), columns.min(WIDEST_TEXT), "");
    }
    text
}

/// The commands that run alone the kernels that have the most to save.
fn commands(record: &ProfileRecord, layer: Option<&str>) -> String {
    let is_shown = |site: &&Site| layer.is_none_or(|module| is_part_of(site.layer.as_deref(), module));
    let commands = record.sites.iter().filter(is_shown).filter_map(|site| site.command.as_deref());
    let lines: String =
        commands.take(COMMANDS).map(|command| format!("    {}\n", printable(command))).collect();
    if lines.is_empty() { lines } else { format!("\n{}\n{lines}", style("A kernel alone").bold()) }
}
