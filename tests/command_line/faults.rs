//! System calls that fail while files are written: each call of a run in turn, with every error that it may give. Afterwards
//! the old file is there or the new one, whole; nothing else is left; and whoever asked for the file is told.
//!
//! Of a kind with more than [`Case::most`] calls in a run, so many are tried: the first, the last, and some between.

mod calls;
mod tracer;
mod whole;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use calls::{Call, Kind};
use tracer::{Act, Traced, trace};
use whole::{Contents, contents, is_temporary, is_whole};

use crate::common::program::{command, succeeds};

/// What files hold before a run.
const OLD: &[u8] = b"of an earlier run\n";

/// Errors of a disk, and of a file that must not be changed.
const ERRORS: [i32; 5] = [libc::ENOSPC, libc::EIO, libc::EROFS, libc::EACCES, libc::EDQUOT];

/// Calls that a signal interrupts.
const INTERRUPTED: [Kind; 5] = [Kind::Open, Kind::Write, Kind::Sync, Kind::Close, Kind::Truncate];

/// What lies beside files of a data set until all have their names.
const MARKER: &str = ".fallline-set";

const TRAIN: [&str; 5] = ["train", "line", "--epochs=1", "--threads=1", "--quiet"];

/// A run that writes files into the folder `out`.
struct Case {
    arguments: Vec<&'static str>,
    /// Files that are there before.
    old: &'static [&'static str],
    /// What the command that goes on after it has in addition, if this file is there.
    goes_on: Option<(&'static str, &'static str)>,
    /// Files that it comes to with the same bits after it was interrupted.
    exact: &'static [&'static str],
    /// How many errors are tried in each place.
    errors: usize,
    /// How many calls of a kind are tried, and how many places for a disk that is full from there on, and so on.
    most: usize,
}

/// What becomes of a call; nothing if it is let through.
type Fault = Box<dyn Fn(&Call) -> Option<Act>>;

/// What is to go wrong.
struct Plan {
    name: String,
    fault: Fault,
    /// Whether nothing of it may be noticed.
    is_harmless: bool,
    is_killed: bool,
    /// Whether files that are not wanted any more may have to stay.
    keeps_files: bool,
    /// Whether temporary folders may, which have to be listed.
    keeps_folders: bool,
}

impl Plan {
    fn new(name: String, fault: impl Fn(&Call) -> Option<Act> + 'static) -> Plan {
        Plan {
            name,
            fault: Box::new(fault),
            is_harmless: false,
            is_killed: false,
            keeps_files: false,
            keeps_folders: false,
        }
    }
}

/// What has become of a run.
struct Ended {
    traced: Traced,
    error: String,
    out: Contents,
    /// In the folder for temporary files.
    rescued: Contents,
}

