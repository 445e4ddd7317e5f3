//! Hands inputs to a reader and looks at what it does with them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fallline::engine::report::markup::for_terminal;

use super::allocator;
use super::random::Random;
use super::targets;
use super::watchdog::{self, Work};

/// Inputs of all targets together, unless the environment says otherwise.
const QUICK: u64 = 12_000;

/// The longest message that a terminal is not flooded by, in bytes.
const LONGEST_MESSAGE: usize = 4000;

/// Memory that a thread may have kept after many inputs, such as tables that are made once.
const KEPT: isize = 1 << 20;

/// A reader, and how it is tried.
pub struct Target {
    /// Also that of its test.
    pub name: &'static str,
    /// How many of all inputs it gets, in proportion to those of the others.
    pub share: u64,
    /// Inputs that the reader accepts.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// An input made from the seeds.
    pub spoil: fn(&mut Random, &[Vec<u8>]) -> Vec<u8>,
    /// Reads the input as the program does. Only this is measured.
    pub read: fn(&Input) -> Result<Accepted, String>,
    /// The most bytes that reading an input may take, as `docs/hostile-input.md` says.
    pub memory: fn(&[u8]) -> usize,
}

/// What a reader is given.
pub struct Input<'a> {
    pub bytes: &'a [u8],
    /// A file with these bytes, in a folder where others may be put beside it.
    pub path: &'a Path,
}

/// What was read, and whether it is sound: the check says what is wrong with it.
pub type Accepted = Box<dyn FnOnce() -> Result<(), String>>;

/// What a run is asked for.
pub struct Options {
    /// Of this target.
    pub inputs: u64,
    pub seed: u64,
    pub deadline: Duration,
    /// A folder with one for each target, whose files are inputs too.
    pub corpus: Option<PathBuf>,
    /// The only input to be tried.
    pub only: Option<PathBuf>,
    /// Whether to say how far it is.
    pub is_long: bool,
}

/// What a reader must not do.
#[derive(Debug)]
pub struct Fault {
    /// One word, for the name of a file.
    pub kind: &'static str,
    pub text: String,
}

/// What came of the inputs that were tried.
#[derive(Default)]
pub struct Tally {
    pub inputs: u64,
    pub accepted: u64,
    /// By their texts without numbers, the first of each sort and how many there were.
    pub faults: BTreeMap<String, (Fault, PathBuf, u64)>,
    slowest: Duration,
    /// Bytes, and the part of those that were allowed.
    most_memory: (usize, f64),
}

impl Options {
    fn from_environment(target: &Target) -> Options {
        let number = |name: &str| {
            let text = std::env::var(name).ok()?;
            Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name}: expected a number, found {text}")))
        };
        let all = number("FALLLINE_FUZZ_INPUTS");
        let shares: u64 = targets::ALL.iter().map(|target| target.share).sum();
        Options {
            inputs: (all.unwrap_or(QUICK) * target.share).div_ceil(shares),
            seed: number("FALLLINE_FUZZ_SEED").unwrap_or(1),
            deadline: watchdog::DEADLINE,
            corpus: std::env::var_os("FALLLINE_FUZZ_CORPUS").map(PathBuf::from),
            only: std::env::var_os("FALLLINE_FUZZ_FILE").map(PathBuf::from),
            is_long: all.is_some(),
        }
    }
}

/// Tries a target as the environment says.
///
/// # Panics
/// If its reader does what it must not do.
pub fn run(target: &Target) {
    let tally = tried(target, &Options::from_environment(target));
    let faults: Vec<String> = tally.faults.values().map(described).collect();
    assert!(faults.is_empty(), "{} sorts of faults:\n{}", faults.len(), faults.join("\n"));
}

/// Tries a target: its seeds, files that are known, and spoilt seeds.
pub fn tried(target: &Target, options: &Options) -> Tally {
    let shared_memory = Path::new("/dev/shm");
    let builder = &mut tempfile::Builder::new();
    let builder = builder.prefix("fallline-fuzz-");
    let folder = builder.tempdir_in(shared_memory).or_else(|_| builder.tempdir()).unwrap();
    let path = folder.path().join(target.name);
    let mut trial = Trial {
        target,
        work: Work::watched(&path, options.deadline),
        file: File::create(&path).unwrap(),
        path,
        tally: Tally::default(),
    };
    if let Some(only) = &options.only {
        let accepted = trial.attempt(&std::fs::read(only).unwrap());
        say(&format!("{}: {}", target.name, if accepted { "accepted" } else { "refused" }));
        return trial.tally;
    }
    let mut seeds = (target.seeds)();
    for (index, seed) in seeds.iter().enumerate() {
        let sound = trial.attempt(seed);
        assert!(sound || !trial.tally.faults.is_empty(), "{}: seed {index} is refused", target.name);
    }
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/known");
    for folder in [Some(known), options.corpus.clone()].into_iter().flatten() {
        for bytes in files_in(&folder.join(target.name)) {
            trial.attempt(&bytes);
            seeds.push(bytes);
        }
    }
    let (begun, mut said) = (Instant::now(), Instant::now());
    let before = allocator::live();
    for index in 0..options.inputs {
        trial.attempt(&(target.spoil)(&mut Random::of(options.seed, target.name, index), &seeds));
        if options.is_long && said.elapsed() > Duration::from_secs(60) {
            said = Instant::now();
            say(&format!("{}: {} of {} inputs", target.name, index + 1, options.inputs));
        }
    }
    let summary = trial.tally.summary(target.name, options.inputs, begun.elapsed());
    if options.is_long {
        say(&summary)
    } else {
        println!("{summary}")
    }
    if trial.tally.faults.is_empty() {
        let kept = allocator::live() - before;
        assert!(kept < KEPT, "{}: {kept} bytes of memory are not given back", target.name);
    }
    trial.tally
}

