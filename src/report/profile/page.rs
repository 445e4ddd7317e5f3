//! The page of a profile.

use super::charts::{parts, roofline, timeline, without_arithmetic};
use super::facts::{
    BARRIER, billions, digits, level, micros, millions, name, overhead, peak, percent, plain_seconds, rate,
    seconds_of, settings, share, step_time, time,
};
use super::{comparison, workers};
use crate::bench::profile::ProfileRecord;
use crate::bench::profile::compare::{ProfileComparison, SiteChange};
use crate::bench::profile::record::Site;
use crate::report::markup::printable;
use crate::report::numbers::{counted, rounded, thousands};
use crate::report::page::{Cell, Column, Hero, Page, Part, Section, Table, Tone};

/// The part of the step from which a saving is marked, and the fraction from which a roof is reached.
const MUCH: f64 = 0.05;
const AT_ROOF: f64 = 0.8;

/// The page, which needs nothing outside of itself.
pub fn page(record: &ProfileRecord, compared: Option<&ProfileComparison>) -> String {
    let section = |heading: &str, parts: Vec<Part>| Section { heading: heading.into(), parts };
    let sections = vec![
        section("Where the time goes", summary(record)),
        section("Compared with the other profile", compared.map(of_comparison).unwrap_or_default()),
        section("Roofline", of_roofline(record)),
        section("Call sites", [sites(record)].into_iter().chain(verdicts(record)).collect()),
        section("One step", of_timeline(record)),
        section("Flame graph", of_parts(record)),
        section("Workers", of_workers(record)),
        section("Machine and settings", about(record)),
    ];
    let subtitle = format!("{} · {}", settings(record).join(" · "), printable(&record.machine.cpu));
    let title = format!("{}: profile", printable(&record.settings.recipe));
    Page { title, subtitle, heroes: heroes(record), sections }.to_html()
}

/// The time of a step, how near it is to the peak, and the call site that takes most of it.
fn heroes(record: &ProfileRecord) -> Vec<Hero> {
    let (seconds, settings) = (plain_seconds(record), &record.settings);
    let speed = rate(settings.batch as f64, seconds);
    let mut heroes = vec![Hero::new("Step", step_time(seconds), format!("{} samples/s", rounded(speed)))];
    let fraction = rate(settings.flops_per_sample * speed, record.roofs.flops_per_second);
    if fraction > 0.0 {
        heroes.push(Hero::new("Of the peak", percent(fraction), format!("of {}", peak(record))));
    }
    if let Some(site) = record.sites.iter().max_by(|a, b| a.share.total_cmp(&b.share)) {
        heroes.push(Hero::new("Hottest call site", percent(site.share), name(site)));
    }
    heroes
}

fn summary(record: &ProfileRecord) -> Vec<Part> {
    let fact = |name: &str, value: String| (name.to_string(), value);
    let mut facts = vec![fact(
        "Step",
        format!("{} (mean of {})", step_time(record.step_seconds), counted(record.steps, "step")),
    )];
    if record.plain_step_seconds > 0.0 {
        let plain = step_time(record.plain_step_seconds);
        let cost = overhead(record).unwrap_or_else(|| "too few steps to tell".into());
        facts.push(fact("Cost of the probes", format!("{cost}; {plain} without")));
    }
    let speed = rate(record.settings.batch as f64, plain_seconds(record));
    facts.push(fact("Samples a second", rounded(speed)));
    let waiting = seconds_of(record, BARRIER);
    facts.push(fact("Waiting at barriers", percent(share(record, waiting))));
    facts.push(fact(
        "Covered by no probe",
        format!("{} ({})", percent(share(record, record.uncovered)), time(record.uncovered)),
    ));
    if let Some(site) = record.sites.iter().max_by(|a, b| a.saving.total_cmp(&b.saving)) {
        facts.push(fact("Largest saving", format!("{} ({})", time(site.saving), name(site))));
    }
    let mut parts = vec![Part::Facts(facts)];
    if !record.findings.is_empty() {
        let text = |finding: &crate::bench::profile::record::Finding| {
            (finding.text.clone(), finding.command.clone())
        };
        parts.push(Part::Findings(record.findings.iter().map(text).collect()));
    }
    let notes: Vec<String> = record.notes.iter().chain(&record.counters).cloned().collect();
    if !notes.is_empty() {
        parts.push(Part::Notes(notes));
    }
    parts
}

