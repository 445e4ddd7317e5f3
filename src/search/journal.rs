//! The file that has every trial that is done, a line of JSON each, written when it is done.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::record::TrialState;
use crate::foreign::{self, LARGEST_JSON, shortened};
use crate::{Error, Result, atomic_file, memory};

/// The schema of the first line.
pub const TRIALS_SCHEMA: &str = "fallline.search-trials/1";

/// What a search was asked for: all that decides its trials. The first line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub schema: String,
    pub method: String,
    /// As many trials as were asked for.
    pub trials: usize,
    pub seed: u64,
    #[serde(default)]
    pub folds: Option<usize>,
    /// The keys with their ranges.
    pub over: Vec<String>,
    pub data: String,
    pub samples: usize,
    /// CRC-32C of the training samples.
    pub checksum: u32,
    /// The recipe as TOML, every value written out.
    pub recipe: String,
}

/// What has become of one training of a trial: a line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The number of the trial, from 1.
    pub trial: usize,
    /// The epochs after which it was to be tried; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
    pub settings: Map<String, Value>,
    pub state: TrialState,
    /// The score of each fold, the higher the better; empty if it has none.
    pub scores: Vec<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    pub seconds: f64,
    /// Epochs that were trained, in the mean of the folds.
    pub epochs: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The file, open for more lines. No other process writes to it meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Where the last line ends that is all there, in bytes.
    end: u64,
}

impl Identity {
    /// The first thing that is different in another search: its name, what it is here and what it is there.
    fn difference(&self, other: &Identity) -> Option<(&'static str, String, String)> {
        let folds = |of: &Identity| of.folds.map_or("none".to_string(), |folds| folds.to_string());
        let line = || {
            let (mut here, mut there) = (self.recipe.lines(), other.recipe.lines());
            loop {
                match (here.next(), there.next()) {
                    (a, b) if a == b && a.is_some() => {}
                    (a, b) => return [a, b].map(|line| line.unwrap_or("nothing more").to_string()),
                }
            }
        };
        let all = [
            ("the method", self.method.clone(), other.method.clone()),
            ("the number of trials", self.trials.to_string(), other.trials.to_string()),
            ("the seed of the search", self.seed.to_string(), other.seed.to_string()),
            ("the folds", folds(self), folds(other)),
            ("what is searched", self.over.join(" "), other.over.join(" ")),
            ("the data set", self.data.clone(), other.data.clone()),
            ("the number of training samples", self.samples.to_string(), other.samples.to_string()),
            ("the checksum of the training samples", self.checksum.to_string(), other.checksum.to_string()),
        ];
        let found = all.into_iter().find(|(_, here, there)| here != there);
        found.or_else(|| {
            let differs = self.recipe != other.recipe;
            differs.then(line).map(|[here, there]| ("the recipe", here, there))
        })
    }
}

impl Journal {
    /// Begins a new file. One of a search that is not over stays as it is.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if there is a file with trials of a search that is not over, or some other file; [`Error::Io`].
    pub fn begin(path: &Path, identity: &Identity) -> Result<Journal> {
        if path.exists() {
            // Whoever writes it at this moment keeps it.
            let _locked = Journal::open(path)?;
            let (_, outcomes, is_over) = read(path)?;
            if !is_over && !outcomes.is_empty() {
                return Err(Error::Mismatch {
                    what: path.display().to_string(),
                    expected: "no trials of a search that is not over (--resume goes on with it; remove the file to begin \
                               anew)"
                        .into(),
                    found: counted(outcomes.len()),
                });
            }
        }
        atomic_file::write(path, |file| line(file, identity))?;
        Journal::open(path)
    }

    /// Goes on with a file: what is in it, without a last line that was torn off.
    ///
    /// # Errors
    /// [`Error::Mismatch`] with the difference if it is of another search; [`Error::Format`] if it is no such file;
    /// [`Error::Io`].
    pub fn resume(path: &Path, identity: &Identity) -> Result<(Journal, Vec<Outcome>)> {
        let mut journal = Journal::open(path)?;
        let (of, outcomes, _) = read(path)?;
        if let Some((what, here, there)) = identity.difference(&of) {
            return Err(Error::Mismatch {
                what: format!("{}: {what}", path.display()),
                expected: format!("that of the search to go on with, {}", shortened(&there)),
                found: shortened(&here),
            });
        }
        journal.drop_torn().map_err(Error::io(path, "write"))?;
        Ok((journal, outcomes))
    }

