//! The progress of a training run in the terminal: a bar while an epoch is under way, and one line for
//! each that is done; and for other work, a line that says what is being done. Other threads can print messages
//! above both.

use std::io::{IsTerminal, Write};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::markup::for_terminal;
use super::metrics::score;
use super::numbers::{counted, duration, loss, percent, rounded};
use super::run::{ending, not_finite, warning};
use super::terminal::{self, Narrow};
use crate::train::{EpochRecord, Evaluation, FoldsRecord, Observer, Phase, Progress, TrainRecord, Warning};

/// The most redraws of the bar per second.
const REDRAWS: u8 = 10;

/// The bar or line of some work on standard error, for other threads that have a message.
#[derive(Clone)]
pub struct Line {
    bar: ProgressBar,
    /// Whether nothing is shown. Looked up once: to ask the bar takes its lock, which others may hold for long.
    is_hidden: bool,
}

impl Line {
    fn of(bar: &ProgressBar) -> Line {
        Line { bar: bar.clone(), is_hidden: bar.is_hidden() }
    }

    /// That of work that shows none.
    pub fn without_bar() -> Line {
        Line::of(&ProgressBar::hidden())
    }

    /// Writes a message on a line of its own.
    pub fn announce(&self, text: &str) {
        // Unlike `eprintln!`, this does not panic where standard error is closed or full.
        let write = || writeln!(std::io::stderr(), "{text}").ok();
        if self.is_hidden {
            write()
        } else {
            self.bar.suspend(write)
        };
    }

    /// Removes the bar or line.
    pub fn clear(&self) {
        if !self.is_hidden {
            self.bar.finish_and_clear();
        }
    }
}

/// Shows a run on standard error (the bar, warnings) and standard output (the lines).
pub struct TerminalObserver {
    bar: ProgressBar,
    epochs: usize,
    lines: bool,
    start: Instant,
    /// The validation accuracy of the last epoch.
    validated: Option<f64>,
    /// Whether validation samples without a finite loss have been named.
    named: bool,
}

impl TerminalObserver {
    /// An observer of a run of this many epochs. There is no bar if standard error is no terminal, and
    /// nothing at all if `quiet`.
    pub fn new(epochs: usize, quiet: bool) -> TerminalObserver {
        let bar = if quiet || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            let target = ProgressDrawTarget::term_like_with_hz(Box::new(Narrow::stderr()), REDRAWS);
            ProgressBar::with_draw_target(Some(1), target)
        };
        // The bar is short enough for 80 columns.
        let style = ProgressStyle::with_template("{prefix} {bar:10} {wide_msg}")
            .expect("the template is valid")
            .progress_chars("━╸─");
        bar.set_style(style);
        TerminalObserver { bar, epochs, lines: !quiet, start: Instant::now(), validated: None, named: false }
    }

    /// The handle for messages of other threads.
    pub fn line(&self) -> Line {
        Line::of(&self.bar)
    }

    /// Shows an activity beside the steps: "saving".
    pub fn say(&self, what: &str) {
        if !self.bar.is_hidden() {
            self.bar.set_message(what.to_string());
            self.bar.tick();
        }
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn print(&self, line: impl FnOnce() -> String) {
        if self.lines {
            let line = line();
            // A closed pipe is no reason to end the training.
            let write = || terminal::print(&format!("{line}\n")).ok();
            // A pipe may be full for long, and must not keep the bar from others meanwhile.
            if std::io::stdout().is_terminal() {
                self.bar.suspend(write)
            } else {
                write()
            };
        }
    }
}

