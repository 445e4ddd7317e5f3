//! Trainings that begin with the parameters of a file: where they go on, all is in the checkpoint.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Every, Observer};
use fallline::{Error, Fit};

use super::broken::{data, recipe};
use super::{Outcome, begun, resumed, same, timeless, trained};
use crate::common::compare::bits;
use crate::common::runs::build;

const HIDDEN: &str = "model.layers=[{type='dense', units=7, activation='tanh'}, {type='dense', units=10}]";

/// Another network of the same layers, trained for an epoch and saved.
fn saved(path: &Path, seed: u64) {
    let recipe = recipe(&[HIDDEN, &format!("train.seed={seed}")]);
    let mut model = build(&recipe, data());
    trained(&mut model, &recipe, data(), 1, None, None);
    model.save(path).unwrap();
}

fn begins_with(recipe: &Recipe, path: &Path) -> Model {
    let mut model = build(recipe, data());
    let initialised = model.initialise(path, Fit::All).unwrap();
    assert_eq!((initialised.taken.len(), initialised.drawn.len(), initialised.left.len()), (4, 0, 0));
    model
}

fn outcome(
    mut model: Model,
    recipe: &Recipe,
    checkpoints: Option<&mut train::Checkpoints>,
    at: Option<u64>,
) -> Outcome {
    let record = trained(&mut model, recipe, data(), 2, checkpoints, at);
    Outcome { record: timeless(&record), parameters: bits(model.storage()) }
}

#[test]
fn goes_on_without_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("first.safetensors");
    saved(&file, 5);
    let recipe = recipe(&[HIDDEN, "train.epochs=3", "train.freeze=0", "optimizer.name=adam"]);
    let whole = outcome(begins_with(&recipe, &file), &recipe, None, None);
    assert!(whole.record["init"]["checksum"].is_u64() && whole.record["model"]["trained"] == 80);
    assert!(whole.parameters != outcome(build(&recipe, data()), &recipe, None, None).parameters);

    let kept = folder.path().join("kept");
    let mut checkpoints = begun(&kept, Every::Steps(2));
    outcome(begins_with(&recipe, &file), &recipe, Some(&mut checkpoints), Some(6));
    drop(checkpoints);
    fs::remove_file(&file).unwrap();
    // The parameters of the checkpoint take the place of what was drawn.
    let again = outcome(build(&recipe, data()), &recipe, Some(&mut resumed(&kept)), Some(9));
    assert!(again.parameters != whole.parameters, "it was stopped again");
    let last = outcome(build(&recipe, data()), &recipe, Some(&mut resumed(&kept)), None);
    same("begun with a file", &last, &whole);
}

#[test]
fn another_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    saved(&at("one"), 5);
    saved(&at("other"), 6);
    let recipe = recipe(&[HIDDEN, "train.epochs=2"]);
    let goes_on_by = |recipe: &Recipe, mut model: Model, kept: &Path| {
        struct Quiet;
        impl Observer for Quiet {}
        let (team, stop, mut kept) = (Team::new(1).unwrap(), AtomicBool::new(false), resumed(kept));
        let record = train::train_with(&mut model, data(), recipe, &team, &mut kept, &stop, &mut Quiet);
        record.map(drop).map_err(|error: Error| error.to_string())
    };
    let goes_on = |model: Model, kept: &Path| goes_on_by(&recipe, model, kept);
    let first = begins_with(&recipe, &at("one"));
    outcome(first, &recipe, Some(&mut begun(&at("kept"), Every::Steps(2))), Some(3));
    let refused = goes_on(begins_with(&recipe, &at("other")), &at("kept")).unwrap_err();
    assert!(
        refused.contains("initial parameters: expected those of the training that goes on, of "),
        "{refused}"
    );
    let mut frozen = recipe.clone();
    frozen.train.freeze = vec!["0".into()];
    let refused = goes_on_by(&frozen, begins_with(&recipe, &at("one")), &at("kept")).unwrap_err();
    assert!(refused.contains("`train.freeze`: expected none, as in the training that goes on"), "{refused}");
    // The same tensors of another file are the same.
    fs::copy(at("one"), at("copy")).unwrap();
    goes_on(begins_with(&recipe, &at("copy")), &at("kept")).unwrap();
    outcome(build(&recipe, data()), &recipe, Some(&mut begun(&at("drawn"), Every::Steps(2))), Some(3));
    let refused = goes_on(begins_with(&recipe, &at("one")), &at("drawn")).unwrap_err();
    assert!(refused.contains("goes on, that were drawn, found of "), "{refused}");
}
