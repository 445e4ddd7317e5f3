//! A recipe: everything that decides a training run, as a TOML file.
//!
//! The recipes of `recipes/` are part of the binary; a file of one's own works the same way. Every
//! key that is not known is an error, so a misspelt setting never goes unnoticed.

mod augment;
mod average;
mod constraint;
mod gradient;
mod keys;
mod layers;
mod loss;
mod optimizer;
mod overrides;
mod program;
mod reproduce;
mod schedule;
mod stop;
mod values;
mod write;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

pub use augment::check_augmentation;
pub use average::{AverageConfig, AverageMethod};
pub use constraint::ConstraintConfig;
pub use gradient::GradientConfig;
pub use layers::{
    ConvolutionConfig, ConvolutionTransposeConfig, LayerConfig, NormalisationConfig, Over, ResidualConfig,
};
pub(super) use layers::{find_layer, gate_layers, in_residual};
pub use optimizer::{
    HyperParameter, HyperValue, OPTIMIZERS, OptimizerConfig, OptimizerKind, check_samples, optimizer_kind,
    optimizer_kinds, optimizer_names,
};
pub use overrides::Override;
pub use reproduce::{MOST_SEEDS, ReproduceConfig};
pub use schedule::SCHEDULES;
pub use stop::{Patience, StopConfig, Tolerance, Watched};

use super::section::{COMMAND_LINE, Section, Source, finite, inner_unit, positive, shortened, unit};
use crate::data::augment::Augmentation;
use crate::data::idx::ElementType;
use crate::error::{Error, Result};
use crate::kernels::image::{Image, Patches};
use crate::layers::{Shape, trained_numbers};
use crate::losses::Loss;
use crate::optim::Lookahead;
use crate::optim::schedule::Schedules;
use crate::{panics, pipe};

/// The largest recipe file that is read, in bytes.
const LARGEST_FILE: u64 = 1 << 20;
/// The most samples that a recipe may ask for.
const MOST_SAMPLES: usize = 100_000_000;
/// The most epochs that a recipe may ask for.
const MOST_EPOCHS: usize = 1_000_000;

/// The most trained numbers of a model: 4 GiB of them.
const MOST_PARAMETERS: usize = 1 << 30;

/// The batch that recipes call "all": more samples than any data set has.
pub const ALL_SAMPLES: usize = usize::MAX;
/// The batch where a recipe says none, unless its rule is for the full batch.
const BATCH: usize = 64;

/// The data sets that a recipe may name.
pub const DATA_SETS: [&str; 4] = ["mnist", "fashion-mnist", "digits", "folder"];

/// A training run: data, model, optimizer, length, target.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Letters, digits and `-_.`, at most 64.
    pub name: String,
    /// One line on what the recipe shows; may be empty.
    pub summary: String,
    pub data: DataConfig,
    pub augment: Augmentation,
    pub model: ModelConfig,
    pub optimizer: OptimizerConfig,
    pub schedule: Schedules,
    pub train: TrainConfig,
    pub gradient: GradientConfig,
    pub constraint: ConstraintConfig,
    pub lookahead: Option<Lookahead>,
    pub average: Option<AverageConfig>,
    pub stop: StopConfig,
    /// The test accuracy that the recipe is known to reach, as a fraction of 1.
    pub target: Option<f64>,
    pub reproduce: ReproduceConfig,
}

/// Which samples are trained on and what the network sees of them: (value / scale - mean) / deviation.
#[derive(Clone, Debug, PartialEq)]
pub struct DataConfig {
    /// One of [`DATA_SETS`].
    pub set: String,
    /// The first so many training samples; all of them without it.
    pub train_samples: Option<usize>,
    /// The first so many test samples; all of them without it.
    pub test_samples: Option<usize>,
    /// The training samples that are set aside for validation, by the seed of [`TrainConfig`]; none
    /// without it.
    pub validation: Option<Held>,
    /// Whether each class gives its share of them; of no effect where targets are no classes.
    pub stratified: bool,
    /// What values are divided by, above 0; without it, what [`DataConfig::scale_of`] says.
    pub scale: Option<f32>,
    pub mean: f32,
    /// Above 0.
    pub deviation: f32,
    /// The seed of generated digits; of no effect on other data sets.
    pub seed: u64,
}

