//! The `[data]` table: the samples, and what the network sees of them.

mod small;
pub mod table;
pub mod task;
pub mod text;

use toml::Table;

use self::table::TableConfig;
use self::task::TaskConfig;
use self::text::TextConfig;
pub use self::text::{GRAMMAR, TEXT};
use super::super::section::{Section, finite, positive, unit_inner};
use super::limits::MOST_SAMPLES;
use super::values::{integer, single, table_of};
use crate::data::idx::ElementType;
use crate::error::Result;

/// The data sets that a recipe may name.
pub const DATA_SETS: [&str; 24] = [
    "mnist",
    "fashion-mnist",
    "digits",
    "folder",
    TABLE,
    TEXT,
    GRAMMAR,
    "adding",
    "copy",
    "reverse",
    "ratings",
    "line",
    "linear",
    "sine",
    "friedman-1",
    "friedman-2",
    "friedman-3",
    "moons",
    "circles",
    "spirals",
    "blobs",
    "xor",
    "iris",
    "airline",
];

/// The seed where no other is given.
const SEED: u64 = 1;

/// The name of the data set that is a table in a file.
pub const TABLE: &str = "table";

/// Which samples are trained on and what the network sees of them: (value / scale - mean) / deviation.
#[derive(Clone, Debug, PartialEq)]
pub struct DataConfig {
    /// One of [`DATA_SETS`].
    pub set: String,
    /// The first so many training samples, of generated sets so many that are drawn; all of them without it, of generated
    /// sets as many as they have by default.
    pub train_samples: Option<usize>,
    /// The same of test samples.
    pub test_samples: Option<usize>,
    /// The training samples that are set aside for validation, by the seed of [`TrainConfig`](super::TrainConfig); none
    /// without it.
    pub validation: Option<Held>,
    /// Whether each class gives its share of them; of no effect where targets are no classes.
    pub stratified: bool,
    /// What values are divided by, above 0; without it, what [`DataConfig::scale_of`] says.
    pub scale: Option<f32>,
    pub mean: f32,
    /// Above 0.
    pub deviation: f32,
    /// The seed of generated samples and texts, of the test rows of a table without a file of its own for them, and of the
    /// lines of a text that are set aside; of no effect on other data sets, and refused of a stream from a file.
    pub seed: u64,
    /// Which table is read and how, where that is the data set.
    pub table: Option<Box<TableConfig>>,
    /// Which text is read and how, where that is the data set.
    pub text: Option<Box<TextConfig>>,
    /// Which task is drawn, where that is the data set.
    pub task: Option<TaskConfig>,
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

impl DataConfig {
    pub(super) fn read(mut section: Section) -> Result<DataConfig> {
        // Whoever names a file means it.
        let default = section.has("file").then_some(TABLE);
        let set = section.choice("set", "data set", default, &DATA_SETS)?.to_string();
        if let Some(key) = text::OWN_KEYS.into_iter().find(|key| set == TABLE && section.has(key)) {
            let expected = format!("`{TEXT}`, of which `data.{key}` is");
            return Err(section.setting("set", &expected, "`table`"));
        }
        let table = match small::read(&mut section, &set)? {
            Some(small) => Some(TableConfig::read_small(&mut section, small)?),
            None if set == TABLE => Some(TableConfig::read(&mut section)?),
            None => None,
        };
        let table = table.map(Box::new);
        let is_text = [TEXT, GRAMMAR].contains(&set.as_str());
        let text = if is_text { Some(Box::new(TextConfig::read(&mut section, &set)?)) } else { None };
        let task = TaskConfig::read(&mut section, &set)?;
        let config = DataConfig {
            set,
            train_samples: section.optional_integer("train_samples", 1, MOST_SAMPLES)?,
            test_samples: section.optional_integer("test_samples", 1, MOST_SAMPLES)?,
            validation: read_held(&mut section)?,
            stratified: section.boolean("stratified", true)?,
            scale: section.optional_single("scale", positive())?,
            mean: section.single("mean", 0.0, finite())?,
            deviation: section.single("deviation", 1.0, positive())?,
            seed: section.seed("seed", SEED)?,
            table,
            text,
            task,
        };
        config.check(&section)?;
        config.check_text(&section)?;
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

    /// Refuses to scale tokens, which are no quantities, to set samples aside twice, and what would be of no effect.
    fn check_text(&self, section: &Section) -> Result<()> {
        let Some(text) = &self.text else { return Ok(()) };
        if !self.stratified {
            let expected = "true or none with a text, whose samples have no class to be chosen by";
            return Err(section.setting("stratified", expected, "false"));
        }
        if self.seed != SEED && !text.setup.is_drawn() {
            let expected = format!("{SEED} or none with a stream from a file, of which nothing is drawn");
            return Err(section.setting("seed", &expected, &self.seed.to_string()));
        }
        if self.validation.is_some() {
            let expected = "none with a text, of which `data.held` is set aside for validation";
            return Err(section.setting("validation", expected, "one"));
        }
        let numbers = [
            ("scale", 1.0, self.scale.unwrap_or(1.0)),
            ("mean", 0.0, self.mean),
            ("deviation", 1.0, self.deviation),
        ];
        match numbers.into_iter().find(|(_, plain, given)| plain != given) {
            None => Ok(()),
            Some((key, plain, given)) => {
                let expected = format!("{plain} or none with a text, whose tokens are not scaled");
                Err(section.setting(key, &expected, &given.to_string()))
            }
        }
    }

    /// The table, every value written out.
    pub(super) fn table(&self) -> Table {
        let mut table = table_of([
            ("set", self.set.as_str().into()),
            ("mean", single(self.mean)),
            ("deviation", single(self.deviation)),
            ("seed", integer(self.seed)),
        ]);
        for (key, samples) in [("train_samples", self.train_samples), ("test_samples", self.test_samples)] {
            if let Some(samples) = samples {
                table.insert(key.into(), integer(samples as u64));
            }
        }
        // Without it the scale follows from the type of the data, which the recipe does not know.
        if let Some(scale) = self.scale {
            table.insert("scale".into(), single(scale));
        }
        if let Some(held) = self.validation {
            let value = match held {
                Held::Count(count) => integer(count as u64),
                Held::Part(part) => part.into(),
            };
            table.insert("validation".into(), value);
        }
        table.insert("stratified".into(), self.stratified.into());
        if let Some(config) = &self.table {
            config.write(&mut table);
        }
        if let Some(config) = &self.text {
            config.write(&mut table);
        }
        if let Some(config) = &self.task {
            config.write(&mut table);
        }
        table
    }
}

/// A count as an integer, or a part as a number with a point.
fn read_held(section: &mut Section) -> Result<Option<Held>> {
    if section.is_integer("validation") {
        return Ok(section.optional_integer("validation", 1, MOST_SAMPLES)?.map(Held::Count));
    }
    let part = "a number of samples, or a part of them between 0 and 1 (both excluded)";
    Ok(section.optional_number("validation", unit_inner().described(part))?.map(Held::Part))
}