    fn open(path: &Path) -> Result<Journal> {
        let file = File::options().read(true).append(true).open(path).map_err(Error::io(path, "open"))?;
        file.try_lock().map_err(|refused| {
            let refused = match refused {
                std::fs::TryLockError::Error(error) => error,
                std::fs::TryLockError::WouldBlock => {
                    io::Error::new(io::ErrorKind::ResourceBusy, "another search is writing it")
                }
            };
            Error::io(path, "lock")(refused)
        })?;
        let end = file.metadata().map_err(Error::io(path, "read"))?.len();
        Ok(Journal { path: path.into(), file, end })
    }

    /// Cuts off what stands behind the last end of a line.
    fn drop_torn(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        Read::by_ref(&mut self.file).take(LARGEST_JSON).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        if whole < bytes.len() {
            self.end = whole as u64;
        }
        self.cut()
    }

    /// Cuts off what stands behind the last line.
    fn cut(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() > self.end { self.file.set_len(self.end) } else { Ok(()) }
    }

    /// Adds a training, and returns when it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, outcome: &Outcome) -> Result<()> {
        self.append(outcome)
    }

    /// Says that the search is over.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn end(&mut self) -> Result<()> {
        self.append(&Over { over: true })
    }

    fn append(&mut self, what: &impl Serialize) -> Result<()> {
        // One write for the whole line: what is killed in between tears one line at most.
        let mut text = Vec::new();
        let written =
            line(&mut text, what).and_then(|()| self.cut()).and_then(|()| self.file.write_all(&text));
        match written.and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.end += text.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Other trials are still under way: half of this line would make theirs unreadable.
                self.cut().ok();
                Err(Error::io(&self.path, "write")(error))
            }
        }
    }
}

/// The last line of a search that is over.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Over {
    over: bool,
}

fn line(to: &mut (impl Write + ?Sized), what: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(what)?;
    text.push(b'\n');
    to.write_all(&text)
}

fn counted(trials: usize) -> String {
    format!("{trials} {}", if trials == 1 { "trial" } else { "trials" })
}