/// How many of the training samples are set aside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    /// At least 1.
    Count(usize),
    /// As a part of all, in (0, 1).
    Part(f64),
}

impl Held {
    /// The number of samples set aside of so many: a part is rounded, and at least 1.
    pub fn count(self, samples: usize) -> usize {
        match self {
            Held::Count(count) => count,
            Held::Part(part) => ((part * samples as f64).round() as usize).clamp(1, samples),
        }
    }
}

/// The network and what it minimises.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// At least one, from input to output.
    pub layers: Vec<LayerConfig>,
    pub loss: Loss,
}

impl ModelConfig {
    /// The numbers of the model's running statistics.
    pub(super) fn statistics(&self, input: [usize; 3]) -> Result<usize> {
        let layers = layers::leaves(&self.layers, Shape::Image(Image::data(input)), true)?;
        // Mean and variance.
        let numbers = |(layer, shape): &(LayerConfig, Shape)| match layer {
            LayerConfig::Normalisation(config) if matches!(config.over, Over::Batch { .. }) => {
                2 * config.scaled(*shape)
            }
            _ => 0,
        };
        Ok(layers.iter().map(numbers).sum())
    }

    /// The trained numbers of the model for samples of this height, width and channels: a bound on its
    /// memory that costs none.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they are more than 2^30; [`Error::Shape`] if the layers do not fit together.
    pub fn parameters(&self, input: [usize; 3]) -> Result<usize> {
        let mut total = Some(0usize);
        for (layer, shape) in layers::leaves(&self.layers, Shape::Image(Image::data(input)), true)? {
            // Outputs, inputs of each, and what else each has.
            let weights = match (&layer, shape) {
                (LayerConfig::Dense { units, bias, weight_norm, .. }, _) => {
                    (*units, shape.features(), usize::from(*bias) + usize::from(*weight_norm))
                }
                (LayerConfig::Convolution(config), Shape::Image(image)) => {
                    let inputs = Patches { input: image, window: config.window }.inputs() / config.groups;
                    (config.channels, inputs, usize::from(config.bias))
                }
                (LayerConfig::ConvolutionTranspose(config), Shape::Image(image)) => {
                    (config.channels, config.inputs(image), usize::from(config.bias))
                }
                (LayerConfig::Of(settings), _) => (trained_numbers(&settings.make(shape).parameters()), 1, 0),
                // A weight and a bias.
                (LayerConfig::Normalisation(config), _) => (config.scaled(shape), 2, 0),
                _ => (0, 0, 0),
            };
            let (outputs, inputs, others) = weights;
            let added = inputs.checked_add(others).and_then(|inputs| inputs.checked_mul(outputs));
            total = total.zip(added).and_then(|(total, added)| total.checked_add(added));
        }
        total.filter(|total| *total <= MOST_PARAMETERS).ok_or_else(|| Error::Mismatch {
            what: "trained numbers of the model".to_string(),
            expected: format!("at most {MOST_PARAMETERS}"),
            found: total.map_or("more than can be counted".to_string(), |total| total.to_string()),
        })
    }
}

/// How long, in what steps, and from which seed.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Passes over the training samples; at least 1.
    pub epochs: usize,
    /// Samples of a step; at least 1, and more than there are, as [`ALL_SAMPLES`], means all of them.
    pub batch: usize,
    /// Batches whose gradients make one step: it is the step of a batch of so many times the size, in
    /// the memory of one; at least 1.
    pub accumulate: usize,
    /// The seed of initial weights and of the order of samples.
    pub seed: u64,
    /// Whether each epoch takes the samples in a new order.
    pub shuffle: bool,
}

/// Name and text of every built-in recipe; the first is what `fallline train` runs.
const BUILT_IN: [(&str, &str); 11] = [
    ("digits-mlp", include_str!("../../recipes/digits-mlp.toml")),
    ("digits-cnn", include_str!("../../recipes/digits-cnn.toml")),
    ("mnist-softmax", include_str!("../../recipes/mnist-softmax.toml")),
    ("mnist-mlp", include_str!("../../recipes/mnist-mlp.toml")),
    ("mnist-mlp-98", include_str!("../../recipes/mnist-mlp-98.toml")),
    ("mnist-mlp-512", include_str!("../../recipes/mnist-mlp-512.toml")),
    ("mnist-mlp-deep", include_str!("../../recipes/mnist-mlp-deep.toml")),
    ("mnist-mlp-2048", include_str!("../../recipes/mnist-mlp-2048.toml")),
    ("mnist-lenet5", include_str!("../../recipes/mnist-lenet5.toml")),
    ("mnist-fast99", include_str!("../../recipes/mnist-fast99.toml")),
    ("mnist-cnn", include_str!("../../recipes/mnist-cnn.toml")),
];

