//! The search for the best settings of a recipe: grid, random, successive halving, Hyperband, Parzen estimators.
//!
//! A trial is a training from the recipe's seed on one part of the training samples, tried on another; test samples are never
//! looked at. Trials are trained side by side, and neither how many threads there are nor interruptions change what is tried or
//! what comes of it: a [method](method) is told the results of whole rounds alone, and each trial that is done goes to a
//! [file](journal) at once.

pub mod importance;
pub mod journal;
pub mod method;
mod plan;
pub mod range;
pub mod range_test;
mod record;
mod rounds;
pub mod space;
mod trial;

use std::str::FromStr;
use std::sync::atomic::AtomicBool;

pub use plan::Plan;
pub use range::{Over, Range};
pub use range_test::{RangeTest, RatePoint};
pub use record::{Rung, SEARCH_SCHEMA, SearchRecord, Searched, State, TrialRecord};
pub use rounds::{Done, Watcher};
pub use space::Space;

use crate::data::DataSet;
use crate::model::Recipe;
use crate::{Error, Result};

/// The most trials of a search.
pub const MOST_TRIALS: usize = 10_000;

/// Trials where nothing is said.
pub const TRIALS: usize = 30;

/// How trials are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Every combination of lists and points.
    Grid,
    /// Values at random.
    #[default]
    Random,
    /// Random values for one epoch, the best third of them for three times as many, and so on.
    Halving,
    /// Successive halving that begins with one epoch, with three, and so on, side by side.
    Hyperband,
    /// Tree-structured Parzen estimators: values that are likelier among the good trials than among the others.
    Tpe,
}

impl Method {
    /// All methods.
    pub const ALL: [Method; 5] =
        [Method::Grid, Method::Random, Method::Halving, Method::Hyperband, Method::Tpe];

    /// The name, as of `--method`.
    pub fn name(self) -> &'static str {
        match self {
            Method::Grid => "grid",
            Method::Random => "random",
            Method::Halving => "halving",
            Method::Hyperband => "hyperband",
            Method::Tpe => "tpe",
        }
    }

    /// Whether it trains for some of the epochs first.
    pub fn is_by_epochs(self) -> bool {
        matches!(self, Method::Halving | Method::Hyperband)
    }
}

impl FromStr for Method {
    type Err = Error;

    fn from_str(name: &str) -> Result<Method> {
        let known = || Method::ALL.into_iter().map(Method::name);
        let found = Method::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| Error::unknown("command line", "method", name, known()))
    }
}

/// A search for the best settings of a recipe. What is not said has the defaults of `fallline search`: 30 random trials from
/// seed 1, each tried on a tenth of the training samples, over the learning rate, on all cores that the process may use.
///
/// ```
/// use fallline::{Recipe, Search, data};
///
/// let recipe = Recipe::built_in("digits-mlp")?;
/// let digits = data::generate_digits([300, 10], 1)?;
/// let search = Search::new(&recipe)
///     .over("optimizer.learning_rate=1e-4..1e-1:log")?
///     .over("train.batch=32,64")?
///     .over("train.epochs=1,2")?
///     .trials(4);
/// let record = search.run(&digits)?;
/// assert_eq!(record.trials.len(), 4);
/// let best = record.winner().expect("none of these diverges");
/// println!("accuracy {:?} with {:?}", best.accuracy, best.settings);
/// # Ok::<(), fallline::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Search {
    pub(crate) recipe: Recipe,
    pub(crate) overs: Vec<Over>,
    pub(crate) method: Method,
    pub(crate) trials: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) folds: Option<usize>,
    pub(crate) threads: Option<usize>,
}

impl Search {
    /// A search over the learning rate of this recipe, until another key is named.
    pub fn new(recipe: &Recipe) -> Search {
        Search {
            recipe: recipe.clone(),
            overs: Vec::new(),
            method: Method::default(),
            trials: None,
            seed: 1,
            folds: None,
            threads: None,
        }
    }

    /// Adds a key with its range: `optimizer.learning_rate=1e-4..1e-1:log`, `train.epochs=1..10`,
    /// `train.batch=32,64,128`. Whether the recipe takes it is checked when the search begins.
    ///
    /// # Errors
    /// [`Error::Setting`] for what is no range, or an empty one.
    pub fn over(mut self, text: &str) -> Result<Search> {
        self.overs.push(text.parse()?);
        Ok(self)
    }

    /// How trials are chosen.
    pub fn method(self, method: Method) -> Search {
        Search { method, ..self }
    }

    /// How many trials there are, at least 1. Successive halving and Hyperband spend the epochs of so many whole trainings; a
    /// grid has as many trials as points.
    pub fn trials(self, trials: usize) -> Search {
        Search { trials: Some(trials), ..self }
    }

    /// The seed of the choice of values. The trainings have the recipe's.
    pub fn seed(self, seed: u64) -> Search {
        Search { seed, ..self }
    }

    /// Tries each trial on so many folds, in place of one part of the training samples.
    pub fn folds(self, folds: usize) -> Search {
        Search { folds: Some(folds), ..self }
    }

    /// How many threads there are, at least 1: each trains a trial of its own, as long as there are as many. No result depends
    /// on it.
    pub fn threads(self, threads: usize) -> Search {
        Search { threads: Some(threads), ..self }
    }

    /// Searches with the training samples of a data set.
    ///
    /// # Errors
    /// [`Error::Unknown`] or [`Error::Setting`] for a key or a value that the recipe does not take, and for too few trials;
    /// those with which a training on these samples would begin. A trial that diverges is none.
    pub fn run(&self, data: &DataSet) -> Result<SearchRecord> {
        struct Quiet;
        impl Watcher for Quiet {}
        self.run_with(data, &AtomicBool::new(false), &mut Quiet)
    }

    /// [`run`](Search::run), and tells `watcher` of each trial that is done. Whoever sets `stop` ends the search; the trials
    /// that are done are in the record, which then says that it is incomplete.
    ///
    /// # Errors
    /// Those of [`run`](Search::run).
    pub fn run_with(
        &self,
        data: &DataSet,
        stop: &AtomicBool,
        watcher: &mut (dyn Watcher + Send),
    ) -> Result<SearchRecord> {
        Plan::new(self, data)?.run(None, Vec::new(), stop, watcher)
    }
}
