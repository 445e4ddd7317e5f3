//! `fallline export`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::Outputs;
use crate::exchange::onnx::export::{self, DEFAULT_OPSET, OnnxOptions};
use crate::model::saved::{self, SavedModel};
use crate::report::terminal;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArguments {
    /// A file that `fallline train --save` wrote.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    formats: Formats,
    /// The version of ONNX's operators, from 13 to 21.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_OPSET, requires = "onnx")]
    opset: i64,
    /// Let the ONNX file read the data as they are, and give probabilities or values in their units: bytes are normalised,
    /// columns of a table scaled and encoded. A missing value is NaN, a category its place in the list that the file
    /// holds.
    #[arg(long, requires = "onnx")]
    with_preprocessing: bool,
}

/// The formats, of which one or several are asked for.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Formats {
    /// Write an ONNX file, which onnxruntime and others run.
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline train mnist-mlp --save mlp.safetensors
  fallline export mlp.safetensors --onnx mlp.onnx
  fallline export mlp.safetensors --onnx digits.onnx --with-preprocessing --opset 20";

pub fn run(arguments: ExportArguments) -> anyhow::Result<()> {
    Outputs::files(&arguments.formats.onnx).check([&*arguments.model])?;
    let saved = saved::load(&arguments.model)?;
    if let Some(path) = &arguments.formats.onnx {
        onnx(path, &saved, &arguments)?;
    }
    Ok(())
}

fn onnx(path: &Path, saved: &SavedModel, arguments: &ExportArguments) -> anyhow::Result<()> {
    let mut options = OnnxOptions::new().opset(arguments.opset);
    if arguments.with_preprocessing {
        options = options.with_preprocessing();
    }
    export::write(path, &saved.model, &saved.recipe, options)?;
    let inside = if arguments.with_preprocessing { ", with preprocessing" } else { "" };
    writeln!(
        terminal::stdout(),
        "wrote {} with operators of version {}{inside}",
        path.display(),
        arguments.opset
    )?;
    Ok(())
}