/// The text of a recipe, of which several may be made that differ in what changes them. It is read once: a
/// pipe gives it only once.
pub struct RecipeText {
    text: Cow<'static, str>,
    /// What errors call it.
    place: String,
}

impl RecipeText {
    /// That of a file (a path with a folder or with the ending `.toml`) or of the built-in recipe of this
    /// name.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Io`], or [`Error::Format`] for a file that is too large.
    pub fn read(name_or_path: impl AsRef<OsStr>) -> Result<RecipeText> {
        let name_or_path = name_or_path.as_ref();
        if let Some(path) = Recipe::path(name_or_path) {
            return Ok(RecipeText { text: read_file(path)?.into(), place: path.display().to_string() });
        }
        // No built-in name has letters that get lost here.
        let name = name_or_path.to_string_lossy();
        Ok(RecipeText { text: Recipe::built_in_text(&name)?.into(), place: place_of_built_in(&name) })
    }

    /// The recipe, changed by `overrides`.
    ///
    /// # Errors
    /// As [`Recipe::parse_with`].
    pub fn recipe(&self, overrides: &[Override]) -> Result<Recipe> {
        Recipe::parse_with(&self.text, &self.place, overrides)
    }
}

impl Recipe {
    /// The names of the built-in recipes, the default one first.
    pub fn built_in_names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|(name, _)| *name).collect()
    }

    /// The commented text of a built-in recipe.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn built_in_text(name: &str) -> Result<&'static str> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, text)| *text)
            .ok_or_else(|| Error::unknown(COMMAND_LINE, "recipe", name, Recipe::built_in_names()))
    }

    /// A built-in recipe.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn built_in(name: &str) -> Result<Recipe> {
        Recipe::parse(Recipe::built_in_text(name)?, &place_of_built_in(name))
    }

    /// The recipe of a TOML text; `place` is what errors call the text.
    ///
    /// # Errors
    /// [`Error::Syntax`], [`Error::Setting`] or [`Error::Unknown`], naming the key.
    pub fn parse(text: &str, place: &str) -> Result<Recipe> {
        Recipe::parse_with(text, place, &[])
    }

    /// The recipe of a TOML text, changed by `overrides`.
    ///
    /// # Errors
    /// As [`Recipe::parse`]; errors about overridden keys name the command line.
    pub fn parse_with(text: &str, place: &str, overrides: &[Override]) -> Result<Recipe> {
        let (mut table, mut source) = (parse_table(text, place)?, Source::new(place));
        overrides::apply(&mut table, &mut source, overrides)?;
        Recipe::read(Section::root(table, &source), None)
    }

    /// The recipe of a file (a path with a folder or with the ending `.toml`) or the built-in one
    /// of that name, changed by `overrides`.
    ///
    /// # Errors
    /// As [`Recipe::parse_with`]; also [`Error::Io`], or [`Error::Format`] for a file that is too large.
    pub fn load(name_or_path: impl AsRef<OsStr>, overrides: &[Override]) -> Result<Recipe> {
        RecipeText::read(name_or_path)?.recipe(overrides)
    }

    /// The path, if [`Recipe::load`] takes it for one and not for a built-in name.
    pub fn path(name_or_path: &OsStr) -> Option<&Path> {
        let bytes = name_or_path.as_encoded_bytes();
        let is_path =
            bytes.ends_with(b".toml") || bytes.iter().any(|&byte| std::path::is_separator(byte.into()));
        is_path.then(|| Path::new(name_or_path))
    }

    /// The recipe as TOML, with every default written out: [`Recipe::parse`] reads it back equal.
    pub fn to_toml(&self) -> String {
        write::to_toml(self)
    }

    /// Whether something acts on all incoming weights of an output together.
    pub(crate) fn needs_whole_columns(&self) -> bool {
        self.gradient.clip_adaptive.is_some() || self.constraint.max_norm.is_some()
    }

    /// The names of the averages that the training takes: none, `lookahead`, `ema` or `swa`, or the first
    /// and one of the others.
    pub fn averages(&self) -> Vec<&'static str> {
        let lookahead = self.lookahead.map(|_| "lookahead");
        let average = self.average.map(|average| average.method.name());
        lookahead.into_iter().chain(average).collect()
    }

    /// `own` is an update rule that need not be registered to be known.
    fn read(mut root: Section, own: Option<&'static OptimizerKind>) -> Result<Recipe> {
        let (name, summary) = (read_name(&mut root)?, read_summary(&mut root)?);
        let target = root.optional_number("target", unit())?;
        let reproduce = ReproduceConfig::read(root.table("reproduce")?)?;
        let data = DataConfig::read(root.table("data")?)?;
        let augment = augment::read(root.table("augment")?)?;
        let model = ModelConfig::read(root.table("model")?)?;
        let optimizer = OptimizerConfig::read(root.table("optimizer")?, own)?;
        let train = TrainConfig::read(root.table("train")?, optimizer.kind().full_batch)?;
        // Whether a schedule can be followed depends on the optimizer and the length of the run.
        let schedule = schedule::read(root.table("schedule")?, &optimizer, train.epochs)?;
        let gradient = GradientConfig::read(root.table("gradient")?)?;
        let constraint = ConstraintConfig::read(root.table("constraint")?)?;
        let lookahead = average::read_lookahead(&mut root)?;
        let average = average::read_average(&mut root, train.epochs)?;
        let stop = StopConfig::read(root.table("stop")?)?;
        let recipe = Recipe {
            name,
            summary,
            data,
            augment,
            model,
            optimizer,
            schedule,
            train,
            gradient,
            constraint,
            lookahead,
            average,
            stop,
            target,
            reproduce,
        };
        optimizer::check_full_batch(&root, &recipe)?;
        augment::check(&root, &recipe)?;
        root.finish()?;
        Ok(recipe)
    }
}

