//! What the losses give, and what training with them comes to.

#[path = "../common/mod.rs"]
pub mod common;

mod metrics;
mod pytorch;
mod trained;

use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::Override;

/// A digits network with this loss; `loss` as a recipe writes it.
fn recipe(loss: &str, changes: &[&str]) -> Recipe {
    let loss = format!("model.loss={loss}");
    let changes: Vec<Override> =
        [&loss[..]].iter().chain(changes).map(|change| change.parse().unwrap()).collect();
    Recipe::load("digits-mlp", &changes).unwrap()
}
