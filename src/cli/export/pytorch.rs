//! `fallline export --pytorch`

use std::path::Path;

use clap::ValueEnum;

use crate::cli::output::Outputs;
use crate::exchange::weights::{self, Style, optimizer};
use crate::model::saved;
use crate::report::{self, terminal};

/// [`Style`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Named {
    Sequential,
    Torch,
}

/// Writes the state dict of a model, or of the checkpoint that `model` is or holds.
pub fn run(model: &Path, file: &Path, style: Named, quiet: bool) -> anyhow::Result<()> {
    let checkpoint = optimizer::checkpoint_at(model)?;
    let read = checkpoint.as_ref().map_or(model, |checkpoint| checkpoint.path());
    Outputs::files([&file.to_path_buf()]).check([read])?;
    let style = match style {
        Named::Sequential => Style::Sequential,
        Named::Torch => Style::Torch,
    };
    let exported = match &checkpoint {
        Some(checkpoint) => optimizer::export_checkpoint(checkpoint, file, style)?,
        None => weights::export(file, &saved::load(model)?.model, style)?,
    };
    if quiet {
        return Ok(());
    }
    let text = report::weights::exported(&exported) + &terminal::wrote(file);
    Ok(terminal::print(&text)?)
}
