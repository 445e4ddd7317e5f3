//! The record of a reproduction of recipes. All tables and pages are made from these.

use serde::{Deserialize, Serialize};

use super::task::Task;
use crate::stats::{MeanEstimate, median};
use crate::train::record::TrainRecord;
use crate::train::record::machine::Machine;
use crate::train::record::metrics::ValueMetrics;

/// The schema that [`ReproduceRecord`] has as JSON.
pub const REPRODUCE_SCHEMA: &str = "fallline.reproduce/1";

/// How far below its target a mean may be by rounding: less than one sample in a thousand runs of 10^8.
const ROUNDING: f64 = 1e-12;

/// Some recipes, each trained from several seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReproduceRecord {
    /// The schema of the record, [`REPRODUCE_SCHEMA`].
    pub schema: String,
    /// The program's version.
    pub version: String,
    /// The command line that made it.
    pub command: String,
    pub machine: Machine,
    pub threads: usize,
    /// The validation accuracy that ended the trainings, as a fraction of 1; absent if they were to go
    /// on to their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_accuracy: Option<f64>,
    pub recipes: Vec<RecipeRecord>,
}

/// A recipe and its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeRecord {
    /// The recipe's name.
    pub recipe: String,
    pub summary: String,
    /// The recipe as TOML, with every value written out as it was trained with, but the seed.
    pub settings: String,
    /// The data set's name; "digits" may be generated.
    pub data: String,
    /// The mean test accuracy to reach, as a fraction of 1; absent if the recipe names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// All seeds that were asked for.
    pub seeds: Vec<u64>,
    /// The runs that are done, in the order of the seeds.
    pub runs: Vec<TrainRecord>,
    /// Mean of the test accuracies and its uncertainty; absent without runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<MeanEstimate>,
    /// The same of the tests' RMSE and R²; only where targets are values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<ValueEstimates>,
    /// The median of the runs' training times; absent without runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_seconds: Option<f64>,
    /// Median training time to the validation accuracy that was asked for, a run that has not reached it
    /// counting as endless; absent if the median is endless, or none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_to_accuracy: Option<f64>,
    pub verdict: Verdict,
}

/// Means of the tests' metrics of values, and their uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueEstimates {
    /// In the units of the data.
    pub rmse: MeanEstimate,
    pub r_squared: MeanEstimate,
}

/// The verdict on a recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The mean of all seeds is at least the target; or all have reached the accuracy that was asked for.
    Met,
    Missed,
    /// All seeds are done, and there is nothing to compare with.
    NoTarget,
    /// Seeds are missing.
    Unfinished,
}

impl Verdict {
    /// The verdict in words.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::NoTarget => "no target",
            Verdict::Unfinished => "unfinished",
        }
    }
}

impl ReproduceRecord {
    /// The record of these tasks, of which nothing is done yet.
    pub fn new(tasks: &[Task], command: String, threads: usize, until_accuracy: Option<f64>) -> Self {
        ReproduceRecord {
            schema: REPRODUCE_SCHEMA.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command,
            machine: Machine::current(),
            threads,
            until_accuracy,
            recipes: tasks.iter().map(RecipeRecord::new).collect(),
        }
    }

    /// Adds a run to the recipe with this index.
    pub fn add(&mut self, recipe: usize, run: TrainRecord) {
        let recipe = &mut self.recipes[recipe];
        recipe.runs.push(run);
        recipe.conclude(self.until_accuracy);
    }

    /// Whether all seeds of all recipes are done.
    pub fn is_complete(&self) -> bool {
        self.recipes.iter().all(|recipe| recipe.verdict != Verdict::Unfinished)
    }

    /// The runs that have diverged, each with its recipe's name.
    pub fn diverged(&self) -> Vec<(&str, &TrainRecord)> {
        let runs = self.recipes.iter().flat_map(|of| of.runs.iter().map(|run| (of.recipe.as_str(), run)));
        runs.filter(|(_, run)| run.diverged.is_some()).collect()
    }

    /// Whether a recipe has missed what it had to reach.
    pub fn has_missed(&self) -> bool {
        self.recipes.iter().any(|recipe| recipe.verdict == Verdict::Missed)
    }
}

impl RecipeRecord {
    fn new(task: &Task) -> RecipeRecord {
        let recipe = &task.recipe;
        RecipeRecord {
            recipe: recipe.name.clone(),
            summary: recipe.summary.clone(),
            settings: recipe.to_toml(),
            data: task.data.name.clone(),
            target: recipe.target,
            seeds: task.seeds.clone(),
            runs: Vec::new(),
            accuracy: None,
            values: None,
            train_seconds: None,
            seconds_to_accuracy: None,
            verdict: Verdict::Unfinished,
        }
    }

