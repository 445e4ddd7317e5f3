//! Linear fits: `kind = "ridge"` in `[model]`, with settings of their own in place of layers and a loss, and perhaps with fixed
//! features of the samples in place of the samples.

use toml::Table;

use super::keys;
use super::layers::LayerConfig;
use super::values::{integer, single, table_of};
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::layers::{LayerKind, LayerSettings};
use crate::linear::{Linear, LinearKind};
use crate::losses::Loss;
use crate::model::section::{Section, non_negative, positive};

/// The most outputs.
const MOST_OUTPUTS: usize = 1 << 20;

/// The losses of a support vector machine, with and without squares.
const HINGES: [&str; 2] = ["squared-hinge", "hinge"];

/// The key of the features that a fit is linear in.
pub(super) const FEATURES: &str = "features";

/// The features of the samples as they are.
const OWN: &str = "none";

/// Layers without trained parameters whose output a fit may be linear in, each by its name under [`FEATURES`].
const MAPS: [(&str, &str); 2] =
    [("polynomial", "polynomial-features"), ("random-fourier", "random-fourier-features")];

/// A fit, and the layer whose output it is linear in, if that is not the sample itself.
pub(super) type Fit = (Linear, Option<LayerConfig>);

/// The fit of this kind that the table is of.
pub(super) fn read(model: &mut Section, kind: LinearKind) -> Result<Fit> {
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
    let map = read_map(model)?;
    Ok((linear, map))
}

/// The layer in front of a fit, with the keys that it has in a list of layers.
fn read_map(model: &mut Section) -> Result<Option<LayerConfig>> {
    let names: Vec<&str> = [OWN].into_iter().chain(MAPS.map(|(name, _)| name)).collect();
    let name = model.choice(FEATURES, "features", Some(OWN), &names)?;
    let Some(kind) = MAPS.iter().find(|map| map.0 == name).and_then(|map| LayerKind::built_in(map.1)) else {
        return Ok(None);
    };
    let values = keys::read(model, kind.about().2)?;
    Ok(Some(LayerConfig::Of(LayerSettings::with_values(kind, values))))
}

/// The name of a layer under [`FEATURES`], if it is one that a fit may be linear in.
pub(super) fn map_name(map: &LayerConfig) -> Option<&'static str> {
    MAPS.iter().find(|(_, kind)| *kind == map.kind()).map(|map| map.0)
}

/// Whether a key is one of a layer in front of a fit.
pub(super) fn is_of_map(key: &str) -> bool {
    let keys = |kind: &'static LayerKind| kind.about().2.iter().flat_map(|own| own.keys());
    let mut kinds = MAPS.iter().filter_map(|map| LayerKind::built_in(map.1));
    kinds.any(|kind| keys(kind).any(|own| *own == key))
}

/// The table, every value written out, of a fit behind this layer.
pub(super) fn table(linear: &Linear, map: Option<&LayerConfig>) -> Table {
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
    if let Some((settings, name)) = map.and_then(|map| map.settings().zip(map_name(map))) {
        table.insert(FEATURES.into(), name.into());
        table.extend(keys::write(settings.values().known()));
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
