//! `fallline export`

mod pytorch;

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArguments {
    /// A file that `fallline train --save` wrote, or a checkpoint of `fallline train --checkpoint`; of a folder of checkpoints the newest
    /// one is taken.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    pytorch: pytorch::PytorchArguments,
    /// Print the final result only.
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline export cnn.safetensors --pytorch cnn-torch.safetensors
  fallline export chars.safetensors --pytorch chars-torch.safetensors --style torch
  fallline export kept/checkpoint-5000.safetensors --pytorch going-on.safetensors";

pub fn run(arguments: ExportArguments) -> anyhow::Result<()> {
    pytorch::run(&arguments.model, &arguments.pytorch, arguments.quiet)
}
