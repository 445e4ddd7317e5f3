//! `fallline train --folds K`

use std::io::Write;

use super::watchers::Watchers;
use super::{TrainArguments, heading};
use crate::data::DataSet;
use crate::model::{Model, Recipe};
use crate::report::numbers::{counted, loss, percent};
use crate::report::{json, progress::TerminalObserver, terminal};
use crate::team::Team;
use crate::train::{self, FoldsRecord, machine};

pub fn run(arguments: &TrainArguments, folds: usize, recipe: &Recipe, data: &DataSet) -> anyhow::Result<()> {
    let team = Team::new(arguments.threads.map_or_else(machine::usable_cores, usize::from))?;
    let mut watchers =
        Watchers { terminal: TerminalObserver::new(recipe.train.epochs, arguments.quiet), events: None };
    if !arguments.quiet {
        let model = Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed)?;
        terminal::stdout().write_all(heading(recipe, data, 0, &model).as_bytes()).ok();
    }
    let stop = crate::cli::stop_on_ctrl_c()?;
    let record = train::cross_validate(data, recipe, folds, &team, &stop, &mut watchers);
    watchers.terminal.finish();
    let Some(record) = record? else {
        return Ok(writeln!(terminal::stdout(), "interrupted by Ctrl-C: no result")?);
    };
    let mut text = result(&record);
    let written = arguments.json.as_deref().map(|path| json::write(path, &record).map(|()| path)).transpose();
    if let Ok(Some(path)) = &written {
        text += &format!("wrote {}\n", path.display());
    }
    let printed = terminal::stdout().write_all(text.as_bytes());
    written?;
    Ok(printed?)
}

fn result(record: &FoldsRecord) -> String {
    let FoldsRecord { accuracy, loss: losses, folds, .. } = record;
    format!(
        "{}: validation accuracy {} ± {}, validation loss {} ± {} (mean ± standard deviation)\n",
        counted(folds.len(), "fold"),
        percent(accuracy.mean),
        percent(accuracy.deviation),
        loss(losses.mean),
        loss(losses.deviation),
    )
}
