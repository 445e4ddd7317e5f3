//! The checkpoints of a run.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::course::Course;
use super::every::Every;
use super::identity::Identity;
use super::training_set::TrainingSet;
use crate::checkpoint::{Archive, Checkpoint, Folder, Newest, is_used, newest};
use crate::model::Recipe;
use crate::train::observer::{Observer, Resumed};
use crate::train::session::Session;
use crate::train::session::live::Pause;
use crate::{Error, Result};

/// How many checkpoints are kept where nothing else is said: the newest, and one for the case that it is damaged.
pub const KEPT: usize = 2;

/// A folder in which the state of a training is kept, and from which it may go on.
#[derive(Debug)]
pub struct Checkpoints {
    folder: Folder,
    every: Every,
    options: serde_json::Value,
    newest: Newest,
    /// What they are of, once it is known.
    about: String,
    /// When the next one is due, if that goes by time.
    next: Option<Instant>,
}

/// The file of a folder that says what is kept in it of a reproduction.
pub const REPRODUCTION: &str = "reproduction.json";

/// Refuses the folder of a reproduction, whose trainings have folders of their own in it.
fn refuse_reproduction(folder: &Path) -> Result<()> {
    if !folder.join(REPRODUCTION).exists() {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: folder.display().to_string(),
        expected: "a folder of a single training, or one that is empty or not there yet".into(),
        found: "the trainings of a reproduction".into(),
    })
}

impl Checkpoints {
    /// Checkpoints of a new training.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the folder holds some already, or `every` is 0; [`Error::Io`], also if another process writes
    /// to it.
    pub fn begin(folder: &Path, every: Every, keep: usize) -> Result<Checkpoints> {
        Checkpoints::check(every)?;
        refuse_reproduction(folder)?;
        if is_used(folder)? {
            return Err(Error::Mismatch {
                what: folder.display().to_string(),
                expected:
                    "no checkpoints of another training (--resume goes on with it; remove them to begin anew)"
                        .into(),
                found: "some".into(),
            });
        }
        Checkpoints::of(Folder::lock(folder, keep)?, every, Newest::default())
    }

    /// Checkpoints of a training that goes on from the newest one that is whole; of a new one, if there is none.
    ///
    /// # Errors
    /// [`Error::Format`] if they are another program's or of a later version, or all are damaged; [`Error::Mismatch`] if
    /// `every` is 0; [`Error::Io`], also if another process writes to the folder.
    pub fn resume(folder: &Path, every: Every, keep: usize) -> Result<Checkpoints> {
        Checkpoints::check(every)?;
        refuse_reproduction(folder)?;
        let mut folder = Folder::lock(folder, keep)?;
        let newest = folder.newest()?;
        Checkpoints::of(folder, every, newest)
    }

    /// Refuses a length of 0.
    pub(super) fn check(every: Every) -> Result<()> {
        if every.is_positive() {
            return Ok(());
        }
        Err(Error::Mismatch {
            what: "how often a checkpoint is written".into(),
            expected: "a length above 0".into(),
            found: every.to_string(),
        })
    }

    fn of(folder: Folder, every: Every, newest: Newest) -> Result<Checkpoints> {
        let options = serde_json::Value::Null;
        Ok(Checkpoints { folder, every, options, newest, about: String::new(), next: None })
    }

    /// With what the program that trains wants to find in them.
    #[must_use]
    pub fn with_options(self, options: serde_json::Value) -> Checkpoints {
        Checkpoints { options, ..self }
    }

    /// Whether a training goes on from one of them.
    pub fn goes_on(&self) -> bool {
        self.newest.checkpoint.is_some()
    }

    /// The training of the newest checkpoint in a folder that is whole; nothing if there is none.
    ///
    /// # Errors
    /// Those of [`resume`](Checkpoints::resume).
    pub fn recorded(folder: &Path) -> Result<Option<Identity>> {
        let found = newest(folder)?.checkpoint;
        found.map(|checkpoint| Identity::read(checkpoint.about(), checkpoint.path())).transpose()
    }

