//! `fallline import` of state dicts of PyTorch.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::bail;
use clap::Args;

/// The options that state dicts have beside those of other models.
#[derive(Debug, Args)]
pub struct WeightsArguments {
    /// Height, width and channels of an input, where the file does not say them. A sequence has height 1: 1x64x3 is 64
    /// positions of three channels, and 1x1x8 a row of 8 features.
    #[arg(long, value_name = "HxWxC", conflicts_with = "data")]
    pub(super) input: Option<String>,
}

/// What is to be imported.
pub struct Request<'a> {
    pub file: &'a Path,
    pub recipe: &'a OsStr,
    pub save: &'a Path,
    pub map: &'a [String],
    pub set: &'a [String],
    pub data: Option<&'a Path>,
    pub own: &'a WeightsArguments,
    pub quiet: bool,
}

pub fn run(request: &Request) -> anyhow::Result<()> {
    bail!("{}: expected an ONNX file", request.file.display())
}