/// The program's folder.
struct Place {
    _folder: tempfile::TempDir,
    /// Without links in it.
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        Place { _folder: folder, path }
    }

    fn out(&self) -> PathBuf {
        self.path.join("out")
    }

    fn prepare(&self, case: &Case) {
        for folder in [self.out(), self.path.join("rescued")] {
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
            fs::create_dir(&folder).unwrap();
        }
        for name in case.old {
            let path = self.out().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, OLD).unwrap();
        }
    }

    /// Runs the program; nothing if programs cannot be traced here.
    fn run(&self, arguments: &[&str], fault: &dyn Fn(&Call) -> Option<Act>) -> Option<Ended> {
        let [out, error] = ["stdout", "stderr"].map(|name| self.path.join(name));
        let mut command = command(&self.path, arguments);
        command.env("TMPDIR", self.path.join("rescued"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&error).unwrap());
        let traced = match trace(&mut command, &self.out(), fault) {
            Ok(traced) => traced,
            Err(refused) => {
                let required = std::env::var_os("FALLLINE_REQUIRE_FAULTS").is_some_and(|value| value == "1");
                assert!(!required, "FALLLINE_REQUIRE_FAULTS=1, but programs cannot be traced: {refused}");
                // What a test prints is shown only where it fails.
                let said =
                    format!("*** SKIPPED: a test of faults: programs cannot be traced here: {refused} ***");
                writeln!(std::io::stderr(), "\n{said}\n").ok();
                return None;
            }
        };
        let error = fs::read_to_string(error).unwrap();
        let (out, rescued) = (contents(&self.out()), contents(&self.path.join("rescued")));
        Some(Ended { traced, error, out, rescued })
    }

    /// Makes what a run has left as old as it will be when somebody comes back.
    fn age(&self) {
        for name in contents(&self.out()).keys().filter(|name| is_temporary(name)) {
            let file = File::open(self.out().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(200_000)).unwrap();
        }
    }

    /// Every fault of a case.
    fn try_all(&self, case: &Case) {
        self.prepare(case);
        let Some(usual) = self.run(&case.arguments, &|_| None) else { return };
        assert_eq!(usual.traced.code, Some(0), "{}", usual.error);
        assert!(usual.traced.calls.len() > 8, "{:?}", usual.traced);
        let plans = plans(case, &usual.traced.calls);
        let mut met = 0;
        for (index, plan) in plans.iter().enumerate() {
            self.prepare(case);
            let ended = self.run(&case.arguments, &plan.fault).expect("it was possible before");
            met += usize::from(ended.traced.first.is_some());
            let place = format!("{:?}: {}, first at {:?}", case.arguments, plan.name, ended.traced.first);
            ended.check(case, plan, &usual, &place);
            if plan.is_killed || index.is_multiple_of(10) {
                self.check_next(case, &usual, &place);
            }
        }
        // Threads may make a call more or less; but nearly all faults have happened.
        assert!(met + plans.len() / 50 >= plans.len(), "{met} of {} faults were met", plans.len());
    }

    /// The next run of the same command comes to its end, and finds nothing in its way.
    fn check_next(&self, case: &Case, usual: &Ended, place: &str) {
        self.age();
        let more = case.goes_on.filter(|(file, _)| self.out().join(file).exists()).map(|(_, option)| option);
        let next: Vec<&str> = case.arguments.iter().copied().chain(more).collect();
        let ended = self.run(&next, &|_| None).expect("it was possible before");
        assert_eq!(ended.traced.code, Some(0), "{place}: the next run: {}", ended.error);
        for name in case.exact {
            assert!(ended.out.get(*name) == usual.out.get(*name), "{place}: the next run: {name} is another");
        }
        let left: Vec<_> =
            ended.out.keys().filter(|name| is_temporary(name) || name.ends_with(MARKER)).collect();
        assert!(left.is_empty(), "{place}: the next run leaves {left:?}");
    }
}

impl Ended {
    fn check(&self, case: &Case, plan: &Plan, usual: &Ended, place: &str) {
        let code = self.traced.code;
        let expected: &[Option<i32>] = match plan {
            Plan { is_killed: true, .. } => &[None],
            Plan { is_harmless: true, .. } => &[Some(0)],
            _ => &[Some(0), Some(2)],
        };
        assert!(expected.contains(&code), "{place}: code {code:?}: {}", self.error);
        assert!(!self.error.contains("panicked"), "{place}: {}", self.error);
        if code == Some(2) {
            let names = |line: &str| line.starts_with("error: ") && line.contains("out");
            assert!(self.error.lines().any(names), "{place}: no file is named: {}", self.error);
        }
        for name in case.old {
            let found = self.out.get(*name).unwrap_or_else(|| panic!("{place}: {name} is gone"));
            let is_new = found != OLD;
            assert!(!is_new || is_whole(name, found, &usual.out[*name]), "{place}: {name} is a mix");
            assert!(is_new || code != Some(0), "{place}: {name} is the old one, and nobody is told");
        }
        for (name, found) in &self.out {
            self.check_file(plan, usual, name, found, place);
        }
        for name in usual.out.keys().filter(|name| code == Some(0) && !name.contains("checkpoint-")) {
            assert!(self.out.contains_key(name), "{place}: {name} is not there, and nobody is told");
        }
        for (name, found) in &self.rescued {
            self.check_rescued(usual, name, found, place);
        }
    }

    fn check_file(&self, plan: &Plan, usual: &Ended, name: &str, found: &[u8], place: &str) {
        if is_temporary(name) {
            let is_in_folder = name.contains(".tmp/");
            let is_excused = plan.keeps_files || plan.is_killed || plan.keeps_folders && is_in_folder;
            assert!(is_excused, "{place}: {name} is left behind");
        } else if name.ends_with(MARKER) {
            assert!(self.traced.code != Some(0), "{place}: a set is not whole, and nobody is told");
        } else if name.contains("fallline-rescued-") {
            self.check_rescued(usual, name, found, place);
        } else if let Some(usual) = usual.out.get(name) {
            // What a killed run was adding to is read up to there, and a disk that takes nothing cannot be tidied up.
            let grows = name.ends_with(".jsonl") || name.ends_with("events");
            let is_excused = grows && (plan.is_killed || plan.keeps_files) || name.ends_with("lock");
            assert!(
                is_excused || found == OLD || is_whole(name, found, usual),
                "{place}: {name} is torn after {} of {} bytes",
                found.len(),
                usual.len()
            );
        } else {
            let is_known = name.ends_with(".partial") || name.contains("checkpoint-");
            assert!(is_known && is_whole(name, found, &[]), "{place}: {name} is left behind, or torn");
        }
    }

