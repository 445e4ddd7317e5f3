//! A line between two classes: by logistic regression, and by a support vector machine.

use super::sets::{Points, Set};
use crate::error::Result;
use crate::linear::{Linear, LinearKind};
use crate::model::Model;
use crate::model::recipe::{ALL_SAMPLES, Optimizer};
use crate::optim::schedule::{Curve, Schedule};
use crate::tour::figure::{Layer, Named};
use crate::train::Trainer;

/// The penalty λ on half the squares of the weights.
pub const PENALTY: f64 = 0.01;

/// A line: where w · x + b is 0. A point is of class 1 where it is above.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub weights: [f64; 2],
    pub bias: f64,
}

/// A line that was trained.
#[derive(Clone, Debug)]
pub struct Fit {
    pub line: Line,
    /// On other points.
    pub accuracy: f64,
    /// How far the weights are from the exact ones, in parts of their norm; none where there is no exact method.
    pub distance: Option<f64>,
}

/// Softmax regression of two classes: the difference of the outputs is the logarithm of the odds.
pub fn logistic(penalty: f64) -> Linear {
    Linear { penalty, ..Linear::new(LinearKind::Logistic, 2) }
}

/// A linear support vector machine, with the hinge or with its square.
pub fn svm(penalty: f64, squared: bool) -> Linear {
    Linear { penalty, squared, ..Linear::new(LinearKind::Svm, 2) }
}

/// Trains a line on points, by all of them at once.
pub fn fit(linear: Linear, train: &Points, test: &Points) -> Result<Fit> {
    let samples = train.samples()?;
    let mut model = Model::linear(2, linear)?;
    let trainer = Trainer::new().batch(ALL_SAMPLES).threads(1);
    let trainer = if linear.method().is_some() {
        trainer.optimizer(Optimizer::named("lbfgs")?).epochs(60)
    } else {
        // The hinge has a kink, which searches along lines cannot take; a rate that falls to nothing can.
        let falling = Schedule::of(Curve::Cosine { end_factor: 0.0 });
        trainer.optimizer(Optimizer::named("momentum")?.rate(0.1)).schedule(falling).epochs(4000)
    };
    trainer.fit(&mut model, &samples)?;
    let exact = trainer.exact(&model, &samples)?;
    let accuracy = trainer.evaluate(&model, &test.samples()?)?.accuracy.unwrap_or(f64::NAN);
    Ok(Fit { line: line_of(&model, linear.kind), accuracy, distance: exact.and_then(|exact| exact.distance) })
}

/// The line of a model of two outputs. Those of softmax count by their difference; a machine for class 1 is the second
/// output alone, of which the first is the mirror image.
fn line_of(model: &Model, kind: LinearKind) -> Line {
    let tensors = model.tensors();
    let (weights, bias) = (&tensors[0].values, &tensors[1].values);
    let of = |one: f32, other: f32| match kind {
        LinearKind::Logistic => f64::from(other) - f64::from(one),
        _ => f64::from(other),
    };
    Line { weights: [of(weights[0], weights[2]), of(weights[1], weights[3])], bias: of(bias[0], bias[1]) }
}

impl Line {
    /// w · x + b.
    pub fn at(&self, place: [f64; 2]) -> f64 {
        self.weights[0] * place[0] + self.weights[1] * place[1] + self.bias
    }

    /// s (w · x + b), which is above 0 where the class is right.
    pub fn margin(&self, place: [f64; 2], class: u8) -> f64 {
        if class == 1 { self.at(place) } else { -self.at(place) }
    }

    pub fn norm(&self) -> f64 {
        self.weights[0].hypot(self.weights[1])
    }

    /// The angle between two lines, in degrees.
    pub fn angle(&self, other: &Line) -> f64 {
        let product: f64 = self.weights.iter().zip(other.weights).map(|(a, b)| a * b).sum();
        (product / self.norm() / other.norm()).clamp(-1.0, 1.0).acos().to_degrees()
    }

    /// How far apart two lines are in weights and bias, in parts of the norm of this one's.
    pub fn change(&self, other: &Line) -> f64 {
        let norm = |w: [f64; 2], b: f64| (w[0].powi(2) + w[1].powi(2) + b.powi(2)).sqrt();
        let difference = [0, 1].map(|i| self.weights[i] - other.weights[i]);
        norm(difference, self.bias - other.bias) / norm(self.weights, self.bias)
    }

    /// The points where w · x + b has this height.
    pub fn curve(&self, name: &str, height: f64) -> Layer {
        let square = self.norm().powi(2);
        let foot = self.weights.map(|w| w * (height - self.bias) / square);
        let along = [-self.weights[1] / self.norm(), self.weights[0] / self.norm()];
        let far = [-20.0, 20.0].map(|far| [0, 1].map(|i| foot[i] + far * along[i]));
        Layer::Curve(Named::new(name, far))
    }
}

/// The line in the middle between two centres, which is best for round heaps of one size.
pub fn middle(centres: [[f64; 2]; 2]) -> Line {
    let weights = [0, 1].map(|i| centres[1][i] - centres[0][i]);
    let at_middle: f64 = (0..2).map(|i| weights[i] * (centres[0][i] + centres[1][i]) / 2.0).sum();
    Line { weights, bias: -at_middle }
}