/// A target being tried.
struct Trial<'a> {
    target: &'a Target,
    work: std::sync::Arc<Work>,
    /// Holds the input under way, so that it is there whatever becomes of this process.
    file: File,
    path: PathBuf,
    tally: Tally,
}

impl Trial<'_> {
    /// Tries an input and says whether it was accepted without fault.
    fn attempt(&mut self, bytes: &[u8]) -> bool {
        self.file.rewind().unwrap();
        self.file.write_all(bytes).unwrap();
        self.file.set_len(bytes.len() as u64).unwrap();
        let input = Input { bytes, path: &self.path };
        let begun = Instant::now();
        let examined = self.work.during(|| examined(self.target, &input, &mut self.tally.most_memory));
        self.tally.slowest = self.tally.slowest.max(begun.elapsed());
        self.tally.inputs += 1;
        match examined {
            Ok(accepted) => {
                self.tally.accepted += u64::from(accepted);
                accepted
            }
            Err(fault) => {
                self.note(fault);
                false
            }
        }
    }

    fn note(&mut self, fault: Fault) {
        let sort: String = fault.text.chars().filter(|letter| !letter.is_ascii_digit()).take(60).collect();
        if let Some((_, _, count)) = self.tally.faults.get_mut(&sort) {
            *count += 1;
            return;
        }
        let kept = keep(&self.path, fault.kind);
        say(&format!("{}: {}: {}; the input: {}", self.target.name, fault.kind, fault.text, kept.display()));
        self.tally.faults.insert(sort, (fault, kept, 1));
    }
}

/// Whether the reader accepts an input.
///
/// # Errors
/// What it does that it must not do.
fn examined(target: &Target, input: &Input, most_memory: &mut (usize, f64)) -> Result<bool, Fault> {
    let fault = |kind, text| Fault { kind, text };
    let work = || allocator::peak(|| (target.read)(input));
    let (outcome, taken) =
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| fault("panic", message(panic.as_ref())))?;
    let allowed = (target.memory)(input.bytes);
    let part = taken as f64 / allowed as f64;
    if part > most_memory.1 {
        *most_memory = (taken, part);
    }
    if taken > allowed {
        let text = format!("{taken} bytes of memory for {} of input, {allowed} allowed", input.bytes.len());
        return Err(fault("memory", text));
    }
    match outcome {
        Ok(check) => match catch_unwind(AssertUnwindSafe(check)) {
            Ok(checked) => checked.map(|()| true).map_err(|text| fault("unsound", text)),
            Err(panic) => Err(fault("panic", format!("in what was read: {}", message(panic.as_ref())))),
        },
        Err(said) => match check_message(&said) {
            Ok(()) => Ok(false),
            Err(wrong) => Err(fault("message", wrong)),
        },
    }
}

/// That an error can be shown: one line of a length that can be read.
fn check_message(said: &str) -> Result<(), String> {
    let shown = for_terminal(said);
    let start: String = shown.chars().take(200).collect();
    if shown.trim().is_empty() {
        Err("an error without words".into())
    } else if shown.chars().any(char::is_control) {
        Err(format!("an error with control characters or of several lines: {start:?}"))
    } else if shown.len() > LONGEST_MESSAGE {
        Err(format!("an error of {} bytes: {start:?}", shown.len()))
    } else {
        Ok(())
    }
}

impl Tally {
    fn summary(&self, name: &str, inputs: u64, time: Duration) -> String {
        format!(
            "{name}: {inputs} inputs in {:.1} s, {:.0} a second; {:.1} % accepted; slowest {:.0} ms; most memory {} \
             KiB, {:.0} % of what is allowed",
            time.as_secs_f64(),
            inputs as f64 / time.as_secs_f64(),
            100.0 * self.accepted as f64 / self.inputs as f64,
            1e3 * self.slowest.as_secs_f64(),
            self.most_memory.0 >> 10,
            100.0 * self.most_memory.1,
        )
    }
}

fn described((fault, path, count): &(Fault, PathBuf, u64)) -> String {
    format!("{} ({count} times): {}; the first input: {}", fault.kind, fault.text, path.display())
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_string()
}

/// The contents of the files of a folder, if there is one, by their names.
fn files_in(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Copies an input to where it outlives the run.
pub fn keep(input: &Path, kind: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let bytes = std::fs::read(input).unwrap_or_default();
    let sum = bytes.iter().fold(0u64, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let target = input.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = folder.join(format!("{target}-{kind}-{sum:016x}"));
    let written = std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, bytes));
    written.map(|()| path).unwrap_or_else(|_| input.to_path_buf())
}

/// Says something at once: tests are otherwise heard when they have ended.
pub fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
