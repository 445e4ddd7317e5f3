//! Parameters that a model begins with, from the file of another one: to train it further, or on something else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crc32c::{crc32c, crc32c_append};

use super::begun::InitialFile;
use super::checkpoint::{ModelFile, NamedTensor, STATE};
use super::network::Model;
use super::normalisation::Normalisation;
use super::recipe::{DataConfig, Recipe};
use super::saved::check_values;
use super::section::{on_one_line, shortened};
use crate::data::Samples;
use crate::data::idx::ElementType;
use crate::data::table::Encoder;
use crate::data::text::Vocabulary;
use crate::error::{Error, Result};
use crate::layers::ParameterSpec;

/// Tensors of a kind that an error names.
const NAMED: usize = 100;

/// How much of a file has to be that of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// All tensors of the one are those of the other, by their names and shapes.
    All,
    /// What has name and shape of a tensor of the model is taken; the rest of the model is as it was drawn, and the rest of
    /// the file is passed over.
    Partial,
}

/// What a file has given a model.
#[derive(Clone, Debug)]
pub struct Initialised {
    fit: Fit,
    path: String,
    /// The tensors that were taken, in the order of the model.
    pub taken: Vec<String>,
    /// Those of the model that were not, and are as they were drawn: some that the file has in another shape among them.
    pub drawn: Vec<String>,
    /// Those of the file that the model has not.
    pub left: Vec<String>,
    /// What the model of the file has seen of each value of its data, if the file tells: the normalisation, and the type
    /// that values had.
    seen: Option<(DataConfig, ElementType)>,
    encoder: Option<Arc<Encoder>>,
    vocabulary: Option<Arc<Vocabulary>>,
}

/// What of a file fits a model, and what does not.
#[derive(Default)]
struct Comparison {
    taken: BTreeSet<String>,
    /// The tensors of the file with another shape: name, that of the model, and that of the file.
    reshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    missing: Vec<(String, Vec<usize>)>,
    left: Vec<(String, Vec<usize>)>,
}