impl Observer for TerminalObserver {
    fn progress(&mut self, progress: &Progress) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_length(progress.of as u64);
        self.bar.set_position(progress.samples as u64);
        self.bar.set_prefix(format!("epoch {}", of(progress.epoch, progress.epochs)));
        self.bar.set_message(bar_message(progress, self.validated, self.start.elapsed().as_secs_f64()));
    }

    fn warning(&mut self, seen: &Warning) {
        if self.lines {
            self.bar.suspend(|| writeln!(terminal::stderr(), "warning: {}", warning(seen)).ok());
        }
    }

    fn epoch(&mut self, record: &EpochRecord) {
        self.validated = record.validation_accuracy;
        self.print(|| epoch_line(record, self.epochs));
    }

    fn phase(&mut self, phase: Phase) {
        self.say(phase.text());
    }

    fn evaluated(&mut self, phase: Phase, seen: &Evaluation) {
        // Validation samples are named once, not after each epoch.
        let is_new = phase != Phase::Validating || !self.named;
        if let Some(samples) = seen.not_finite.as_ref().filter(|_| is_new) {
            self.named = phase == Phase::Validating;
            self.line().announce(&format!("warning: {}", not_finite(phase, samples)));
        }
    }

    fn fold(&mut self, done: &FoldsRecord) {
        let Some(record) = done.folds.last() else { return };
        self.print(|| fold_line(done.folds.len(), done.asked(), record));
        // The next fold starts anew.
        (self.start, self.validated, self.named) = (Instant::now(), None, false);
    }
}

/// A line on standard error that says what is being done, if that is a terminal.
pub struct Spinner(ProgressBar);

impl Spinner {
    #[allow(clippy::new_without_default)] // it draws
    pub fn new() -> Spinner {
        if !std::io::stderr().is_terminal() {
            return Spinner(ProgressBar::hidden());
        }
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Narrow::stderr()), REDRAWS);
        // It moves only when there is news: a thread that animates it would disturb measurements.
        let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is valid");
        Spinner(ProgressBar::with_draw_target(None, target).with_style(style))
    }

    /// The handle for messages of other threads.
    pub fn line(&self) -> Line {
        Line::of(&self.0)
    }

    /// Shows an activity from now on.
    pub fn say(&self, what: &str) {
        self.0.set_message(for_terminal(what));
        self.0.tick();
    }

    /// Runs `work`, such as printing, while the line is out of the way.
    pub fn suspend<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.suspend(work)
    }

    /// Prints a text in colours to standard output while the line is out of the way.
    ///
    /// # Errors
    /// If standard output takes no more.
    pub fn print(&self, text: &str) -> std::io::Result<()> {
        self.suspend(|| terminal::print_coloured(text))
    }

    /// Removes the line.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The message of the bar. There is room for one accuracy only: the validation's if it is known.
fn bar_message(progress: &Progress, validated: Option<f64>, elapsed: f64) -> String {
    let accuracy = match (validated, progress.accuracy) {
        (Some(accuracy), _) => format!("validation {}  ", percent(accuracy)),
        (None, Some(accuracy)) => format!("accuracy {}  ", percent(accuracy)),
        (None, None) => String::new(),
    };
    format!(
        "loss {}  {accuracy}{}/s  {} left",
        loss(progress.loss),
        rounded(progress.samples_per_second),
        duration(seconds_left(progress, elapsed)),
    )
}

/// The seconds that the rest of the run takes if its rate stays the same; 0 before anything is done.
fn seconds_left(progress: &Progress, elapsed: f64) -> f64 {
    let done = progress.epoch.saturating_sub(1) as f64 * progress.of as f64 + progress.samples as f64;
    let all = progress.epochs as f64 * progress.of as f64;
    if done > 0.0 { elapsed * (all - done).max(0.0) / done } else { 0.0 }
}

/// One epoch in one line; numbers stand below each other.
fn epoch_line(record: &EpochRecord, epochs: usize) -> String {
    let mut line = format!("epoch {}  loss {}", of(record.epoch, epochs), loss(record.train_loss));
    if let Some(accuracy) = record.train_accuracy {
        line += &format!("  accuracy {:>8}", percent(accuracy));
    }
    if let Some(value) = record.validation_loss {
        line += &format!("  validation loss {}", loss(value));
    }
    if let Some(accuracy) = record.validation_accuracy {
        line += &format!("  validation accuracy {:>8}", percent(accuracy));
    }
    // Of sequences it is tokens that others count.
    let (rate, what) = match record.positions {
        Some(positions) => (positions as f64 / record.seconds, "tokens/s"),
        None => (record.samples_per_second, "samples/s"),
    };
    line += &format!("  {} {what}  {}", rounded(rate), duration(record.seconds));
    if let Some(evaluations) = record.evaluations {
        line += &format!("  {}", counted(evaluations, "evaluation"));
    }
    if record.incomplete {
        line += &format!("  incomplete: {}", counted(record.samples.unwrap_or(0), "sample"));
    }
    line
}