    /// The test accuracies of all runs, as fractions of 1.
    pub fn accuracies(&self) -> Vec<f64> {
        self.runs.iter().filter_map(|run| run.test.as_ref()?.accuracy).collect()
    }

    /// The seeds that are not done.
    pub fn missing(&self) -> Vec<u64> {
        let is_done = |seed: &u64| self.runs.iter().any(|run| run.seed == *seed);
        self.seeds.iter().copied().filter(|seed| !is_done(seed)).collect()
    }

    /// The mean of a metric over the runs that were tested; none if one of them is not finite, for the others would
    /// stand for all.
    fn estimate(&self, metric: fn(&ValueMetrics) -> f64) -> Option<MeanEstimate> {
        let tested = self.runs.iter().filter_map(|run| run.test.as_ref()?.values.as_ref());
        let found: Vec<f64> = tested.map(metric).collect();
        // The sum of numbers of any size may not be finite either.
        MeanEstimate::of(&found).filter(|estimate| estimate.mean.is_finite())
    }

    /// Computes all that follows from the runs.
    fn conclude(&mut self, until: Option<f64>) {
        self.accuracy = MeanEstimate::of(&self.accuracies());
        let rmse = self.estimate(|values| values.rmse);
        let r_squared = self.estimate(|values| values.r_squared);
        self.values = rmse.zip(r_squared).map(|(rmse, r_squared)| ValueEstimates { rmse, r_squared });
        let seconds: Vec<f64> = self.runs.iter().map(|run| run.train_seconds).collect();
        self.train_seconds = (!seconds.is_empty()).then(|| median(&seconds));
        let times = until.map(|accuracy| {
            let time = |run| time_to(run, accuracy).map_or(f64::INFINITY, |time| time.seconds);
            self.runs.iter().map(time).collect::<Vec<_>>()
        });
        self.seconds_to_accuracy =
            times.as_deref().map(median).filter(|time| time.is_finite() && !self.runs.is_empty());
        self.verdict = match (&times, self.target, &self.accuracy) {
            _ if !self.missing().is_empty() => Verdict::Unfinished,
            (Some(times), ..) => met(times.iter().all(|time| time.is_finite())),
            (None, None, _) => Verdict::NoTarget,
            // A network that cannot be tested meets nothing.
            (None, Some(_), _) if self.runs.iter().any(|run| run.test.is_none()) => Verdict::Missed,
            (None, Some(target), accuracy) => {
                met(accuracy.as_ref().is_some_and(|accuracy| accuracy.mean >= target - ROUNDING))
            }
        };
    }
}

fn met(is_met: bool) -> Verdict {
    if is_met { Verdict::Met } else { Verdict::Missed }
}

/// The moment at which a run reached an accuracy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// Seconds of training, up to the end of the epoch; validation is not counted.
    pub seconds: f64,
    pub epochs: usize,
    pub accuracy: f64,
}

