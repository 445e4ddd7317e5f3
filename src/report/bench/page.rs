//! The page of a benchmark.

use super::charts::{MACHINE, groups};
use super::machine;
use super::tasks::{doubts, frameworks, parts as measured_in, ratios};
use super::terminal::{margins, microseconds, percent, place};
use crate::bench::record::{BenchRecord, CaseRecord, FALLLINE};
use crate::report::numbers::{bytes, counted, rounded, thousands};
use crate::report::page::{Cell, Column, Hero, Page, Part, Section, Table, Tone};

/// The page as one HTML file.
pub fn page(record: &BenchRecord) -> String {
    let mut sections = vec![Section { heading: "Summary".into(), parts: summary(record) }];
    let mut machine_charts = Vec::new();
    for group in groups(record) {
        let charts = group.charts.into_iter().map(|(_, chart)| chart).collect();
        if group.heading == MACHINE {
            machine_charts.push(Part::Charts(charts));
        } else {
            let parts = vec![Part::Text(group.text.into()), Part::Charts(charts)];
            sections.push(Section { heading: group.heading.into(), parts });
        }
    }
    sections.push(Section { heading: "All cases".into(), parts: cases(record) });
    let mut parts = vec![Part::Facts(machine::facts(record))];
    if let Some(calibration) = &record.calibration {
        parts.extend(machine_charts);
        parts.extend(machine::tables(calibration));
    }
    sections.push(Section { heading: MACHINE.into(), parts });
    let machine = &record.machine;
    let subtitle = format!(
        "{} · {} · {} · {}",
        machine.cpu,
        counted(machine.cores, "core"),
        machine.instruction_set,
        machine.os
    );
    Page { title: "Training throughput".into(), subtitle, heroes: heroes(record), sections }.to_html()
}

/// The largest throughput, the largest fraction of the peak, and how we stand beside the framework that comes nearest; how
/// many cases there are where there is no other.
fn heroes(record: &BenchRecord) -> Vec<Hero> {
    let own = || record.cases.iter().filter(|case| case.framework == FALLLINE);
    let most = |value: &dyn Fn(&CaseRecord) -> f64| own().max_by(|a, b| value(a).total_cmp(&value(b)));
    let at = |case: &CaseRecord| format!("{} {}, {}", case.recipe, case.optimizer, place(case));
    let fastest = most(&|case| case.samples_per_second.median).map(|case| {
        let speed = rounded(case.samples_per_second.median);
        Hero::new("Fastest", format!("{speed} samples/s"), at(case))
    });
    let nearest = most(&|case| case.fraction_of_peak.median)
        .map(|case| Hero::new("Nearest to the peak", percent(case.fraction_of_peak.median), at(case)));
    let beside = ratios(record).into_iter().min_by(|a, b| a.mean().total_cmp(&b.mean()));
    let cases = || Hero::new("Cases", thousands(record.cases.len() as u64), String::new());
    let last = beside.map_or_else(cases, |ratio| {
        let name = format!("Beside {}", ratio.framework());
        Hero::new(&name, format!("{:.2} times", ratio.mean()), ratio.range())
    });
    fastest.into_iter().chain(nearest).chain([last]).collect()
}

fn summary(record: &BenchRecord) -> Vec<Part> {
    let mut parts = vec![Part::Text(format!("Measured: {}.", counted(record.cases.len(), "case")))];
    parts.extend(ratios(record).iter().map(|ratio| Part::Text(ratio.sentence() + ".")));
    let warnings = record.calibration.iter().flat_map(|calibration| &calibration.warnings);
    let mut notes: Vec<String> = record.notes.clone();
    notes.extend(warnings.filter(|warning| !record.notes.contains(warning)).cloned());
    notes.extend(measured_in(record));
    if !notes.is_empty() {
        parts.push(Part::Notes(notes));
    }
    parts
}

/// A column of the table of all cases.
struct Shown {
    title: &'static str,
    hint: &'static str,
    cell: fn(&CaseRecord) -> Option<Cell>,
}

fn whole(count: usize) -> Cell {
    Cell::number(thousands(count as u64), count as f64)
}

fn fraction(value: f64) -> Cell {
    Cell::number(percent(value), value)
}

