//! A recipe with its few samples, and the fingerprint of what it trains.

use std::sync::atomic::AtomicBool;

use crate::common::observer::Recorder;
use crate::data::Data;
use fallline::data::DataSet;
use fallline::data::text::{Form, TextSource};
use fallline::engine::model::recipe::Override;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train;
use fallline::{Error, Result};
use toml::Table;

/// A line of the tables.
pub struct Row {
    pub name: &'static str,
    pub data: Data,
    /// To train on.
    pub samples: usize,
    /// A recipe without its name and the name of its data.
    pub text: &'static str,
}

#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub recipe: Recipe,
    /// The recipe as a table, if it is one of the tables' and not a built-in one.
    pub table: Option<Table>,
    pub data: Data,
    pub samples: usize,
}

/// The built-in recipes that take long where each multiply-add is a call.
const LARGE: [&str; 9] = [
    "mnist-mlp-2048",
    "mnist-mlp-deep",
    "mnist-cnn",
    "chars-transformer",
    "chars-transformer-best",
    "chars-lstm",
    "names-transformer",
    "mnist-pixels-gru",
    "mnist-vit",
];

/// Cases of texts: a name, a built-in recipe, and what is changed in it.
const TEXTS: [(&str, &str, &[&str]); 3] = [
    (
        "tied-output",
        "chars-lstm",
        &[
            "model.layers=[{ type = 'embedding', shared = true, widths = 24, weight_init = { type = 'normal', deviation = 0.1 } }, \
           { type = 'lstm', units = 24 }, { type = 'tied-output', bias = true, bias_init = 'uniform' }]",
        ],
    ),
    (
        "carried-states",
        "chars-lstm",
        &[
            "data.stride=64",
            "train.shuffle=false",
            "train.carry_state=true",
            "model.layers=[{ type = 'embedding', shared = true, widths = 16 }, \
             { type = 'lstm', units = 16, initial = 'trained' }, { type = 'gru', units = 16 }, { type = 'position-dense' }]",
        ],
    ),
    ("buckets", "names-transformer", &["train.buckets=true"]),
];

/// Characters of the text that stands in for those of recipes, and tokens of a sample.
const CHARACTERS: usize = 2000;
const CONTEXT: usize = 20;

/// Samples of a test, of sets that have many.
const MOST_TESTED: usize = 50;

/// Samples and batch of the others: three steps, the last of which is a short one.
const USUAL: [usize; 2] = [40, 16];
/// Of those that take long.
const FEW: [usize; 2] = [16, 8];

impl Case {
    /// The built-in recipes, of one epoch.
    pub fn built_in() -> Vec<Case> {
        let case = |name: &str| Case::shortened(name, Recipe::built_in(name).unwrap());
        Recipe::built_in_names().into_iter().map(case).collect()
    }

    /// What only texts can have, as changes of built-in recipes.
    pub fn of_texts() -> Vec<Case> {
        let case = |(name, built_in, changes): (&str, &str, &[&str])| {
            let changes: Vec<Override> = changes.iter().map(|change| change.parse().unwrap()).collect();
            let mut recipe = Recipe::built_in(built_in).unwrap();
            recipe.train.steps_per_epoch = None;
            let text = recipe.to_toml();
            Case::shortened(name, Recipe::parse_with(&text, name, &changes).unwrap())
        };
        TEXTS.map(case).into()
    }

    /// A recipe of one epoch of a few samples, on data that need no download.
    fn shortened(name: &str, mut recipe: Recipe) -> Case {
        let [samples, batch] = if LARGE.contains(&name) { FEW } else { USUAL };
        (recipe.train.epochs, recipe.train.batch, recipe.train.steps_per_epoch) = (1, batch, None);
        crate::common::runs::without_download(&mut recipe);
        if let Some(text) = &mut recipe.data.text {
            recipe.data.set = "grammar".into();
            text.setup.source = TextSource::Grammar { characters: CHARACTERS };
            if let Form::Stream { context, stride } = &mut text.setup.form {
                (*context, *stride) = (CONTEXT, CONTEXT.min(*stride));
            }
        }
        Case { name: name.into(), recipe, table: None, data: Data::Digits, samples }
    }

    pub fn generated(row: &Row) -> Case {
        let mut table: Table = row.text.parse().unwrap_or_else(|error| panic!("{}: {error}", row.name));
        table.insert("name".into(), row.name.into());
        let data = table.entry("data").or_insert_with(|| Table::new().into());
        data.as_table_mut().unwrap().insert("set".into(), "digits".into());
        let recipe = parse(&table).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        let (name, data, samples) = (row.name.into(), row.data, row.samples);
        Case { name, recipe, table: Some(table), data, samples }
    }

    /// The first samples of a set that needs no file, where that is the recipe's; and otherwise drawn digits.
    fn data_set(&self) -> Result<DataSet> {
        let data = &self.recipe.data;
        if data.table.is_none() && data.text.is_none() && data.task.is_none() {
            return Ok(self.data.set(self.samples));
        }
        let own = train::dataset::load(data, None)?;
        let tested = if data.table.is_some() { own.test.len() } else { own.test.len().min(MOST_TESTED) };
        Ok(DataSet { train: own.train.first(self.samples)?, test: own.test.first(tested)?, ..own })
    }

    /// A hash of all bits that training gives.
    pub fn fingerprint(&self, team: &Team) -> Result<String> {
        let data = self.data_set()?;
        let recipe = &self.recipe.clone().for_samples(&data.train)?;
        let mut model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
        let record =
            train::run(&mut model, &data, recipe, team, &AtomicBool::new(false), &mut Recorder::default())?;
        let train_loss = record.epochs.last().map(|epoch| epoch.train_loss);
        // A text has a validation part instead.
        let test_loss = record.test.or(record.validation).map(|test| test.loss);
        let [Some(train_loss), Some(test_loss)] =
            [train_loss, test_loss].map(|loss| loss.filter(|loss| loss.is_finite()))
        else {
            let expected = "finite losses".to_string();
            let found = format!("{train_loss:?} and {test_loss:?}");
            return Err(Error::Mismatch { what: format!("training of {}", self.name), expected, found });
        };
        let mut hash = Hash::new();
        [train_loss, test_loss].iter().for_each(|loss| hash.take(&loss.to_bits().to_le_bytes()));
        let mut tensors = model.tensors();
        // Where a network keeps them is no result.
        tensors.sort_by(|one, other| one.name.cmp(&other.name));
        for tensor in tensors {
            hash.take(tensor.name.as_bytes());
            tensor.shape.iter().for_each(|&size| hash.take(&(size as u64).to_le_bytes()));
            tensor.values.iter().for_each(|value| hash.take(&value.to_bits().to_le_bytes()));
        }
        Ok(format!("{:016x}", hash.0))
    }
}

/// The recipe of a table.
pub fn parse(table: &Table) -> Result<Recipe> {
    Recipe::parse(&table.to_string(), "fingerprints")
}

/// FNV-1a, of 64 bits (Fowler, Noll, Vo 1991).
struct Hash(u64);

impl Hash {
    fn new() -> Hash {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
