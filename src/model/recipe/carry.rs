//! What states that are carried from batch to batch do not go with.

use super::checks::{Misfit, refused};
use super::config::Recipe;
use super::data::DataConfig;
use super::layers::find_layer;
use crate::data::text::Form;
use crate::error::Result;
use crate::hyper::HyperValue;
use crate::layers::LayerSettings;

/// Refuses what does not go with `train.carry_state`, where a recipe has it. What is refused at reading, too, for recipes that
/// were not read.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) with the key.
pub fn check_carried(recipe: &Recipe) -> Result<()> {
    recipe.beside_carrying().map_or(Ok(()), |misfit| Err(refused(recipe, misfit)))
}

impl Recipe {
    /// What does not go with states that are carried, if they are.
    pub(super) fn beside_carrying(&self) -> Option<Misfit> {
        let Recipe { train, optimizer, augment, .. } = self;
        if !train.carry_state {
            return None;
        }
        let with = |what: &str| format!("{what} with `train.carry_state`");
        if train.shuffle {
            let expected = with("false") + ", whose samples follow each other";
            return Some(("train.shuffle", expected, "true".into()));
        }
        if let Some(steps) = train.steps_per_epoch {
            let expected = with("none") + ", whose epochs go through the whole stream";
            return Some(("train.steps_per_epoch", expected, steps.to_string()));
        }
        if optimizer.kind().full_batch {
            let expected =
                with("a rule for batches") + ", of which each goes on where the one before has ended";
            return Some(("optimizer.name", expected, format!("`{}`", optimizer.name())));
        }
        if train.takes_all() {
            let expected = with("a number of rows") + ", each of which goes through a part of the stream";
            return Some(("train.batch", expected, "\"all\"".into()));
        }
        if train.buckets {
            let expected = with("false") + ", whose samples follow each other";
            return Some(("train.buckets", expected, "true".into()));
        }
        if !augment.is_off() {
            return Some(("augment", with("none"), "one".into()));
        }
        let both_ways = |layer: &LayerSettings| {
            matches!(layer.values().get("bidirectional"), Some(HyperValue::Choice(true)))
        };
        if let Some(layer) = find_layer(&self.model.layers, both_ways) {
            let expected =
                with("no bidirectional layer") + ": its second direction comes from what lies ahead";
            return Some(("model.layers", expected, format!("a bidirectional `{}`", layer.kind().name())));
        }
        no_stream(&self.data).map(|(key, expected, found)| (key, with(&expected), found))
    }
}

/// What makes samples that do not follow each other. Whether those of a program or a folder do is for their owner to know.
fn no_stream(data: &DataConfig) -> Option<Misfit> {
    if let Some(text) = &data.text {
        return match text.setup.form {
            Form::Stream { context, stride } => (stride != context).then(|| {
                ("data.stride", format!("{context}, as long as `data.context`,"), stride.to_string())
            }),
            Form::Lines { .. } => Some(("data.form", "\"stream\"".into(), "\"lines\"".into())),
        };
    }
    if let Some(table) = &data.table {
        let windows = table.setup.windows.as_ref();
        let Some(windows) = windows else {
            return Some(("data.window", "windows of a series".into(), "none".into()));
        };
        return (windows.step != windows.window).then(|| {
            let expected = format!("{}, as long as `data.window`,", windows.window);
            ("data.step", expected, windows.step.to_string())
        });
    }
    (data.set != "folder").then(|| {
        let expected = "a stream: a text, or windows of a series,".to_string();
        ("data.set", expected, format!("`{}`", data.set))
    })
}
