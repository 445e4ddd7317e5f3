//! The recipe for a table of which nothing else is said.

use toml::{Table, Value};

use super::data::table::TableConfig;

/// What the recipe for a table depends on.
#[derive(Clone, Copy, Debug)]
pub struct TableFacts {
    /// Rows to train on.
    pub rows: usize,
    /// Classes of the target; none where it is of values.
    pub classes: Option<usize>,
    /// Values of the target where it is of values.
    pub values: usize,
}

/// The text of a recipe that is sensible for a table: two hidden layers, Adam with weight decay and a learning rate that
/// falls to 0, and some thousands of steps.
pub fn of_table(name: &str, config: &TableConfig, facts: TableFacts) -> String {
    let (outputs, loss) = match facts.classes {
        Some(classes) => (classes, "cross-entropy"),
        None => (facts.values, "mean-squared-error"),
    };
    // Small tables need all the steps that they can get; large ones have them in a few epochs.
    let batch = match facts.rows {
        0..=2_000 => 32,
        2_001..=20_000 => 64,
        20_001..=200_000 => 256,
        _ => 1024,
    };
    let steps = facts.rows.div_ceil(batch);
    let epochs = STEPS.div_ceil(steps).clamp(FEWEST_EPOCHS, MOST_EPOCHS);
    let mut data = Table::new();
    config.write(&mut data);
    let table = |entries: Vec<(&str, Value)>| -> Value {
        Value::Table(entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
    };
    let dense = |units: usize, activation: Option<&str>| {
        let mut layer = vec![("type", "dense".into()), ("units", (units as i64).into())];
        layer.extend(activation.map(|name| ("activation", name.into())));
        table(layer)
    };
    // Classes of a table are seldom told apart without error: dropout keeps a network from learning its training rows by
    // heart, at the price of numbers that it meets less exactly.
    let dropout = table(vec![("type", "dropout".into()), ("rate", DROPOUT.into())]);
    let layers = match facts.classes {
        Some(_) => {
            let hidden = || dense(2 * HIDDEN, Some("relu"));
            vec![hidden(), dropout.clone(), hidden(), dropout, dense(outputs, None)]
        }
        None => vec![dense(HIDDEN, Some("relu")), dense(HIDDEN, Some("relu")), dense(outputs, None)],
    };
    let recipe = vec![
        ("name", name.into()),
        ("data", Value::Table(data)),
        ("model", table(vec![("loss", loss.into()), ("layers", Value::Array(layers))])),
        (
            "optimizer",
            table(vec![
                ("name", "adamw".into()),
                ("learning_rate", 0.001.into()),
                ("weight_decay", 0.01.into()),
            ]),
        ),
        ("schedule", table(vec![("name", "cosine".into())])),
        ("train", table(vec![("epochs", (epochs as i64).into()), ("batch", (batch as i64).into())])),
    ];
    table(recipe).as_table().map(Table::to_string).unwrap_or_default()
}

/// Features of a hidden layer.
const HIDDEN: usize = 64;

/// The part of them that dropout drops, where there is dropout.
const DROPOUT: f64 = 0.4;

/// Steps of a training, as near as whole epochs come to them.
const STEPS: usize = 3_000;
const FEWEST_EPOCHS: usize = 10;
const MOST_EPOCHS: usize = 500;
