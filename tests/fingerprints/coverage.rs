//! Whether the tables use all that there is: every name and every key that a recipe may have, as the parser
//! lists them where it refuses one that it does not know.

use std::collections::{BTreeMap, BTreeSet};

use fallline::Error;
use fallline::engine::init::Init;
use fallline::engine::losses;
use fallline::engine::model::recipe::{SCHEDULES, optimizer_names};
use fallline::engine::team::Team;
use toml::{Table, Value};

use crate::case::{Case, parse};

/// Keys that change nothing in what is trained on samples that are given, or that the clock decides.
const NO_MATTER: [(&str, &[&str]); 4] = [
    ("recipe", &["name", "summary", "target", "target_loss", "reproduce"]),
    ("data", &["set", "train_samples", "test_samples", "seed"]),
    ("stop", &["seconds"]),
    // Of sequences that follow each other or have lengths of their own: cases of texts have them. What is frozen is compared
    // with layers that are put back after each step, bit by bit, in tests/training/freezing.rs.
    ("train", &["carry_state", "buckets", "freeze"]),
];

/// What is no key and no name.
const UNKNOWN: &str = "?";

#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

/// Names or keys of one kind: those that the parser knows, and those that recipes use.
#[derive(Default)]
struct Kind {
    known: BTreeSet<String>,
    used: BTreeSet<String>,
}

type Kinds = BTreeMap<String, Kind>;

/// The names and keys that no recipe of the tables uses, those of a kind together.
pub fn unused(cases: &[Case]) -> Vec<String> {
    let (mut names, mut keys) = (Kinds::new(), Kinds::new());
    for case in cases {
        if let Some(table) = &case.table {
            names_and_keys(table, &mut names, &mut keys);
        }
    }
    // The parser has told all of what the library lists.
    let lists: [(&str, Vec<&str>); 4] = [
        ("optimizer", optimizer_names().collect()),
        ("loss", losses::ALL.iter().map(|kind| kind.name()).collect()),
        ("schedule", SCHEDULES.to_vec()),
        ("initialiser", Init::NAMES.to_vec()),
    ];
    for (kind, list) in lists {
        assert!(list.iter().all(|name| names[kind].known.contains(*name)), "{kind}: {list:?}");
    }
    for (kind, ignored) in NO_MATTER {
        keys.get_mut(kind).unwrap().used.extend(ignored.iter().map(|key| key.to_string()));
    }
    for kind in ["layer", "activation", "average", "fill"] {
        assert!(names[kind].known.len() > 1, "{kind}");
    }
    // The last layer of a text's network: a case of its own has it.
    names.get_mut("layer").unwrap().used.insert("tied-output".into());
    // Samples are given.
    names.remove("data set");
    let unused = |(kind, Kind { known, used }): (&String, &Kind)| {
        let unused: Vec<_> = known.difference(used).cloned().collect();
        (!unused.is_empty()).then(|| format!("{kind}: {}", unused.join(", ")))
    };
    names.iter().chain(&keys).filter_map(unused).collect()
}

/// Adds the names that a recipe uses, and the keys that have another value than without them.
fn names_and_keys(table: &Table, names: &mut Kinds, keys: &mut Kinds) {
    let plain = parse(table).unwrap();
    for (path, value) in places(table) {
        match value {
            Value::String(name) => {
                // A name: the parser says which others it might have been.
                let Some((kind, known)) = refused(table, &path, UNKNOWN.into()) else { continue };
                let kind = names.entry(kind.to_string()).or_default();
                kind.known.extend(known);
                kind.used.insert(name.clone());
                // It may stand for a table, whose keys are known then.
                let entries = [("type", Value::from(name.as_str())), (UNKNOWN, 0.into())];
                let long = Table::from_iter(entries.map(|(key, value)| (key.to_string(), value)));
                if let Some(("key", known)) = refused(table, &path, long.clone().into()) {
                    let kind = keys.entry(kind_of(&path, &long)).or_default();
                    add_keys(kind, known);
                    kind.used.insert("type".into());
                }
            }
            Value::Table(inner) => {
                let mut with = inner.clone();
                with.insert(UNKNOWN.into(), 0.into());
                let Some(("key", known)) = refused(table, &path, with.into()) else {
                    panic!("a table at {path:?} may have any key")
                };
                let kind = keys.entry(kind_of(&path, &inner)).or_default();
                add_keys(kind, known);
                let matters = |key: &&String| {
                    let path: Vec<_> = path.iter().cloned().chain([Step::Key(key.to_string())]).collect();
                    parse(&without(table, &path)).map_or(true, |recipe| recipe != plain)
                };
                kind.used.extend(inner.keys().filter(matters).cloned());
            }
            _ => {}
        }
    }
}

