//! Recipes that a program makes, and not a text.

use super::super::section::{Section, Source};
use super::config::Recipe;
use super::constraint::ConstraintConfig;
use super::data::DataConfig;
use super::gradient::GradientConfig;
use super::layers::kinds_of;
use super::network::ModelConfig;
use super::optimizer::{Optimizer, optimizer_kind};
use super::reproduce::ReproduceConfig;
use super::stop::StopConfig;
use super::text::parse_table;
use super::train::{BATCH, EPOCHS, TrainConfig};
use crate::data::augment::Augmentation;
use crate::error::Result;
use crate::optim::schedule::Schedules;

/// What a recipe that no text gave is called.
const NAME: &str = "program";

impl Recipe {
    /// A recipe for this network with the defaults of all other settings: ten epochs of batches of 64 samples with
    /// Adam. Its data are those of a folder, which a program may give itself.
    ///
    /// # Panics
    /// Never: the update rule has an entry.
    #[doc(hidden)]
    pub fn of_model(model: ModelConfig) -> Recipe {
        let adam = optimizer_kind("adam", NAME).expect("the table of rules has Adam");
        Recipe {
            name: NAME.into(),
            summary: String::new(),
            data: DataConfig::of_program(),
            augment: Augmentation::default(),
            model,
            optimizer: Optimizer::of(adam),
            schedule: Schedules::constant(),
            train: TrainConfig {
                epochs: EPOCHS,
                batch: BATCH,
                accumulate: 1,
                seed: 1,
                shuffle: true,
                buckets: false,
                steps_per_epoch: None,
                carry_state: false,
                freeze: Vec::new(),
            },
            gradient: GradientConfig::default(),
            constraint: ConstraintConfig::default(),
            lookahead: None,
            average: None,
            stop: StopConfig::default(),
            target: None,
            target_loss: None,
            reproduce: ReproduceConfig::default(),
        }
    }

    /// That all values are in their ranges and go together, as in a recipe that was read: it is written, and read
    /// again. `place` is what errors call it.
    ///
    /// # Errors
    /// Those of [`Recipe::parse`].
    #[doc(hidden)]
    pub fn check(&self, place: &str) -> Result<()> {
        // Layers, loss and update rule may be the program's own that are not registered, but none that is taken for
        // another.
        let (rule, loss) = (self.optimizer.kind(), self.model.loss.kind());
        let layers = kinds_of(&self.model.layers);
        rule.check()?;
        loss.check()?;
        layers.iter().try_for_each(|kind| kind.check())?;
        let source = Source::new(place).with_own(loss, layers);
        let table = parse_table(&self.to_toml(), place)?;
        Recipe::read(Section::root(table, &source), Some(rule)).map(drop)
    }
}

impl DataConfig {
    /// Samples that a program has itself; the network sees them as they are, and bytes divided by 255.
    #[doc(hidden)]
    pub fn of_program() -> DataConfig {
        DataConfig {
            set: "folder".into(),
            train_samples: None,
            test_samples: None,
            validation: None,
            stratified: true,
            scale: None,
            mean: 0.0,
            deviation: 1.0,
            seed: 1,
            table: None,
            text: None,
            task: None,
        }
    }
}
