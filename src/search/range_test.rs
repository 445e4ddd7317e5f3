//! The learning-rate range test: one short training whose rate rises from step to step (Smith: Cyclical learning rates for
//! training neural networks, 2017, §3.3).

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::kind::MOST_TRIALS;
use super::range::{Over, Range, refused};
use super::rates::{LEAST_STEPS, RangeTest, fallen, least, smoothed};
use super::record::SearchRecord;
use super::request::Search;
use super::space::Space;
use crate::data::augment::Augmentation;
use crate::data::{DataSet, Features, FeaturesRef, Samples, Targets, TargetsRef, batches};
use crate::model::recipe::Override;
use crate::model::{Model, Recipe};
use crate::optim::schedule::Schedules;
use crate::train::machine::usable_cores;
use crate::train::{Stepper, Trainer};
use crate::{Error, Result, error};

/// The name that `--method` and records know it by.
pub const RANGE_TEST: &str = "range-test";

/// Steps where nothing is said.
pub const STEPS: usize = 300;

/// How far from the recipe's learning rate it begins and ends where no range is named.
const AROUND: f64 = 1000.0;

/// The suggestion is the rate at which the smoothed loss has fallen, divided by this.
const SAFETY: f64 = 3.0;

/// The key whose range is tested.
const KEY: &str = "optimizer.learning_rate";

/// A range test that can be done.
struct Test {
    recipe: Recipe,
    over: Over,
    low: f64,
    high: f64,
    steps: usize,
}

impl Search {
    /// The learning-rate range test of the recipe: so many steps as trials were asked for, or 300, whose rate rises from a
    /// thousandth of the recipe's to a thousand times that, or within the range that was named. It ends when the loss explodes.
    /// The suggestion, which is the rate of the record's winner, is a third of that at which the smoothed loss had fallen by
    /// nine tenths of all that it fell.
    ///
    /// The steps have no augmentation, no schedule and no averages. If `stop` is set meanwhile, the record is incomplete.
    ///
    /// # Errors
    /// [`Error::Setting`] if another key than the learning rate is searched, for folds, for k-means, or for an update rule of
    /// the full batch; those with which a training on these samples would begin.
    pub fn range_test(&self, data: &DataSet, stop: &AtomicBool) -> Result<SearchRecord> {
        let mut test = self.checked_test()?;
        test.recipe = test.recipe.for_samples(&data.train)?;
        test.recipe.train.batch = test.recipe.train.batch.min(data.train.len());
        let threads = self.threads.unwrap_or_else(usable_cores);
        let model = &test.recipe.model;
        let mut model = Model::build(model, data.train.shape(), data.classes, test.recipe.train.seed)?;
        let trainer = Trainer::from_recipe(&test.recipe).threads(threads).steps_per_epoch(test.steps as u64);
        let mut steps = trainer.steps(&mut model)?;
        let mut order = Vec::new();
        let mut failure = None;
        let losses = (0..test.steps).map_while(|index| {
            if stop.load(Relaxed) {
                return None;
            }
            let rate = test.low * (test.high / test.low).powf(index as f64 / (test.steps - 1) as f64);
            match stepped(&mut steps, rate, &data.train, &test.recipe, index, &mut order) {
                Ok(loss) => Some((rate, loss)),
                Err(Error::Diverged { .. }) => Some((rate, f64::NAN)),
                Err(error) => {
                    failure = Some(error);
                    None
                }
            }
        });
        let (points, exploded) = smoothed(losses);
        if let Some(failure) = failure {
            return Err(failure);
        }
        if points.is_empty() && exploded {
            return Err(Error::Mismatch {
                what: "loss of the first step of a range test".into(),
                expected: "a finite number".into(),
                found: "none".into(),
            });
        }
        let incomplete = points.len() < test.steps && !exploded;
        let space = Space { overs: vec![test.over.clone()] };
        let mut record = SearchRecord::begun(&self.recipe, data, &space, threads);
        (record.method, record.asked, record.incomplete) = (RANGE_TEST.into(), test.steps, incomplete);
        if let Some((least, fallen)) = least(&points).zip(fallen(&points)) {
            let suggestion = format!("{:.2e}", fallen / SAFETY).parse().unwrap_or(fallen / SAFETY);
            record.winner = (!incomplete).then(|| self.with_rate(suggestion)).transpose()?;
            record.range_test = Some(RangeTest { steps: test.steps, points, least, suggestion, exploded });
        }
        Ok(record)
    }

    /// The recipe with this learning rate, as TOML.
    fn with_rate(&self, rate: f64) -> Result<String> {
        let place = format!("recipe {}", self.recipe.name);
        let recipe = Recipe::parse_with(&self.recipe.to_toml(), &place, &[Override::new(KEY, rate)])?;
        Ok(recipe.to_toml())
    }

