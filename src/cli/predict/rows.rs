//! Predictions for the rows of a table.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::bail;

use super::arguments::PredictArguments;
use super::lines::{STANDARD_OUTPUT, lines, number};
use crate::atomic_file;
use crate::cli::output::Outputs;
use crate::cli::shared;
use crate::data::table::{Encoder, RowReader, Rows, Target};
use crate::losses::Outcome;
use crate::model::saved::SavedModel;
use crate::report::numbers::thousands;
use crate::report::terminal;
use crate::train::{Predictor, clusters, machine};
use crate::{Error, Result};

/// Rows that are read and go through the network together: with them memory ends.
const ROWS: usize = 4096;

/// The error in the place of a failure to write, which another one has caused.
fn broken() -> io::Error {
    io::Error::other("the rows cannot be predicted")
}

pub fn run(arguments: &PredictArguments, saved: SavedModel, encoder: Arc<Encoder>) -> anyhow::Result<()> {
    let [path] = &arguments.images[..] else {
        bail!("expected one table, as the model reads rows, found {} files", arguments.images.len());
    };
    let asked = [
        ("--draw", arguments.draw),
        ("--top", arguments.top.is_some()),
        ("--invert", arguments.invert),
        ("--labels", arguments.labels.is_some()),
        ("--set", !arguments.set.is_empty()),
    ];
    if let Some((option, _)) = asked.iter().find(|(_, given)| *given) {
        bail!("{option}: expected a model of pictures, found one of the rows of a table");
    }
    let columns = match (saved.model.config().k_means, &encoder.target) {
        (Some(_), _) => Columns::Clusters,
        (None, Target::None) => Columns::Outputs,
        _ if !saved.model.loss().takes_targets() => Columns::Outputs,
        _ => Columns::Target,
    };
    let outcome = saved.model.loss().kind().gives();
    let threads = arguments.threads.map_or_else(machine::usable_cores, usize::from);
    let predictor = Predictor::new(saved.model)?.with_threads(threads)?;
    let predictor = if outcome == Outcome::Softmax { predictor.with_softmax() } else { predictor };
    let rows = RowReader::open(path, &encoder, false)?;
    if !rows.unknown().is_empty() {
        let names = rows.unknown().join("`, `");
        shared::say("note", &format!("{}: not in the training rows and left out: `{names}`", path.display()));
    }
    if encoder.windows.is_some() {
        return super::series::run(arguments, path, &encoder, &predictor, rows);
    }
    let mut table =
        Predictions { encoder: &encoder, columns, outcome, predictor, rows, failure: None, written: 0 };
    match &arguments.out {
        Some(out) if out.as_os_str() != STANDARD_OUTPUT => {
            Outputs::files(&arguments.out).check([path.as_path(), &arguments.model])?;
            let written = atomic_file::write(out, |file| table.write(file));
            if let Some(failure) = table.failure {
                return Err(failure.into());
            }
            written?;
            let rows = thousands(table.written as u64);
            writeln!(terminal::stdout(), "wrote {rows} predictions to {}", out.display())?;
        }
        _ => {
            let written = table.write(&mut terminal::stdout());
            if let Some(failure) = table.failure {
                return Err(failure.into());
            }
            match written {
                // Whoever read along has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                other => other?,
            }
        }
    }
    Ok(())
}

/// What the columns of predictions are of.
#[derive(Clone, Copy)]
enum Columns {
    /// The target.
    Target,
    /// The nearest centre.
    Clusters,
    /// The outputs as they are, of a loss without targets.
    Outputs,
}

/// Predictions on their way to a file.
struct Predictions<'a> {
    encoder: &'a Encoder,
    columns: Columns,
    outcome: Outcome,
    predictor: Predictor,
    rows: RowReader<'a>,
    /// What kept the rest from being written.
    failure: Option<Error>,
    written: usize,
}

