//! A recipe as TOML, every value written out.

use super::values::typed;
pub(super) use super::values::{initialiser, integer, single, table_of};
use toml::{Table, Value};

use super::layers::LayerConfig;
use super::optimizer::OptimizerConfig;
use super::{
    DataConfig, Held, ModelConfig, Recipe, TrainConfig, augment, average, keys, layers, loss, schedule,
};
use crate::kernels::activation::Activation;

pub(super) fn to_toml(recipe: &Recipe) -> String {
    let mut table = Table::new();
    table.insert("name".into(), recipe.name.as_str().into());
    table.insert("summary".into(), recipe.summary.as_str().into());
    if let Some(target) = recipe.target {
        table.insert("target".into(), target.into());
    }
    table.insert("reproduce".into(), recipe.reproduce.table().into());
    table.insert("data".into(), data(&recipe.data).into());
    table.insert("model".into(), model(&recipe.model).into());
    table.insert("optimizer".into(), optimizer(&recipe.optimizer).into());
    table.insert("schedule".into(), schedule::to_table(&recipe.schedule).into());
    table.insert("train".into(), train(&recipe.train).into());
    let parts = [
        ("augment", augment::table(&recipe.augment)),
        ("gradient", recipe.gradient.table()),
        ("constraint", recipe.constraint.table()),
        ("stop", recipe.stop.table()),
    ];
    for (key, part) in parts {
        if let Some(part) = part {
            table.insert(key.into(), part.into());
        }
    }
    for (key, part) in average::tables(recipe.lookahead, recipe.average) {
        table.insert(key, part.into());
    }
    table.to_string()
}

fn data(data: &DataConfig) -> Table {
    let mut table = table_of([
        ("set", data.set.as_str().into()),
        ("mean", single(data.mean)),
        ("deviation", single(data.deviation)),
        ("seed", integer(data.seed)),
    ]);
    for (key, samples) in [("train_samples", data.train_samples), ("test_samples", data.test_samples)] {
        if let Some(samples) = samples {
            table.insert(key.into(), integer(samples as u64));
        }
    }
    // Without it the scale follows from the type of the data, which the recipe does not know.
    if let Some(scale) = data.scale {
        table.insert("scale".into(), single(scale));
    }
    if let Some(held) = data.validation {
        let value = match held {
            Held::Count(count) => integer(count as u64),
            Held::Part(part) => part.into(),
        };
        table.insert("validation".into(), value);
    }
    table.insert("stratified".into(), data.stratified.into());
    table
}

fn model(model: &ModelConfig) -> Table {
    let layers: Vec<Value> = model.layers.iter().map(|config| layer(config).into()).collect();
    table_of([("loss", loss::write(&model.loss).into()), ("layers", layers.into())])
}

pub(super) fn layer(layer: &LayerConfig) -> Table {
    match layer {
        LayerConfig::Activation(function) => activation(*function),
        LayerConfig::Convolution(config) => {
            layers::convolution(layer.kind(), config, activation(config.activation))
        }
        LayerConfig::ConvolutionTranspose(config) => {
            layers::convolution_transpose(layer.kind(), config, activation(config.activation))
        }
        LayerConfig::Normalisation(config) => layers::normalisation(config, activation(config.activation)),
        LayerConfig::Dropout { rate, channels } => layers::dropout(*rate, *channels),
        LayerConfig::MaxPool(window) | LayerConfig::AveragePool(window) => {
            layers::pool(layer.kind(), *window)
        }
        LayerConfig::Residual(config) => layers::residual(config, activation(config.activation)),
        LayerConfig::SqueezeExcite { reduction } => layers::squeeze_excite(*reduction),
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

fn optimizer(optimizer: &OptimizerConfig) -> Table {
    let mut table =
        table_of([("name", optimizer.name().into()), ("learning_rate", optimizer.learning_rate.into())]);
    table.extend(keys::write(optimizer.values()));
    table
}

fn train(train: &TrainConfig) -> Table {
    table_of([
        ("epochs", integer(train.epochs as u64)),
        ("batch", if train.takes_all() { "all".into() } else { integer(train.batch as u64) }),
        ("accumulate", integer(train.accumulate as u64)),
        ("seed", integer(train.seed)),
        ("shuffle", train.shuffle.into()),
    ])
}