fn of_roofline(record: &ProfileRecord) -> Vec<Part> {
    let Some(chart) = roofline(record) else { return Vec::new() };
    let mut text =
        "A dot is a call site, its area the share of the step. A dot at its line cannot be faster on \
                    this machine without fewer operations or bytes; the lines were measured in the same run."
            .to_string();
    let without = without_arithmetic(record);
    if !without.is_empty() {
        text += &format!(" Without arithmetic, and so without a dot: {}.", without.join(", "));
    }
    vec![Part::Text(text), Part::Charts(vec![chart])]
}

fn of_timeline(record: &ProfileRecord) -> Vec<Part> {
    let Some(chart) = timeline(record) else { return Vec::new() };
    vec![Part::Text("The step whose time is the median.".into()), Part::Charts(vec![chart])]
}

fn of_parts(record: &ProfileRecord) -> Vec<Part> {
    let Some(chart) = parts(record) else { return Vec::new() };
    let text = "The step, its layers, and their operations, as wide as the time that they take.";
    vec![Part::Text(text.into()), Part::Charts(vec![chart])]
}

/// A column of the table of call sites.
struct Shown {
    title: &'static str,
    hint: &'static str,
    cell: fn(&ProfileRecord, &Site) -> Option<Cell>,
}

const fn shown(
    title: &'static str,
    hint: &'static str,
    cell: fn(&ProfileRecord, &Site) -> Option<Cell>,
) -> Shown {
    Shown { title, hint, cell }
}

fn positive(number: f64, text: fn(f64) -> String) -> Option<Cell> {
    (number > 0.0).then(|| Cell::number(text(number), number))
}

/// The columns, the most important ones first: a window may be narrower than the table.
const COLUMNS: [Shown; 18] = [
    shown("layer", "its module", |_, site| site.layer.as_deref().map(Cell::text)),
    shown("operation", "", |_, site| Some(Cell::text(&site.operation))),
    shown("kind", "what the layer is, or the rule of an update", |_, site| {
        (!site.kind.is_empty()).then(|| Cell::text(&site.kind))
    }),
    shown("mean µs", "microseconds of a step, mean over steps and workers", |_, site| {
        Some(Cell::number(micros(site.seconds_per_step), site.seconds_per_step))
    }),
    shown("share", "of the step's time", |record, site| {
        let share = share(record, site.seconds_per_step);
        Some(Cell::number(percent(share), share))
    }),
    shown("of roof", "the time at the roof over the time that it took", |_, site| {
        let fraction = site.fraction_of_roof?;
        let tone = if fraction >= AT_ROOF { Tone::Good } else { Tone::Plain };
        Some(Cell::number(percent(fraction), fraction).toned(tone))
    }),
    shown("roof", "the limit that applies", |_, site| {
        (site.fraction_of_roof.is_some()).then(|| Cell::text(&site.roof))
    }),
    shown("could save µs", "microseconds of a step, if it ran at its roof", |record, site| {
        let is_much = share(record, site.saving) > MUCH;
        let tone = if is_much { Tone::Warning } else { Tone::Plain };
        Some(Cell::number(micros(site.saving), site.saving).toned(tone))
    }),
    shown("bound by", "what keeps it from being faster", |_, site| Some(Cell::text(&site.verdict))),
    shown("calls", "in a step, of all workers together", |_, site| positive(site.calls, digits)),
    shown("median µs", "microseconds of a step, median over the steps, mean over the workers", |_, site| {
        Some(Cell::number(micros(site.median_seconds), site.median_seconds))
    }),
    shown("GFLOP/s", "executed operations of all workers together", |_, site| {
        positive(rate(site.flops, site.seconds_per_step), billions)
    }),
    shown("GB/s", "bytes read and written by all workers together", |_, site| {
        positive(rate(site.bytes, site.seconds_per_step), billions)
    }),
    shown("flops/byte", "executed operations over bytes", |_, site| {
        positive(rate(site.flops, site.bytes), digits)
    }),
    shown("Mflop", "millions of executed operations of a step", |_, site| positive(site.flops, millions)),
    shown("nominal Mflop", "millions of operations of a step by the layer's definition", |_, site| {
        positive(site.nominal_flops, millions)
    }),
    shown("instr/cycle", "instructions over cycles", |_, site| {
        site.counters.and_then(|counters| positive(rate(counters.instructions, counters.cycles), digits))
    }),
    shown("cache misses", "in a step", |_, site| {
        site.counters.and_then(|counters| positive(counters.cache_misses, rounded))
    }),
];

