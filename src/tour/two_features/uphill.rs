//! Steps that go up: by the wrong sign of the gradient, and by a rate that is too large. And who notices.

use super::super::record::Finding;
use super::problem::{RATE, descend, loss, model, samples};
use crate::error::{Error, Result};
use crate::losses::{ElementwiseLoss, Loss, LossFunction, LossKind};
use crate::model::recipe::{ALL_SAMPLES, Optimizer};
use crate::optim::full_batch::Ended;
use crate::optim::minimise::Path;
use crate::train::{Divergence, Trainer};

/// Above 2 over the larger curvature.
pub(super) const TOO_LARGE: f64 = 0.05;
/// A part of the rate at which right steps go down, and wrong ones up all the same.
const SMALLER: f64 = RATE / 10.0;
/// More steps than numbers of single precision stay finite for.
const MANY: usize = 1000;
/// Epochs of a training that ends before that.
const FEW: usize = 20;

/// The squared error with a derivative of the wrong sign: the mistake of whoever writes a loss by hand.
#[derive(Clone, Copy)]
struct WrongSign;

impl ElementwiseLoss for WrongSign {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        (d * d, -2.0 * d)
    }
}

static WRONG_SIGN: LossKind = LossKind::new("wrong-sign", |_| LossFunction::elementwise(WrongSign));

/// The runs.
pub(super) struct Uphill {
    pub wrong: Path,
    pub too_large: Path,
    /// The wrong sign, and the right one, at a smaller rate.
    smaller: [Path; 2],
    /// What the record of a short training says of itself.
    short: Option<Divergence>,
    /// What a long training ends with.
    long: Option<Error>,
}

impl Uphill {
    pub fn run() -> Result<Uphill> {
        let (short, _) = train(FEW)?;
        let (_, long) = train(MANY)?;
        Ok(Uphill {
            wrong: descend("sgd", RATE, MANY, reversed)?,
            too_large: descend("sgd", TOO_LARGE, MANY, loss)?,
            smaller: [descend("sgd", SMALLER, 10, reversed)?, descend("sgd", SMALLER, 10, loss)?],
            short,
            long,
        })
    }

    pub fn note(&self, finding: &mut Finding) {
        let finite =
            |path: &Path| if path.ended == Some(Ended::NotFinite) { last_step(path) } else { f64::NAN };
        let short = |of: fn(&Divergence) -> Option<f64>| self.short.as_ref().and_then(of).unwrap_or(f64::NAN);
        let long = match &self.long {
            Some(Error::Diverged { step, .. }) => *step as f64,
            _ => f64::NAN,
        };
        let [wrong, right] = &self.smaller;
        for (name, value) in [
            ("wrong_loss_after_10", self.wrong.values[10]),
            ("wrong_steps_until_not_finite", finite(&self.wrong)),
            ("wrong_smaller_rate_loss_after_10", wrong.value()),
            ("right_smaller_rate_loss_after_10", right.value()),
            ("wrong_training_loss", short(|of| Some(of.value))),
            ("wrong_training_first_loss", short(|of| of.first)),
            ("wrong_training_steps_until_not_finite", long),
            ("too_large_loss_after_10", self.too_large.values[10]),
            ("too_large_steps_until_not_finite", finite(&self.too_large)),
        ] {
            finding.note(name, value);
        }
    }

