//! The methods by their names.

use std::str::FromStr;

use crate::{Error, Result};

/// The most trials of a search.
pub const MOST_TRIALS: usize = 10_000;

/// Trials where nothing is said.
pub const TRIALS: usize = 30;

/// How trials are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchMethod {
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

impl SearchMethod {
    /// All methods.
    pub const ALL: [SearchMethod; 5] = [
        SearchMethod::Grid,
        SearchMethod::Random,
        SearchMethod::Halving,
        SearchMethod::Hyperband,
        SearchMethod::Tpe,
    ];

    /// The name, as of `--method`.
    pub fn name(self) -> &'static str {
        match self {
            SearchMethod::Grid => "grid",
            SearchMethod::Random => "random",
            SearchMethod::Halving => "halving",
            SearchMethod::Hyperband => "hyperband",
            SearchMethod::Tpe => "tpe",
        }
    }

    /// Whether it trains for some of the epochs first.
    pub fn is_by_epochs(self) -> bool {
        matches!(self, SearchMethod::Halving | SearchMethod::Hyperband)
    }
}

impl FromStr for SearchMethod {
    type Err = Error;

    fn from_str(name: &str) -> Result<SearchMethod> {
        let known = || SearchMethod::ALL.into_iter().map(SearchMethod::name);
        let found = SearchMethod::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| Error::unknown("command line", "method", name, known()))
    }
}
