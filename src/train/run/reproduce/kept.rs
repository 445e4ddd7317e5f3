//! What a reproduction keeps in a folder, so that it goes on after an interruption: what was asked for, the record of each
//! training that is done, and the checkpoints of the one under way.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::task::Task;
use crate::checkpoint::{Folder, clear, is_used, sealed};
use crate::foreign;
use crate::model::Recipe;
use crate::train::record::TrainRecord;
use crate::train::run::checkpoints::Checkpoints;
use crate::train::run::every::Every;
use crate::train::run::identity::{Identity, Known};
use crate::train::run::training_set::TrainingSet;
use crate::{Error, Result};

/// What stands between the name of a recipe and the seed of a training.
const SEED: &str = "-seed-";

/// The schema of [`STATE`].
const STATE_SCHEMA: &str = "fallline.reproduction/1";

/// The schema of the record of a training.
const RUN_SCHEMA: &str = "fallline.reproduction-run/1";

pub use crate::train::run::checkpoints::REPRODUCTION as STATE;

/// The key that says how many seeds there are, of which there may be more when a reproduction goes on.
const SEEDS: &str = "reproduce.seeds";

/// The most letters of a recipe's name that go into the name of a file.
const LONGEST_NAME: usize = 80;

/// How the trainings of a reproduction are kept.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// How often a checkpoint of the training under way is written.
    pub every: Every,
    /// How many of its newest checkpoints are kept.
    pub keep: usize,
    /// What the program that trains wants to find in the folder.
    pub options: serde_json::Value,
}

/// What a reproduction was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reproduction {
    /// The version of the program that began it.
    pub program: String,
    /// The validation accuracy that ends its trainings, if one does.
    pub until_accuracy: Option<f64>,
    pub recipes: Vec<KeptRecipe>,
    /// What the program that trains keeps beside it.
    pub options: serde_json::Value,
}

/// A recipe of a reproduction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptRecipe {
    /// The recipe's name.
    pub name: String,
    /// Its training from the first seed.
    pub training: Identity,
    /// The samples that its networks are tested on.
    test: Known,
    /// Trainings.
    pub seeds: usize,
}

/// A folder in which the trainings of a reproduction are kept. No other process writes there meanwhile.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    every: Every,
    keep: usize,
    /// The version of the program that began it.
    program: String,
    /// Of each recipe its name, and how names in the folder begin.
    names: Vec<[String; 2]>,
    _folder: Folder,
}

impl Reproduction {
    fn of(tasks: &[Task], until_accuracy: Option<f64>, options: serde_json::Value) -> Reproduction {
        let program = env!("CARGO_PKG_VERSION").to_string();
        let recipes = tasks.iter().map(KeptRecipe::of).collect();
        Reproduction { program, until_accuracy, recipes, options }
    }

    /// What a folder says of the reproduction that it is of; nothing if it is of none.
    ///
    /// # Errors
    /// [`Error::Format`] if what it says is damaged, or of another version; [`Error::Io`].
    pub fn read(folder: &Path) -> Result<Option<Reproduction>> {
        let path = folder.join(STATE);
        // What is there but cannot be looked at is an error of reading it.
        match path.try_exists() {
            Ok(false) => Ok(None),
            _ => sealed::read(&path, STATE_SCHEMA).map(Some),
        }
    }

    /// Checks that `new` goes on with this reproduction, of which `place` says where it stands.
    fn check(&self, new: &Reproduction, place: &str) -> Result<()> {
        let setting = |key: &str, expected: String, found: String| {
            Err(Error::Setting { place: place.into(), key: key.into(), expected, found })
        };
        let names = |of: &Reproduction| -> String {
            of.recipes.iter().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        if names(self) != names(new) {
            return Err(Error::Mismatch {
                what: format!("{place}: recipes"),
                expected: format!("those of the reproduction that goes on, {}", names(self)),
                found: names(new),
            });
        }
        if self.until_accuracy != new.until_accuracy {
            let text = |of: &Reproduction| of.until_accuracy.map_or("none".into(), |until| until.to_string());
            let expected = format!("{}, as in the reproduction that goes on", text(self));
            return setting("--until-accuracy", expected, text(new));
        }
        self.recipes.iter().zip(&new.recipes).try_for_each(|(old, new)| old.check(new, place))
    }
}

impl KeptRecipe {
    fn of(task: &Task) -> KeptRecipe {
        let Task { recipe, data, seeds } = task;
        KeptRecipe {
            name: recipe.name.clone(),
            training: Identity::of(recipe, &TrainingSet::of(data), (None, None), serde_json::Value::Null),
            test: Known::of(&data.test),
            seeds: seeds.len(),
        }
    }

