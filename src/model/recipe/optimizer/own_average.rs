//! What a recipe must not say beside a rule that averages the parameters itself.

use super::full_batch::Misfit;
use crate::model::recipe::Recipe;
use crate::optim::schedule::Schedule;

/// What would work on the trained parameters, where the average follows from the rule's own, or schedules a rate that the
/// average takes as constant.
pub(super) fn beside_own_average(recipe: &Recipe) -> Option<Misfit> {
    recipe.optimizer.rule().evaluated()?;
    let with = format!("with the optimizer `{}`", recipe.optimizer.name());
    let rate = &recipe.schedule.learning_rate;
    if *rate != Schedule::constant() {
        let (key, found) = match &rate.warmup {
            Some(_) => ("schedule", "a warm-up".to_string()),
            None => ("schedule.name", rate.name()),
        };
        let expected = format!("`constant` {with}, which averages instead, and has a warm-up of its own");
        return Some((key, expected, found));
    }
    let averages = [
        ("lookahead", recipe.lookahead.is_some(), "lookahead"),
        ("average", recipe.average.is_some(), recipe.average.map_or("", |average| average.method.name())),
    ];
    if let Some((key, _, found)) = averages.into_iter().find(|(_, is_there, _)| *is_there) {
        return Some((key, format!("none {with}, which averages by itself"), found.into()));
    }
    let limits = [
        ("constraint.clip_weights", recipe.constraint.clip_weights),
        ("constraint.max_norm", recipe.constraint.max_norm),
    ];
    let (key, limit) = limits.into_iter().find_map(|(key, limit)| Some((key, limit?)))?;
    let expected = format!("none {with}, whose average follows from parameters that it would not hold");
    Some((key, expected, limit.to_string()))
}
