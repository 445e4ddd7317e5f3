//! `fallline import` of state dicts of PyTorch.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;

use crate::cli::output::Outputs;
use crate::cli::shared;
use crate::data::idx::ElementType;
use crate::data::known::KNOWN;
use crate::data::source::DIGITS;
use crate::data::table::Encoder;
use crate::data::text::Vocabulary;
use crate::error::Error;
use crate::exchange::onnx::import::OnnxFile;
use crate::exchange::weights::{self, Options};
use crate::model::{Model, Normalisation, Recipe, Seen, saved};
use crate::report::{self, terminal};
use crate::train::dataset;

/// The options that state dicts have beside those of other models.
#[derive(Debug, Args)]
pub struct WeightsArguments {
    /// With --recipe, take only the tensors whose names begin so, and take that off. What wrappers put before all
    /// names (module., model., _orig_mod.) is taken off anyway.
    #[arg(long, value_name = "PREFIX", requires = "recipe")]
    prefix: Option<String>,
    /// With --recipe, leave out the tensors whose names begin so, with `*` for any one component; may be given many
    /// times.
    #[arg(long, value_name = "PATTERN", requires = "recipe")]
    ignore: Vec<String>,
    /// With --recipe, pair what no name tells by order and shape.
    #[arg(long, requires = "recipe")]
    by_order: bool,
    /// Height, width and channels of an input, without a look at the data [default: those of the recipe's data set, or of
    /// the input of an ONNX file]. A sequence has height 1: 1x64x3 is 64 positions of three channels.
    #[arg(long, value_name = "HxWxC", conflicts_with = "data")]
    pub(super) input: Option<String>,
}

/// What may help where tensors do not fit.
const HINT: &str = "--map gives other names, --ignore leaves some out, --by-order goes by order and shape";

/// What is to be imported.
pub struct Request<'a> {
    pub file: &'a Path,
    /// The file, if it is one of ONNX.
    pub onnx: Option<OnnxFile>,
    pub recipe: &'a OsStr,
    pub save: &'a Path,
    pub map: &'a [String],
    pub set: &'a [String],
    pub data: Option<&'a Path>,
    pub own: &'a WeightsArguments,
    pub quiet: bool,
}

/// What a model has to know of its data.
struct Facts {
    recipe: Recipe,
    input: [usize; 3],
    element_type: Option<ElementType>,
    encoder: Option<Arc<Encoder>>,
    vocabulary: Option<Arc<Vocabulary>>,
}

pub fn run(mut request: Request) -> anyhow::Result<()> {
    let options = Options {
        prefix: request.own.prefix.clone(),
        renames: request.map.iter().map(|text| text.parse()).collect::<crate::Result<_>>()?,
        ignored: request.own.ignore.iter().map(|text| text.parse()).collect::<crate::Result<_>>()?,
        by_order: request.own.by_order,
        hint: HINT,
    };
    let recipe = Recipe::load(request.recipe, &shared::settings(request.set)?)?;
    let save = request.save.to_path_buf();
    let outputs = Outputs::files([&save]);
    let of_recipe: Option<PathBuf> = Recipe::path(request.recipe).map(Path::to_path_buf);
    outputs.check([request.file].into_iter().chain(of_recipe.as_deref()))?;
    let Facts { recipe, input, element_type, encoder, vocabulary } = facts(recipe, &request, &outputs)?;
    let mut model = Model::of_config(&recipe.model, input, recipe.train.seed)?;
    let pairing = match request.onnx.take() {
        Some(file) => weights::import_tensors(request.file, file.tensors()?, &mut model, &options)?,
        None => weights::import(request.file, &mut model, &options)?,
    };
    let normalisation = Normalisation::of(&recipe.data);
    model.set_seen(Seen { normalisation, element_type, encoder, vocabulary });
    saved::write(&save, &model, &recipe, input, model.classes(), element_type)?;
    if request.quiet {
        return Ok(());
    }
    let text = report::weights::imported(&pairing) + &terminal::wrote(&save);
    Ok(terminal::print(&text)?)
}

/// The recipe for its data, and what is known of these: without reading any, if they are a published set whose form is
/// known or the shape of an input was given.
fn facts(recipe: Recipe, request: &Request, outputs: &Outputs) -> anyhow::Result<Facts> {
    let has_own = recipe.data.table.is_some() || recipe.data.text.is_some();
    let of_images = |recipe: Recipe, input, element_type| {
        Ok(Facts { recipe, input, element_type, encoder: None, vocabulary: None })
    };
    if let Some(text) = &request.own.input {
        if has_own {
            return Err(anyhow!(
                "--input: expected none with a recipe of a table or a text, whose columns or tokens the model has to \
                 know, from --data; found {text}"
            ));
        }
        let input = saved::parse_input(text);
        let input = input.ok_or_else(|| {
            anyhow!("--input: expected height x width x channels such as 28x28x1, found {text}")
        })?;
        return of_images(recipe, input, None);
    }
    if let (Some(input), None) = (known_input(&recipe.data.set), request.data) {
        return of_images(recipe, input, Some(ElementType::U8));
    }
    if let (Some(file), false, None) = (&request.onnx, has_own, request.data) {
        return of_images(recipe, file.input()?, None);
    }
    let data = dataset::load(&recipe.data, request.data).map_err(|error| match error {
        Error::DataMissing { name, searched, hint } if !has_own => {
            let hint = hint + "; --input says what an input is without it";
            Error::DataMissing { name, searched, hint }
        }
        other => other,
    })?;
    outputs.check_data(&data)?;
    let recipe = recipe.for_samples(&data.train)?;
    let (encoder, vocabulary) = (data.train.encoder().cloned(), data.train.vocabulary().cloned());
    let (input, element_type) = (data.train.shape(), Some(data.train.element_type()));
    Ok(Facts { recipe, input, element_type, encoder, vocabulary })
}

/// The shape of an image of a set that is known by its name.
fn known_input(name: &str) -> Option<[usize; 3]> {
    if name == DIGITS {
        return Some([28, 28, 1]);
    }
    let [images, ..] = KNOWN.iter().find(|set| set.name == name)?.files;
    match images.dimensions {
        &[_, height, width] => Some([height, width, 1]),
        _ => None,
    }
}