impl Model {
    /// Takes the parameters that training begins with, and running statistics, from a file: of a model that
    /// [`save`](Model::save) or `fallline train --save` has written, or any other in the safetensors format whose tensors
    /// have the names and shapes of this model's, which are PyTorch's for a `Sequential` of the same layers. What an
    /// optimizer has kept beside them (`optimizer.state.*`) is passed over.
    ///
    /// ```
    /// use fallline::{Activation, Fit, Model};
    ///
    /// let model = |classes| {
    ///     Model::sequential(4).dense(8, Activation::RELU).dense(classes, Activation::IDENTITY).build()
    /// };
    /// # let scratch = std::env::temp_dir().join(format!("fallline-initialise-{}.safetensors", std::process::id()));
    /// # let path = scratch.as_path();
    /// model(10)?.save(path)?;
    /// let mut other = model(3)?;
    /// assert!(other.initialise(path, Fit::All).is_err());
    /// let initialised = other.initialise(path, Fit::Partial)?;
    /// assert_eq!(initialised.taken, ["0.weight", "0.bias"]);
    /// assert_eq!(initialised.drawn, ["2.weight", "2.bias"]);
    /// # std::fs::remove_file(path).ok();
    /// # Ok::<(), fallline::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, and [`Error::Format`] if it is none of these, a number in it is not finite,
    /// not all fits that should, which is then listed, or nothing does. After an error about a number some tensors may have
    /// been taken.
    pub fn initialise(&mut self, path: impl AsRef<Path>, fit: Fit) -> Result<Initialised> {
        let path = path.as_ref();
        // Numbers that nobody wants may be of any type.
        let file = ModelFile::open_any(path)?;
        let compared = Comparison::of(self, file.shapes().filter(|(name, _)| !name.starts_with(STATE)));
        if let Some(found) = compared.misfit(fit) {
            return Err(Error::Format {
                path: path.into(),
                place: "tensors".into(),
                expected: match fit {
                    Fit::All => "those of the model, all of them and no others".into(),
                    Fit::Partial => "at least one with name and shape of one of the model's".into(),
                },
                found,
            });
        }
        let metadata = file.metadata().clone();
        let broken = |key: &str, what: &str, fault: String| Error::Format {
            path: path.into(),
            place: format!("metadata `{key}`"),
            expected: what.into(),
            found: shortened(&fault),
        };
        let (table, text) = (metadata.get("table"), metadata.get("text"));
        let encoder = table.map(|text| Encoder::from_json(text)).transpose();
        let encoder =
            encoder.map_err(|fault| broken("table", "what is made of the columns of a table", fault))?;
        let vocabulary = text.map(|text| Vocabulary::from_json(text)).transpose();
        let vocabulary = vocabulary.map_err(|fault| broken("text", "the vocabulary of a text", fault))?;
        let specs: BTreeMap<String, ParameterSpec> = self.specs().collect();
        let file = file.renamed(|name| compared.taken.contains(name).then(|| name.into()));
        file.check_types()?;
        let mut checksum = 0u32;
        file.read_each(|tensor| {
            let Some(spec) = specs.get(&tensor.name) else { return Ok(()) };
            check_values(path, &tensor)?;
            checksum = checksum.wrapping_add(checksum_of(&tensor));
            spec.store(&mut self.parameters, &tensor.values);
            Ok(())
        })?;
        let (taken, drawn): (Vec<String>, Vec<String>) =
            self.specs().map(|(name, _)| name).partition(|name| compared.taken.contains(name));
        let path = path.display().to_string();
        self.initial = Some(InitialFile { path: path.clone(), checksum, drawn: drawn.clone() });
        Ok(Initialised {
            fit,
            path,
            taken,
            drawn,
            left: compared.left.into_iter().map(|(name, _)| name).collect(),
            seen: seen(&metadata),
            encoder: encoder.map(Arc::new),
            vocabulary: vocabulary.map(Arc::new),
        })
    }
}

/// The normalisation of the data of a model file, if it tells by a recipe that can be read.
fn seen(metadata: &BTreeMap<String, String>) -> Option<(DataConfig, ElementType)> {
    let recipe = Recipe::parse(metadata.get("recipe")?, "recipe of a model file").ok()?;
    Some((recipe.data, ElementType::named(metadata.get("element")?)?))
}

/// CRC-32C of a tensor's name and values.
pub(crate) fn checksum_of(tensor: &NamedTensor) -> u32 {
    let name = crc32c(tensor.name.as_bytes());
    tensor.values.iter().fold(name, |sum, value| crc32c_append(sum, &value.to_le_bytes()))
}

