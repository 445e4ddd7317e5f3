//! Who watches a reproduction from the command line.

use std::path::Path;

use crate::cli::partial::Growing;
use crate::cli::resumed;
use crate::report::numbers::percent;
use crate::report::progress::Spinner;
use crate::report::{json, reproduce as tables, run, terminal};
use crate::train::reproduce::{self, RecipeRecord, ReproduceRecord};
use crate::train::{Evaluation, Observer, Phase, Progress, Resumed};
use crate::{Error, Result};

/// Shows what is trained, prints what is done, and keeps it.
pub struct Watcher<'a> {
    pub line: Spinner,
    /// Recipe and seed under way.
    what: String,
    /// The one whose validation samples without a finite loss have been named.
    named: String,
    records: &'a [Growing],
    threads: usize,
    until: Option<f64>,
    /// Why the first text that could not be printed was not.
    pub unprinted: Option<std::io::Error>,
}

impl Watcher<'_> {
    pub fn new(records: &[Growing], threads: usize, until: Option<f64>) -> Watcher<'_> {
        let (what, named) = (String::new(), String::new());
        Watcher { line: Spinner::new(), what, named, records, threads, until, unprinted: None }
    }

    fn print(&mut self, text: &str) {
        // The results are written even if nobody reads along; what could not be printed is told at the end.
        let mut printed = Ok(());
        self.line.suspend(|| printed = terminal::print_coloured(text));
        if let Err(error) = printed {
            self.unprinted.get_or_insert(error);
        }
    }

    /// Prints the last run of this recipe, and its result if that was the last one to do.
    fn tell(&mut self, record: &ReproduceRecord, index: usize) {
        let recipe = &record.recipes[index];
        let mut text =
            recipe.runs.last().map_or(String::new(), |run| tables::seed_line(recipe, run, self.until));
        if recipe.missing().is_empty() {
            text += &format!("{}\n", tables::result(recipe, self.until));
        }
        self.print(&text);
    }
}

impl Observer for Watcher<'_> {
    fn progress(&mut self, progress: &Progress) {
        let Progress { epoch, epochs, accuracy, .. } = progress;
        let accuracy =
            accuracy.map_or(String::new(), |part| format!(", training accuracy {}", percent(part)));
        self.line.say(&format!("{}: epoch {epoch}/{epochs}{accuracy}", self.what));
    }

    fn phase(&mut self, phase: Phase) {
        self.line.say(&format!("{}: {}", self.what, phase.text()));
    }

    fn evaluated(&mut self, phase: Phase, seen: &Evaluation) {
        // Of validation once for each seed, not after each epoch.
        let is_new = phase != Phase::Validating || self.named != self.what;
        if let Some(samples) = seen.not_finite.as_ref().filter(|_| is_new) {
            let text = run::not_finite(phase, samples);
            self.line.line().announce(&format!("warning: {}: {text}", self.what));
            self.named.clone_from(&self.what);
        }
    }

    fn resumed(&mut self, from: &Resumed) {
        resumed::resumed(&self.line.line(), from, false);
    }

    fn checkpoint(&mut self, written: Result<&Path, &Error>) {
        resumed::checkpoint(&self.line.line(), written);
    }
}

impl reproduce::Watcher for Watcher<'_> {
    fn recipe(&mut self, recipe: &RecipeRecord) {
        self.print(&tables::heading(recipe, self.threads, self.until));
    }

    fn seed(&mut self, recipe: &RecipeRecord, seed: u64) {
        let (done, all) = (recipe.runs.len(), recipe.seeds.len());
        self.what = format!("{}, seed {seed} ({} of {all})", recipe.recipe, done + 1);
        self.line.say(&self.what);
    }

    fn done(&mut self, record: &ReproduceRecord, index: usize) -> Result<()> {
        self.tell(record, index);
        self.records.iter().try_for_each(|growing| growing.keep(|path| json::write(path, record)))
    }

    fn was_done(&mut self, record: &ReproduceRecord, index: usize) -> Result<()> {
        // It is kept already.
        self.tell(record, index);
        Ok(())
    }

    fn damaged(&mut self, error: &Error) {
        self.line.line().announce(&format!("warning: {error}; {} is trained again", self.what));
    }
}
