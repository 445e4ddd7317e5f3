//! Event files for TensorBoard: a run's figures, readable while it goes on.
//!
//! A folder of runs has one folder for each, and in it a file of records: `record` frames them,
//! `event` says what is in one.

mod event;
mod record;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use event::Event;

use crate::error::{Error, Result};
use crate::train::{EpochRecord, LayerNorms, Observer, TrainRecord};

/// The most steps that are kept in memory until they are written: while that happens the workers wait.
const MOST_BUFFERED: usize = 1 << 16;

/// The most runs of one name in a folder.
const MOST_RUNS: usize = 10_000;

/// Writes the figures of a run: the loss of each step, and at the end of an epoch all its figures.
///
/// A failure to write ends the writing, not the training; [`finish`](EventWriter::finish) returns it.
pub struct EventWriter {
    path: PathBuf,
    /// The file; absent after a failure.
    file: Option<File>,
    /// Its length, in bytes.
    written: u64,
    failure: Option<io::Error>,
    steps: Vec<Event<'static>>,
}

impl EventWriter {
    /// A new event file in a new folder of `folder`, both made if they are not there: named `run`, or
    /// `run-2` and so on if that is there, since TensorBoard would take two runs in one folder for
    /// one.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written.
    pub fn create(folder: &Path, run: &str) -> Result<EventWriter> {
        fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
        let folder = create_numbered(folder, run)?;
        let now = seconds_since_epoch();
        // TensorBoard knows event files by "tfevents", and takes them in the order of their names.
        let name = format!("events.out.tfevents.{:010}.{}.{}", now as u64, host(), std::process::id());
        let path = folder.join(name);
        let begun = EventWriter::begin(&path, now);
        if begun.is_err() {
            // Nothing that TensorBoard would show as a run.
            fs::remove_file(&path).ok();
            fs::remove_dir(&folder).ok();
        }
        begun
    }

    fn begin(path: &Path, now: f64) -> Result<EventWriter> {
        let file = File::create_new(path).map_err(Error::io(path, "create"))?;
        let mut writer =
            EventWriter { path: path.into(), file: Some(file), written: 0, failure: None, steps: Vec::new() };
        writer.write(&record::framed(&event::version(now)));
        match writer.failure.take() {
            Some(source) => Err(Error::io(path, "write")(source)),
            None => Ok(writer),
        }
    }

    /// The event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the results of the test, if there are any, and closes the file.
    ///
    /// # Errors
    /// The first [`Error::Io`] since the file was created.
    pub fn finish(mut self, record: Option<&TrainRecord>) -> Result<()> {
        self.write_steps();
        if let Some((test, epoch)) =
            record.and_then(|record| Some((record.test.as_ref()?, record.epochs_begun())))
        {
            let accuracy = test.accuracy.map(|accuracy| ("test/accuracy", accuracy));
            let values = test.values.iter().flat_map(|values| {
                [("test/rmse", values.rmse), ("test/mae", values.mae), ("test/r_squared", values.r_squared)]
            });
            let known: Vec<_> =
                [("test/loss", test.loss)].into_iter().chain(accuracy).chain(values).collect();
            self.write_scalars(epoch, &known);
        }
        let synced = self.file.as_ref().map_or(Ok(()), File::sync_all);
        match self.failure.take().map_or(synced, Err) {
            Ok(()) => Ok(()),
            Err(source) => Err(Error::io(&self.path, "write")(source)),
        }
    }

    fn write_scalars(&mut self, step: usize, scalars: &[(&str, f64)]) {
        let seconds = seconds_since_epoch();
        let event = |&(tag, value)| Event { seconds, step: step as i64, tag, value: value as f32 };
        let bytes: Vec<u8> =
            scalars.iter().flat_map(|scalar| record::framed(&event(scalar).encoded())).collect();
        self.write(&bytes);
    }

    fn write_steps(&mut self) {
        let bytes: Vec<u8> = self.steps.iter().flat_map(|step| record::framed(&step.encoded())).collect();
        self.steps.clear();
        self.write(&bytes);
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        match file.write_all(bytes) {
            Ok(()) => self.written += bytes.len() as u64,
            Err(failure) => {
                // Readers take half of a record for a damaged file.
                file.set_len(self.written).ok();
                self.failure = Some(failure);
                self.file = None;
            }
        }
    }
}

impl Observer for EventWriter {
    fn step(&mut self, step: u64, loss: f64) {
        let seconds = seconds_since_epoch();
        self.steps.push(Event { seconds, step: step as i64, tag: "train/step_loss", value: loss as f32 });
        if self.steps.len() >= MOST_BUFFERED {
            self.write_steps();
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.write_steps();
        let figures = [
            ("train/loss", Some(record.train_loss)),
            ("train/accuracy", record.train_accuracy),
            ("validation/loss", record.validation_loss),
            ("validation/accuracy", record.validation_accuracy),
            ("learning_rate", record.learning_rate),
            ("samples_per_second", Some(record.samples_per_second)),
        ];
        let known: Vec<_> = figures.into_iter().filter_map(|(tag, value)| Some((tag, value?))).collect();
        self.write_scalars(record.epoch, &known);
        for LayerNorms { layer, gradient, update, parameters } in &record.layers {
            let norms = [("gradient", gradient), ("update", update), ("parameter", parameters)]
                .map(|(kind, norm)| (format!("{kind}_norm/{layer}"), *norm));
            let norms = norms.each_ref().map(|(tag, norm)| (tag.as_str(), *norm));
            self.write_scalars(record.epoch, &norms);
        }
    }
}

/// A folder in `folder` that was not there before.
fn create_numbered(folder: &Path, name: &str) -> Result<PathBuf> {
    for number in 1..=MOST_RUNS {
        let path = folder.join(if number == 1 { name.to_string() } else { format!("{name}-{number}") });
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io(&path, "create")(error)),
        }
    }
    Err(Error::Mismatch {
        what: format!("runs `{name}` in {}", folder.display()),
        expected: format!("fewer than {MOST_RUNS}"),
        found: "that many".into(),
    })
}

fn seconds_since_epoch() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The machine's name, as far as it may stand in a file's name.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let is_plain = |&character: &char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let name: String = name.chars().filter(is_plain).take(64).collect();
    if name.is_empty() { "localhost".into() } else { name }
}

#[cfg(test)]
mod tests;
