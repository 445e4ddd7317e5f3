//! The kind of a model: a network, a linear fit or k-means, of which the last two have settings of their own in place of
//! layers and a loss.

use toml::Table;

use super::layers::LayerConfig;
use super::values::{integer, table_of};
use crate::clustering::KMeans;
use crate::error::Result;
use crate::init::Init;
use crate::linear::LinearKind;
use crate::model::section::Section;

/// The kind of a model of layers.
const NETWORK: &str = "network";

/// What a `[model]` table is of.
pub(super) enum Kind {
    Network,
    Linear(LinearKind),
    KMeans,
}

/// The kind that the table is of; a network where it says none. What a network has and another kind has not is refused.
pub(super) fn read(model: &mut Section) -> Result<Kind> {
    let linear = LinearKind::ALL.map(LinearKind::name);
    let names: Vec<&str> = [NETWORK].into_iter().chain(linear).chain([KMeans::NAME]).collect();
    let name = model.choice("kind", "model", Some(NETWORK), &names)?;
    if name == NETWORK {
        return Ok(Kind::Network);
    }
    let kind = LinearKind::ALL.into_iter().find(|kind| kind.name() == name);
    for key in ["layers", "loss"] {
        if model.has(key) && !(key == "loss" && kind == Some(LinearKind::Svm)) {
            let expected = format!("none with `kind = \"{name}\"`, which has its own");
            return Err(model.setting(key, &expected, "one"));
        }
    }
    Ok(kind.map_or(Kind::KMeans, Kind::Linear))
}

pub(super) fn read_k_means(model: &mut Section) -> Result<KMeans> {
    Ok(KMeans::new(model.required_integer("clusters", 1, KMeans::MOST_CLUSTERS)?))
}

/// The table, every value written out.
pub(super) fn k_means_table(KMeans { clusters }: KMeans) -> Table {
    table_of([("kind", KMeans::NAME.into()), ("clusters", integer(clusters as u64))])
}

/// The layer.
pub(super) fn layer_of_k_means(KMeans { clusters }: KMeans) -> LayerConfig {
    let layer = LayerConfig::squared_distances(clusters).with("weight_init", Init::Zeros);
    layer.unwrap_or_else(|error| unreachable!("centres have initial values: {error}"))
}
