//! A search as it is asked for.

use super::kind::SearchMethod;
use super::range::Over;
use crate::Result;
use crate::model::Recipe;

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
    pub(crate) method: SearchMethod,
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
            method: SearchMethod::default(),
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
    /// [`Error::Setting`](crate::Error::Setting) for what is no range, or an empty one.
    pub fn over(mut self, text: &str) -> Result<Search> {
        self.overs.push(text.parse()?);
        Ok(self)
    }

    /// How trials are chosen.
    pub fn method(self, method: SearchMethod) -> Search {
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
}
