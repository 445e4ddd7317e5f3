//! What comes of everything that follows a training.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::ExitCode;

use crate::Result;
use crate::cli::output;
use crate::data::DataSet;
use crate::error::Error;
use crate::model::{Model, Recipe, saved};
use crate::report::tensorboard::EventWriter;
use crate::train::TrainRecord;

/// What has been done, and the failures among it, none of which keeps the rest from being done.
#[derive(Default)]
pub struct Outcomes {
    /// A line for each file that was written.
    pub written: String,
    failures: Vec<Error>,
}

impl Outcomes {
    /// What a step has given, if it has not failed.
    pub fn step<T>(&mut self, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|failure| self.failures.push(failure)).ok()
    }

    /// A file has been written, or not.
    pub fn wrote(&mut self, outcome: Result<String>) {
        if let Some(path) = self.step(outcome) {
            self.written += &format!("wrote {path}\n");
        }
    }

    /// Writes a file, or another one that the failure names, where what took long cannot be written in its place.
    pub fn file(&mut self, path: &Path, write: impl Fn(&Path) -> Result<()>) {
        self.wrote(output::save_or_rescue(path, write).map(|()| path.display().to_string()));
    }

    /// Saves a model; one of which nothing can be made is left out, with a word.
    pub fn model(&mut self, path: &Path, model: &Model, recipe: &Recipe, data: &DataSet) {
        let path_text = path.display();
        match model.first_not_finite() {
            Some((name, value)) => {
                self.written += &format!("{path_text} is not written: an element of {name} is {value}\n");
            }
            None => {
                let (shape, element_type) = (data.train.shape(), data.train.element_type());
                let save =
                    |path: &Path| saved::save(path, model, recipe, shape, model.classes(), element_type);
                self.file(path, save);
            }
        }
    }

    /// Closes an event file, if there is one.
    pub fn events(&mut self, events: Option<EventWriter>, record: Option<&TrainRecord>) {
        if let Some(events) = events {
            let path = events.path().display().to_string();
            self.wrote(events.finish(record).map(|()| path));
        }
    }

    /// The end of it: all failures but the last are said here, the last is for the caller to say. `code` is
    /// that of a run without failures, if it is not 0.
    ///
    /// # Errors
    /// The last failure; that of printing the results, unless nobody reads along.
    pub fn end(mut self, printed: io::Result<()>, code: Option<ExitCode>) -> anyhow::Result<ExitCode> {
        let last = self.failures.pop();
        self.failures.iter().for_each(|failure| crate::cli::shared::say("error", failure));
        if let Some(last) = last {
            return Err(last.into());
        }
        match printed {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(code.unwrap_or(ExitCode::SUCCESS)),
        }
    }
}
