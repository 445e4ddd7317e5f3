//! Samples as the matrices of a fit, and what is fitted to them.

use faer::Mat;

use crate::{Error, Result, memory};

/// The samples of a fit, in f64.
pub struct Problem {
    /// The features, and a last column of ones for the bias, \[n, d + 1\].
    pub(super) x: Mat<f64>,
    /// Target values, or 1 for the class and 0 for all others, \[n, outputs\].
    pub(super) t: Mat<f64>,
    /// The part of each sample in the mean, \[n\]; their sum is 1.
    pub(super) shares: Vec<f64>,
}

/// The weights and the bias of a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficients {
    /// \[d, outputs\]
    pub weights: Mat<f64>,
    /// \[outputs\]
    pub bias: Vec<f64>,
}

impl Problem {
    /// Samples of so many features and outputs. `row` writes the features of a sample, \[features\], and its targets,
    /// \[outputs\]; `weights` says how much each sample counts, \[samples\], and is empty if all count alike.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if memory is short.
    pub fn new(
        [samples, features, outputs]: [usize; 3],
        weights: &[f32],
        mut row: impl FnMut(usize, &mut [f32], &mut [f32]),
    ) -> Result<Problem> {
        // The copy that is weighted or centred, and room for products.
        let numbers = samples.saturating_mul(features + 2 * outputs + 1).saturating_mul(3);
        memory::check("the samples in f64", numbers.saturating_mul(size_of::<f64>()))?;
        let (mut x, mut t) = (Mat::zeros(samples, features + 1), Mat::zeros(samples, outputs));
        let mut values = memory::filled("a row of features", 0.0, features)?;
        let mut targets = memory::filled("a row of targets", 0.0, outputs)?;
        for sample in 0..samples {
            row(sample, &mut values, &mut targets);
            values.iter().enumerate().for_each(|(j, &value)| x[(sample, j)] = f64::from(value));
            x[(sample, features)] = 1.0;
            targets.iter().enumerate().for_each(|(j, &value)| t[(sample, j)] = f64::from(value));
        }
        let sum: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        let share = |sample: usize| match weights.get(sample) {
            Some(&weight) => f64::from(weight) / sum,
            None => 1.0 / samples as f64,
        };
        Ok(Problem { x, t, shares: (0..samples).map(share).collect() })
    }

    /// Checks that all numbers are finite.
    pub(super) fn check_finite(&self) -> Result<()> {
        for (what, matrix) in [("features", &self.x), ("target values", &self.t)] {
            let mut numbers = matrix.col_iter().flat_map(|column| column.iter());
            if let Some(number) = numbers.find(|number| !number.is_finite()) {
                let (expected, found) = ("finite numbers".into(), number.to_string());
                return Err(Error::Mismatch { what: what.into(), expected, found });
            }
        }
        Ok(())
    }

    /// The features of a sample.
    pub fn features(&self) -> usize {
        self.x.ncols() - 1
    }

    /// The targets of a sample.
    pub fn outputs(&self) -> usize {
        self.t.ncols()
    }

    /// The samples.
    pub fn samples(&self) -> usize {
        self.x.nrows()
    }

    /// The mean of a column of a matrix of as many rows as there are samples.
    pub(super) fn mean(&self, matrix: &Mat<f64>, column: usize) -> f64 {
        self.shares.iter().enumerate().map(|(i, share)| share * matrix[(i, column)]).sum()
    }

    /// The features of all samples, \[n, d\], and their targets, \[n, outputs\], less their means and times the root of
    /// each sample's share; and both means.
    pub(super) fn centred(&self) -> ([Mat<f64>; 2], [Vec<f64>; 2]) {
        let means = |matrix: &Mat<f64>, columns: usize| -> Vec<f64> {
            (0..columns).map(|column| self.mean(matrix, column)).collect()
        };
        let (of_x, of_t) = (means(&self.x, self.features()), means(&self.t, self.outputs()));
        let centred = |matrix: &Mat<f64>, means: &[f64]| {
            Mat::from_fn(self.samples(), means.len(), |i, j| {
                (matrix[(i, j)] - means[j]) * self.shares[i].sqrt()
            })
        };
        ([centred(&self.x, &of_x), centred(&self.t, &of_t)], [of_x, of_t])
    }
}

impl Coefficients {
    /// Weights, with the bias of least squares for them: that by which the means meet.
    pub(super) fn through_means(weights: Mat<f64>, [of_x, of_t]: &[Vec<f64>; 2]) -> Coefficients {
        let bias = |output: usize| {
            let moved: f64 = of_x.iter().enumerate().map(|(j, mean)| mean * weights[(j, output)]).sum();
            of_t[output] - moved
        };
        Coefficients { bias: (0..of_t.len()).map(bias).collect(), weights }
    }

    /// The same with one matrix \[d + 1, outputs\], the bias below.
    pub(super) fn joined(&self) -> Mat<f64> {
        let features = self.weights.nrows();
        Mat::from_fn(features + 1, self.bias.len(), |j, output| {
            if j < features { self.weights[(j, output)] } else { self.bias[output] }
        })
    }

    /// The inverse of [`joined`](Coefficients::joined).
    pub(super) fn of_joined(joined: &Mat<f64>) -> Coefficients {
        let features = joined.nrows() - 1;
        Coefficients {
            weights: Mat::from_fn(features, joined.ncols(), |j, output| joined[(j, output)]),
            bias: (0..joined.ncols()).map(|output| joined[(features, output)]).collect(),
        }
    }
}