/// The table of call sites, and the time that no probe covers. Columns without a value are left out.
fn sites(record: &ProfileRecord) -> Part {
    let has_value = |column: &&Shown| record.sites.iter().any(|site| (column.cell)(record, site).is_some());
    let columns: Vec<&Shown> = COLUMNS.iter().filter(has_value).collect();
    let row = |site: &Site| {
        let cell = |column: &&Shown| (column.cell)(record, site).unwrap_or_default();
        columns.iter().map(cell).collect::<Vec<Cell>>()
    };
    let mut rows: Vec<Vec<Cell>> = record.sites.iter().map(row).collect();
    let part = share(record, record.uncovered);
    let of_uncovered = |column: &&Shown| match column.title {
        "operation" => Cell::text("uncovered"),
        "median µs" | "mean µs" => Cell::number(micros(record.uncovered), record.uncovered),
        "share" => Cell::number(percent(part), part),
        _ => Cell::default(),
    };
    rows.push(columns.iter().map(of_uncovered).collect());
    Part::Table(Table {
        caption: format!(
            "{}, the largest saving first, and what no probe covers; a click on a title sorts",
            counted(record.sites.len(), "call site")
        ),
        columns: columns.iter().map(|column| Column::new(column.title, column.hint)).collect(),
        rows,
    })
}

/// The explanations of verdicts that are no roof's name.
const VERDICTS: [(&str, &str); 5] = [
    (
        "latency",
        "it stays below its roof because of dependent instructions, cache misses that are waited for, or other \
         instructions than multiply-adds",
    ),
    ("small calls", "its calls take less than a microsecond; a larger batch makes them longer"),
    ("imbalance", "workers wait because another one has more to do"),
    ("waiting", "workers wait because the system took a processor away, or because they meet too often"),
    ("unknown", "neither operations nor bytes are counted"),
];

fn verdicts(record: &ProfileRecord) -> Vec<Part> {
    let has = |verdict: &str| record.sites.iter().any(|site| site.verdict == verdict);
    let mut texts = Vec::new();
    if record.sites.iter().any(|site| site.fraction_of_roof.is_some() && site.verdict == site.roof) {
        texts.push("a roof: it reaches 80 % of it or more, and there is nothing to gain".to_string());
    }
    let shown = VERDICTS.iter().filter(|(verdict, _)| has(verdict));
    texts.extend(shown.map(|(verdict, meaning)| format!("{verdict}: {meaning}")));
    if texts.is_empty() {
        return Vec::new();
    }
    vec![Part::Text(format!("Bound by {}.", texts.join("; ")))]
}

