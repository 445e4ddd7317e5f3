//! `fallline import`

mod onnx;
mod weights;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;

use super::output::Outputs;
use crate::exchange::onnx::import::OnnxFile;
use crate::model::Recipe;
use crate::report::markup::for_terminal;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArguments {
    /// A model of another program: an ONNX file, or PyTorch's state dict as safetensors.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write the model to this file, which `eval`, `predict` and `train --init` read.
    #[arg(long, value_name = "MODEL", required_unless_present = "list")]
    save: Option<PathBuf>,
    /// Take the parameters by their names for the model of this recipe, a built-in one or a TOML file [default: the layers of
    /// an ONNX file are found in its graph; if fallline wrote it, it holds its recipe].
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<OsString>,
    /// With --recipe, replace the beginning of names: `--map encoder.layers.*=*` makes 3.linear1.weight of
    /// encoder.layers.3.linear1.weight. A `*` is any one component. May be given many times; the first that fits is taken.
    #[arg(long, value_name = "FROM=TO", requires = "recipe")]
    map: Vec<String>,
    /// Change a setting: with --recipe any of it, else one of the data, such as data.mean. May be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// With --recipe, the folder that holds its data set, or a folder named after it, where the model has to know the data, as of
    /// a text its tokens [default: $FALLLINE_DATA alone, or else datasets/, then the user's cache folder].
    #[arg(long, value_name = "DIR", requires = "recipe")]
    data: Option<PathBuf>,
    #[command(flatten)]
    weights: weights::WeightsArguments,
    /// The loss of the model, by its name in recipes [default: by the end of the ONNX graph: cross-entropy behind a softmax
    /// or for several outputs, binary-cross-entropy behind a sigmoid, mean-squared-error for one output].
    // What requires a recipe does so no longer where that conflicts with something else.
    #[arg(long, value_name = "LOSS")]
    #[arg(conflicts_with_all = ["recipe", "map", "data", "prefix", "ignore", "by_order"])]
    loss: Option<String>,
    /// Only list what an ONNX file holds: inputs, outputs, operators and tensors.
    #[arg(long)]
    #[arg(conflicts_with_all = ["save", "recipe", "map", "set", "data", "input", "loss"])]
    #[arg(conflicts_with_all = ["prefix", "ignore", "by_order"])]
    list: bool,
    /// Print nothing of what was made of the file.
    #[arg(long, short, conflicts_with = "list")]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  fallline import net.onnx --list
  fallline import net.onnx --save net.safetensors
  fallline import net.onnx --save net.safetensors --set data.mean=0.5 --set data.deviation=0.5
  fallline import gpt.onnx --recipe chars-transformer --data texts --save gpt.safetensors
  fallline import state.safetensors --recipe mnist-mlp --save mlp.safetensors
  fallline import net.safetensors --recipe mnist-mlp --by-order --save mlp.safetensors
  fallline import encoder.safetensors --recipe chars-transformer --data texts \\
      --map 'encoder.layers.0=1' --map 'encoder.layers.1=2' --save chars.safetensors
  fallline import features.safetensors --recipe my-recipe.toml --input 32x32x3 \\
      --prefix backbone --ignore fc --save features-32.safetensors

Of an ONNX file, operators that no layer stands for are listed, all of them.";

pub fn run(arguments: ImportArguments) -> anyhow::Result<()> {
    let of_recipe = arguments.recipe.as_deref().and_then(Recipe::path);
    Outputs::files(&arguments.save).check([&*arguments.file].into_iter().chain(of_recipe))?;
    let onnx = is_onnx(&arguments.file).then(|| OnnxFile::open(&arguments.file)).transpose()?;
    if let (Some(recipe), Some(save)) = (&arguments.recipe, &arguments.save) {
        return weights::run(weights::Request {
            file: &arguments.file,
            onnx,
            recipe,
            save,
            map: &arguments.map,
            set: &arguments.set,
            data: arguments.data.as_deref(),
            own: &arguments.weights,
            quiet: arguments.quiet,
        });
    }
    let Some(file) = onnx else {
        let file = for_terminal(&arguments.file.display().to_string());
        bail!("{file}: expected an ONNX file, or --recipe, which says the layers of a state dict");
    };
    onnx::run(
        file,
        &onnx::Request {
            save: arguments.save.as_deref(),
            set: &arguments.set,
            input: arguments.weights.input.as_deref(),
            loss: arguments.loss.as_deref(),
            quiet: arguments.quiet,
        },
    )
}

/// Whether a file is one of ONNX: by its ending, or else by its first bytes, which of safetensors are the length of a header
/// in braces. Of what cannot be read, reading tells why.
fn is_onnx(path: &Path) -> bool {
    let ends = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    if ends("onnx") || ends("safetensors") {
        return ends("onnx");
    }
    // A pipe has its first bytes once only.
    let is_file = path.metadata().is_ok_and(|found| found.is_file());
    let mut start = [0; 9];
    let read = is_file.then(|| File::open(path).and_then(|mut file| file.read_exact(&mut start)));
    matches!(read, Some(Ok(()))) && start[8] != b'{'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        assert!(is_onnx(Path::new("a.ONNX")) && !is_onnx(Path::new("a.safetensors")));
        assert!(is_onnx(&file("a", b"\x08\x0a\x12\x07pytorch")));
        assert!(!is_onnx(&file("b", b"\x40\0\0\0\0\0\0\0{\"w\"")) && !is_onnx(&file("c", b"")));
    }
}
