//! `fallline import`

mod weights;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArguments {
    /// A state dict of PyTorch as a safetensors file; scripts/pt_to_safetensors.py makes one of a .pt file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The recipe whose layers the tensors are for: a built-in one, or the path of a file that ends with .toml.
    #[arg(long, value_name = "RECIPE")]
    recipe: OsString,
    /// Save the model to this file (safetensors).
    #[arg(long, value_name = "FILE")]
    save: PathBuf,
    /// Replace the beginning of names: `--map encoder.layers.*=*` makes 3.linear1.weight of encoder.layers.3.linear1.weight.
    /// A `*` is any one component. May be given many times; the first that fits is taken.
    #[arg(long, value_name = "FROM=TO")]
    map: Vec<String>,
    /// Replace any value of the recipe, such as model.layers.0.units=64; may be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The folder that holds the data set, or a folder named after it; no other is looked into [default:
    /// $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    weights: weights::WeightsArguments,
    /// Print nothing of what became what.
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline import net.safetensors --recipe mnist-cnn --save cnn.safetensors
  fallline import net.safetensors --recipe mnist-mlp --by-order --save mlp.safetensors
  fallline import encoder.safetensors --recipe chars-transformer --data texts \\
      --map 'encoder.layers.0=1' --map 'encoder.layers.1=2' --save chars.safetensors
  fallline import features.safetensors --recipe my-recipe.toml --input 32x32x3 \\
      --prefix backbone --ignore fc --save features-32.safetensors";

pub fn run(arguments: ImportArguments) -> anyhow::Result<()> {
    weights::run(&weights::Request {
        file: &arguments.file,
        recipe: &arguments.recipe,
        save: &arguments.save,
        map: &arguments.map,
        set: &arguments.set,
        data: arguments.data.as_deref(),
        own: &arguments.weights,
        quiet: arguments.quiet,
    })
}