    pub fn text(&self, found: &Finding) -> Vec<String> {
        let of = |name: &str| found.number(name);
        let what = self.short.as_ref().map_or("nothing", |of| of.what.as_str());
        let long = self.long.as_ref().map_or("nothing".into(), Error::to_string);
        vec![
            format!(
                "And with the wrong sign of the gradient? Each step goes up: after ten the loss is {:.1e}, where the right sign \
                 has {:.3}. A rate that is too large, {TOO_LARGE}, looks much the same: {:.1e}. Both runs end themselves when \
                 their numbers are no longer finite, after {:.0} and {:.0} steps. Which of the two is it? Take a tenth of the \
                 rate: the right sign then goes down from {:.2} to {:.2} in ten steps, the wrong one still goes up, to {:.0}.",
                of("wrong_loss_after_10"),
                of("loss_after_10"),
                of("too_large_loss_after_10"),
                of("wrong_steps_until_not_finite"),
                of("too_large_steps_until_not_finite"),
                of("loss_at_start"),
                of("right_smaller_rate_loss_after_10"),
                of("wrong_smaller_rate_loss_after_10")
            ),
            format!(
                "A training notices as well. Here its loss is a squared error with a derivative of the wrong sign. After {FEW} \
                 epochs the record says that it has diverged: {what} is {:.1e}, above the {:.0} of the first step. A longer one \
                 stops with an error, \"{long}\". The advice is for the usual cause; a loss of one's own is best tried before \
                 with `fallline::testing::check_loss`, which compares its derivative with differences of its value.",
                of("wrong_training_loss"),
                of("wrong_training_first_loss")
            ),
        ]
    }
}

/// The loss with a gradient of the wrong sign.
pub(super) fn reversed(w: &[f64], gradient: &mut [f64]) -> f64 {
    let value = loss(w, gradient);
    gradient.iter_mut().for_each(|g| *g = -*g);
    value
}

fn last_step(path: &Path) -> f64 {
    (path.points.len() - 1) as f64
}

/// Trains with the wrong sign: what its record says of a failure, or the error that it ends with.
fn train(epochs: usize) -> Result<(Option<Divergence>, Option<Error>)> {
    // The mean of the squares has twice the gradient of half of it.
    let trainer =
        Trainer::new().optimizer(Optimizer::sgd(RATE / 2.0)).batch(ALL_SAMPLES).epochs(epochs).threads(1);
    match trainer.fit(&mut model(Loss::of(&WRONG_SIGN))?, &samples()?) {
        Ok(record) => Ok((record.diverged, None)),
        Err(error @ Error::Diverged { .. }) => Ok((None, Some(error))),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::problem::{Y, closed_form};
    use super::*;

    #[test]
    fn what_goes_up_is_noticed_and_named() {
        let uphill = Uphill::run().unwrap();
        let mut found = Finding::default();
        uphill.note(&mut found);
        let of = |name: &str| found.number(name);
        // The factors of the steep direction: 1 + rate · curvature each step up, and |1 - rate · curvature|.
        let [steep, _] = closed_form().curvatures;
        let overflow = f64::from(f32::MAX).ln();
        for (name, factor) in [
            ("wrong", 1.0 + RATE * steep),
            ("too_large", TOO_LARGE * steep - 1.0),
            ("wrong_training", 1.0 + RATE * steep),
        ] {
            let steps = of(&format!("{name}_steps_until_not_finite"));
            // The square of an error may leave the range of f32 first, at half as many steps.
            let most = 1.1 * overflow / factor.ln();
            assert!((0.4 * most..most).contains(&steps), "{name}: {steps}, at most {most}");
        }
        let first = Y.iter().map(|y| y * y).sum::<f64>() / 5.0;
        assert!(
            (of("wrong_training_first_loss") - first).abs() < 1e-5,
            "{}",
            of("wrong_training_first_loss")
        );
        assert!(of("wrong_training_loss") > 100.0 * first);
        // As the text tells both causes apart.
        let start = first / 2.0;
        assert!(
            of("right_smaller_rate_loss_after_10") < start && start < of("wrong_smaller_rate_loss_after_10")
        );
        assert!(of("too_large_loss_after_10") > 1e3 * start && of("wrong_loss_after_10") > 1e3 * start);
        let short = uphill.short.as_ref().unwrap();
        assert_eq!((short.what.as_str(), short.epoch), ("the mean training loss", FEW));
        assert!(uphill.long.as_ref().unwrap().to_string().contains("diverged"));
    }
}
