//! A task of a reproduction: a recipe, its data and seeds.

use std::sync::Arc;

use crate::data::DataSet;
use crate::model::Recipe;

/// A recipe, its samples, and the seeds to train from.
#[derive(Clone, Debug)]
pub struct Task {
    pub recipe: Recipe,
    pub data: Arc<DataSet>,
    pub seeds: Vec<u64>,
}
