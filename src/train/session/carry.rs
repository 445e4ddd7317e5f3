//! What a training needs whose rows go on with the states that the batch before has left.

use crate::data::Samples;
use crate::model::recipe::check_carried;
use crate::model::{Model, Recipe};
use crate::{Error, Result};

/// Refuses a training that is to carry states and can't: of these samples, in their order.
///
/// # Errors
/// [`Error::Setting`] with the key; [`Error::Mismatch`] for samples of which one does not begin where the one before it ends.
pub(super) fn check(model: &Model, samples: &Samples, subset: Option<&[u32]>, recipe: &Recipe) -> Result<()> {
    if !recipe.train.carry_state {
        return Ok(());
    }
    check_network(model, recipe)?;
    let width = samples.features_per_sample();
    if samples.step() != width {
        let (what, found) = ("windows of a stream".into(), format!("a distance of {}", samples.step()));
        let expected = format!("a distance of {width}, side by side, with `train.carry_state`");
        return Err(Error::Mismatch { what, expected, found });
    }
    let windows = samples.encoder().and_then(|encoder| encoder.windows.as_ref());
    let [height, width, _] = samples.shape();
    if let Some(windows) = windows.filter(|windows| height * width > 1 && height * width != windows.window) {
        return Err(Error::Mismatch {
            what: "positions of a window".into(),
            expected: format!(
                "{}, with `train.carry_state`: those of the rows to come, of which something is known (a date, `data.known`), come \
                 again in the next window",
                windows.window
            ),
            found: (height * width).to_string(),
        });
    }
    let follows = |pair: &[u32]| pair[0] + 1 == pair[1];
    if subset.is_some_and(|subset| !subset.windows(2).all(follows)) {
        return Err(Error::Mismatch {
            what: "samples to train on".into(),
            expected: "samples that follow each other, with `train.carry_state`".into(),
            found: "some of which the next one is set aside".into(),
        });
    }
    let (all, train) = (subset.map_or(samples.len(), <[u32]>::len), &recipe.train);
    if train.batch.saturating_mul(train.accumulate) <= all / 2 {
        return Ok(());
    }
    let expected = format!(
        "at most {} rows, times `accumulate`, with `train.carry_state`: half of the {all} samples, so that each row has one to go on with",
        all / 2
    );
    let several = if train.accumulate > 1 { format!("{} x ", train.accumulate) } else { String::new() };
    Err(refused(recipe, "train.batch", expected, format!("{several}{}", train.batch)))
}

/// Refuses a recipe, or a network, that can't carry states, whatever the samples are.
///
/// # Errors
/// [`Error::Setting`] with the key.
pub(super) fn check_network(model: &Model, recipe: &Recipe) -> Result<()> {
    if !recipe.train.carry_state {
        return Ok(());
    }
    check_carried(recipe)?;
    let layers = model.layers();
    if let Some(norm) = layers.iter().find(|placed| placed.layer.as_batch_norm().is_some()) {
        // Its rows go through some layers twice.
        let expected = "no normalisation by batch with `train.carry_state`";
        return Err(refused(recipe, "model.layers", expected.into(), norm.layer.kind()));
    }
    if layers.iter().all(|placed| placed.layer.carried_len() == 0) {
        let expected = "a recurrent layer of one direction with `train.carry_state`";
        return Err(refused(recipe, "model.layers", expected.into(), "none".into()));
    }
    Ok(())
}

fn refused(recipe: &Recipe, key: &str, expected: String, found: String) -> Error {
    Error::Setting { place: format!("recipe {}", recipe.name), key: key.into(), expected, found }
}
