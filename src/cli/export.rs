//! `fallline export`

mod pytorch;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::Outputs;
use crate::exchange::onnx::export::{self, DEFAULT_OPSET, OnnxOptions};
use crate::model::saved;
use crate::report::terminal;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArguments {
    /// A file that `fallline train --save` wrote; for --pytorch also a checkpoint of `fallline train --checkpoint`, or a
    /// folder of them, of which the newest one is taken.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    formats: Formats,
    /// The version of ONNX's operators, from 13 to 21.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_OPSET, requires = "onnx", allow_negative_numbers = true)]
    opset: i64,
    /// Let the ONNX file read the data as they are, and give probabilities or values in their units: bytes are normalised,
    /// columns of a table scaled and encoded. A missing value is NaN, a category its place in the list that the file
    /// holds.
    #[arg(long, requires = "onnx")]
    with_preprocessing: bool,
    /// What the tensors of a state dict are called: as in a saved model, whose names torch.nn.Sequential takes; or in
    /// blocks of Transformers and residual blocks as torch.nn.TransformerEncoderLayer, TransformerDecoderLayer and
    /// torchvision's BasicBlock and Bottleneck have them.
    #[arg(long, value_name = "STYLE", value_enum, default_value_t = pytorch::Named::Sequential, requires = "pytorch")]
    style: pytorch::Named,
    /// Print nothing of what was written.
    #[arg(long, short)]
    quiet: bool,
}

/// The formats, of which one or several are asked for.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Formats {
    /// Write an ONNX file, which onnxruntime and others run.
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// Write the parameters as a state dict of PyTorch to this file (safetensors), for `load_state_dict`. Of a checkpoint, what
    /// Adam, AdamW or SGD keep of them goes along: scripts/pt_to_safetensors.py --back makes an optimizer's state of it.
    #[arg(long, value_name = "FILE")]
    pytorch: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline train mnist-mlp --save mlp.safetensors
  fallline export mlp.safetensors --onnx mlp.onnx
  fallline export mlp.safetensors --onnx digits.onnx --with-preprocessing --opset 20
  fallline export chars.safetensors --pytorch chars-torch.safetensors --style torch
  fallline export kept/checkpoint-5000.safetensors --pytorch going-on.safetensors";

pub fn run(arguments: ExportArguments) -> anyhow::Result<()> {
    let Formats { onnx, pytorch } = &arguments.formats;
    Outputs::files(onnx.iter().chain(pytorch)).check([&*arguments.model])?;
    if let Some(path) = onnx {
        to_onnx(path, &arguments)?;
    }
    if let Some(path) = pytorch {
        pytorch::run(&arguments.model, path, arguments.style, arguments.quiet)?;
    }
    Ok(())
}

fn to_onnx(path: &Path, arguments: &ExportArguments) -> anyhow::Result<()> {
    let saved = saved::load(&arguments.model)?;
    let mut options = OnnxOptions::new().opset(arguments.opset);
    if arguments.with_preprocessing {
        options = options.with_preprocessing();
    }
    export::write(path, &saved.model, &saved.recipe, options)?;
    if arguments.quiet {
        return Ok(());
    }
    let inside = if arguments.with_preprocessing { ", with preprocessing" } else { "" };
    writeln!(
        terminal::stdout(),
        "wrote {} with operators of version {}{inside}",
        path.display(),
        arguments.opset
    )?;
    Ok(())
}