impl Predictions<'_> {
    fn write(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let header = self.header();
        to.write_all(&lines(|writer| writer.write_record(&header))?)?;
        let outputs = self.outputs();
        let (mut rows, mut predictions) = (Rows::default(), Vec::new());
        let mut record = csv::StringRecord::new();
        while self.next(&mut rows, &mut predictions)? {
            // Written as a whole, since a piece could end within a letter.
            to.write_all(&lines(|writer| {
                for (row, prediction) in predictions.chunks_exact_mut(outputs).enumerate() {
                    record.clear();
                    if let Some(id) = rows.ids.get(row) {
                        record.push_field(id);
                    }
                    self.fill(&mut record, prediction);
                    writer.write_record(&record)?;
                }
                Ok(())
            })?)?;
            self.written += rows.count;
        }
        to.flush()
    }

    /// The next rows and their outputs; false at the end.
    fn next(&mut self, rows: &mut Rows, predictions: &mut Vec<f32>) -> io::Result<bool> {
        let outcome = self.predicted(rows, predictions);
        outcome.map_err(|failure| {
            self.failure = Some(failure);
            broken()
        })
    }

    fn predicted(&mut self, rows: &mut Rows, predictions: &mut Vec<f32>) -> Result<bool> {
        let count = self.rows.next(ROWS, rows)?;
        predictions.clear();
        predictions.resize(count * self.outputs(), 0.0);
        self.predictor.predict(&rows.features, predictions)?;
        if let Some(place) = predictions.iter().position(|value| !value.is_finite()) {
            let row = self.written + place / self.outputs() + 1;
            let (expected, found) = ("finite outputs of the model".into(), "others".into());
            return Err(Error::Mismatch { what: format!("prediction for row {row}"), expected, found });
        }
        Ok(count > 0)
    }

    /// Outputs of a row, of which there is at least one.
    fn outputs(&self) -> usize {
        self.predictor.model().outputs().max(1)
    }

    fn header(&self) -> Vec<String> {
        let id = self.encoder.id.iter().filter(|_| self.rows.has_id()).cloned();
        let columns: Vec<String> = match &self.encoder.target {
            _ if matches!(self.columns, Columns::Clusters) => vec!["distance".into(), "prediction".into()],
            _ if matches!(self.columns, Columns::Outputs) => {
                (0..self.outputs()).map(|output| format!("output_{output}")).collect()
            }
            Target::Values { columns } => match &columns[..] {
                [_] => vec!["prediction".into()],
                several => several.iter().map(|column| format!("prediction_{}", column.column)).collect(),
            },
            classes => {
                let what = if self.outcome == Outcome::Values { "score" } else { "probability" };
                let columns = classes.class_names().iter().map(|name| format!("{what}_{name}"));
                columns.chain(["prediction".into()]).collect()
            }
        };
        id.chain(columns).collect()
    }

    /// Adds the fields of one row of outputs.
    fn fill(&self, record: &mut csv::StringRecord, outputs: &mut [f32]) {
        match &self.encoder.target {
            _ if matches!(self.columns, Columns::Clusters) => {
                let cluster = clusters::nearest(outputs);
                record.push_field(&outputs.get(cluster).map_or(0.0, |squared| squared.sqrt()).to_string());
                record.push_field(&cluster.to_string());
            }
            _ if matches!(self.columns, Columns::Outputs) => {
                outputs.iter().for_each(|output| record.push_field(&output.to_string()));
            }
            Target::Values { columns } => {
                for (column, &output) in columns.iter().zip(&*outputs) {
                    record.push_field(&number(column.unit, output));
                }
            }
            classes => {
                let best = (0..outputs.len())
                    .reduce(|best, class| if outputs[class] > outputs[best] { class } else { best });
                if self.outcome == Outcome::Sigmoid {
                    outputs.iter_mut().for_each(|output| *output = 1.0 / (1.0 + (-*output).exp()));
                }
                outputs.iter().for_each(|output| record.push_field(&output.to_string()));
                record.push_field(best.map_or("", |class| &classes.class_names()[class]));
            }
        }
    }
}
