//! `fallline data show`

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::super::output::Outputs;
use super::super::values::MOST_SHOWN;
use crate::atomic_file;
use crate::data::Samples;
use crate::data::text::text_of;
use crate::model::Recipe;
use crate::report::augmented::{self, VERSIONS};
use crate::report::picture::Palette;
use crate::report::terminal;
use crate::report::text_record::quoted;
use crate::train::{analysis, dataset};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// A built-in recipe, or a file that ends with .toml: its data set, its augmentation, its seed.
    recipe: OsString,
    /// The folder that holds the data set, or a folder named after it; no other is looked into [default:
    /// $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Show the first so many training samples.
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=MOST_SHOWN))]
    samples: u16,
    /// Replace any value of the recipe, such as augment.rotation=30; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write the pictures as a contact sheet to this PNG file, instead of showing them in the terminal.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline data show digits-mlp --set augment.rotation=15 --set augment.shift=2
  fallline data show mnist-mlp-deep --samples 10 --sheet digits.png
  fallline data show names-transformer --samples 20";

/// The first samples of a text, each in a line.
fn texts(samples: &Samples, arguments: &Show) -> anyhow::Result<()> {
    if arguments.sheet.is_some() {
        bail!("--sheet: expected samples that are pictures, found those of a text");
    }
    let mut out = terminal::stdout();
    for index in 0..samples.len().min(arguments.samples.into()) {
        writeln!(out, "{index}: {}", quoted(&text_of(samples, index)?))?;
    }
    Ok(())
}

pub fn run(arguments: &Show) -> anyhow::Result<()> {
    let overrides = arguments.set.iter().map(|text| text.parse()).collect::<crate::Result<Vec<_>>>()?;
    let recipe = Recipe::load(&arguments.recipe, &overrides)?;
    let outputs = Outputs::files(&arguments.sheet);
    outputs.check(Recipe::path(&arguments.recipe))?;
    let data = dataset::load(&recipe.data, arguments.data.as_deref())?;
    outputs.check_data(&data)?;
    if data.train.vocabulary().is_some() {
        return texts(&data.train, arguments);
    }
    let versions = analysis::versions(&data.train, &recipe, arguments.samples.into(), VERSIONS)?;
    let text = match &arguments.sheet {
        None => augmented::terminal(&versions, Palette::of_stdout(), crate::cli::shared::columns()),
        Some(path) => {
            let sheet = augmented::sheet(&versions, &recipe.name);
            atomic_file::write(path, |file| file.write_all(&sheet))?;
            terminal::wrote(path)
        }
    };
    Ok(terminal::coloured_stdout().write_all(text.as_bytes())?)
}
