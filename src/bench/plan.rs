//! The cases of a benchmark: one for each combination of recipes, rules, batch sizes and threads.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::peers::Framework;
use crate::data::DataSet;
use crate::error::{Error, Result};
use crate::model::recipe::{ALL_SAMPLES, DataConfig, Override, RecipeText, check_samples};
use crate::model::{Model, Recipe};
use crate::train::dataset;

/// The learning rate of every case: too small to diverge, in however many steps, and of no
/// influence on the time.
const LEARNING_RATE: f64 = 1e-6;

/// Runs of a case. The measuring time is cut into so many, and all cases run in turn.
pub const ROUNDS: usize = 30;

/// The choice of what to run. Lists that are empty stand for the suite's, or the recipe's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Recipes: built-in names or paths.
    pub recipes: Vec<OsString>,
    pub optimizers: Vec<String>,
    pub batches: Vec<usize>,
    pub threads: Vec<usize>,
    /// Measuring time of each case.
    pub time: Duration,
    /// Other frameworks to run beside this one.
    pub peers: Vec<Framework>,
}

/// A suite by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// One network; under a minute on two cores.
    Quick,
    /// Networks of three sizes.
    Full,
}

impl Suite {
    /// The choice of the suite with up to so many threads.
    pub fn choice(self, cores: usize) -> Choice {
        let texts = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let names = |names: &[&str]| names.iter().map(OsString::from).collect();
        let optimizers = texts(&["sgd", "momentum", "adam"]);
        match self {
            Suite::Quick => Choice {
                recipes: names(&["mnist-mlp"]),
                optimizers,
                batches: vec![16, 64, 256, 1024],
                threads: if cores > 1 { vec![1, cores] } else { vec![1] },
                time: Duration::from_millis(1200),
                peers: Vec::new(),
            },
            Suite::Full => Choice {
                recipes: names(&["mnist-mlp", "mnist-mlp-512", "mnist-mlp-2048"]),
                optimizers,
                batches: vec![1, 16, 64, 256, 1024, 4096],
                threads: doublings(cores),
                time: Duration::from_secs(3),
                peers: Vec::new(),
            },
        }
    }
}

/// The numbers of threads: 1, 2, 4 and so on below `most`, and `most`.
fn doublings(most: usize) -> Vec<usize> {
    let powers = (0..usize::BITS).map(|shift| 1usize << shift);
    powers.take_while(|&threads| threads < most).chain([most.max(1)]).collect()
}

/// One case, ready to be trained.
pub struct PlannedCase {
    pub recipe: Recipe,
    pub model: Model,
    pub threads: usize,
    /// The index of its data set in the plan.
    pub data: usize,
}

/// All cases with their data.
pub struct BenchPlan {
    pub cases: Vec<PlannedCase>,
    pub data: Vec<DataSet>,
    /// Notes that a reader of the results should know.
    pub notes: Vec<String>,
    /// Other frameworks to run each case beside.
    pub peers: Vec<Framework>,
    /// Training time of each case in each round.
    pub slice: Duration,
}

impl BenchPlan {
    /// Reads recipes and data and builds the models; all input is checked here. A published data set
    /// that is not there is replaced by generated digits, with a note and with a name that says so,
    /// unless the user has named a folder, by `data_dir` or `$FALLLINE_DATA`.
    ///
    /// # Errors
    /// Those of [`Recipe::load`], [`dataset::load`] and [`Model::build`]; [`Error::Mismatch`] for a
    /// batch larger than the data set.
    pub fn new(choice: &Choice, data_dir: Option<&Path>) -> Result<BenchPlan> {
        let mut plan = BenchPlan {
            cases: Vec::new(),
            data: Vec::new(),
            notes: Vec::new(),
            peers: choice.peers.clone(),
            slice: choice.time / ROUNDS as u32,
        };
        let mut loaded: Vec<DataConfig> = Vec::new();
        for recipe in recipes(choice)? {
            let known = loaded.iter().position(|config| *config == recipe.data);
            let data = match known {
                Some(index) => index,
                None => {
                    plan.data.push(dataset::load_or_digits(&recipe, data_dir, &mut plan.notes)?);
                    loaded.push(recipe.data.clone());
                    plan.data.len() - 1
                }
            };
            let set = &plan.data[data];
            let mut recipe = recipe.for_samples(&set.train)?;
            if recipe.train.takes_all() {
                recipe.train.batch = set.train.len();
            }
            if recipe.train.batch > set.train.len() {
                return Err(Error::Mismatch {
                    what: format!("batch of {} for the benchmark", recipe.name),
                    expected: format!("at most the {} training samples of {}", set.train.len(), set.name),
                    found: recipe.train.batch.to_string(),
                });
            }
            check_samples(&recipe, set.train.len())?;
            for &threads in &choice.threads {
                let model = Model::build(&recipe.model, set.train.shape(), set.classes, recipe.train.seed)?;
                plan.cases.push(PlannedCase { recipe: recipe.clone(), model, threads, data });
            }
        }
        Ok(plan)
    }
}

