//! The forecast of a series: a row for each of those that follow the last one of a table.

use std::io::{self, Write};
use std::path::Path;

use super::arguments::PredictArguments;
use super::lines::{STANDARD_OUTPUT, lines, number};
use crate::atomic_file;
use crate::cli::output::Outputs;
use crate::data::table::encode::ValueColumn;
use crate::data::table::{Encoder, Forecast, RowReader, Target};
use crate::report::numbers::counted;
use crate::report::terminal;
use crate::train::Predictor;
use crate::{Error, Result};

/// Reads the last window of the rows, and writes what is predicted to follow them.
pub(super) fn run(
    arguments: &PredictArguments,
    path: &Path,
    encoder: &Encoder,
    predictor: &Predictor,
    rows: RowReader,
) -> anyhow::Result<()> {
    let forecast = rows.forecast()?;
    let mut outputs = vec![0.0; encoder.outputs()];
    predictor.predict(&forecast.features[..], &mut outputs)?;
    if outputs.iter().any(|output| !output.is_finite()) {
        let (expected, found) = ("finite outputs of the model".into(), "others".into());
        return Err(Error::Mismatch { what: "forecast".into(), expected, found }.into());
    }
    let text = text(encoder, &forecast, &outputs)?;
    match &arguments.out {
        Some(out) if out.as_os_str() != STANDARD_OUTPUT => {
            Outputs::files(&arguments.out).check([path, &arguments.model])?;
            atomic_file::write(out, |file| file.write_all(&text))?;
            let rows = counted(outputs.len() / encoder.target.outputs().max(1), "row");
            writeln!(terminal::stdout(), "wrote a forecast of {rows} to {}", out.display())?;
        }
        _ => match terminal::stdout().write_all(&text) {
            // Whoever read along has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        },
    }
    Ok(())
}

/// The forecast as comma-separated values: the date, where it is known, the row counted from the last one on, and the
/// predictions.
fn text(encoder: &Encoder, forecast: &Forecast, outputs: &[f32]) -> Result<Vec<u8>> {
    let columns: &[ValueColumn] = match &encoder.target {
        Target::Values { columns } => columns,
        Target::Classes { .. } | Target::None => &[],
    };
    let has_dates = !forecast.dates.is_empty();
    let written = lines(|writer| {
        let names = columns.iter().map(|column| match columns.len() {
            1 => "prediction".to_string(),
            _ => format!("prediction_{}", column.column),
        });
        let date = has_dates.then(|| "date".to_string());
        writer.write_record(date.into_iter().chain(["step".to_string()]).chain(names))?;
        for (step, outputs) in outputs.chunks_exact(columns.len().max(1)).enumerate() {
            let values = columns.iter().zip(outputs).map(|(column, &output)| number(column.unit, output));
            let date = forecast.dates.get(step).cloned();
            writer.write_record(date.into_iter().chain([(step + 1).to_string()]).chain(values))?;
        }
        Ok(())
    });
    written.map_err(|error| Error::Mismatch {
        what: "forecast".into(),
        expected: "text in memory".into(),
        found: error.to_string(),
    })
}