    fn check(&self, new: &KeptRecipe, place: &str) -> Result<()> {
        let place = format!("{place}: {}", self.name);
        self.training.check_same(&new.training, SEEDS, &place)?;
        if self.test != new.test {
            return Err(Error::Mismatch {
                what: format!("{place}: test samples"),
                expected: format!("those of the reproduction that goes on, {}", self.test.text()),
                found: new.test.text(),
            });
        }
        if new.seeds < self.seeds {
            return Err(Error::Setting {
                place,
                key: format!("{SEEDS} (--seeds)"),
                expected: format!("at least {}, as in the reproduction that goes on", self.seeds),
                found: new.seeds.to_string(),
            });
        }
        Ok(())
    }
}

impl Kept {
    /// Keeps the trainings of a new reproduction.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the folder holds trainings already; [`Error::Io`], also if another process writes to it.
    pub fn begin(folder: &Path, keeping: Keeping, tasks: &[Task], until: Option<f64>) -> Result<Kept> {
        refuse_used(folder)?;
        if Reproduction::read(folder)?.is_some() {
            return Err(Error::Mismatch {
                what: folder.display().to_string(),
                expected: "no trainings of another reproduction (--resume goes on with it; remove them to begin anew)"
                    .into(),
                found: "some".into(),
            });
        }
        Kept::of(folder, keeping, tasks, until)
    }

    /// Keeps the trainings of a reproduction that goes on, of which there may be more seeds now; of a new one, if the
    /// folder holds none.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Mismatch`] with what is different if it is another reproduction; [`Error::Format`] if
    /// what the folder says is damaged, or of another version; [`Error::Io`], also if another process writes to it.
    pub fn resume(folder: &Path, keeping: Keeping, tasks: &[Task], until: Option<f64>) -> Result<Kept> {
        refuse_used(folder)?;
        Kept::of(folder, keeping, tasks, until)
    }

    fn of(folder: &Path, keeping: Keeping, tasks: &[Task], until: Option<f64>) -> Result<Kept> {
        let Keeping { every, keep, options } = keeping;
        // It is to be known before the first training.
        Checkpoints::check(every)?;
        let mut new = Reproduction::of(tasks, until, options);
        let locked = Folder::lock(folder, keep)?;
        let state = folder.join(STATE);
        match Reproduction::read(folder)? {
            Some(old) => {
                old.check(&new, &state.display().to_string())?;
                new.program = old.program;
            }
            // Whose they are, no file says any more.
            None if holds_records(folder) => {
                return Err(Error::Mismatch {
                    what: folder.display().to_string(),
                    expected: format!("{STATE} beside the records of trainings, or none of these"),
                    found: "records alone".into(),
                });
            }
            None => {}
        }
        sealed::write(&state, STATE_SCHEMA, &new)?;
        Ok(Kept {
            path: folder.into(),
            every,
            keep,
            program: new.program,
            names: names(tasks.iter().map(|task| &task.recipe)),
            _folder: locked,
        })
    }

    /// The version of the program that began it.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// How many of these trainings have a record, whole or not.
    pub fn done(&self, tasks: &[Task]) -> usize {
        let trainings = tasks
            .iter()
            .enumerate()
            .flat_map(|(recipe, task)| task.seeds.iter().map(move |&seed| (recipe, seed)));
        trainings.filter(|&(recipe, seed)| self.record_path(recipe, seed).exists()).count()
    }