/// One training of a cross-validation in one line.
fn fold_line(fold: usize, folds: usize, record: &TrainRecord) -> String {
    let mut line = format!("fold {}", of(fold, folds));
    if let Some(seen) = &record.validation {
        line += &format!("  validation loss {}", loss(seen.loss));
        line += &match seen.accuracy {
            Some(accuracy) => format!("  accuracy {:>8}", percent(accuracy)),
            None => format!("  {}", score(seen, "")),
        };
    }
    let time = duration(record.train_seconds);
    if record.diverged.is_some() {
        line += "  diverged";
    }
    line + &format!("  {} in {time}: {}", counted(record.epochs_begun(), "epoch"), ending(record))
}

/// The epoch, with as much room as the last one needs: " 3/10".
fn of(epoch: usize, epochs: usize) -> String {
    let width = epochs.to_string().len();
    format!("{epoch:>width$}/{epochs}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn progress() -> Progress {
        let (loss, accuracy, samples_per_second) = (0.25, Some(0.5), 41_000.4);
        Progress { epoch: 2, epochs: 10, samples: 500, of: 1000, loss, accuracy, samples_per_second }
    }

    #[test]
    fn the_bar_tells_what_matters() {
        let message = bar_message(&progress(), None, 15.0);
        assert_eq!(message, "loss 0.2500  accuracy 50.00 %  41,000/s  1 min 25 s left");
        let message = bar_message(&progress(), Some(0.975), 15.0);
        assert_eq!(message, "loss 0.2500  validation 97.50 %  41,000/s  1 min 25 s left");
        let of_values = Progress { accuracy: None, ..progress() };
        assert_eq!(bar_message(&of_values, None, 15.0), "loss 0.2500  41,000/s  1 min 25 s left");
        assert_eq!(seconds_left(&Progress { epoch: 1, samples: 0, ..progress() }, 5.0), 0.0);
        assert_eq!(seconds_left(&Progress { epoch: 10, samples: 1000, ..progress() }, 5.0), 0.0);
    }

    #[test]
    fn a_fold_is_one_line() {
        let seen = Evaluation::new(0.25, 0.975);
        let record =
            TrainRecord { validation: Some(seen), stop_reason: "patience".into(), ..samples::train_record() };
        assert_eq!(
            fold_line(2, 10, &record),
            "fold  2/10  validation loss 0.2500  accuracy  97.50 %  2 epochs in 4.0 s: \
             no improvement on the validation samples"
        );
        let of_values = TrainRecord { train_seconds: 4.0, ..samples::value_record() };
        let line = fold_line(3, 5, &of_values);
        let expected =
            "fold 3/5  validation loss 0.3000  RMSE 3.125, MAE 2.5, R² 0.9875  2 epochs in 4.0 s: ";
        assert!(line.starts_with(expected), "{line}");
    }

    #[test]
    fn an_epoch_is_one_line() {
        let record = EpochRecord {
            epoch: 3,
            train_loss: 0.12345,
            train_accuracy: Some(0.9712),
            validation_loss: None,
            validation_accuracy: None,
            seconds: 0.156,
            samples_per_second: 384_123.0,
            samples: Some(60_000),
            positions: None,
            incomplete: false,
            learning_rate: Some(0.01),
            evaluations: None,
            layers: Vec::new(),
        };
        let line = "epoch  3/10  loss 0.1235  accuracy  97.12 %  384,123 samples/s  156 ms";
        assert_eq!(epoch_line(&record, 10), line.replace("0.1235", &format!("{:.4}", 0.12345)));
        let validated =
            EpochRecord { validation_loss: Some(0.5), validation_accuracy: Some(1.0), ..record.clone() };
        assert!(
            epoch_line(&validated, 10).contains("  validation loss 0.5000  validation accuracy 100.00 %  ")
        );
        let of_values = EpochRecord { train_accuracy: None, ..record.clone() };
        assert!(!epoch_line(&of_values, 10).contains("accuracy"));
        let cut = EpochRecord { incomplete: true, samples: Some(1_280), ..record };
        assert!(epoch_line(&cut, 10).ends_with("  156 ms  incomplete: 1,280 samples"));
    }
}
