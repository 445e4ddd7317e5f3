//! A trained model on disk: its tensors, and in the metadata all that is needed to use it again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::build::check_input;
use super::checkpoint::{ModelFile, NamedTensor};
use super::network::Model;
use super::normalisation::{Normalisation, Seen};
use super::recipe::{DataConfig, Override, Recipe};
use super::section;
use crate::data::idx::ElementType;
use crate::data::table::Encoder;
use crate::data::text::Vocabulary;
use crate::error::{Error, Result};

/// A model that was read from a file.
pub struct SavedModel {
    pub model: Model,
    /// The recipe that it was trained with, every default written out.
    pub recipe: Recipe,
    /// Height, width, channels of an input.
    pub input: [usize; 3],
    pub classes: usize,
    /// The type of the data that it was trained on; none of files that do not tell.
    pub element_type: Option<ElementType>,
}

impl SavedModel {
    /// How data of this type are to be normalised for the model: as in its training, or as `settings`
    /// say, of which [`NORMALISATION`] are taken. `what` are the data in messages.
    ///
    /// # Errors
    /// [`Error::Setting`] for other settings; [`Error::Mismatch`] if the model was trained on data of
    /// another type and no setting says what these are to be divided by.
    pub fn normalisation(
        &self,
        what: &str,
        element_type: ElementType,
        settings: &[Override],
    ) -> Result<DataConfig> {
        let place = section::COMMAND_LINE;
        if let Some(other) = settings.iter().find(|setting| !NORMALISATION.contains(&setting.path())) {
            return Err(Error::Setting {
                place: place.to_string(),
                key: section::shortened(other.path()),
                expected: format!(
                    "one of {}, which are all that a trained model leaves",
                    NORMALISATION.join(", ")
                ),
                found: "another setting".to_string(),
            });
        }
        let data = Recipe::parse_with(&self.recipe.to_toml(), place, settings)?.data;
        match self.element_type.filter(|&trained| trained != element_type) {
            Some(trained) if !settings.iter().any(|setting| setting.path() == SCALE) => {
                Err(Error::Mismatch {
                    what: format!("element type of {what}"),
                    expected: format!(
                        "{}, which the model was trained on, divided by {}; or --set {SCALE}=X, which these are to be \
                     divided by",
                        trained.name(),
                        self.recipe.data.scale_of(trained),
                    ),
                    found: element_type.name().to_string(),
                })
            }
            _ => Ok(data),
        }
    }
}

/// The key of what values are divided by.
const SCALE: &str = "data.scale";

/// The settings that can be changed for a trained model.
pub const NORMALISATION: [&str; 3] = [SCALE, "data.mean", "data.deviation"];

/// Writes the model with the recipe, the shape of its input, its outputs, and the type of the data that it was
/// trained on.
///
/// # Errors
/// Those of [`Model::save_tensors`].
pub fn save(
    path: &Path,
    model: &Model,
    recipe: &Recipe,
    input: [usize; 3],
    classes: usize,
    element_type: ElementType,
) -> Result<()> {
    write(path, model, recipe, input, classes, Some(element_type))
}

/// What stands beside the tensors of a model that was trained by a recipe, for a file of another form: the keys of the model's
/// own file.
pub fn metadata(model: &Model, recipe: &Recipe) -> BTreeMap<String, String> {
    entries(model, recipe, model.input(), model.classes(), model.seen().element_type)
}

/// [`save`] for a model of which it may not be known what type of data it was trained on.
///
/// # Errors
/// Those of [`Model::save_tensors`].
pub fn write(
    path: &Path,
    model: &Model,
    recipe: &Recipe,
    input: [usize; 3],
    classes: usize,
    element_type: Option<ElementType>,
) -> Result<()> {
    model.save_tensors(path, &entries(model, recipe, input, classes, element_type))
}

