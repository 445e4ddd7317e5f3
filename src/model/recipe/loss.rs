//! The loss: `loss = "huber"` in `[model]`, or a table with a `type` and hyper-parameters.

use toml::Table;

use super::super::section::Section;
use super::keys;
use super::values::table_of;
use crate::error::Result;
use crate::losses::{Loss, LossKind};

pub(super) fn read(model: &mut Section) -> Result<Loss> {
    let Some(mut section) = model.named("loss")? else { return Ok(Loss::default()) };
    let own = section.own_loss();
    let known = || LossKind::all().into_iter().chain(own);
    let names: Vec<&str> = known().map(LossKind::name).collect();
    let name = section.choice("type", "loss", None, &names)?;
    let kind = known()
        .find(|kind| kind.name() == name)
        .unwrap_or_else(|| unreachable!("{name} is one of {names:?}"));
    let values = keys::read(&mut section, kind.about().hyper_parameters)?;
    section.finish()?;
    Ok(Loss::with_values(kind, values))
}

pub(super) fn write(loss: &Loss) -> Table {
    let mut table = table_of([("type", loss.name().into())]);
    table.extend(keys::write(loss.values().iter()));
    table
}