fn of_workers(record: &ProfileRecord) -> Vec<Part> {
    let shown: Vec<&workers::Column> = workers::COLUMNS
        .iter()
        .filter(|column| record.workers.iter().any(|worker| (column.value)(worker).is_some()))
        .collect();
    let row = |worker| {
        let cell = |column: &&workers::Column| {
            let value = (column.value)(worker);
            value.map_or_else(Cell::default, |value| Cell::number((column.text)(value), value))
        };
        shown.iter().map(cell).collect::<Vec<Cell>>()
    };
    if record.workers.is_empty() {
        return Vec::new();
    }
    let table = Table {
        caption: counted(record.workers.len(), "worker"),
        columns: shown.iter().map(|column| Column::new(column.title, column.hint)).collect(),
        rows: record.workers.iter().map(row).collect(),
    };
    let sentence = workers::sentence(record).map(Part::Text);
    sentence.into_iter().chain([Part::Table(table)]).collect()
}

fn of_comparison(compared: &ProfileComparison) -> Vec<Part> {
    let mut parts = vec![Part::Text(comparison::sentence(compared))];
    if !compared.settings.is_empty() {
        parts.push(Part::Text(format!("Different: {}.", compared.settings.join("; "))));
    }
    if !compared.warnings.is_empty() {
        parts.push(Part::Notes(compared.warnings.clone()));
    }
    let row = |site: &SiteChange| {
        let names = [site.layer.as_deref().unwrap_or(""), &site.operation].map(Cell::text);
        let cell = |column: &comparison::Column| {
            let Some(value) = (column.value)(site) else { return Cell::default() };
            let tone = match () {
                () if column.title != "ratio" => Tone::Plain,
                () if value > 1.0 + compared.tolerance => Tone::Warning,
                () if value < 1.0 / (1.0 + compared.tolerance) => Tone::Good,
                () => Tone::Plain,
            };
            Cell::number((column.text)(value), value).toned(tone)
        };
        names.into_iter().chain(comparison::COLUMNS.iter().map(cell)).collect::<Vec<Cell>>()
    };
    let mut columns = vec![Column::new("layer", "its module"), Column::new("operation", "")];
    columns.extend(comparison::COLUMNS.iter().map(|column| Column::new(column.title, column.hint)));
    let unit = comparison::unit(compared);
    parts.push(Part::Table(Table {
        caption: format!("{unit}, mean over the workers; the largest difference first"),
        columns,
        rows: compared.sites.iter().map(row).collect(),
    }));
    parts
}

fn about(record: &ProfileRecord) -> Vec<Part> {
    let (machine, settings) = (&record.machine, &record.settings);
    let mut facts = vec![
        ("Processor".to_string(), machine.cpu.clone()),
        ("Cores".into(), machine.cores.to_string()),
        ("Instruction set".into(), machine.instruction_set.clone()),
        ("System".into(), machine.os.clone()),
        ("Multiply-add peak".into(), peak(record)),
    ];
    facts.extend(record.roofs.levels.iter().map(|roof| ("Bandwidth".to_string(), level(roof))));
    if record.roofs.barrier_seconds > 0.0 {
        facts.push(("A barrier at best".into(), time(record.roofs.barrier_seconds)));
    }
    facts.push(("Parameters".into(), thousands(settings.parameters as u64)));
    facts.push(("Nominal flops of a sample".into(), rounded(settings.flops_per_sample)));
    facts.push(("Program".into(), format!("fallline {}", record.version)));
    facts.push(("Command".into(), record.command.clone()));
    let commands: Vec<String> = record.sites.iter().filter_map(|site| site.command.clone()).collect();
    let mut parts = vec![Part::Facts(facts)];
    if !commands.is_empty() {
        parts.push(Part::Heading("Kernels alone".into()));
        parts.push(Part::Text("Each runs one kernel on its real shapes, against its roof.".into()));
        parts.push(Part::Code(commands.join("\n")));
    }
    parts.push(Part::Heading("Recipe".into()));
    parts.push(Part::Code(settings.toml.clone()));
    parts
}
