//! `fallline predict`

mod mistakes;

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::eval::{MOST_MISTAKES, ON_SHEET};
use super::images::{self, Picture};
use super::output::Outputs;
use crate::atomic_file;
use crate::model::saved;
use crate::report::markup::for_terminal;
use crate::report::mistakes as shown;
use crate::report::numbers::{percent, thousands};
use crate::report::picture::{self, Palette};
use crate::team::Team;
use crate::train::{self, machine};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PredictArguments {
    /// A file that `fallline train --save` wrote.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// PNG files (any depth and colours, read as grey), IDX files (every picture in them), or
    /// FILE.idx:INDEX for one picture of an IDX file, counted from 0.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<String>,
    /// Draw each picture in the terminal.
    #[arg(long)]
    draw: bool,
    /// Classes to print for each picture, the most probable ones first.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// The pictures are dark on light ground; models of MNIST read light on dark.
    #[arg(long)]
    invert: bool,
    /// The classes of the pictures, an IDX file with one for each picture of the IDX file that they are
    /// from: says how many are read rightly.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Show the N worst mistakes in place of all pictures: those read as another class than theirs whose
    /// own class is the least probable.
    #[arg(long, value_name = "N", requires = "labels")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=MOST_MISTAKES))]
    mistakes: Option<u16>,
    /// Write the worst mistakes, 24 unless --mistakes says otherwise, as a contact sheet to this PNG file.
    #[arg(long, value_name = "FILE", requires = "labels")]
    sheet: Option<PathBuf>,
    /// Threads to compute with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  fallline predict --model mlp.safetensors digit.png
  fallline predict --model mlp.safetensors --draw --invert scanned.png
  fallline predict --model mlp.safetensors --draw --top 10 t10k-images-idx3-ubyte.gz:7
  fallline predict --model mlp.safetensors --labels labels.idx --sheet worst.png pictures.idx

Each line names the picture, its class, and the most probable classes with their probabilities.";

pub fn run(arguments: PredictArguments) -> anyhow::Result<()> {
    let images: Vec<PathBuf> =
        arguments.images.iter().map(|argument| images::split_index(argument).0).collect();
    let read = images.iter().chain([&arguments.model]).chain(&arguments.labels);
    Outputs::files(&arguments.sheet).check(read.map(PathBuf::as_path))?;
    let saved = saved::load(&arguments.model)?;
    let [height, width, channels] = saved.input;
    if channels != 1 {
        bail!("{}: expected a model of grey pictures, found {channels} channels", arguments.model.display());
    }
    let mut pictures = Vec::new();
    for argument in &arguments.images {
        pictures.extend(images::read(argument, [height, width], arguments.invert)?);
    }
    let classes = saved.classes;
    let labels =
        arguments.labels.as_deref().map(|path| mistakes::labels(path, &pictures, classes)).transpose()?;
    let bytes: Vec<u8> = pictures.iter().flat_map(|picture| &picture.pixels).copied().collect();
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    let probabilities = train::predict(&saved.model, &bytes, &saved.recipe.data, &team)?;
    let is_lost = |probabilities: &Vec<f32>| probabilities.iter().any(|value| !value.is_finite());
    if let Some(index) = probabilities.iter().position(is_lost) {
        let model = arguments.model.display();
        bail!("{model}: expected finite outputs, found others for {}", pictures[index].label);
    }

    let palette = Palette::of_stdout();
    let mut out = std::io::stdout().lock();
    if arguments.mistakes.is_none() {
        for (picture, probabilities) in pictures.iter().zip(&probabilities) {
            if arguments.draw {
                out.write_all(picture::draw(&picture.pixels, width, palette).as_bytes())?;
            }
            writeln!(out, "{}", line(picture, probabilities, arguments.top as usize))?;
        }
    }
    let Some(labels) = labels else { return Ok(()) };
    let most = arguments.mistakes.unwrap_or(ON_SHEET);
    let (worst, count) = mistakes::worst(&pictures, &labels, &probabilities, [height, width], most.into());
    if let Some(path) = &arguments.sheet {
        let sheet = shown::sheet(&worst, count, &saved.recipe.name);
        atomic_file::write(path, |file| file.write_all(&sheet))?;
    }
    let (right, all) = (pictures.len() - count, pictures.len());
    let accuracy = percent(right as f64 / all as f64);
    writeln!(out, "{} of {} read rightly: {accuracy}", thousands(right as u64), thousands(all as u64))?;
    if arguments.mistakes.is_some() {
        let text = shown::terminal(&worst, count, all, palette, super::columns());
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

/// All classes, the most probable first.
fn ranked(probabilities: &[f32]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..probabilities.len()).collect();
    // Stable: of classes that are equally probable the first comes first.
    classes.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_probable_classes_come_first() {
        let picture = Picture { label: "a.png".into(), pixels: Vec::new(), place: None };
        let probabilities = [0.05, 0.7, 0.125, 0.125];
        assert_eq!(line(&picture, &probabilities, 3), "a.png  class 1  (1: 70.00 %, 2: 12.50 %, 3: 12.50 %)");
        assert_eq!(line(&picture, &probabilities, 1), "a.png  class 1  (1: 70.00 %)");
    }
}
