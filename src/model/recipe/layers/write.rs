//! Layers as TOML, every value written out.

use toml::{Table, Value};

use super::config::{LISTS, LayerConfig};
use crate::model::recipe::keys::{self, activation};
use crate::model::recipe::values::table_of;

/// The table of a layer.
pub(in crate::model::recipe) fn layer_table(layer: &LayerConfig) -> Table {
    let mut table = table_of([("type", layer.kind().into())]);
    match layer {
        LayerConfig::Of(settings) => table.extend(keys::write(settings.values().known())),
        LayerConfig::Residual(block) => {
            let list = |layers: &[LayerConfig]| -> Value {
                layers.iter().map(layer_table).collect::<Vec<Table>>().into()
            };
            table.extend(table_of([
                ("activation", activation::table(block.activation).into()),
                (LISTS[0], list(&block.layers)),
                (LISTS[1], list(&block.shortcut)),
            ]));
        }
    }
    table
}
