//! Reports of training runs: a page made from their records alone, and its charts as files.

mod charts;
mod clusters;
mod exact;
mod facts;
mod heroes;
mod lloyd;
mod mistakes;
mod names;
mod values;
mod warnings;

use std::path::Path;

use charts::Figure;
pub use exact::{coefficients, text as exact};
pub use facts::{ending, epochs};
pub use lloyd::text as lloyd;
pub use warnings::{divergence, not_finite, not_finite_of, text as warning};

use super::json;
use super::metrics::part;
use super::numbers::{counted, duration, loss, percent, significant};
use super::page::{Page, Part, Section};
use crate::train::analysis::Analysis;
use crate::train::{Evaluation, TrainRecord};
use crate::{Result, atomic_file};

/// The name of the record, in the folder of a report.
pub const JSON: &str = "run.json";
/// The name of the page, in the folder of a report.
pub const PAGE: &str = "report.html";

/// The most epochs of a run with a table of them.
const MOST_EPOCHS: usize = 1000;

/// Writes the report of a run into a folder: the record, each chart as SVG and as PNG, and the page,
/// whose path is returned. Files of the same names are replaced.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if a file cannot be written.
pub fn write(folder: &Path, record: &TrainRecord) -> Result<String> {
    json::write(&folder.join(JSON), record)?;
    let name = names::names(std::slice::from_ref(record)).concat();
    let analysis = record.analysis.as_ref();
    let confusion = analysis.and_then(|analysis| confusion(&name, analysis));
    let predicted = analysis.and_then(|analysis| analysis.values.as_ref());
    let predicted = predicted.map_or(Vec::new(), |values| values::figures(&name, values));
    let curves = charts::curves(&[(&name, record)]);
    for Figure { file, chart } in curves.into_iter().chain(confusion).chain(predicted) {
        write_bytes(&folder.join(format!("{file}.svg")), chart.to_svg().as_bytes())?;
        write_bytes(&folder.join(format!("{file}.png")), &chart.to_png())?;
    }
    let path = folder.join(PAGE);
    write_bytes(&path, page(std::slice::from_ref(record)).as_bytes())?;
    Ok(path.display().to_string())
}

fn write_bytes(path: &Path, content: &[u8]) -> Result<()> {
    atomic_file::write(path, |file| file.write_all(content))
}

/// The page of one run, or of several in the same charts.
pub fn page(records: &[TrainRecord]) -> String {
    let names = names::names(records);
    let runs: Vec<(&str, &TrainRecord)> = names.iter().map(String::as_str).zip(records).collect();
    let (title, subtitle) = headline(&runs);
    let mut sections = vec![facts::section(&runs), curves(&runs)];
    for (name, record) in &runs {
        if let Some(exact) = &record.exact {
            sections.push(exact::section(name, runs.len() > 1, exact));
        }
        if let Some(lloyd) = &record.lloyd {
            sections.push(lloyd::section(name, runs.len() > 1, lloyd));
        }
        if let Some(analysis) = &record.analysis {
            let of = if runs.len() == 1 { String::new() } else { format!(" of {name}") };
            if let Some(values) = &analysis.values {
                sections.push(values::section(name, &of, values, record));
                continue;
            }
            if let Some(metrics) = &analysis.clusters {
                sections.push(clusters::section(&of, metrics, analysis));
                continue;
            }
            if analysis.classes.is_empty() {
                continue;
            }
            sections.push(classes(name, &of, analysis));
            sections
                .push(Section { heading: format!("Worst mistakes{of}"), parts: mistakes::parts(analysis) });
        }
    }
    if let [(_, record)] = runs[..] {
        sections.push(epoch_section(record));
    }
    Page { title, subtitle, heroes: heroes::of(&runs), sections }.to_html()
}

/// The title and the subtitle.
fn headline(runs: &[(&str, &TrainRecord)]) -> (String, String) {
    let [(name, record)] = runs else {
        let highest = |value: fn(&Evaluation) -> Option<f64>| {
            let of = |(name, record): &(&str, &TrainRecord)| {
                Some((value(record.test.as_ref()?)?, name.to_string()))
            };
            runs.iter().filter_map(of).max_by(|a, b| a.0.total_cmp(&b.0))
        };
        let accuracy = highest(|test| test.accuracy)
            .map(|(value, name)| format!("Highest test accuracy: {}, reached by {name}", percent(value)));
        let explained = || {
            let best =
                highest(|test| test.values.as_ref().map(|values| values.r_squared).filter(|r| r.is_finite()));
            best.map(|(value, name)| format!("Highest test R²: {}, reached by {name}", part(value)))
        };
        return (counted(runs.len(), "training run"), accuracy.or_else(explained).unwrap_or_default());
    };
    let test = record.test.as_ref().map(|test| match (test.accuracy, &test.values) {
        (Some(accuracy), _) => format!(", test accuracy {}", percent(accuracy)),
        (None, Some(values)) => {
            format!(", test RMSE {}, R² {}", significant(values.rmse), part(values.r_squared))
        }
        (None, None) => format!(", test loss {}", loss(test.loss)),
    });
    let epochs = epochs(record);
    let subtitle = format!("{epochs} in {}{}", duration(record.train_seconds), test.unwrap_or_default());
    (format!("Training of {name}"), subtitle)
}

fn curves(runs: &[(&str, &TrainRecord)]) -> Section {
    let charts: Vec<_> = charts::curves(runs).into_iter().map(|figure| figure.chart).collect();
    let parts = if charts.is_empty() { Vec::new() } else { vec![Part::Charts(charts)] };
    Section { heading: "Curves".into(), parts }
}

fn confusion(name: &str, analysis: &Analysis) -> Option<Figure> {
    let title = format!("What is read as what: {name}");
    Some(Figure { file: "confusion", chart: charts::confusion(&title, analysis)? })
}

fn classes(name: &str, of: &str, analysis: &Analysis) -> Section {
    let chart = confusion(name, analysis).map(|figure| Part::Charts(vec![figure.chart]));
    let parts = chart.into_iter().chain([Part::Table(facts::classes(analysis))]).collect();
    Section { heading: format!("Classes{of}"), parts }
}

fn epoch_section(record: &TrainRecord) -> Section {
    let heading = "Epochs".into();
    match record.epochs.len() {
        0 => Section { heading, parts: Vec::new() },
        1..=MOST_EPOCHS => Section { heading, parts: vec![Part::Table(facts::epoch_table(record))] },
        count => {
            let text = format!("{} are in the record, too many for a table.", counted(count, "epoch"));
            let every = record.epochs_every.map(|every| {
                let all = counted(record.epochs_begun(), "epoch");
                format!(" Of {all} it keeps about one in {every}.")
            });
            Section { heading, parts: vec![Part::Text(text + &every.unwrap_or_default())] }
        }
    }
}

#[cfg(test)]
mod tests;