/// The end of the first epoch whose validation accuracy is at least this, if there is one.
pub fn time_to(run: &TrainRecord, accuracy: f64) -> Option<Reached> {
    let (mut seconds, mut before) = (0.0, 0);
    run.epochs.iter().find_map(|epoch| {
        // The time of epochs that the record of a long run leaves out.
        seconds += epoch.seconds * epoch.epoch.saturating_sub(before) as f64;
        before = epoch.epoch;
        let accuracy = epoch.validation_accuracy.filter(|found| *found >= accuracy)?;
        Some(Reached { seconds, epochs: epoch.epoch, accuracy })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::record::Evaluation;
    use serde_json::json;

    /// A run with this test accuracy; its epochs take half a second each and have these validation
    /// accuracies.
    fn run(seed: u64, accuracy: f64, validation: &[f64]) -> TrainRecord {
        let epoch = |(index, accuracy): (usize, &f64)| {
            json!({"epoch": index + 1, "train_loss": 0.5, "train_accuracy": 0.9, "seconds": 0.5,
                   "samples_per_second": 1e5, "validation_loss": 0.5, "validation_accuracy": accuracy})
        };
        let epochs: Vec<_> = validation.iter().enumerate().map(epoch).collect();
        let machine = json!({"cpu": "c", "cores": 2, "instruction_set": "AVX2", "os": "linux x86_64"});
        serde_json::from_value(json!({
            "schema": "fallline.train/1", "recipe": "r", "seed": seed, "threads": 2, "machine": machine,
            "model": {"parameters": 3, "train_flops_per_sample": 12.0}, "epochs": epochs,
            "test": {"loss": 0.1, "accuracy": accuracy}, "train_seconds": 0.5 * validation.len() as f64,
            "stop_reason": "epochs"
        }))
        .unwrap()
    }

    fn recipe(target: Option<f64>, seeds: &[u64]) -> RecipeRecord {
        RecipeRecord {
            recipe: "r".into(),
            summary: "s".into(),
            settings: "name = \"r\"\n".into(),
            data: "mnist".into(),
            target,
            seeds: seeds.to_vec(),
            runs: Vec::new(),
            accuracy: None,
            values: None,
            train_seconds: None,
            seconds_to_accuracy: None,
            verdict: Verdict::Unfinished,
        }
    }

    fn record(recipes: Vec<RecipeRecord>, until_accuracy: Option<f64>) -> ReproduceRecord {
        let command = "fallline reproduce r".to_string();
        ReproduceRecord { recipes, ..ReproduceRecord::new(&[], command, 2, until_accuracy) }
    }

    /// The verdict on these test accuracies.
    fn verdict(target: Option<f64>, accuracies: &[f64]) -> Verdict {
        let seeds: Vec<u64> = (1..=accuracies.len() as u64).collect();
        let mut record = record(vec![recipe(target, &seeds)], None);
        for (&seed, &accuracy) in seeds.iter().zip(accuracies) {
            assert!(!record.is_complete() && !record.has_missed());
            record.add(0, run(seed, accuracy, &[0.5]));
        }
        assert!(record.is_complete());
        assert_eq!(record.has_missed(), record.recipes[0].verdict == Verdict::Missed);
        record.recipes[0].verdict
    }

    #[test]
    fn the_mean_is_compared_with_the_target() {
        assert_eq!(verdict(Some(0.98), &[0.97, 0.99]), Verdict::Met);
        assert_eq!(verdict(Some(0.98), &[0.97, 0.9899]), Verdict::Missed);
        assert_eq!(verdict(Some(0.98), &[0.9799]), Verdict::Missed);
        assert_eq!(verdict(None, &[0.1, 0.2]), Verdict::NoTarget);
        // Ten times this number do not sum up to ten times it.
        let tenth = [0.9811; 10];
        assert!(tenth.iter().sum::<f64>() / 10.0 < 0.9811);
        assert_eq!(verdict(Some(0.9811), &tenth), Verdict::Met);
    }

    #[test]
    fn missing_seeds_are_named_and_leave_no_verdict() {
        let mut record = record(vec![recipe(Some(0.5), &[7, 8, 9]), recipe(Some(0.5), &[1])], None);
        record.add(0, run(7, 0.75, &[0.5]));
        record.add(0, run(8, 0.25, &[0.5, 0.5]));
        let first = &record.recipes[0];
        assert_eq!((first.missing(), first.verdict), (vec![9], Verdict::Unfinished));
        assert_eq!((first.accuracy.unwrap().mean, first.train_seconds), (0.5, Some(0.75)));
        assert_eq!((record.recipes[1].missing(), record.recipes[1].accuracy), (vec![1], None));
        assert!(!record.is_complete() && !record.has_missed());
    }

    #[test]
    fn the_time_to_an_accuracy_is_that_of_the_first_epoch_with_it() {
        let run = |validation: &[f64]| run(1, 0.9, validation);
        let found = time_to(&run(&[0.6, 0.9, 0.8]), 0.7).unwrap();
        assert_eq!(found, Reached { seconds: 1.0, epochs: 2, accuracy: 0.9 });
        assert_eq!(time_to(&run(&[0.6, 0.9]), 0.6).unwrap().epochs, 1);
        assert_eq!(time_to(&run(&[0.6, 0.9]), 0.91), None);
        let mut thinned = run(&[0.6, 0.6, 0.9]);
        thinned.epochs.remove(1);
        assert_eq!(time_to(&thinned, 0.7).unwrap(), Reached { seconds: 1.5, epochs: 3, accuracy: 0.9 });
    }

    /// The means are those of all runs, or there are none.
    #[test]
    fn values_have_means_of_their_own() {
        let mut record = record(vec![recipe(None, &[7, 8, 9])], None);
        let of_values = |seed: u64, rmse: f64, r_squared: f64| {
            let values = ValueMetrics { rmse, mae: 1.0, r_squared, outputs: Vec::new() };
            let test = Evaluation { accuracy: None, values: Some(values), ..Evaluation::new(0.5, 0.0) };
            TrainRecord { test: Some(test), ..run(seed, 0.0, &[]) }
        };
        record.add(0, of_values(7, 2.0, 0.5));
        record.add(0, of_values(8, 4.0, 0.75));
        let ValueEstimates { rmse, r_squared } = record.recipes[0].values.unwrap();
        assert_eq!((rmse.mean, rmse.deviation), (3.0, Some(2f64.sqrt())));
        assert_eq!((r_squared.mean, record.recipes[0].accuracy), (0.625, None));
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<ReproduceRecord>(&json).unwrap(), record);
        record.add(0, of_values(9, f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!((record.recipes[0].values, record.recipes[0].verdict), (None, Verdict::NoTarget));
    }

    /// A run without a test counts as missed whatever the others reach.
    #[test]
    fn a_run_without_a_test_misses_the_target() {
        let mut record = record(vec![recipe(Some(0.5), &[7, 8]), recipe(None, &[7])], None);
        let lost = TrainRecord { test: None, ..run(7, 0.9, &[]) };
        record.add(0, lost.clone());
        record.add(0, run(8, 0.9, &[0.5]));
        record.add(1, lost);
        assert_eq!(record.recipes[0].accuracy.unwrap().mean, 0.9);
        assert_eq!((record.recipes[0].verdict, record.recipes[1].verdict), {
            (Verdict::Missed, Verdict::NoTarget)
        });
    }

    #[test]
    fn a_run_that_never_gets_there_counts_as_endless() {
        let until = |validations: &[&[f64]]| {
            let seeds: Vec<u64> = (0..validations.len() as u64).collect();
            // The target of the test accuracy, which is missed, does not matter.
            let mut record = record(vec![recipe(Some(1.0), &seeds)], Some(0.9));
            for (&seed, validation) in seeds.iter().zip(validations) {
                record.add(0, run(seed, 0.8, validation));
            }
            (record.recipes[0].seconds_to_accuracy, record.recipes[0].verdict)
        };
        assert_eq!(until(&[&[0.9], &[0.8, 0.9], &[0.8, 0.8, 0.9]]), (Some(1.0), Verdict::Met));
        assert_eq!(until(&[&[0.9], &[0.8, 0.9], &[0.8, 0.8, 0.8]]), (Some(1.0), Verdict::Missed));
        assert_eq!(until(&[&[0.9], &[0.8, 0.8], &[0.8, 0.8, 0.8]]), (None, Verdict::Missed));
    }

    #[test]
    fn the_record_has_the_documented_keys_and_is_read_back() {
        let mut record = record(vec![recipe(Some(0.5), &[7, 8])], Some(0.4));
        record.machine =
            Machine { cpu: "c".into(), cores: 2, instruction_set: "AVX2".into(), os: "linux x86_64".into() };
        record.add(0, run(7, 0.75, &[0.5]));
        record.add(0, run(8, 0.25, &[0.5]));
        let mut json = serde_json::to_value(&record).unwrap();
        assert_eq!(serde_json::from_value::<ReproduceRecord>(json.clone()).unwrap(), record);
        let runs = json["recipes"][0].as_object_mut().unwrap().remove("runs").unwrap();
        assert_eq!(runs[1], serde_json::to_value(&record.recipes[0].runs[1]).unwrap());
        let interval = record.recipes[0].accuracy.unwrap().interval.unwrap();
        let expected = json!({
            "schema": "fallline.reproduce/1", "version": env!("CARGO_PKG_VERSION"),
            "command": "fallline reproduce r",
            "machine": {"cpu": "c", "cores": 2, "instruction_set": "AVX2", "os": "linux x86_64"},
            "threads": 2, "until_accuracy": 0.4,
            "recipes": [{
                "recipe": "r", "summary": "s", "settings": "name = \"r\"\n", "data": "mnist", "target": 0.5,
                "seeds": [7, 8],
                "accuracy": {"mean": 0.5, "deviation": 0.125f64.sqrt(), "interval": interval},
                "train_seconds": 0.5, "seconds_to_accuracy": 0.5, "verdict": "met"
            }]
        });
        assert_eq!(json, expected);
        assert!(serde_json::from_value::<Verdict>("perhaps".into()).is_err());
    }
}
