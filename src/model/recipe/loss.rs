//! The loss: `loss = "huber"` in `[model]`, or a table with a `type` and parameters.

use super::super::section::{Section, non_negative, positive, unit_open};
use crate::error::Result;
use crate::losses::Loss;

/// The most classes that a recipe may give weights to: a label is a byte.
const MOST_WEIGHTS: usize = 256;

pub(super) fn read(model: &mut Section) -> Result<Loss> {
    let Some(mut section) = model.named("loss")? else { return Ok(Loss::default()) };
    let loss = match section.choice("type", "loss", None, &Loss::NAMES)? {
        "binary-cross-entropy" => Loss::BinaryCrossEntropy,
        "mean-squared-error" => Loss::MeanSquaredError,
        "mean-absolute-error" => Loss::MeanAbsoluteError,
        "huber" => Loss::Huber { delta: section.single("delta", 1.0, positive())? },
        "hinge" => Loss::Hinge {
            margin: section.single("margin", 1.0, positive())?,
            squared: section.boolean("squared", false)?,
        },
        "kl-divergence" => Loss::KlDivergence,
        "poisson" => Loss::Poisson,
        _ => Loss::CrossEntropy {
            label_smoothing: section.single("label_smoothing", 0.0, unit_open())?,
            class_weights: read_weights(&mut section)?,
        },
    };
    section.finish()?;
    Ok(loss)
}

fn read_weights(section: &mut Section) -> Result<Vec<f32>> {
    let Some(weights) = section.singles("class_weights", MOST_WEIGHTS, non_negative())? else {
        return Ok(Vec::new());
    };
    if weights.iter().all(|&weight| weight == 0.0) {
        let found = if weights.is_empty() { "no weights" } else { "none" };
        return Err(section.setting("class_weights", "a weight for each class, one of them above 0", found));
    }
    Ok(weights)
}