const COLUMNS: [Shown; 18] = [
    Shown { title: "framework", hint: "", cell: |case| Some(Cell::text(&case.framework)) },
    Shown { title: "recipe", hint: "", cell: |case| Some(Cell::text(&case.recipe)) },
    Shown { title: "data", hint: "digits are generated", cell: |case| Some(Cell::text(&case.data)) },
    Shown { title: "optimizer", hint: "", cell: |case| Some(Cell::text(&case.optimizer)) },
    Shown { title: "precision", hint: "of the products", cell: |case| Some(Cell::text(&case.precision)) },
    Shown { title: "batch", hint: "samples of a step", cell: |case| Some(whole(case.batch)) },
    Shown { title: "threads", hint: "", cell: |case| Some(whole(case.threads)) },
    Shown { title: "samples/s", hint: "the median of all runs", cell: |case| Some(speed(case)) },
    Shown {
        title: "tokens/s",
        hint: "tokens with a target each, at the median",
        cell: |case| case.tokens_per_second.map(|rate| Cell::number(rounded(rate), rate)),
    },
    Shown { title: "95 % interval", hint: "of the median", cell: |case| Some(interval(case)) },
    Shown {
        title: "step µs",
        hint: "microseconds of a step",
        cell: |case| Some(Cell::number(microseconds(case.step_us), case.step_us)),
    },
    Shown {
        title: "GFLOP/s",
        hint: "floating-point operations of the model",
        cell: |case| Some(Cell::number(format!("{:.1}", case.gflops), case.gflops)),
    },
    Shown {
        title: "of peak",
        hint: "of the multiply-add peak on as many threads",
        cell: |case| Some(fraction(case.fraction_of_peak.median)),
    },
    Shown {
        title: "scaling",
        hint: "throughput over that of one thread times the threads",
        cell: |case| case.scaling_efficiency.map(fraction),
    },
    Shown {
        title: "update",
        hint: "bytes that the updates of a step read and write",
        cell: |case| case.update_bytes_per_step.map(|count| size(count as u64)),
    },
    Shown {
        title: "memory",
        hint: "resident memory of a process that trains this case alone, at its highest",
        cell: |case| case.peak_memory_bytes.map(size),
    },
    Shown {
        title: "waiting",
        hint: "part of their time that the workers wait at barriers",
        cell: |case| case.waiting.map(|part| warned(fraction(part), part > super::tasks::MUCH_WAITING)),
    },
    Shown { title: "remarks", hint: "what makes a case doubtful", cell: |case| remarks(case) },
];

fn size(count: u64) -> Cell {
    Cell::number(bytes(count), count as f64)
}

fn warned(cell: Cell, is_doubtful: bool) -> Cell {
    cell.toned(if is_doubtful { Tone::Warning } else { Tone::Plain })
}

fn speed(case: &CaseRecord) -> Cell {
    let median = case.samples_per_second.median;
    Cell::number(rounded(median), median)
}

/// The cell of an interval, sorted by its width.
fn interval(case: &CaseRecord) -> Cell {
    let speed = &case.samples_per_second;
    Cell::number(margins(case), (speed.high - speed.low) / speed.median)
}

fn remarks(case: &CaseRecord) -> Option<Cell> {
    let doubts = doubts(case);
    (!doubts.is_empty()).then(|| Cell::text(&doubts.join("; ")).toned(Tone::Warning))
}

/// The table of all cases, our highest throughput of each network in green. Columns without a value
/// are left out, and so are frameworks and precisions of a single kind.
fn cases(record: &BenchRecord) -> Vec<Part> {
    let several_frameworks = frameworks(record).len() > 1;
    let several_precisions = record.cases.iter().any(|case| case.precision != record.cases[0].precision);
    let shown: Vec<&Shown> = COLUMNS
        .iter()
        .filter(|column| match column.title {
            "framework" => several_frameworks,
            "precision" => several_precisions,
            _ => record.cases.iter().any(|case| (column.cell)(case).is_some()),
        })
        .collect();
    let best = |case: &CaseRecord| {
        let mut rivals = record.cases.iter().filter(|other| {
            (&other.recipe, &other.data, &other.framework) == (&case.recipe, &case.data, &case.framework)
        });
        let speed = case.samples_per_second.median;
        case.framework == FALLLINE && rivals.all(|other| other.samples_per_second.median <= speed)
    };
    let row = |case: &CaseRecord| {
        let cell = |column: &&Shown| {
            let cell = (column.cell)(case).unwrap_or_default();
            if column.title == "samples/s" && best(case) { cell.toned(Tone::Good) } else { cell }
        };
        shown.iter().map(cell).collect::<Vec<Cell>>()
    };
    let table = Table {
        caption: format!("{}; a click on a title sorts", counted(record.cases.len(), "case")),
        columns: shown.iter().map(|column| Column::new(column.title, column.hint)).collect(),
        rows: record.cases.iter().map(row).collect(),
    };
    if record.cases.is_empty() {
        return vec![Part::Text("No case was measured.".into())];
    }
    vec![Part::Table(table)]
}