    /// What could not be written in its place is whole elsewhere, and the message says where.
    fn check_rescued(&self, usual: &Ended, name: &str, found: &[u8], place: &str) {
        let last = name.rsplit('/').next().unwrap();
        assert!(self.error.contains(last), "{place}: nobody is told of {name}: {}", self.error);
        let of = last.trim_end_matches(".partial");
        let original = usual.out.iter().find(|(original, _)| of.ends_with(&format!("-{original}")));
        let (original, usual) = original.unwrap_or_else(|| panic!("{place}: {name} is unknown"));
        assert!(is_whole(original, found, usual), "{place}: {name} is torn");
    }
}

/// So many of `all`, if there are more: the first, the last, and some between. With `FALLLINE_EVERY_FAULT=1` all of them.
fn sample<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if std::env::var_os("FALLLINE_EVERY_FAULT").is_some_and(|value| value == "1") {
        return all.to_vec();
    }
    let last = all.len().saturating_sub(1);
    let ends = most / 3;
    let between = |index: usize| ends + (index - ends + 1) * (last - 2 * ends) / (most - 2 * ends + 1);
    let place = |index: usize| match index {
        _ if all.len() <= most || index < ends => index,
        _ if index + ends >= most => last - (most - 1 - index),
        _ => between(index),
    };
    (0..all.len().min(most)).map(|index| all[place(index)]).collect()
}

fn plans(case: &Case, calls: &[Call]) -> Vec<Plan> {
    let mut plans = Vec::new();
    let kinds: BTreeSet<Kind> = calls.iter().map(|call| call.kind).collect();
    for kind in kinds {
        let of_kind = calls.iter().filter(|call| call.kind == kind && call.can_fail());
        let numbers: Vec<usize> = of_kind.map(|call| call.number).collect();
        for (index, number) in sample(&numbers, case.most).into_iter().enumerate() {
            plans_for_call(
                kind,
                number,
                &mut ERRORS.iter().cycle().skip(index).take(case.errors),
                &mut plans,
            );
        }
    }
    let numbers = |is_met: fn(&Call) -> bool| {
        let numbers: Vec<usize> = calls.iter().filter(|call| is_met(call)).map(|call| call.of_all).collect();
        sample(&numbers, case.most)
    };
    for number in numbers(|call| call.needs_room) {
        // What still fits is written.
        let full = move |call: &Call| match call.kind {
            _ if call.of_all < number || !call.needs_room => None,
            Kind::Write if call.of_all == number => Some(Act::Short),
            _ => Some(Act::Fail(libc::ENOSPC)),
        };
        plans.push(Plan::new(format!("the disk is full from call {number} on"), full));
    }
    for number in numbers(|call| call.changes) {
        let fixed =
            move |call: &Call| (call.of_all >= number && call.changes).then_some(Act::Fail(libc::EROFS));
        let plan = Plan::new(format!("the disk is read-only from call {number} on"), fixed);
        plans.push(Plan { keeps_files: true, ..plan });
    }
    for number in numbers(Call::can_fail) {
        let broken =
            move |call: &Call| (call.of_all >= number && call.can_fail()).then_some(Act::Fail(libc::EIO));
        let plan = Plan::new(format!("the disk fails from call {number} on"), broken);
        plans.push(Plan { keeps_files: true, ..plan });
    }
    for number in numbers(|_| true) {
        let killed = move |call: &Call| (call.of_all == number).then_some(Act::Kill);
        let plan = Plan::new(format!("the program is killed before call {number}"), killed);
        plans.push(Plan { is_killed: true, ..plan });
    }
    let short = |call: &Call| (call.kind == Kind::Write).then_some(Act::Short);
    let odd = |call: &Call| {
        (INTERRUPTED.contains(&call.kind) && call.number % 2 == 1).then_some(Act::Fail(libc::EINTR))
    };
    plans.push(Plan { is_harmless: true, ..Plan::new("all writes are short".into(), short) });
    plans.push(Plan { is_harmless: true, ..Plan::new("every other call is interrupted".into(), odd) });
    plans
}

