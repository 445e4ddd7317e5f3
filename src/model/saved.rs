//! A trained model on disk: its tensors, and in the metadata all that is needed to use it again.

use std::collections::BTreeMap;
use std::path::Path;

use super::checkpoint::{self, ModelFile};
use super::{Model, NamedTensor, Recipe};
use crate::error::{Error, Result};

/// Height, width and channels may not multiply to more than this.
const MOST_FEATURES: usize = 1 << 24;
/// The most classes that a saved model may name.
const MOST_CLASSES: usize = 1 << 20;

/// A model that was read from a file.
pub struct SavedModel {
    pub model: Model,
    /// The recipe that it was trained with, every default written out.
    pub recipe: Recipe,
    /// Height, width, channels of an input.
    pub input: [usize; 3],
    pub classes: usize,
}

/// Writes the model with the recipe and the shape of its input.
///
/// # Errors
/// Those of [`checkpoint::save`].
pub fn save(path: &Path, model: &Model, recipe: &Recipe, input: [usize; 3], classes: usize) -> Result<()> {
    let entry = |key: &str, value: String| (key.to_string(), value);
    let metadata = BTreeMap::from([
        entry("schema", SCHEMA.to_string()),
        entry("recipe", recipe.to_toml()),
        entry("input", input.map(|size| size.to_string()).join("x")),
        entry("classes", classes.to_string()),
    ]);
    checkpoint::save(path, &model.tensors(), &metadata)
}

/// Reads a file that [`save`] wrote.
///
/// # Errors
/// Those of [`checkpoint::load`]; [`Error::Format`] if the metadata is missing or makes no sense;
/// those of [`Recipe::parse`] and of building the model; an error if tensors and recipe disagree.
pub fn load(path: &Path) -> Result<SavedModel> {
    let file = ModelFile::open(path)?;
    let metadata = file.metadata().clone();
    let get = |key: &str, expected: &str| match metadata.get(key) {
        Some(value) => Ok(value.as_str()),
        None => Err(wrong(path, key, expected, "nothing; was the file saved by fallline?")),
    };
    if let Some(other) = metadata.get("schema").filter(|schema| *schema != SCHEMA) {
        return Err(wrong(path, "schema", SCHEMA, other));
    }
    let recipe = get("recipe", "the recipe of the model")?;
    let recipe = Recipe::parse(recipe, &format!("{}: recipe", path.display()))?;
    let input = get("input", INPUT)?;
    let input = parse_input(input).ok_or_else(|| wrong(path, "input", INPUT, input))?;
    let classes = get("classes", CLASSES)?;
    let classes = parse_classes(classes).ok_or_else(|| wrong(path, "classes", CLASSES, classes))?;
    check_count(path, &recipe, input, file.numbers())?;
    let tensors = file.read()?;
    check_finite(path, &tensors)?;
    check_variances(path, &tensors)?;
    let built = Model::build(&recipe.model, input, classes, recipe.train.seed);
    let mut model = built.map_err(|error| within(path, error))?;
    model.load_tensors(path, tensors)?;
    Ok(SavedModel { model, recipe, input, classes })
}

/// Checks that the layers of the recipe have as many numbers as the file holds, before a model of
/// that size is built: a small file must not ask for a large one.
fn check_count(path: &Path, recipe: &Recipe, input: [usize; 3], found: usize) -> Result<()> {
    let expected = recipe.model.parameters(input).and_then(|trained| {
        let statistics = recipe.model.statistics(input)?;
        Ok(trained + statistics)
    });
    let expected = expected.map_err(|error| within(path, error))?;
    if expected == found {
        return Ok(());
    }
    Err(Error::Format {
        path: path.to_path_buf(),
        place: "tensors".to_string(),
        expected: format!("{expected} numbers, as the layers of its recipe have"),
        found: found.to_string(),
    })
}

/// Checks that every number is one: a model with others has nothing to say.
fn check_finite(path: &Path, tensors: &[NamedTensor]) -> Result<()> {
    for tensor in tensors {
        if let Some(index) = tensor.values.iter().position(|value| !value.is_finite()) {
            let (place, expected) = (place_of(tensor), "finite numbers".to_string());
            let found = format!("{} at index {index}", tensor.values[index]);
            return Err(Error::Format { path: path.to_path_buf(), place, expected, found });
        }
    }
    Ok(())
}

fn place_of(tensor: &NamedTensor) -> String {
    format!("tensor {}", super::section::on_one_line(&tensor.name))
}

/// Checks that what a normalisation divides by the root of is not below zero.
fn check_variances(path: &Path, tensors: &[NamedTensor]) -> Result<()> {
    for tensor in tensors.iter().filter(|tensor| tensor.name.ends_with(".running_var")) {
        if let Some(index) = tensor.values.iter().position(|&value| value < 0.0) {
            let (place, expected) = (place_of(tensor), "variances of at least 0".to_string());
            let found = format!("{} at index {index}", tensor.values[index]);
            return Err(Error::Format { path: path.to_path_buf(), place, expected, found });
        }
    }
    Ok(())
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

fn parse_input(text: &str) -> Option<[usize; 3]> {
    let sizes: Vec<usize> = text.split('x').map(|size| size.parse().ok()).collect::<Option<_>>()?;
    let features = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size))?;
    if !(1..=MOST_FEATURES).contains(&features) {
        return None;
    }
    sizes.try_into().ok()
}

fn parse_classes(text: &str) -> Option<usize> {
    text.parse().ok().filter(|classes| (1..=MOST_CLASSES).contains(classes))
}

fn wrong(path: &Path, key: &str, expected: &str, found: &str) -> Error {
    let found = super::section::shortened(found);
    let place = format!("metadata `{key}`");
    Error::Format { path: path.to_path_buf(), place, expected: expected.to_string(), found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_classes_are_read_and_bounded() {
        assert_eq!(parse_input("28x28x1"), Some([28, 28, 1]));
        for text in
            ["", "28", "28x28", "28x28x1x1", "0x28x1", "-1x2x3", "4294967296x4294967296x2", "x", "ax1x1"]
        {
            assert_eq!(parse_input(text), None, "{text}");
        }
        assert_eq!(
            (parse_classes("10"), parse_classes("0"), parse_classes("9999999999")),
            (Some(10), None, None)
        );
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let tensor = |value| NamedTensor { name: "0.bias".into(), shape: vec![2], values: vec![1.0, value] };
        let check = |value| check_finite(Path::new("m"), &[tensor(value)]);
        check(f32::MAX).unwrap();
        let refused = check(f32::NAN).unwrap_err().to_string();
        assert_eq!(refused, "m: tensor 0.bias: expected finite numbers, found NaN at index 1");
        assert!(check(f32::NEG_INFINITY).is_err());
    }

    #[test]
    fn variances_below_zero_are_refused() {
        let tensor =
            |name: &str, value| NamedTensor { name: name.into(), shape: vec![2], values: vec![0.0, value] };
        let check = |name, value| check_variances(Path::new("m"), &[tensor(name, value)]);
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
}