/// Every combination of recipe, rule and batch size.
fn recipes(choice: &Choice) -> Result<Vec<Recipe>> {
    let mut recipes = Vec::new();
    for name in &choice.recipes {
        let text = RecipeText::read(name)?;
        let own = text.recipe(&[])?;
        let optimizers = or_own(&choice.optimizers, own.optimizer.name().to_string());
        for optimizer in optimizers {
            for batch in or_own(&choice.batches, own.train.batch) {
                let mut overrides = vec![
                    Override::new("optimizer.name", optimizer.as_str()),
                    Override::new("optimizer.learning_rate", LEARNING_RATE),
                ];
                if optimizer == "rprop" {
                    // For this rule the learning rate is the size of the first step only.
                    overrides.push(Override::new("optimizer.largest", LEARNING_RATE));
                }
                overrides.push(match batch {
                    ALL_SAMPLES => Override::new("train.batch", "all"),
                    batch => Override::new("train.batch", i64::try_from(batch).unwrap_or(i64::MAX)),
                });
                let recipe = text.recipe(&overrides)?;
                if recipe.optimizer.kind().searches() {
                    return Err(Error::Setting {
                        place: "command line".into(),
                        key: "--optimizer".into(),
                        expected: "a rule whose steps all cost the same, for the benchmark".into(),
                        found: format!("`{optimizer}`, whose steps are found by a search"),
                    });
                }
                recipes.push(recipe);
            }
        }
    }
    Ok(recipes)
}

fn or_own<T: Clone>(chosen: &[T], own: T) -> Vec<T> {
    if chosen.is_empty() { vec![own] } else { chosen.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice() -> Choice {
        Choice {
            recipes: vec!["digits-mlp".into()],
            optimizers: Vec::new(),
            batches: Vec::new(),
            threads: vec![1],
            time: Duration::from_secs(3),
            peers: Vec::new(),
        }
    }

    #[test]
    fn threads_double_up_to_all() {
        assert_eq!([1, 2, 3, 8, 12].map(doublings)[3..], [vec![1, 2, 4, 8], vec![1, 2, 4, 8, 12]]);
        assert_eq!([1, 2, 3].map(doublings), [vec![1], vec![1, 2], vec![1, 2, 3]]);
    }

    #[test]
    fn every_combination_is_a_case_on_data_loaded_once() {
        let texts = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let choice = Choice {
            optimizers: texts(&["sgd", "adam"]),
            batches: vec![8, 32, 64],
            threads: vec![1, 2],
            ..choice()
        };
        let plan = BenchPlan::new(&choice, None).unwrap();
        assert_eq!((plan.cases.len(), plan.data.len()), (12, 1));
        let case = &plan.cases[11];
        let train = (case.recipe.optimizer.name(), case.recipe.train.batch, case.threads);
        assert_eq!(train, ("adam", 64, 2));
        assert_eq!(plan.slice * ROUNDS as u32, choice.time);
    }

    #[test]
    fn empty_lists_are_the_recipes_own() {
        let own = Recipe::built_in("digits-mlp").unwrap();
        let plan = BenchPlan::new(&choice(), None).unwrap();
        assert_eq!(plan.cases.len(), 1);
        assert_eq!(plan.cases[0].recipe.optimizer.name(), own.optimizer.name());
        assert_eq!(plan.cases[0].recipe.train.batch, own.train.batch);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let refusal = |choice: Choice| BenchPlan::new(&choice, None).err().unwrap().to_string();
        let message = refusal(Choice { batches: vec![60_001], ..choice() });
        assert_eq!(
            message,
            "batch of digits-mlp for the benchmark: expected at most the 60000 training samples of \
             digits, found 60001"
        );
        assert!(refusal(Choice { batches: vec![0], ..choice() }).contains("train.batch"));
        assert!(
            refusal(Choice { optimizers: vec!["lbfgs".into()], ..choice() }).contains("found by a search")
        );
        let message = refusal(Choice { optimizers: vec!["rprop".into()], ..choice() });
        assert!(message.contains("`train.batch`: expected \"all\", or at least the 60000"), "{message}");
        assert!(refusal(Choice { optimizers: vec!["adem".into()], ..choice() }).contains("`adam`"));
        assert!(refusal(Choice { recipes: vec!["digits-mpl".into()], ..choice() }).contains("digits-mlp"));
    }
}