fn entries(
    model: &Model,
    recipe: &Recipe,
    input: [usize; 3],
    classes: usize,
    element_type: Option<ElementType>,
) -> BTreeMap<String, String> {
    let entry = |key: &str, value: String| (key.to_string(), value);
    let mut metadata = BTreeMap::from([
        entry("schema", SCHEMA.to_string()),
        entry("recipe", recipe.to_toml()),
        entry("input", input.map(|size| size.to_string()).join("x")),
        entry("classes", classes.to_string()),
    ]);
    if let Some(encoder) = model.encoder() {
        metadata.insert("table".to_string(), encoder.to_json());
    }
    if let Some(vocabulary) = model.vocabulary() {
        metadata.insert("text".to_string(), vocabulary.to_json());
    }
    if let Some(element_type) = element_type {
        let scale = recipe.data.scale_of(element_type).to_string();
        metadata.extend([entry("element", element_type.name().to_string()), entry("scale", scale)]);
    }
    metadata
}

impl Model {
    /// Writes the model to a file that [`Model::load`], the commands `eval` and `predict`, and PyTorch read: its
    /// parameters, its layers and loss, and what it was trained to see of its data. How it was trained is not in
    /// it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; it is complete or not there.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let mut recipe = Recipe::of_model(self.config().clone());
        self.seen().normalisation.put_into(&mut recipe.data);
        write(path.as_ref(), self, &recipe, self.input(), self.classes(), self.seen().element_type)
    }

    /// Reads a model that [`Model::save`], or `fallline train --save`, has written.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, and [`Error::Format`] if it is not such a model.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        Ok(load(path.as_ref())?.model)
    }
}

/// The recipe in a file that [`save`] wrote, with other values in the place of some of its own.
///
/// # Errors
/// Those of [`ModelFile::open`]; [`Error::Format`] if there is none; those of [`Recipe::parse_with`].
pub fn recipe_of(path: &Path, overrides: &[Override]) -> Result<Recipe> {
    let file = ModelFile::open(path)?;
    let Some(text) = file.metadata().get("recipe") else {
        let expected = "the recipe of the model, or one that is named beside the file";
        return Err(wrong(path, "recipe", expected, "neither; was the file saved by fallline?"));
    };
    let recipe = Recipe::parse_with(text, &format!("{}: recipe", path.display()), overrides);
    recipe.map_err(|error| without_kind(path, error))
}

/// Reads a file that [`save`] wrote.
///
/// # Errors
/// Those of [`ModelFile::open`] and [`Model::load_file`]; [`Error::Format`] if the metadata is missing or makes no sense;
/// those of [`Recipe::parse`] and of building the model; an error if tensors and recipe disagree.
pub fn load(path: &Path) -> Result<SavedModel> {
    let file = ModelFile::open(path)?;
    let metadata = file.metadata().clone();
    let mut saved = of_metadata(path, &metadata, file.numbers(), true)?;
    saved.model.load_file(path, file, |tensor| check_values(path, tensor))?;
    Ok(saved)
}

/// The model that metadata describe, freshly initialised; `numbers` are those that the file `path` holds, all of them for the
/// model if that is `exact`.
///
/// # Errors
/// Those of [`load`] that are not about tensors.
pub fn of_metadata(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    numbers: usize,
    exact: bool,
) -> Result<SavedModel> {
    let get = |key: &str, expected: &str| match metadata.get(key) {
        Some(value) => Ok(value.as_str()),
        None => Err(wrong(path, key, expected, "nothing; was the file saved by fallline?")),
    };
    if let Some(other) = metadata.get("schema").filter(|schema| *schema != SCHEMA) {
        return Err(wrong(path, "schema", SCHEMA, other));
    }
    let recipe = get("recipe", "the recipe of the model")?;
    let recipe = Recipe::parse(recipe, &format!("{}: recipe", path.display()));
    let recipe = recipe.map_err(|error| without_kind(path, error))?;
    let input = get("input", INPUT)?;
    let input = parse_input(input).ok_or_else(|| wrong(path, "input", INPUT, input))?;
    let classes = get("classes", CLASSES)?;
    let classes = parse_classes(classes).ok_or_else(|| wrong(path, "classes", CLASSES, classes))?;
    let element_type = match metadata.get("element") {
        None => None,
        Some(name) => Some(element_type(path, name, get("scale", SCALED)?, &recipe.data)?),
    };
    check_count(path, &recipe, input, numbers, exact)?;
    // Of a loss without targets what may be known of rows beside is no output.
    let outputs = recipe.model.loss.takes_targets().then_some(classes);
    let encoder = metadata.get("table").map(|text| encoder(path, text, input, outputs)).transpose()?;
    if let Some(encoder) = &encoder {
        check_embedding(path, &recipe, encoder)?;
    }
    let built = Model::build(&recipe.model, input, classes, recipe.train.seed);
    let mut model = built.map_err(|error| within(path, error))?;
    let vocabulary = metadata.get("text").map(|text| vocabulary(path, text, classes)).transpose()?;
    let normalisation = Normalisation::of(&recipe.data);
    model.set_seen(Seen { normalisation, element_type, encoder, vocabulary });
    Ok(SavedModel { model, recipe, input, classes, element_type })
}

