//! `fallline export --pytorch`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::output::Outputs;
use crate::exchange::weights::{self, Style, optimizer};
use crate::model::saved;
use crate::report::{self, terminal};

/// The options of state dicts.
#[derive(Debug, Args)]
pub struct PytorchArguments {
    /// Write the parameters as a state dict of PyTorch to this file (safetensors), for `load_state_dict`. Of a checkpoint, what
    /// Adam, AdamW or SGD keep of them goes along: scripts/pt_to_safetensors.py --back makes an optimizer's state of it.
    #[arg(long, value_name = "FILE", required = true)]
    pytorch: PathBuf,
    /// What the tensors are called: as in a saved model, whose names torch.nn.Sequential takes; or in blocks of
    /// Transformers and residual blocks as torch.nn.TransformerEncoderLayer, TransformerDecoderLayer and torchvision's
    /// BasicBlock and Bottleneck have them.
    #[arg(long, value_name = "STYLE", value_enum, default_value_t = Named::Sequential)]
    style: Named,
}

/// [`Style`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Named {
    Sequential,
    Torch,
}

pub fn run(model: &Path, own: &PytorchArguments, quiet: bool) -> anyhow::Result<()> {
    let checkpoint = optimizer::checkpoint_at(model)?;
    let read = checkpoint.as_ref().map_or(model, |checkpoint| checkpoint.path());
    Outputs::files([&own.pytorch]).check([read])?;
    let style = match own.style {
        Named::Sequential => Style::Sequential,
        Named::Torch => Style::Torch,
    };
    let exported = match &checkpoint {
        Some(checkpoint) => optimizer::export_checkpoint(checkpoint, &own.pytorch, style)?,
        None => weights::export(&own.pytorch, &saved::load(model)?.model, style)?,
    };
    if quiet {
        return Ok(());
    }
    let text = report::weights::exported(&exported) + &terminal::wrote(&own.pytorch);
    Ok(terminal::stdout().write_all(text.as_bytes())?)
}
