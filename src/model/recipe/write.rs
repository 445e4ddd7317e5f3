//! A recipe as TOML, every value written out.

use toml::Table;

use super::config::Recipe;
use super::{augment, average, schedule};

/// The text.
pub(super) fn to_toml(recipe: &Recipe) -> String {
    let mut table = Table::new();
    table.insert("name".into(), recipe.name.as_str().into());
    table.insert("summary".into(), recipe.summary.as_str().into());
    if let Some(target) = recipe.target {
        table.insert("target".into(), target.into());
    }
    if let Some(loss) = recipe.target_loss {
        table.insert("target_loss".into(), loss.into());
    }
    table.insert("reproduce".into(), recipe.reproduce.table().into());
    table.insert("data".into(), recipe.data.table().into());
    table.insert("model".into(), recipe.model.table().into());
    table.insert("optimizer".into(), recipe.optimizer.table().into());
    table.insert("schedule".into(), schedule::to_table(&recipe.schedule).into());
    table.insert("train".into(), recipe.train.table().into());
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