/// The search that a file is of, its trials, and whether it is over.
fn read(path: &Path) -> Result<(Identity, Vec<Outcome>, bool)> {
    let bytes = foreign::read(path)?;
    // What stands behind the last end of a line was torn off.
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
    let mut lines = bytes[..whole].split(|&byte| byte == b'\n').enumerate();
    let wrong = |number: usize, fault: foreign::Fault| Error::Format {
        path: path.into(),
        place: format!("line {}, {}", number + 1, fault.place),
        expected: fault.expected,
        found: fault.found,
    };
    let first = lines.next().map_or(&[][..], |(_, first)| first);
    let identity: Identity = foreign::json(first).map_err(|fault| wrong(0, fault))?;
    if identity.schema != TRIALS_SCHEMA {
        return Err(Error::Format {
            path: path.into(),
            place: "line 1".into(),
            expected: format!("the schema {TRIALS_SCHEMA}"),
            found: shortened(&identity.schema),
        });
    }
    let mut outcomes = memory::reserved("trials", 0)?;
    let mut is_over = false;
    for (number, text) in lines.filter(|(_, text)| !text.is_empty()) {
        if foreign::json::<Over>(text).is_ok_and(|end| end.over) {
            is_over = true;
            continue;
        }
        outcomes.push(foreign::json(text).map_err(|fault| wrong(number, fault))?);
    }
    Ok((identity, outcomes, is_over))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn identity() -> Identity {
        Identity {
            schema: TRIALS_SCHEMA.into(),
            method: "random".into(),
            trials: 3,
            seed: 1,
            folds: None,
            over: vec!["train.batch=32,64".into()],
            data: "digits".into(),
            samples: 10,
            checksum: 7,
            recipe: "name = \"a\"\n[train]\nepochs = 5\n".into(),
        }
    }

    fn outcome(trial: usize) -> Outcome {
        Outcome {
            trial,
            until: None,
            settings: Map::new(),
            state: TrialState::Finished,
            scores: vec![0.1 + 0.2],
            accuracy: Some(0.3),
            loss: Some(1.5),
            seconds: 0.25,
            epochs: 5.0,
            reason: None,
        }
    }

    #[test]
    fn what_was_added_comes_back_without_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        let mut journal = Journal::begin(&path, &identity()).unwrap();
        journal.add(&outcome(2)).unwrap();
        journal.add(&outcome(1)).unwrap();
        let locked = Journal::resume(&path, &identity()).unwrap_err().to_string();
        assert!(locked.contains("another search is writing it"), "{locked}");
        drop(journal);
        let whole = fs::read(&path).unwrap();
        let torn: Vec<u8> = [&whole[..], b"{\"trial\":3,\"sett"].concat();
        fs::write(&path, torn).unwrap();
        let (mut journal, outcomes) = Journal::resume(&path, &identity()).unwrap();
        assert_eq!(outcomes, [outcome(2), outcome(1)]);
        assert_eq!(fs::read(&path).unwrap(), whole, "the torn line is gone");
        journal.add(&outcome(3)).unwrap();
        drop(journal);
        let refused = Journal::begin(&path, &identity()).unwrap_err().to_string();
        assert!(
            refused.contains("--resume goes on with it") && refused.ends_with("found 3 trials"),
            "{refused}"
        );
        let (mut journal, outcomes) = Journal::resume(&path, &identity()).unwrap();
        assert_eq!(outcomes.len(), 3);
        journal.end().unwrap();
        drop(journal);
        Journal::begin(&path, &identity()).unwrap();
        assert!(read(&path).unwrap().1.is_empty(), "one that is over is replaced");
    }

    #[test]
    fn another_search_is_refused_with_the_difference() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        drop(Journal::begin(&path, &identity()).unwrap());
        let refusal = |change: &dyn Fn(&mut Identity)| {
            let mut other = identity();
            change(&mut other);
            Journal::resume(&path, &other).unwrap_err().to_string()
        };
        for (message, expected) in [
            (
                refusal(&|other| other.method = "tpe".into()),
                "the method: expected that of the search to go on with, random, found tpe",
            ),
            (refusal(&|other| other.trials = 4), "the number of trials"),
            (refusal(&|other| other.seed = 4), "the seed of the search"),
            (refusal(&|other| other.folds = Some(4)), "the folds"),
            (
                refusal(&|other| other.over[0] = "train.batch=1,2".into()),
                "train.batch=32,64, found train.batch=1,2",
            ),
            (refusal(&|other| other.checksum = 4), "the checksum"),
            (refusal(&|other| other.recipe = other.recipe.replace('5', "6")), "epochs = 5, found epochs = 6"),
        ] {
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn what_a_failure_leaves_of_a_line_does_not_spoil_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        let mut journal = Journal::begin(&path, &identity()).unwrap();
        journal.add(&outcome(1)).unwrap();
        // As if the disk had been full half-way, and had not let it be cut off.
        File::options().append(true).open(&path).unwrap().write_all(b"{\"trial\":2,\"sta").unwrap();
        journal.add(&outcome(3)).unwrap();
        let (_, outcomes, _) = read(&path).unwrap();
        assert_eq!(outcomes, [outcome(1), outcome(3)]);
        assert!(!fs::read_to_string(&path).unwrap().contains("\"sta{"));
    }

    #[test]
    fn other_files_are_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        for text in ["", "a letter\n", "{}\n", "{\"schema\": 1}\n", "[1, 2]\n"] {
            fs::write(&path, text).unwrap();
            let message = Journal::begin(&path, &identity()).unwrap_err().to_string();
            assert!(message.contains("notes: line 1"), "{message}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let text = format!("{}\nx\n", serde_json::to_string(&identity()).unwrap());
        fs::write(&path, text).unwrap();
        let message = Journal::resume(&path, &identity()).unwrap_err().to_string();
        assert!(message.contains("notes: line 2, line 1"), "{message}");
    }
}
