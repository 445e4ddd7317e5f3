//! The `[optimizer]` table, read and written.

use toml::Table;

use super::config::{Optimizer, OptimizerKind};
use super::registry::{optimizer_kind, optimizer_names};
use crate::error::Result;
use crate::model::recipe::keys;
use crate::model::recipe::values::table_of;
use crate::model::section::Section;

impl Optimizer {
    /// `own` is a rule that need not be registered to be known.
    pub(in crate::model::recipe) fn read(
        mut section: Section,
        own: Option<&'static OptimizerKind>,
    ) -> Result<Optimizer> {
        let own = own.filter(|own| !optimizer_names().any(|name| name == own.name));
        let names: Vec<&str> = optimizer_names().chain(own.map(|own| own.name)).collect();
        let name = section.choice("name", "optimizer", None, &names)?;
        let kind = match own.filter(|own| own.name == name) {
            Some(own) => own,
            None => optimizer_kind(name, "optimizer.name")?,
        };
        let mut config = Optimizer::of(kind);
        config.learning_rate = section.number("learning_rate", config.learning_rate, config.kind.rates())?;
        config.values = config.values.all_set(keys::read(&mut section, kind.hyper_parameters)?);
        if let Some((key, expected, found)) = config.conflict() {
            return Err(section.setting(key, &expected, &found));
        }
        section.finish()?;
        Ok(config)
    }

    /// The table, every value written out.
    pub(in crate::model::recipe) fn table(&self) -> Table {
        let mut table =
            table_of([("name", self.name().into()), ("learning_rate", self.learning_rate.into())]);
        table.extend(keys::write(self.values.iter()));
        table
    }
}