/// What there is to see on the blobs.
pub struct Views {
    pub logistic: Fit,
    pub hinge: Fit,
    pub squared: Fit,
    /// The line in the middle between the true centres, and the part of other points that it gets right.
    pub best: Line,
    pub best_accuracy: f64,
    /// Points that the hinge leaves some loss, or that lie just at the margin.
    pub within: usize,
    /// How much logistic regression and the machine change, if they are fitted again to these points alone.
    pub changes: [f64; 2],
    /// Of other points that logistic regression is 90 % sure of, and of those that it is less sure of, the part that it gets
    /// right; and the mean probability that it gave these.
    pub sure: [f64; 2],
    pub unsure: [f64; 2],
}

impl Views {
    pub fn of(set: &Set, centres: [[f64; 2]; 2]) -> Result<Views> {
        let again = |linear: Linear, points: &Points| fit(linear, points, &set.test);
        let logistic_fit = again(logistic(PENALTY), &set.train)?;
        let hinge = again(svm(PENALTY, false), &set.train)?;
        let squared = again(svm(PENALTY, true), &set.train)?;
        let line = hinge.line;
        let within = set.train.filter(|place, class| line.margin(place, class) < 1.01);
        // The loss is a mean: with fewer points the same penalty would count for less beside it.
        let penalty = PENALTY * set.train.places.len() as f64 / within.places.len() as f64;
        let changes = [
            logistic_fit.line.change(&again(logistic(penalty), &within)?.line),
            line.change(&again(svm(penalty, false), &within)?.line),
        ];
        let best = middle(centres);
        let (sure, unsure) = sureness(&logistic_fit.line, &set.test);
        Ok(Views {
            best_accuracy: accuracy(&best, &set.test),
            best,
            within: within.places.len(),
            changes,
            sure,
            unsure,
            logistic: logistic_fit,
            hinge,
            squared,
        })
    }
}

/// The part of points on the right side.
fn accuracy(line: &Line, points: &Points) -> f64 {
    let right = points.filter(|place, class| line.margin(place, class) > 0.0);
    right.places.len() as f64 / points.places.len() as f64
}

/// The probability of a class by the logarithm of its odds.
pub fn probability(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// Of the points whose more likely class has a probability of 90 % and more, and of the others: the part that is right,
/// and the mean probability.
fn sureness(line: &Line, points: &Points) -> ([f64; 2], [f64; 2]) {
    let of = |is_sure: bool| {
        let given = |place| probability(line.at(place).abs());
        let own = points.filter(|place, _| (given(place) >= 0.9) == is_sure);
        let mean =
            own.places.iter().map(|place| given(place.map(f64::from))).sum::<f64>() / own.places.len() as f64;
        [accuracy(line, &own), mean]
    };
    (of(true), of(false))
}

#[cfg(test)]
mod tests {
    use super::super::sets;
    use super::*;

    /// The mean hinge and the penalty, in f64.
    fn objective(line: &Line, points: &Points) -> f64 {
        let each = points.places.iter().zip(&points.classes);
        let lacking = each.map(|(place, &class)| (1.0 - line.margin(place.map(f64::from), class)).max(0.0));
        lacking.sum::<f64>() / points.places.len() as f64 + PENALTY * line.norm().powi(2) / 2.0
    }

    /// The objective is convex: where no step in any direction leads down by more than a little, there is no lower place
    /// far away either.
    #[test]
    fn the_hinge_has_no_lower_place_near_by() {
        let (set, _) = sets::blobs().unwrap();
        let line = fit(svm(PENALTY, false), &set.train, &set.test).unwrap().line;
        let least = objective(&line, &set.train);
        let [across, around] = [40, 20];
        for (i, j) in (0..across).flat_map(|i| (0..around).map(move |j| (i, j))) {
            // Directions on a sphere.
            let height = -1.0 + 2.0 * (f64::from(i) + 0.5) / f64::from(across);
            let angle = std::f64::consts::TAU * f64::from(j) / f64::from(around);
            let width = (1.0 - height * height).sqrt();
            for length in [0.01, 0.1, 0.5] {
                let weights = [
                    line.weights[0] + length * width * angle.cos(),
                    line.weights[1] + length * width * angle.sin(),
                ];
                let other = Line { weights, bias: line.bias + length * height };
                assert!(objective(&other, &set.train) > least - 1e-6, "{line:?} {other:?}");
            }
        }
    }

    /// The gradient of the mean logarithmic loss and its penalty is nothing at the fitted line.
    #[test]
    fn logistic_regression_is_where_its_gradient_is_nothing() {
        let (set, _) = sets::blobs().unwrap();
        let line = fit(logistic(PENALTY), &set.train, &set.test).unwrap().line;
        let mut gradient = [0.0; 3];
        for (place, &class) in set.train.places.iter().zip(&set.train.classes) {
            let place = place.map(f64::from);
            let off = probability(line.at(place)) - f64::from(class);
            gradient[0] += off * place[0];
            gradient[1] += off * place[1];
            gradient[2] += off;
        }
        // Weights of both classes are penalised; each has half of the difference.
        for (i, sum) in gradient.into_iter().enumerate() {
            let penalty = if i < 2 { PENALTY * line.weights[i] / 2.0 } else { 0.0 };
            let slope = sum / set.train.places.len() as f64 + penalty;
            assert!(slope.abs() < 1e-4, "{i}: {slope}");
        }
    }
}
