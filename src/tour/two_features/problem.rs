//! The rows, the loss, and what is known of it without descending.

use crate::data::Samples;
use crate::error::Result;
use crate::init::Init;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::{LayerConfig, Optimizer};
use crate::optim::minimise::{Minimisation, Path};

pub(super) const X: [[f64; 2]; 5] = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]];
pub(super) const Y: [f64; 5] = [1.0, 3.0, 2.0, 4.0, 5.0];
pub(super) const RATE: f64 = 0.01;
/// How close to the closed form is close enough.
pub(super) const CLOSE: f64 = 1e-3;

/// The lowest point of the loss, and the curvatures of the valley.
#[derive(Clone, Copy)]
pub(super) struct Closed {
    pub weights: [f64; 2],
    /// The eigenvalues of XᵀX / n, the larger one first.
    pub curvatures: [f64; 2],
}

pub(super) fn predicted(x: &[f64; 2], w: &[f64]) -> f64 {
    x[0] * w[0] + x[1] * w[1]
}

/// Half the mean of the squared errors, so that the gradient is Xᵀ(X w - y) / n.
pub(super) fn loss(w: &[f64], gradient: &mut [f64]) -> f64 {
    gradient.fill(0.0);
    let n = Y.len() as f64;
    let mut sum = 0.0;
    for (x, y) in X.iter().zip(Y) {
        let off = predicted(x, w) - y;
        sum += off * off / (2.0 * n);
        gradient[0] += off * x[0] / n;
        gradient[1] += off * x[1] / n;
    }
    sum
}

/// The mean over the rows.
fn mean(of: impl Fn(&[f64; 2], f64) -> f64) -> f64 {
    X.iter().zip(Y).map(|(x, y)| of(x, y)).sum::<f64>() / Y.len() as f64
}

/// XᵀX / n: both squares, and the product.
fn moments() -> [f64; 3] {
    [mean(|x, _| x[0] * x[0]), mean(|x, _| x[1] * x[1]), mean(|x, _| x[0] * x[1])]
}

/// The normal equations of two unknowns, and the eigenvalues of their matrix.
pub(super) fn closed_form() -> Closed {
    let [a, d, b] = moments();
    let [p, q] = [mean(|x, y| x[0] * y), mean(|x, y| x[1] * y)];
    let determinant = a * d - b * b;
    let steep = (a + d) / 2.0 + ((a - d).powi(2) / 4.0 + b * b).sqrt();
    Closed {
        weights: [(p * d - b * q) / determinant, (a * q - b * p) / determinant],
        // The product of both is the determinant, which keeps the small one exact.
        curvatures: [steep, determinant / steep],
    }
}

/// How many steps from zero are predicted to come close. The steep direction is done soon; along the flat one, each step
/// leaves 1 - rate · curvature of the distance.
pub(super) fn predicted_steps(closed: &Closed) -> f64 {
    let [a, _, b] = moments();
    let [steep, flat] = closed.curvatures;
    // (b, steep - a) is an eigenvector of the steep direction; the flat one is orthogonal to it.
    let length = b.hypot(steep - a);
    let direction = [(steep - a) / length, -b / length];
    let start = closed.weights[0] * direction[0] + closed.weights[1] * direction[1];
    // The weight that is farther off decides.
    let larger = direction[0].abs().max(direction[1].abs());
    (CLOSE / (start.abs() * larger)).ln() / (1.0 - RATE * flat).ln()
}

/// Minimises from zero.
pub(super) fn descend(
    rule: &str,
    rate: f64,
    steps: usize,
    function: impl Fn(&[f64], &mut [f64]) -> f64,
) -> Result<Path> {
    Optimizer::named(rule)?.rate(rate).minimise(&Minimisation::from([0.0, 0.0]).steps(steps), function)
}

/// How far the worse of two weights is from others.
pub(super) fn distance(point: &[f64], from: [f64; 2]) -> f64 {
    (point[0] - from[0]).abs().max((point[1] - from[1]).abs())
}

/// The first step that comes close; NaN if none does.
pub(super) fn steps_until_close(path: &Path, closed: &Closed) -> f64 {
    let found = path.points.iter().position(|point| distance(point, closed.weights) < CLOSE);
    found.map_or(f64::NAN, |step| step as f64)
}

pub(super) fn samples() -> Result<Samples> {
    let x: Vec<f32> = X.iter().flatten().map(|&x| x as f32).collect();
    Samples::from_rows(x, 2).values(Y.iter().map(|&y| y as f32).collect())
}

/// A dense layer of one unit without a bias, whose weights begin as zeros.
pub(super) fn model(loss: Loss) -> Result<Model> {
    let layer = LayerConfig::named("dense")?.with("units", 1)?.with("bias", false)?;
    Model::sequential(2).layer(layer.with("weight_init", Init::Zeros)?).loss(loss).build()
}