/// The encoder of the rows of a table, if it makes inputs of this shape and has a target of so many outputs, or any.
fn encoder(path: &Path, text: &str, input: [usize; 3], outputs: Option<usize>) -> Result<Arc<Encoder>> {
    let expected = "what is made of the columns of a table";
    let encoder = Encoder::from_json(text).map_err(|fault| wrong(path, "table", expected, &fault))?;
    let (width, found) = (encoder.inputs(), encoder.outputs());
    if encoder.shape() != input || outputs.is_some_and(|outputs| found != outputs) {
        let outputs = outputs.unwrap_or(found);
        let expected =
            format!("an input of {} and {outputs} outputs", input.map(|size| size.to_string()).join("x"));
        return Err(wrong(path, "table", &expected, &format!("{width} features and {found} outputs")));
    }
    Ok(Arc::new(encoder))
}

/// The vocabulary of the tokens of a text, if it has as many as the model has classes.
fn vocabulary(path: &Path, text: &str, classes: usize) -> Result<Arc<Vocabulary>> {
    let expected = "the vocabulary of a text";
    let vocabulary = Vocabulary::from_json(text).map_err(|fault| wrong(path, "text", expected, &fault))?;
    if vocabulary.len() != classes {
        let expected = format!("{expected} of {classes} tokens, as many as the model has classes");
        return Err(wrong(path, "text", &expected, &format!("{} tokens", vocabulary.len())));
    }
    Ok(Arc::new(vocabulary))
}

/// Checks that the columns of a table are embedded as they are coded.
fn check_embedding(path: &Path, recipe: &Recipe, encoder: &Encoder) -> Result<()> {
    let (expected, found) = match recipe.model.embedding_columns(encoder) {
        Ok(model) if model == recipe.model => return Ok(()),
        Ok(_) => ("an `embedding` with the sizes of its tables".to_string(), "one without".to_string()),
        Err((_, expected, found)) => (expected, found),
    };
    Err(wrong(path, "recipe", &expected, &found))
}

/// The type of this name, if values of it are divided by `scale` by the recipe.
fn element_type(path: &Path, name: &str, scale: &str, data: &DataConfig) -> Result<ElementType> {
    let Some(found) = ElementType::named(name) else {
        let known = ElementType::ALL.map(ElementType::name).join(", ");
        return Err(wrong(path, "element", &format!("one of {known}"), name));
    };
    let expected = data.scale_of(found);
    if scale.parse() != Ok(expected) {
        let expected = format!("{expected}, as the recipe has it for {name}");
        return Err(wrong(path, "scale", &expected, scale));
    }
    Ok(found)
}

/// Checks that the layers of the recipe have as many numbers as the file holds, before a model of
/// that size is built: a small file must not ask for a large one.
fn check_count(path: &Path, recipe: &Recipe, input: [usize; 3], found: usize, exact: bool) -> Result<()> {
    let expected = recipe.model.parameters(input).and_then(|trained| {
        let statistics = recipe.model.statistics(input)?;
        Ok(trained + statistics)
    });
    let expected = expected.map_err(|error| within(path, error))?;
    if expected == found || (!exact && expected < found) {
        return Ok(());
    }
    Err(Error::Format {
        path: path.to_path_buf(),
        place: "tensors".to_string(),
        expected: format!("{expected} numbers, as the layers of its recipe have"),
        found: found.to_string(),
    })
}

