//! Linear fits: `kind = "ridge"` in `[model]`, with settings of their own in place of layers and a loss.

use toml::Table;

use super::layers::LayerConfig;
use super::values::{integer, single, table_of};
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::linear::{Linear, LinearKind};
use crate::losses::Loss;
use crate::model::section::{Section, non_negative, positive};

/// The most outputs.
const MOST_OUTPUTS: usize = 1 << 20;

/// The losses of a support vector machine, with and without squares.
const HINGES: [&str; 2] = ["squared-hinge", "hinge"];

/// The fit of this kind that the table is of.
pub(super) fn read(model: &mut Section, kind: LinearKind) -> Result<Linear> {
    let outputs = if kind.is_of_classes() {
        model.required_integer("outputs", 2, MOST_OUTPUTS)?
    } else {
        model.integer("outputs", 1, 1, MOST_OUTPUTS)?
    };
    let mut linear = Linear::new(kind, outputs);
    if kind.is_penalised() {
        // It is rounded where it trains.
        linear.penalty = model.number("penalty", linear.penalty, non_negative())?;
    }
    if kind == LinearKind::Huber {
        linear.delta = model.single("delta", linear.delta, positive())?;
    }
    if kind == LinearKind::Svm {
        linear.squared = model.choice("loss", "svm loss", Some(HINGES[0]), &HINGES)? == HINGES[0];
    }
    Ok(linear)
}

/// The table, every value written out.
pub(super) fn table(linear: &Linear) -> Table {
    let Linear { kind, outputs, penalty, delta, squared } = *linear;
    let mut table = table_of([("kind", kind.name().into()), ("outputs", integer(outputs as u64))]);
    if kind.is_penalised() {
        table.insert("penalty".into(), penalty.into());
    }
    if kind == LinearKind::Huber {
        table.insert("delta".into(), single(delta));
    }
    if kind == LinearKind::Svm {
        table.insert("loss".into(), HINGES[usize::from(!squared)].into());
    }
    table
}

/// The layer. From weights of 0 descent on squares of fewer samples than features comes to the solution of the least
/// norm.
pub(super) fn layer(linear: &Linear) -> LayerConfig {
    let layer = LayerConfig::dense(linear.outputs, Activation::IDENTITY).with("weight_init", Init::Zeros);
    layer.unwrap_or_else(|error| unreachable!("a dense layer has initial weights: {error}"))
}

/// The loss.
pub(super) fn loss(linear: &Linear) -> Loss {
    match linear.kind {
        LinearKind::Linear | LinearKind::Ridge | LinearKind::Lasso => Loss::MEAN_SQUARED_ERROR,
        LinearKind::Logistic => Loss::cross_entropy(),
        LinearKind::Svm => Loss::binary_hinge(linear.squared),
        LinearKind::Huber => Loss::huber(linear.delta),
    }
}
