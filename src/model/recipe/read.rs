//! A recipe out of its outermost table.

use super::config::Recipe;
use super::constraint::ConstraintConfig;
use super::data::DataConfig;
use super::gradient::GradientConfig;
use super::network::ModelConfig;
use super::optimizer::{Optimizer, OptimizerKind};
use super::reproduce::ReproduceConfig;
use super::stop::StopConfig;
use super::train::TrainConfig;
use super::{augment, average, checks, schedule};
use crate::error::Result;
use crate::model::section::{Section, finite, shortened, unit};

impl Recipe {
    /// `own` is an update rule that need not be registered to be known.
    pub(super) fn read(mut root: Section, own: Option<&'static OptimizerKind>) -> Result<Recipe> {
        let (name, summary) = (read_name(&mut root)?, read_summary(&mut root)?);
        let target = root.optional_number("target", unit())?;
        let target_loss = read_target_loss(&mut root, target.is_some())?;
        let reproduce = ReproduceConfig::read(root.table("reproduce")?)?;
        let mut data = DataConfig::read(root.table("data")?)?;
        let augment = augment::read(root.table("augment")?)?;
        let model = ModelConfig::read(root.table("model")?)?;
        if let Some(table) = &mut data.table {
            table.setup.unsupervised = model.k_means.is_some();
            if let Some(windows) = &mut table.setup.windows {
                windows.sequence = model.reads_positions();
            }
        }
        let optimizer = Optimizer::read(root.table("optimizer")?, own)?;
        let train = TrainConfig::read(root.table("train")?, optimizer.kind().full_batch)?;
        // Whether a schedule can be followed depends on the optimizer and the length of the run.
        let schedule = schedule::read(root.table("schedule")?, &optimizer, train.epochs)?;
        let gradient = GradientConfig::read(root.table("gradient")?)?;
        let constraint = ConstraintConfig::read(root.table("constraint")?)?;
        let lookahead = average::read_lookahead(&mut root)?;
        let average = average::read_average(&mut root, train.epochs)?;
        let stop = StopConfig::read(root.table("stop")?)?;
        let mut recipe = Recipe {
            name,
            summary,
            data,
            augment,
            model,
            optimizer,
            schedule,
            train,
            gradient,
            constraint,
            lookahead,
            average,
            stop,
            target,
            target_loss,
            reproduce,
        };
        recipe.embed_by_default();
        checks::check(&root, &recipe)?;
        root.finish()?;
        Ok(recipe)
    }
}

fn read_name(root: &mut Section) -> Result<String> {
    let expected = "a name of at most 64 letters, digits and -_.";
    let name = root.text("name", expected)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        return Err(root.setting("name", expected, &format!("\"{}\"", shortened(&name))));
    }
    Ok(name)
}

/// A recipe is judged by one number: two verdicts could contradict each other.
fn read_target_loss(root: &mut Section, has_target: bool) -> Result<Option<f64>> {
    let loss = root.optional_number("target_loss", finite())?;
    if loss.is_some() && has_target {
        return Err(root.setting("target_loss", "none beside `target`: one number to judge by", "one"));
    }
    Ok(loss)
}

fn read_summary(root: &mut Section) -> Result<String> {
    let summary = root.text_or("summary", "")?;
    if summary.chars().count() > 200 || summary.chars().any(char::is_control) {
        return Err(root.setting("summary", "one line of at most 200 characters", "another text"));
    }
    Ok(summary)
}