/// Checks that every number is one, for a model with others has nothing to say; and that what a normalisation
/// divides by the root of is not below zero.
///
/// # Errors
/// [`Error::Format`] with the first number that is not right.
pub fn check_values(path: &Path, tensor: &NamedTensor) -> Result<()> {
    let is_variance = tensor.name.ends_with(".running_var");
    let checks: [(&str, &dyn Fn(f32) -> bool); 2] = [
        ("finite numbers", &|value| value.is_finite()),
        ("variances of at least 0", &|value| !is_variance || value >= 0.0),
    ];
    for (expected, is_right) in checks {
        if let Some(index) = tensor.values.iter().position(|&value| !is_right(value)) {
            let place = format!("tensor {}", section::on_one_line(&tensor.name));
            let expected = expected.to_string();
            let found = format!("{} at index {index}", tensor.values[index]);
            return Err(Error::Format { path: path.to_path_buf(), place, expected, found });
        }
    }
    Ok(())
}

/// The error about a layer, a loss or a rule that only the program which wrote the file knew, with what there is to do.
fn without_kind(path: &Path, error: Error) -> Error {
    match error {
        Error::Unknown { kind: kind @ ("layer" | "loss" | "optimizer"), name, .. } => {
            let article = if kind == "optimizer" { "an" } else { "a" };
            let expected = format!("{article} {kind} that is built in, or that the program has registered");
            wrong(path, "recipe", &expected, &format!("the {kind} `{name}`"))
        }
        other => other,
    }
}

/// The error of a layer as one of the file that describes it.
fn within(path: &Path, error: Error) -> Error {
    match error {
        Error::Shape { index, layer, expected, found } => {
            let place = format!("layer {index} ({layer})");
            Error::Format { path: path.to_path_buf(), place, expected, found }
        }
        other => other,
    }
}

/// What the metadata of a saved model calls its form.
const SCHEMA: &str = "fallline.model/1";
const INPUT: &str = "height x width x channels such as 28x28x1";
const CLASSES: &str = "a number of classes";
const SCALED: &str = "what values are divided by";

/// Height, width and channels of "28x28x1".
pub(crate) fn parse_input(text: &str) -> Option<[usize; 3]> {
    let sizes: Vec<usize> = text.split('x').map(|size| size.parse().ok()).collect::<Option<_>>()?;
    let input = sizes.try_into().ok()?;
    check_input(input).ok().map(|()| input)
}

fn parse_classes(text: &str) -> Option<usize> {
    // That the model has as many outputs is seen when it is built.
    text.parse().ok().filter(|&classes| classes > 0)
}

fn wrong(path: &Path, key: &str, expected: &str, found: &str) -> Error {
    let found = section::shortened(found);
    let place = format!("metadata `{key}`");
    Error::Format { path: path.to_path_buf(), place, expected: expected.to_string(), found }
}

#[cfg(test)]
mod tests {
    use super::super::checkpoint;
    use super::*;
    use crate::kernels::activation::Activation;
    use crate::losses::Loss;
    use crate::model::recipe::LayerConfig;

    #[test]
    fn shapes_and_classes_are_read_and_bounded() {
        assert_eq!(parse_input("28x28x1"), Some([28, 28, 1]));
        for text in [
            "",
            "28",
            "28x28",
            "28x28x1x1",
            "0x28x1",
            "-1x2x3",
            "4294967296x4294967296x2",
            "32768x32769x1",
            "x",
            "ax1x1",
        ] {
            assert_eq!(parse_input(text), None, "{text}");
        }
        assert_eq!(
            (parse_classes("10"), parse_classes("0"), parse_classes("99999999999999999999")),
            (Some(10), None, None)
        );
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let tensor = |value| NamedTensor { name: "0.bias".into(), shape: vec![2], values: vec![1.0, value] };
        let check = |value| check_values(Path::new("m"), &tensor(value));
        check(f32::MAX).unwrap();
        let refused = check(f32::NAN).unwrap_err().to_string();
        assert_eq!(refused, "m: tensor 0.bias: expected finite numbers, found NaN at index 1");
        assert!(check(f32::NEG_INFINITY).is_err());
    }

    #[test]
    fn variances_below_zero_are_refused() {
        let tensor =
            |name: &str, value| NamedTensor { name: name.into(), shape: vec![2], values: vec![0.0, value] };
        let check = |name, value| check_values(Path::new("m"), &tensor(name, value));
        check("1.running_var", 0.5).unwrap();
        check("1.running_mean", -0.5).unwrap();
        let refused = check("1.running_var", -0.5).unwrap_err().to_string();
        assert_eq!(
            refused,
            "m: tensor 1.running_var: expected variances of at least 0, found -0.5 at index 1"
        );
    }

