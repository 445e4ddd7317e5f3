//! `fallline predict`

mod arguments;
mod clusters;
mod lines;
mod mistakes;
mod ranked;
mod rows;
mod series;

pub use arguments::PredictArguments;
use ranked::ranked;
use std::io::Write;
use std::path::PathBuf;

use super::eval::ON_SHEET;
use super::images::{self, Picture, Pictures};
use super::output::Outputs;
use crate::atomic_file;
use crate::model::saved;
use crate::report::markup::for_terminal;
use crate::report::mistakes as shown;
use crate::report::numbers::{percent, thousands};
use crate::report::picture::{self, Palette};
use crate::report::terminal;
use crate::team::Team;
use crate::train::analysis::LARGEST_SIDE;
use crate::train::{self, machine};
use anyhow::bail;

/// Classes that are printed for a picture where nothing is said.
const TOP: u32 = 3;

pub fn run(arguments: PredictArguments) -> anyhow::Result<()> {
    let images: Vec<PathBuf> =
        arguments.images.iter().map(|argument| images::split_index(argument).0).collect();
    let read = images.iter().chain([&arguments.model]).chain(&arguments.labels);
    Outputs::files(&arguments.sheet).check(read.map(PathBuf::as_path))?;
    let settings = super::shared::settings(&arguments.set)?;
    let saved = saved::load(&arguments.model)?;
    if let Some(encoder) = saved.model.encoder().cloned() {
        return rows::run(&arguments, saved, encoder);
    }
    if saved.model.vocabulary().is_some() {
        bail!(
            "{}: expected a model of pictures or of a table, found one of texts: `fallline generate` writes with it, and \
             `fallline eval` says how well it foretells a text",
            arguments.model.display()
        );
    }
    if arguments.out.is_some() {
        bail!("--out: expected a model of the rows of a table, found one of pictures");
    }
    let [height, width, channels] = saved.input;
    if channels != 1 {
        bail!("{}: expected a model of grey pictures, found {channels} channels", arguments.model.display());
    }
    let Pictures { pictures, samples } = images::read(&arguments.images, [height, width], arguments.invert)?;
    let what = match &arguments.images[..] {
        [only] => only.display().to_string(),
        _ => "the pictures".into(),
    };
    let seen = saved.normalisation(&what, samples.element_type(), &settings)?;
    let is_shown = arguments.draw || arguments.mistakes.is_some() || arguments.sheet.is_some();
    if is_shown && images::drawn(&samples, 0).is_none() {
        bail!(
            "{what}: expected pictures from 2x2 to {LARGEST_SIDE}x{LARGEST_SIDE} to be drawn (--draw, --mistakes, --sheet), found \
             {height}x{width} of {}",
            samples.element_type().name()
        );
    }
    if !saved.model.loss().takes_targets() {
        return clusters::run(&arguments, &saved, &Pictures { pictures, samples }, &seen);
    }
    let classes = saved.classes;
    let labels =
        arguments.labels.as_deref().map(|path| mistakes::labels(path, &pictures, classes)).transpose()?;
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    let probabilities = train::predict(&saved.model, &samples, &seen, &team)?;
    let is_lost = |probabilities: &Vec<f32>| probabilities.iter().any(|value| !value.is_finite());
    if let Some(index) = probabilities.iter().position(is_lost) {
        let model = arguments.model.display();
        bail!("{model}: expected finite outputs, found others for {}", pictures[index].label);
    }

    let palette = Palette::of_stdout();
    let mut out = terminal::coloured_stdout();
    if arguments.mistakes.is_none() {
        for (index, (picture, probabilities)) in pictures.iter().zip(&probabilities).enumerate() {
            if let Some(drawn) = images::drawn(&samples, index).filter(|_| arguments.draw) {
                out.write_all(picture::draw(&drawn.pixels, width, palette).as_bytes())?;
            }
            writeln!(out, "{}", line(picture, probabilities, arguments.top.unwrap_or(TOP) as usize))?;
        }
    }
    let Some(labels) = labels else { return Ok(()) };
    let most = arguments.mistakes.unwrap_or(ON_SHEET);
    let (worst, count) = mistakes::worst(&pictures, &samples, &labels, &probabilities, most.into());
    if let Some(path) = &arguments.sheet {
        let sheet = shown::sheet(&worst, count, &saved.recipe.name);
        atomic_file::write(path, |file| file.write_all(&sheet))?;
    }
    let (right, all) = (pictures.len() - count, pictures.len());
    let accuracy = percent(right as f64 / all as f64);
    writeln!(out, "{} of {} read rightly: {accuracy}", thousands(right as u64), thousands(all as u64))?;
    if arguments.mistakes.is_some() {
        let text = shown::terminal(&worst, count, all, palette, super::shared::columns());
        out.write_all(format!("\n{text}").as_bytes())?;
    }
    Ok(())
}

/// The picture, its class, and the `top` most probable classes.
fn line(picture: &Picture, probabilities: &[f32], top: usize) -> String {
    let classes = ranked(probabilities);
    let best = classes.first().map_or("-".to_string(), usize::to_string);
    let shares: Vec<String> = classes
        .iter()
        .take(top)
        .map(|&class| format!("{class}: {}", percent(f64::from(probabilities[class]))))
        .collect();
    format!("{}  class {best}  ({})", for_terminal(&picture.label), shares.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_classes_come_first() {
        let picture = Picture { label: "a.png".into(), place: None };
        let probabilities = [0.05, 0.7, 0.125, 0.125];
        assert_eq!(line(&picture, &probabilities, 3), "a.png  class 1  (1: 70.00 %, 2: 12.50 %, 3: 12.50 %)");
        assert_eq!(line(&picture, &probabilities, 1), "a.png  class 1  (1: 70.00 %)");
    }
}