    /// Restores what a checkpoint holds, or writes the first one.
    ///
    /// # Errors
    /// If the training is another one than that of the checkpoint, or the first one cannot be written.
    pub(super) fn start(
        &mut self,
        recipe: &Recipe,
        data: &TrainingSet,
        session: &mut Session,
        course: &mut Course,
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        let initial = session.model().initial().cloned();
        let begun = (initial, course.optimizer.take());
        let mut identity = Identity::of(recipe, data, begun, std::mem::take(&mut self.options));
        let Newest { checkpoint, damaged, .. } = std::mem::take(&mut self.newest);
        if let Some(checkpoint) = &checkpoint {
            identity.complete(&Identity::read(checkpoint.about(), checkpoint.path())?);
        }
        course.optimizer.clone_from(&identity.init_optimizer);
        self.about = serde_json::to_string(&identity).map_err(|error| Error::Mismatch {
            what: "options of a training".into(),
            expected: "what JSON can hold".into(),
            found: error.to_string(),
        })?;
        match checkpoint {
            None => {
                self.write(session, course, observer)?;
            }
            Some(checkpoint) => {
                let program = restore(&checkpoint, &identity, recipe, session, course)?;
                session.set_initial(identity.init);
                let (path, program) = (checkpoint.path(), program.as_str());
                let (step, epoch) = (session.steps(), session.epochs());
                observer.resumed(&Resumed { path, program, step, epoch, damaged: &damaged });
            }
        }
        self.plan_next();
        Ok(())
    }

    fn plan_next(&mut self) {
        if let Every::Time(time) = self.every {
            self.next = Instant::now().checked_add(time);
        }
    }

    /// When the steps of an epoch are to pause for one.
    pub(super) fn pause(&self) -> Pause {
        match self.every {
            Every::Steps(steps) => Pause { every: Some(steps), at: None },
            Every::Time(_) => Pause { every: None, at: self.next },
            Every::Epochs(_) => Pause::default(),
        }
    }

    /// Whether one is due at the end of an epoch.
    pub(super) fn is_due(&self, session: &Session) -> bool {
        match self.every {
            Every::Steps(steps) => session.steps().is_multiple_of(steps),
            Every::Time(_) => self.next.is_some_and(|next| Instant::now() >= next),
            Every::Epochs(epochs) => (session.epochs() as u64).is_multiple_of(epochs),
        }
    }

    /// Writes one. A training of hours does not end because it fails: the observer is told.
    pub(super) fn keep(
        &mut self,
        session: &mut Session,
        course: &mut Course,
        observer: &mut (dyn Observer + Send),
    ) {
        if let Err(error) = self.write(session, course, observer) {
            observer.checkpoint(Err(&error));
        }
        self.plan_next();
    }

    fn write(
        &mut self,
        session: &mut Session,
        course: &mut Course,
        observer: &mut (dyn Observer + Send),
    ) -> Result<()> {
        let step = session.steps();
        let path: PathBuf =
            self.folder.write(step, &self.about, &mut |archive| visit(archive, session, course))?;
        observer.checkpoint(Ok(&path));
        Ok(())
    }
}

fn visit(archive: &mut Archive, session: &mut Session, course: &mut Course) -> Result<()> {
    archive.state("session", session)?;
    archive.state("run", course)?;
    // Epochs are counted on from here.
    let most = session.epochs();
    let best = course.watch.best().map_or(0, |(epoch, _)| epoch);
    let last = course.epochs.last().map_or(0, |record| record.epoch);
    let expected = format!("at most {most}, which have begun");
    archive.check("run.stop.best_epoch", best <= most, &expected, best)?;
    archive.check("run.epochs.records", last <= most, &expected, last)
}

/// Puts the state back, if this training can go on from it; gives the version of the program that saved it.
fn restore(
    checkpoint: &Checkpoint,
    identity: &Identity,
    recipe: &Recipe,
    session: &mut Session,
    course: &mut Course,
) -> Result<String> {
    let path = checkpoint.path();
    let old = Identity::read(checkpoint.about(), path)?;
    old.check(identity, recipe, session.span(), path)?;
    // Known before anything is changed.
    let begun: usize = checkpoint.value("session.epochs")?;
    if begun > recipe.train.epochs {
        return Err(Error::Setting {
            place: path.display().to_string(),
            key: "train.epochs".into(),
            expected: format!("at least {begun}, which have begun"),
            found: recipe.train.epochs.to_string(),
        });
    }
    checkpoint.restore(|archive| visit(archive, session, course))?;
    Ok(old.program)
}
