//! The clusters of pictures, or the least outputs of another model whose loss takes no targets.

use std::io::Write;

use anyhow::bail;

use super::arguments::PredictArguments;
use crate::cli::images::{self, Pictures};
use crate::model::recipe::DataConfig;
use crate::model::saved::SavedModel;
use crate::report::markup::for_terminal;
use crate::report::numbers::significant;
use crate::report::picture::{self, Palette};
use crate::report::terminal;
use crate::team::Team;
use crate::train::{self, clusters, machine};

pub fn run(
    arguments: &PredictArguments,
    saved: &SavedModel,
    Pictures { pictures, samples }: &Pictures,
    seen: &DataConfig,
) -> anyhow::Result<()> {
    let asked = [("--labels", arguments.labels.is_some()), ("--top", arguments.top.is_some())];
    if let Some((option, _)) = asked.iter().find(|(_, given)| *given) {
        bail!("{option}: expected a model of classes, found one without, which groups pictures");
    }
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    let outputs = train::outputs(&saved.model, samples, seen, &team)?;
    let rows = || outputs.chunks_exact(saved.model.outputs().max(1));
    if let Some(index) = rows().position(|row| row.iter().any(|value| !value.is_finite())) {
        let model = arguments.model.display();
        bail!("{model}: expected finite outputs, found others for {}", pictures[index].label);
    }
    let (palette, mut out) = (Palette::of_stdout(), terminal::coloured_stdout());
    for (index, (picture, row)) in pictures.iter().zip(rows()).enumerate() {
        if let Some(drawn) = images::drawn(samples, index).filter(|_| arguments.draw) {
            out.write_all(picture::draw(&drawn.pixels, saved.input[1], palette).as_bytes())?;
        }
        let nearest = clusters::nearest(row);
        let value = row.get(nearest).map_or(0.0, |&value| f64::from(value));
        let text = match saved.model.config().k_means {
            Some(_) => format!("cluster {nearest}  (distance {})", significant(value.sqrt())),
            None => format!("least output {nearest}  ({})", significant(value)),
        };
        writeln!(out, "{}  {text}", for_terminal(&picture.label))?;
    }
    Ok(())
}