impl DataConfig {
    fn read(mut section: Section) -> Result<DataConfig> {
        let config = DataConfig {
            set: section.choice("set", "data set", None, &DATA_SETS)?.to_string(),
            train_samples: section.optional_integer("train_samples", 1, MOST_SAMPLES)?,
            test_samples: section.optional_integer("test_samples", 1, MOST_SAMPLES)?,
            validation: read_held(&mut section)?,
            stratified: section.boolean("stratified", true)?,
            scale: section.optional_single("scale", positive())?,
            mean: section.single("mean", 0.0, finite())?,
            deviation: section.single("deviation", 1.0, positive())?,
            seed: section.seed("seed", 1)?,
        };
        config.check(&section)?;
        section.finish()?;
        Ok(config)
    }

    /// What values of this type are divided by: as the recipe says, or else 255 for u8 and 1 for all other
    /// types.
    pub fn scale_of(&self, element_type: ElementType) -> f32 {
        self.scale.unwrap_or(if element_type == ElementType::U8 { 255.0 } else { 1.0 })
    }

    /// What a network sees of values of this type: the factor that each is multiplied by, and what is added
    /// then.
    pub fn factor_and_shift(&self, element_type: ElementType) -> [f32; 2] {
        let scale = f64::from(self.scale_of(element_type));
        let (mean, deviation) = (f64::from(self.mean), f64::from(self.deviation));
        [(1.0 / (scale * deviation)) as f32, (-mean / deviation) as f32]
    }

    /// What a network sees of values of this type, as a formula: "(u8 / 255 - 0.1307) / 0.3081".
    pub fn formula(&self, element_type: ElementType) -> String {
        let mut text = element_type.name().to_string();
        let scale = self.scale_of(element_type);
        if scale != 1.0 {
            text += &format!(" / {scale}");
        }
        match self.mean {
            0.0 => {}
            mean if mean > 0.0 => text += &format!(" - {mean}"),
            mean => text += &format!(" + {}", -mean),
        }
        match self.deviation {
            1.0 => text,
            deviation if self.mean == 0.0 => format!("{text} / {deviation}"),
            deviation => format!("({text}) / {deviation}"),
        }
    }