    fn checked_test(&self) -> Result<Test> {
        let mut recipe = self.recipe.clone();
        let place = || format!("recipe {}", self.recipe.name);
        if let Some(over) = self.overs.iter().find(|over| over.key != KEY) {
            return Err(refused(&over.key, &format!("only {KEY} with a range test"), &over.text));
        }
        if let Some(folds) = self.folds {
            let (expected, found) = ("none with a range test, which trains once".into(), folds.to_string());
            return Err(Error::Setting { place: "search".into(), key: "--folds".into(), expected, found });
        }
        if recipe.optimizer.kind().full_batch {
            let expected = "one that takes batches, with a range test".into();
            let found = format!("`{}`", recipe.optimizer.name());
            return Err(Error::Setting { place: place(), key: "optimizer.name".into(), expected, found });
        }
        if recipe.model.k_means.is_some() {
            // The loss of centres falls with the rate up to 1, where they are the means of a batch, and tells nothing more.
            let (expected, found) =
                ("a network or a linear fit, with a range test".into(), "`k-means`".into());
            return Err(Error::Setting { place: place(), key: "model.kind".into(), expected, found });
        }
        let over = match self.overs.as_slice() {
            [] => {
                let rate = recipe.optimizer.learning_rate;
                let [low, high] = [rate / AROUND, rate * AROUND].map(error::rate);
                format!("{KEY}={low}..{high}:log").parse::<Over>()
            }
            [over] => Ok(over.clone()),
            [_, second, ..] => Err(refused(&second.key, "each key once", &second.text)),
        }?;
        let Range::Numbers { low, high, .. } = over.range.of_numbers() else {
            return Err(refused(KEY, "a range for a range test, such as 1e-6..1", &over.text));
        };
        if low <= 0.0 {
            return Err(refused(
                KEY,
                "numbers above 0 for a range test, whose rate rises by a factor",
                &over.text,
            ));
        }
        let steps = self.trials.unwrap_or(STEPS);
        if !(LEAST_STEPS..=MOST_TRIALS).contains(&steps) {
            let expected = format!("{LEAST_STEPS} to {MOST_TRIALS} steps of a range test");
            let (place, key, found) = ("search".into(), "--trials".into(), steps.to_string());
            return Err(Error::Setting { place, key, expected, found });
        }
        (recipe.schedule, recipe.augment) = (Schedules::constant(), Augmentation::default());
        (recipe.lookahead, recipe.average) = (None, None);
        Ok(Test { recipe, over, low, high, steps })
    }
}

/// The loss of a step at this rate, on the next batch of the samples in the order of the recipe's epochs.
fn stepped(
    steps: &mut Stepper,
    rate: f64,
    samples: &Samples,
    recipe: &Recipe,
    index: usize,
    order: &mut Vec<u32>,
) -> Result<f64> {
    let batch = recipe.train.batch.saturating_mul(recipe.train.accumulate).min(samples.len());
    let of_epoch = samples.len() / batch;
    let (epoch, place) = (index / of_epoch, index % of_epoch);
    if place == 0 {
        let train = &recipe.train;
        match train.carry_state {
            true => batches::in_streams(samples.len(), batch, order),
            false => batches::order(samples.len(), train.seed, epoch as u64, train.shuffle, order),
        }
        if train.buckets && !samples.lengths().is_empty() {
            batches::bucket(order, samples.lengths(), batch, train.seed, epoch as u64);
        }
        steps.forget_states();
    }
    let indices: Vec<usize> =
        order[place * batch..(place + 1) * batch].iter().map(|&index| index as usize).collect();
    let part = samples.take(&indices)?;
    steps.set_learning_rate(rate)?;
    let features: FeaturesRef = match part.features() {
        Features::Bytes(bytes) => FeaturesRef::Bytes(bytes),
        Features::Floats(floats) => FeaturesRef::Floats(floats),
    };
    let targets: TargetsRef = match part.targets() {
        Targets::Classes(classes) => TargetsRef::Classes(classes),
        Targets::Values { values, .. } => TargetsRef::Values(values),
        Targets::Tokens(tokens) => TargetsRef::Tokens(&tokens.ids),
        Targets::None => TargetsRef::None,
    };
    let weights = Some(part.weights()).filter(|weights| !weights.is_empty());
    let lengths = Some(part.lengths()).filter(|lengths| !lengths.is_empty());
    steps.step_on(features, targets, weights, lengths).map(|record| record.loss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::generate_digits;

    #[test]
    fn the_suggestion_is_a_rate_that_trains() {
        let data = generate_digits([400, 10], 1).unwrap();
        let recipe = Recipe::load("digits-mlp", &["train.batch=20".parse().unwrap()]).unwrap();
        let stop = AtomicBool::new(false);
        let of =
            |threads| Search::new(&recipe).trials(120).threads(threads).range_test(&data, &stop).unwrap();
        let record = of(1);
        let test = record.range_test.clone().unwrap();
        assert!((1e-4..2e-2).contains(&test.suggestion), "{}", test.suggestion);
        let winner = Recipe::parse(record.winner.as_ref().unwrap(), "winner").unwrap();
        assert_eq!(winner.optimizer.learning_rate, test.suggestion);
        assert_eq!(of(2).range_test.unwrap(), test, "threads change nothing");
    }

    #[test]
    fn what_is_no_test_of_rates_is_refused() {
        let data = generate_digits([40, 10], 1).unwrap();
        let refusal = |recipe: &[&str], over: &[&str], trials| {
            let changes: Vec<Override> = recipe.iter().map(|text| text.parse().unwrap()).collect();
            let recipe = Recipe::load("digits-mlp", &changes).unwrap();
            let search =
                over.iter().try_fold(Search::new(&recipe), |search, text| search.over(text)).unwrap();
            let stop = AtomicBool::new(false);
            search.trials(trials).range_test(&data, &stop).unwrap_err().to_string()
        };
        assert!(refusal(&[], &["train.batch=1,2"], 100).contains("only optimizer.learning_rate"));
        assert!(refusal(&[], &["optimizer.learning_rate=1,2"], 100).contains("a range for a range test"));
        assert!(refusal(&[], &["optimizer.learning_rate=0..1"], 100).contains("numbers above 0"));
        assert!(refusal(&[], &[], 3).contains("20 to 10000 steps"));
        assert!(refusal(&["optimizer.name=lbfgs", "train.batch=all"], &[], 100).contains("takes batches"));
        assert!(refusal(&["optimizer.learning_rate=0"], &[], 100).contains("an empty range"));
    }
}