/// A call that fails with each of these errors, one after which all of its kind fail, and one that is interrupted.
fn plans_for_call(kind: Kind, number: usize, errors: &mut dyn Iterator<Item = &i32>, plans: &mut Vec<Plan>) {
    let of = move |call: &Call| call.kind == kind && call.can_fail();
    let mut push = |name: String, is_harmless, fault: Fault| {
        let keeps_folders = [Kind::Open, Kind::List, Kind::Stat].contains(&kind);
        let plan = Plan { is_harmless, keeps_folders, ..Plan::new(name, fault) };
        plans.push(Plan { keeps_files: kind == Kind::Unlink, ..plan });
    };
    let mut last = libc::EIO;
    for &error in errors {
        let once = move |call: &Call| (of(call) && call.number == number).then_some(Act::Fail(error));
        push(format!("{kind:?} {number} fails with {error}"), false, Box::new(once));
        last = error;
    }
    let lasting = move |call: &Call| (of(call) && call.number >= number).then_some(Act::Fail(last));
    push(format!("{kind:?} fails with {last} from {number} on"), false, Box::new(lasting));
    if INTERRUPTED.contains(&kind) {
        let once = move |call: &Call| (of(call) && call.number == number).then_some(Act::Fail(libc::EINTR));
        push(format!("{kind:?} {number} is interrupted"), true, Box::new(once));
    }
}

fn case(arguments: &[&'static str], old: &'static [&'static str]) -> Case {
    Case { arguments: arguments.to_vec(), old, goes_on: None, exact: old, errors: 2, most: 8 }
}

fn training(more: &[&'static str], old: &'static [&'static str]) -> Case {
    case(&[&TRAIN[..], more].concat(), old)
}

#[test]
fn a_model() {
    let place = Place::new();
    place.try_all(&training(&["--save=out/m"], &["m"]));
    place.try_all(&Case { exact: &["m"], errors: 1, ..training(&["--save=out/m"], &[]) });
}

#[test]
fn a_record() {
    Place::new().try_all(&Case { exact: &[], errors: 2, ..training(&["--json=out/r.json"], &["r.json"]) });
}

#[test]
fn a_report() {
    let old = &["r/run.json", "r/loss.svg", "r/loss.png", "r/report.html"];
    Place::new().try_all(&Case { exact: &[], errors: 1, most: 3, ..training(&["--report=out/r"], old) });
}

#[test]
fn checkpoints() {
    let kept = ["--resume=out/c", "--checkpoint-every=3steps", "--save=out/m"];
    Place::new().try_all(&Case { errors: 1, ..training(&kept, &["m"]) });
}

#[test]
fn files_of_events() {
    Place::new().try_all(&Case { errors: 2, ..training(&["--tensorboard=out/t"], &[]) });
}

#[test]
fn folds_and_their_partial_results() {
    let folds = training(&["--folds=3", "--json=out/f.json"], &["f.json"]);
    Place::new().try_all(&Case { exact: &[], errors: 1, ..folds });
}

#[test]
fn a_search_and_its_journal() {
    let search = ["search", "line", "--trials=2", "--epochs=1", "--threads=1", "--json=out/s.json"];
    let goes_on = Some(("s.json.trials.jsonl", "--resume"));
    let search = Case { goes_on, exact: &[], errors: 2, ..case(&search, &["s.json"]) };
    Place::new().try_all(&search);
}

#[test]
fn predictions_and_pages() {
    let place = Place::new();
    succeeds(&place.path, &[&TRAIN[..], &["--save=m", "--json=r.json"]].concat());
    succeeds(&place.path, &["data", "generate", "line", "--train=20", "--test=20", "--out=d"]);
    let predict = case(&["predict", "--model=m", "d/line-test.csv", "--out=out/p.csv"], &["p.csv"]);
    place.try_all(&Case { errors: 2, ..predict });
    place.try_all(&Case { errors: 1, ..case(&["report", "r.json", "--out=out/p.html"], &["p.html"]) });
}

#[test]
fn generated_data() {
    let place = Place::new();
    let old = &["line-train.csv", "line-test.csv"];
    let sizes = ["--train=20", "--test=20", "--force"];
    place.try_all(&case(&[&["data", "generate", "line", "--out=out"], &sizes[..]].concat(), old));
    let digits = case(&[&["data", "generate", "digits", "--out=out/d"], &sizes[..]].concat(), &[]);
    let exact = &["d/train-images-idx3-ubyte", "d/train-labels-idx1-ubyte"];
    place.try_all(&Case { exact, errors: 1, ..digits });
}
