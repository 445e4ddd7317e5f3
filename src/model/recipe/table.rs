//! The recipe for a table of which nothing else is said.

use toml::{Table, Value};

use super::data::table::TableConfig;
use crate::clustering::KMeans;

/// What the recipe for a table depends on.
#[derive(Clone, Copy, Debug)]
pub struct TableFacts<'a> {
    /// Rows to train on.
    pub rows: usize,
    /// Classes of the target; none where it is of values.
    pub classes: Option<usize>,
    /// Values of the target where it is of values.
    pub values: usize,
    /// Whether columns are embedded.
    pub embeds: bool,
    /// The kind of the model, where it is to be no network.
    pub kind: Option<&'a str>,
}

/// The text of a recipe that is sensible for a table. For a network: two hidden layers, Adam with weight decay and a
/// learning rate that falls to 0, and some thousands of steps. For a linear fit: steps of all samples, by L-BFGS where the
/// objective is smooth. For k-means: steps of a rate that does not depend on the scale of the features, and that falls to 0.
pub fn of_table(name: &str, config: &TableConfig, facts: TableFacts) -> String {
    let mut data = Table::new();
    config.write(&mut data);
    let mut recipe = vec![("name", name.into()), ("data", Value::Table(data))];
    recipe.extend(match facts.kind {
        None => network(facts),
        Some(KMeans::NAME) => k_means(facts),
        Some(kind) => linear(kind, facts.classes.unwrap_or(facts.values)),
    });
    table(recipe).to_string()
}

fn network(facts: TableFacts) -> Vec<(&'static str, Value)> {
    let first = if facts.embeds { vec![layer("embedding", Vec::new())] } else { Vec::new() };
    let (model, decay) = match facts.classes {
        // Classes of a table are seldom told apart without error: dropout keeps a network from learning its training rows
        // by heart, at the price of numbers that it meets less exactly.
        Some(classes) => {
            let dropout = layer("dropout", vec![("rate", DROPOUT.into())]);
            let hidden = || dense(2 * HIDDEN, true);
            let layers = vec![hidden(), dropout.clone(), hidden(), dropout, dense(classes, false)];
            let layers = [first, layers].concat();
            (vec![("loss", "cross-entropy".into()), ("layers", layers.into())], DECAY)
        }
        // Without dropout weights are held back the more.
        None => {
            let layers = vec![dense(HIDDEN, true), dense(HIDDEN, true), dense(facts.values, false)];
            let layers = [first, layers].concat();
            (vec![("loss", "mean-squared-error".into()), ("layers", layers.into())], 100.0 * DECAY)
        }
    };
    // Small tables need all the steps that they can get; large ones have them in a few epochs.
    let batch = match facts.rows {
        0..=2_000 => 32,
        2_001..=20_000 => 64,
        20_001..=200_000 => 256,
        _ => 1024,
    };
    let steps = facts.rows.div_ceil(batch as usize);
    let epochs = STEPS.div_ceil(steps).clamp(FEWEST_EPOCHS, MOST_EPOCHS) as i64;
    let optimizer =
        vec![("name", "adamw".into()), ("learning_rate", 0.001.into()), ("weight_decay", decay.into())];
    vec![
        ("model", table(model).into()),
        ("optimizer", table(optimizer).into()),
        ("schedule", table(vec![("name", "cosine".into())]).into()),
        ("train", table(vec![("epochs", epochs.into()), ("batch", batch.into())]).into()),
    ]
}

fn linear(kind: &str, outputs: usize) -> Vec<(&'static str, Value)> {
    let model = vec![("kind", kind.into()), ("outputs", (outputs as i64).into())];
    // A penalty with corners takes a proximal step, which goes with a gradient's own direction alone.
    let (optimizer, epochs) = match kind {
        "lasso" => (vec![("name", "momentum".into()), ("learning_rate", 0.05.into())], 2_000),
        _ => (vec![("name", "lbfgs".into())], 100),
    };
    vec![
        ("model", table(model).into()),
        ("optimizer", table(optimizer).into()),
        ("train", table(vec![("epochs", epochs.into()), ("batch", "all".into())]).into()),
    ]
}

/// The second derivative by a centre is 2 p, for the part p of a batch that is nearest to it: with a rate of 0.5 a step takes
/// a centre the part p of the way to the mean of its samples, whatever the features are measured in.
fn k_means(facts: TableFacts) -> Vec<(&'static str, Value)> {
    // As many as there are classes to compare with.
    let clusters = facts.classes.unwrap_or(CLUSTERS);
    let model = vec![("kind", KMeans::NAME.into()), ("clusters", (clusters as i64).into())];
    let optimizer = vec![("name", "sgd".into()), ("learning_rate", 0.5.into())];
    let steps = facts.rows.div_ceil(CLUSTERED);
    let epochs = CLUSTERING_STEPS.div_ceil(steps).clamp(FEWEST_EPOCHS, MOST_CLUSTERING_EPOCHS) as i64;
    vec![
        ("model", table(model).into()),
        ("optimizer", table(optimizer).into()),
        ("schedule", table(vec![("name", "cosine".into())]).into()),
        ("train", table(vec![("epochs", epochs.into()), ("batch", (CLUSTERED as i64).into())]).into()),
    ]
}

fn table(entries: Vec<(&str, Value)>) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

fn layer(kind: &str, settings: Vec<(&str, Value)>) -> Value {
    table([vec![("type", kind.into())], settings].concat()).into()
}

fn dense(units: usize, is_hidden: bool) -> Value {
    let mut settings = vec![("units", Value::from(units as i64))];
    settings.extend(is_hidden.then(|| ("activation", "relu".into())));
    layer("dense", settings)
}

/// Features of a hidden layer.
const HIDDEN: usize = 64;

/// The part of them that dropout drops, where there is dropout, and the weight decay then.
const DROPOUT: f64 = 0.4;
const DECAY: f64 = 0.01;

/// Steps of a training, as near as whole epochs come to them.
const STEPS: usize = 3_000;
const FEWEST_EPOCHS: usize = 10;
const MOST_EPOCHS: usize = 500;

/// Clusters where nothing is said of them, the samples of a step, and how many steps there are, as near as whole epochs
/// come to them.
const CLUSTERS: usize = 8;
const CLUSTERED: usize = 256;
const CLUSTERING_STEPS: usize = 3_000;
const MOST_CLUSTERING_EPOCHS: usize = 1_000;
