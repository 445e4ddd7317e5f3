//! The record of a linear fit beside its exact solution.

use serde::{Deserialize, Serialize};

/// The most coefficients that an [`ExactRecord`] shows.
pub const MOST_COEFFICIENTS: usize = 50;

/// How near descent has come to the exact solution of a linear fit, on the samples that it was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExactRecord {
    /// The kind of the fit, as `kind` in a recipe.
    pub kind: String,
    /// The method of the exact solution.
    pub method: String,
    /// Whether it came to its end; classes that a plane separates have no best weights without a penalty.
    pub converged: bool,
    /// The objective that descent has come to.
    pub objective: f64,
    /// Its least.
    pub least: f64,
    /// (objective - least) / least; absent if the fit is perfect, so that there is nothing to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<f64>,
    /// The norm of the difference of all weights, by the norm of the exact ones; absent if these are 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
    /// The largest difference of a weight or a bias.
    pub largest_difference: f64,
    /// Weights and biases in all.
    pub numbers: usize,
    /// Exact weights that are not 0, where the penalty makes some of them 0, and those of descent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_zero: Option<[usize; 2]>,
    /// The weights and biases, or of more than [`MOST_COEFFICIENTS`] those of the largest exact ones, in their order.
    pub coefficients: Vec<CoefficientRecord>,
}

/// A weight or a bias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoefficientRecord {
    /// The index of the output, from 0.
    pub output: usize,
    /// The index of the feature, from 0; absent of a bias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<usize>,
    /// The name of the feature, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub descent: f64,
    pub exact: f64,
}