    #[test]
    fn a_file_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.safetensors");
        let refusal = |entries: &[(&str, &str)]| {
            let entries = entries.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            checkpoint::save(&path, &[], &entries.collect()).unwrap();
            load(&path).err().unwrap().to_string()
        };
        let recipe = Recipe::built_in("digits-mlp").unwrap().to_toml();
        assert!(refusal(&[]).ends_with("metadata `recipe`: expected the recipe of the model, found nothing; was the file saved by fallline?"));
        let refused = refusal(&[("schema", "fallline.model/2")]);
        assert!(
            refused.ends_with("`schema`: expected fallline.model/1, found fallline.model/2"),
            "{refused}"
        );
        assert!(refusal(&[("recipe", "x")]).contains("recipe: not valid TOML"));
        assert!(refusal(&[("recipe", &recipe), ("input", "1x2")]).ends_with("such as 28x28x1, found 1x2"));
        assert!(
            refusal(&[("recipe", &recipe), ("input", "1x2x3"), ("classes", "ten")]).ends_with("found ten")
        );
    }

    /// Whatever can be built can be loaded: a file sets no limits of its own to inputs and outputs.
    #[test]
    fn models_of_wide_inputs_and_outputs_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wide.safetensors");
        let wide = Model::sequential((1 << 20) + 1).layer(LayerConfig::named("prelu").unwrap());
        let large = Model::of_images([4097, 4096, 1])
            .layer(LayerConfig::global_average_pool())
            .dense(1, Activation::IDENTITY);
        for model in [wide, large] {
            let model = model.loss(Loss::MEAN_SQUARED_ERROR).build().unwrap();
            model.save(&path).unwrap();
            let loaded = Model::load(&path).unwrap();
            assert_eq!((loaded.input(), loaded.outputs()), (model.input(), model.outputs()));
        }
    }

    #[test]
    fn data_of_another_type_need_a_scale() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let recipe = Recipe::built_in("digits-mlp").unwrap();
        let model = Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
        save(&path, &model, &recipe, [28, 28, 1], 10, ElementType::U8).unwrap();
        let mut saved = load(&path).unwrap();
        assert_eq!(saved.element_type, Some(ElementType::U8));
        let seen = |saved: &SavedModel, element_type, settings: &[&str]| {
            let settings: Vec<Override> = settings.iter().map(|text| text.parse().unwrap()).collect();
            saved.normalisation("x", element_type, &settings).map_err(|error| error.to_string())
        };
        assert_eq!(seen(&saved, ElementType::U8, &[]).unwrap(), recipe.data);
        assert_eq!(
            seen(&saved, ElementType::F32, &["data.mean=0"]).unwrap_err(),
            "element type of x: expected u8, which the model was trained on, divided by 255; or --set \
             data.scale=X, which these are to be divided by, found f32"
        );
        assert_eq!(seen(&saved, ElementType::F32, &["data.scale=1"]).unwrap().scale, Some(1.0));
        let other = seen(&saved, ElementType::U8, &["train.epochs=1"]).unwrap_err();
        assert!(other.contains("expected one of data.scale, data.mean, data.deviation"), "{other}");
        assert!(seen(&saved, ElementType::U8, &["data.scale=-1"]).unwrap_err().contains("above 0"));
        // A file that does not tell.
        saved.element_type = None;
        assert_eq!(seen(&saved, ElementType::F32, &[]).unwrap(), recipe.data);
    }

    #[test]
    fn a_record_of_the_scale_that_makes_no_sense_is_refused() {
        let data = Recipe::built_in("digits-mlp").unwrap().data;
        let read = |name, scale| element_type(Path::new("m"), name, scale, &data).map_err(|e| e.to_string());
        assert_eq!((read("u8", "255"), read("f32", "1")), (Ok(ElementType::U8), Ok(ElementType::F32)));
        assert!(read("u16", "1").unwrap_err().ends_with("i32, f32, f64, found u16"));
        assert!(read("u8", "1").unwrap_err().ends_with("expected 255, as the recipe has it for u8, found 1"));
        assert!(read("u8", "x").unwrap_err().ends_with("found x"));
    }
}