impl Comparison {
    fn of<'a>(model: &Model, tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> Comparison {
        let specs: BTreeMap<String, ParameterSpec> = model.specs().collect();
        let mut compared = Comparison::default();
        for (name, shape) in tensors {
            match specs.get(name) {
                None => compared.left.push((name.into(), shape.into())),
                Some(spec) if spec.shape == shape => {
                    compared.taken.insert(name.into());
                }
                Some(spec) => compared.reshaped.push((name.into(), spec.shape.clone(), shape.into())),
            }
        }
        let is_there = |name: &str| {
            compared.taken.contains(name) || compared.reshaped.iter().any(|(other, ..)| other == name)
        };
        let missing = model.specs().filter(|(name, _)| !is_there(name));
        compared.missing = missing.map(|(name, spec)| (name, spec.shape)).collect();
        compared
    }

    /// What does not fit, in words, if it has to.
    fn misfit(&self, fit: Fit) -> Option<String> {
        let Comparison { taken, reshaped, missing, left } = self;
        if fit == Fit::Partial && !taken.is_empty() {
            return None;
        }
        let of_shape = |(name, shape): &(String, Vec<usize>)| format!("{} {shape:?}", on_one_line(name));
        let of_two = |(name, own, other): &(String, Vec<usize>, Vec<usize>)| {
            format!("{} {other:?}, not {own:?}", on_one_line(name))
        };
        let kinds = [
            ("without", missing.iter().map(of_shape).collect::<Vec<_>>()),
            ("of other shapes", reshaped.iter().map(of_two).collect()),
            ("beside", left.iter().map(of_shape).collect()),
        ];
        let kinds = kinds.into_iter().filter(|(_, all)| !all.is_empty());
        let texts: Vec<String> = kinds.map(|(word, all)| format!("{word}: {}", listed(all))).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

/// Names with commas between them, of very many the first.
fn listed(mut all: Vec<String>) -> String {
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    all.join(", ") + &rest
}

impl Initialised {
    /// What was taken and what was drawn, as a text of one or two lines.
    pub fn text(&self) -> String {
        let all = self.taken.len() + self.drawn.len();
        let mut text = format!("begins with {} of {all} tensors of {}", self.taken.len(), self.path);
        if !self.drawn.is_empty() {
            text += &format!("; drawn anew: {}", listed(self.drawn.clone()));
        }
        if !self.left.is_empty() {
            let names = self.left.iter().map(|name| on_one_line(name)).collect();
            text += &format!("\nnot taken from it: {}", listed(names));
        }
        text
    }

    /// Checks that inputs mean to the model of the file what they are in these samples, whose values the network sees as
    /// `data` says. Where only some of the file was to fit, and for what a training can make up for, gives warnings.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if all was to fit, and the tokens of a text or the features of a table are others.
    pub fn check(&self, samples: &Samples, data: &DataConfig) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        let mut differs = |what: &str, expected: &str, found: &str| match self.fit {
            Fit::All => Err(Error::Mismatch {
                what: format!("{what} of the data"),
                expected: format!("{expected} of {}, where its parameters belong to them", self.path),
                found: found.to_string(),
            }),
            Fit::Partial => {
                warnings.push(format!("the {what} of the data are not {expected} of {}", self.path));
                Ok(())
            }
        };
        if let (Some(old), Some(own)) = (&self.vocabulary, samples.vocabulary())
            && old != own
        {
            let found = format!("others, {} of them", own.len());
            differs("tokens", &format!("the {} tokens", old.len()), &found)?;
        }
        if let (Some(old), Some(own)) = (&self.encoder, samples.encoder()) {
            if meanings(old) != meanings(own) {
                differs("features", "the features, with their categories,", "others")?;
            } else if old.features != own.features {
                warnings.push(format!(
                    "numbers of the table are scaled by other means and deviations than in {}",
                    self.path
                ));
            }
            if old.target.class_names() != own.target.class_names() {
                warnings.push(format!("the classes are not those of {}, in their order", self.path));
            }
        }
        warnings.extend(self.normalised_otherwise(samples.element_type(), data));
        Ok(warnings)
    }

    /// A warning if values of this type are normalised otherwise than in the training of the file.
    fn normalised_otherwise(&self, element_type: ElementType, data: &DataConfig) -> Option<String> {
        let (old, old_type) = self.seen.as_ref()?;
        let of = |data: &DataConfig, element_type| {
            let Normalisation { mean, deviation, .. } = Normalisation::of(data);
            (data.scale_of(element_type), mean, deviation)
        };
        let (before, now) = (of(old, *old_type), of(data, element_type));
        (before != now).then(|| {
            let text = |(scale, mean, deviation)| format!("(x / {scale} - {mean}) / {deviation}");
            format!(
                "the network sees {} of each value x, and that of {} has seen {}",
                text(now),
                self.path,
                text(before)
            )
        })
    }
}

/// What each feature of a table stands for: its name, and its categories, by whose numbers an embedding knows them.
fn meanings(encoder: &Encoder) -> Vec<(Vec<String>, Option<Vec<String>>)> {
    let features = encoder.features.iter();
    features.map(|feature| (feature.names(), feature.categories().map(<[String]>::to_vec))).collect()
}