    /// Refuses numbers each of which is sound and that make others together which no f32 holds.
    fn check(&self, section: &Section) -> Result<()> {
        let types = [ElementType::U8, ElementType::F32];
        let seen = types.map(|element_type| self.factor_and_shift(element_type));
        if seen.iter().all(|[factor, shift]| factor.is_normal() && shift.is_finite()) {
            return Ok(());
        }
        let expected = "1 / (scale * deviation) and mean / deviation within the range of f32";
        let found = format!(
            "{:?}, with mean {:?} and scale {:?}",
            self.deviation,
            self.mean,
            self.scale_of(types[0])
        );
        Err(section.setting("deviation", expected, &found))
    }
}

impl ModelConfig {
    fn read(mut section: Section) -> Result<ModelConfig> {
        let loss = loss::read(&mut section)?;
        let layers = layers::read_layers(&mut section)?;
        section.finish()?;
        Ok(ModelConfig { layers, loss })
    }
}

impl TrainConfig {
    /// Whether a step takes all samples, however many there are.
    pub fn takes_all(&self) -> bool {
        self.batch == ALL_SAMPLES
    }

    fn read(mut section: Section, full_batch: bool) -> Result<TrainConfig> {
        let config = TrainConfig {
            epochs: section.integer("epochs", 10, 1, MOST_EPOCHS)?,
            batch: read_batch(&mut section, if full_batch { ALL_SAMPLES } else { BATCH })?,
            accumulate: section.integer("accumulate", 1, 1, MOST_SAMPLES)?,
            seed: section.seed("seed", 1)?,
            shuffle: section.boolean("shuffle", true)?,
        };
        section.finish()?;
        Ok(config)
    }
}

/// A count, or "all".
fn read_batch(section: &mut Section, default: usize) -> Result<usize> {
    if section.has("batch") && !section.is_integer("batch") {
        let expected = format!("an integer from 1 to {MOST_SAMPLES}, or \"all\"");
        return match section.text("batch", &expected)?.as_str() {
            "all" => Ok(ALL_SAMPLES),
            other => Err(section.setting("batch", &expected, &format!("the text \"{}\"", shortened(other)))),
        };
    }
    section.integer("batch", default, 1, MOST_SAMPLES)
}

/// A count as an integer, or a part as a number with a point.
fn read_held(section: &mut Section) -> Result<Option<Held>> {
    if section.is_integer("validation") {
        return Ok(section.optional_integer("validation", 1, MOST_SAMPLES)?.map(Held::Count));
    }
    Ok(section.optional_number("validation", inner_unit())?.map(Held::Part))
}

fn read_name(root: &mut Section) -> Result<String> {
    let expected = "a name of at most 64 letters, digits and -_.";
    let name = root.text("name", expected)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err(root.setting("name", expected, &format!("\"{}\"", shortened(&name))));
    }
    Ok(name)
}

fn read_summary(root: &mut Section) -> Result<String> {
    let summary = root.text_or("summary", "")?;
    if summary.chars().count() > 200 || summary.chars().any(char::is_control) {
        return Err(root.setting("summary", "one line of at most 200 characters", "another text"));
    }
    Ok(summary)
}

fn place_of_built_in(name: &str) -> String {
    format!("built-in recipe {name}")
}

fn read_file(path: &Path) -> Result<String> {
    let file = pipe::open(path).map_err(Error::io(path, "open"))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(Error::io(path, "read"))?;
    let wrong = |place: &str, expected: &str, found: String| Error::Format {
        path: path.to_path_buf(),
        place: place.to_string(),
        expected: expected.to_string(),
        found,
    };
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(wrong("file", "a recipe of at most 1 MiB", "more".to_string()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        wrong(&format!("byte {at}"), "a recipe in UTF-8", format!("byte 0x{:02x}", error.as_bytes()[at]))
    })
}

fn parse_table(text: &str, place: &str) -> Result<toml::Table> {
    let parsed = panics::caught(|| text.parse()).map_err(|panic| {
        let message = format!("what it says {panic}");
        Error::Syntax { place: place.to_string(), message }
    })?;
    parsed.map_err(|error| syntax_error(text, place, &error))
}

fn syntax_error(text: &str, place: &str, error: &toml::de::Error) -> Error {
    // A span may end beyond the text; its start is a character boundary of the text or its end.
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    let message = format!("line {line}, column {column}: {}", error.message().replace('\n', "; "));
    Error::Syntax { place: place.to_string(), message }
}

#[cfg(test)]
mod tests;
