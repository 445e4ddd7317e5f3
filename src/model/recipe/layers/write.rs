//! Layers as TOML, every value written out.

use toml::Table;

use super::{LayerConfig, convolution, dropout, normalisation, pool, residual, squeeze_excite};
use crate::kernels::activation::Activation;
use crate::model::recipe::keys;
use crate::model::recipe::values::{initialiser, integer, table_of, typed};

/// The table of a layer.
pub(in crate::model::recipe) fn layer(layer: &LayerConfig) -> Table {
    match layer {
        LayerConfig::Activation(function) => activation(*function),
        LayerConfig::Convolution(config) => convolution(layer.kind(), config, activation(config.activation)),
        LayerConfig::Normalisation(config) => normalisation(config, activation(config.activation)),
        LayerConfig::Dropout { rate, channels } => dropout(*rate, *channels),
        LayerConfig::MaxPool(window) | LayerConfig::AveragePool(window) => pool(layer.kind(), *window),
        LayerConfig::Residual(config) => residual(config, activation(config.activation)),
        LayerConfig::SqueezeExcite { reduction } => squeeze_excite(*reduction),
        LayerConfig::Of(settings) => {
            let mut table = table_of([("type", layer.kind().into())]);
            table.extend(keys::write(settings.values()));
            table
        }
        LayerConfig::GlobalAveragePool | LayerConfig::Flatten => table_of([("type", layer.kind().into())]),
        LayerConfig::Dense { units, activation: function, weight_init, bias_init, bias, weight_norm } => {
            let mut table = table_of([
                ("type", "dense".into()),
                ("units", integer(*units as u64)),
                ("activation", activation(*function).into()),
                ("weight_init", initialiser(weight_init).into()),
                ("bias", (*bias).into()),
                ("weight_norm", (*weight_norm).into()),
            ]);
            if *bias {
                table.insert("bias_init".into(), initialiser(bias_init).into());
            }
            table
        }
    }
}

fn activation(activation: Activation) -> Table {
    typed(activation.name(), activation.parameter())
}