/// The keys without the path before them.
fn add_keys(kind: &mut Kind, known: Vec<String>) {
    kind.known.extend(known.iter().filter_map(|key| key.rsplit('.').next()).map(String::from));
}

/// What of a recipe a table is: its key, and its type if it has one.
fn kind_of(path: &[Step], table: &Table) -> String {
    let keys = path.iter().rev().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    let kind = match keys.clone().next() {
        None => "recipe",
        Some("shortcut") => "layers",
        Some("weight_init" | "bias_init") => "initialiser",
        // All curves together: each has the same lengths.
        Some("sequence" | "momentum" | "weight_decay" | "schedule") => return "schedule".into(),
        Some(key) => key,
    };
    let name = ["type", "name", "method"].iter().find_map(|key| table.get(*key)?.as_str());
    match name.filter(|_| kind != "recipe") {
        Some(name) => format!("{kind} {name}"),
        None => kind.into(),
    }
}

/// What is not known, and what would be, if this value stood there: none if it is refused for another
/// reason, or taken.
fn refused(table: &Table, path: &[Step], value: Value) -> Option<(&'static str, Vec<String>)> {
    let mut changed = Value::from(table.clone());
    *find(&mut changed, path) = value;
    match parse(changed.as_table().unwrap()) {
        Err(Error::Unknown { kind, known, .. }) => Some((kind, known)),
        _ => None,
    }
}

/// All values within a table, and it itself.
fn places(table: &Table) -> Vec<(Vec<Step>, Value)> {
    let mut found = vec![(Vec::new(), Value::from(table.clone()))];
    let mut next = 0;
    while next < found.len() {
        let (path, value) = found[next].clone();
        let inner: Vec<(Step, Value)> = match value {
            Value::Table(table) => table.into_iter().map(|(key, value)| (Step::Key(key), value)).collect(),
            Value::Array(values) => {
                values.into_iter().enumerate().map(|(index, value)| (Step::Index(index), value)).collect()
            }
            _ => Vec::new(),
        };
        let longer = |step| path.iter().cloned().chain([step]).collect();
        found.extend(inner.into_iter().map(|(step, value)| (longer(step), value)));
        next += 1;
    }
    found
}

fn find<'a>(value: &'a mut Value, path: &[Step]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Index(index) => &mut value[*index],
    })
}

/// The table without the last key of the path.
fn without(table: &Table, path: &[Step]) -> Table {
    let mut changed = Value::from(table.clone());
    if let Some((Step::Key(key), before)) = path.split_last() {
        find(&mut changed, before).as_table_mut().unwrap().remove(key);
    }
    changed.as_table().unwrap().clone()
}

/// The settings of a recipe without which it trains the same network. Those that only say what is so without
/// them do not count, nor do those that have to be there.
pub fn idle_settings(case: &Case, team: &Team) -> Vec<String> {
    let Some(table) = &case.table else { return Vec::new() };
    let plain = case.fingerprint(team).unwrap();
    let is_idle = |path: &[Step]| {
        let Ok(mut recipe) = parse(&without(table, path)) else { return false };
        // Epochs by default are many.
        recipe.train.epochs = recipe.train.epochs.min(case.recipe.train.epochs + 1);
        recipe != case.recipe && {
            let changed = Case { recipe, ..case.clone() };
            // It may train nothing.
            changed.fingerprint(team).is_ok_and(|found| found == plain)
        }
    };
    // How long a training is that ends early does not matter.
    let is_setting = |path: &[Step]| match path {
        [Step::Key(key)] => key != "name",
        [.., Step::Key(key)] => key != "epochs",
        _ => false,
    };
    let paths = places(table).into_iter().map(|(path, _)| path).filter(|path| is_setting(path));
    paths.filter(|path| is_idle(path)).map(|path| format!("{}: {path:?}", case.name)).collect()
}