    fn place(&self, recipe: usize, seed: u64) -> PathBuf {
        self.path.join(format!("{}{SEED}{seed}", self.names[recipe][1]))
    }

    fn record_path(&self, recipe: usize, seed: u64) -> PathBuf {
        self.path.join(format!("{}{SEED}{seed}.json", self.names[recipe][1]))
    }

    /// The record of the training of this recipe from this seed; nothing if it is not done.
    ///
    /// # Errors
    /// [`Error::Format`] if it is damaged, or that of another training; [`Error::Io`].
    pub(super) fn record(&self, recipe: usize, seed: u64) -> Result<Option<TrainRecord>> {
        let path = self.record_path(recipe, seed);
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(None);
        }
        let run: TrainRecord = sealed::read(&path, RUN_SCHEMA)?;
        let name = &self.names[recipe][0];
        if (&run.recipe, run.seed) != (name, seed) {
            return Err(Error::Format {
                path,
                place: "key `content`".into(),
                expected: format!("the training of {name} from seed {seed}"),
                found: format!("that of {} from seed {}", run.recipe, run.seed),
            });
        }
        // Left behind where the program ended right after the record was written.
        clear(&self.place(recipe, seed));
        Ok(Some(run))
    }

    /// The checkpoints of the training of this recipe from this seed.
    ///
    /// # Errors
    /// Those of [`Checkpoints::resume`].
    pub(super) fn checkpoints(&self, recipe: usize, seed: u64) -> Result<Checkpoints> {
        Checkpoints::resume(&self.place(recipe, seed), self.every, self.keep)
    }

    /// Keeps the record of a training that is done, and no longer its checkpoints.
    ///
    /// # Errors
    /// [`Error::Io`]; the checkpoints are then still there.
    pub(super) fn add(&self, recipe: usize, run: &TrainRecord) -> Result<()> {
        sealed::write(&self.record_path(recipe, run.seed), RUN_SCHEMA, run)?;
        clear(&self.place(recipe, run.seed));
        Ok(())
    }
}

/// Whether a file of this name is the record of a training that is done.
pub fn is_record(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.contains(SEED) && name.ends_with(".json")
}

fn holds_records(folder: &Path) -> bool {
    foreign::read_folder(folder)
        .is_ok_and(|entries| entries.flatten().any(|entry| is_record(&entry.file_name())))
}

/// Refuses a folder with the checkpoints of a single training.
fn refuse_used(folder: &Path) -> Result<()> {
    if !is_used(folder)? {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: folder.display().to_string(),
        expected: "a folder of a reproduction, or one that is empty or not there yet".into(),
        found: "checkpoints of a single training".into(),
    })
}

/// Of each recipe its name, and a name that files may have and no other recipe has, wherever letters of both cases are one.
fn names<'a>(recipes: impl Iterator<Item = &'a Recipe>) -> Vec<[String; 2]> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let mut names: Vec<[String; 2]> = Vec::new();
    for recipe in recipes {
        let plain = |letter| if is_plain(letter) { letter } else { '-' };
        let base: String = recipe.name.chars().take(LONGEST_NAME).map(plain).collect();
        let (mut name, mut count) = (base.clone(), 1);
        while names.iter().any(|[_, other]| other.eq_ignore_ascii_case(&name)) {
            count += 1;
            name = format!("{base}-{count}");
        }
        names.push([recipe.name.clone(), name]);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain_and_differ() {
        let named = |name: &str| Recipe { name: name.into(), ..Recipe::built_in("digits-mlp").unwrap() };
        let recipes = ["net.1", "net-1", "NET_1", "Net-1", "../x y", "net-1-2"].map(named);
        let found: Vec<String> = names(recipes.iter()).into_iter().map(|[_, file]| file).collect();
        assert_eq!(found, ["net-1", "net-1-2", "NET_1", "Net-1-3", "---x-y", "net-1-2-2"]);
        let long = names([named(&"ä".repeat(500))].iter()).remove(0)[1].clone();
        assert_eq!(long, "-".repeat(LONGEST_NAME));
    }
}
