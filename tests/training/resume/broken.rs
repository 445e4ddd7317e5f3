//! What may change, what may not, and what becomes of damaged files.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fallline::data::{DataSet, Samples};
use fallline::engine::model::Recipe;
use fallline::engine::model::recipe::Override;
use fallline::engine::team::Team;
use fallline::engine::train::{self, Checkpoints, Every, Observer};
use fallline::record::Resumed;
use fallline::{Activation, Error, Loss, Model, Optimizer, Trainer};

use super::{ALL, begun, outcome, path, resumed, same, steps};
use crate::common::runs::{build, digits};
use crate::common::small_recipe::RECIPE;

pub(super) fn recipe(changes: &[&str]) -> Recipe {
    let overrides: Vec<Override> = changes.iter().map(|change| change.parse().unwrap()).collect();
    Recipe::parse_with(RECIPE, "test recipe", &overrides).unwrap()
}

pub(super) fn data() -> &'static DataSet {
    digits(64, 20)
}

/// Hears what a training says of its checkpoints.
#[derive(Default)]
pub(super) struct Ear {
    from: Option<(u64, usize)>,
    pub(super) program: String,
    damaged: Vec<String>,
    failures: Vec<String>,
    written: usize,
}

impl Observer for Ear {
    fn resumed(&mut self, from: &Resumed) {
        self.from = Some((from.step, from.epoch));
        self.program = from.program.into();
        self.damaged = from.damaged.iter().map(ToString::to_string).collect();
    }

    fn checkpoint(&mut self, written: Result<&Path, &Error>) {
        match written {
            Ok(path) => self.written += usize::from(path.exists()),
            Err(error) => self.failures.push(error.to_string()),
        }
    }
}

pub(super) fn heard(recipe: &Recipe, data: &DataSet, checkpoints: &mut Checkpoints) -> fallline::Result<Ear> {
    let (team, stop, mut ear) = (Team::new(1)?, AtomicBool::new(false), Ear::default());
    train::train_with(&mut build(recipe, data), data, recipe, &team, checkpoints, &stop, &mut ear)?;
    Ok(ear)
}

#[test]
fn settings_that_may_not_change_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let first = recipe(&["train.epochs=2"]);
    outcome(&first, data(), 1, Some(&mut begun(folder.path(), Every::Steps(3))), Some(3));
    let refused = |recipe: &Recipe, data: &DataSet| match heard(recipe, data, &mut resumed(folder.path())) {
        Ok(_) => panic!("it went on"),
        Err(error) => error.to_string(),
    };
    for (change, key, values) in [
        ("train.seed=2", "train.seed", "expected 1, as in the training that goes on, found 2"),
        ("train.batch=8", "train.batch", "expected 16, as in the training that goes on, found 8"),
        ("optimizer.learning_rate=0.2", "optimizer.learning_rate", "expected 0.1, as"),
        ("optimizer={name='adam', learning_rate=0.1}", "optimizer.name", "expected \"sgd\", as"),
        ("model.layers.0.bias=false", "model.layers.0.bias", "expected true, as"),
        ("average.method=ema", "average", "expected none, as"),
        ("schedule.name=cosine", "schedule", "as in the training that goes on"),
    ] {
        let text = refused(&recipe(&["train.epochs=2", change]), data());
        assert!(text.contains(&format!("`{key}")) && text.contains(values), "{change}: {text}");
        assert!(text.contains("checkpoint-3.safetensors"), "{text}");
    }
    let other = digits(65, 20);
    let text = refused(&first, other);
    assert!(
        text.contains("training samples: expected those of the training that goes on, 64 samples"),
        "{text}"
    );
    let mut order: Vec<usize> = (0..64).collect();
    order.swap(3, 40);
    let swapped = DataSet { train: data().train.take(&order).unwrap(), ..data().clone() };
    assert!(refused(&first, &swapped).contains("with checksum"));
    // Nothing has been harmed.
    assert_eq!(heard(&first, data(), &mut resumed(folder.path())).unwrap().from, Some((3, 1)));
}

#[test]
fn epochs_may_change_where_no_schedule_goes_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let [two, four] = ["train.epochs=2", "train.epochs=4"].map(|epochs| recipe(&[epochs]));
    outcome(&two, data(), 1, Some(&mut begun(&at("constant"), Every::Epochs(1))), None);
    let longer = outcome(&four, data(), 2, Some(&mut resumed(&at("constant"))), None);
    same("two epochs, and then two more", &longer, &outcome(&four, data(), 1, None, None));
    let (team, stop, mut model) = (Team::new(1).unwrap(), AtomicBool::new(false), build(&two, data()));
    let (before, mut checkpoints) = (model.storage().to_vec(), resumed(&at("constant")));
    let refused =
        train::train_with(&mut model, data(), &two, &team, &mut checkpoints, &stop, &mut Ear::default());
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("`train.epochs`: expected at least 4, which have begun, found 2"), "{text}");
    assert!(model.storage() == before, "a refusal has changed the model");

    let [two, four] =
        ["train.epochs=2", "train.epochs=4"].map(|epochs| recipe(&[epochs, "schedule.name=cosine"]));
    outcome(&two, data(), 1, Some(&mut begun(&at("cosine"), Every::Epochs(1))), Some(3));
    let text = heard(&four, data(), &mut resumed(&at("cosine"))).err().unwrap().to_string();
    assert!(text.contains("epochs`: expected 2, as in the training that goes on"), "{text}");
}

/// The newest one is damaged in each of its parts, or cut short, and the one before is taken.
#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&["train.epochs=2", "optimizer={name='adam'}"]);
    let whole = outcome(&recipe, data(), 1, Some(&mut begun(folder.path(), Every::Steps(2))), None);
    assert_eq!(steps(folder.path()), [0, 2, 4, 6, 8]);
    let newest = path(folder.path(), 8);
    let bytes = fs::read(&newest).unwrap();
    let place = tempfile::tempdir().unwrap();
    let places = (0..24).map(|part| part * (bytes.len() - 1) / 23);
    let mut damages: Vec<Vec<u8>> = places.clone().map(|at| bytes[..at].to_vec()).collect();
    damages.extend(places.map(|at| {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        damaged
    }));
    for (number, damaged) in damages.into_iter().enumerate() {
        fs::write(path(place.path(), 8), damaged).unwrap();
        fs::copy(path(folder.path(), 6), path(place.path(), 6)).unwrap();
        let mut checkpoints = resumed(place.path());
        let ear = heard(&recipe, data(), &mut checkpoints).unwrap();
        assert_eq!((ear.from, ear.damaged.len()), (Some((6, 2)), 1), "{number}");
        assert!(ear.damaged[0].contains("checkpoint-8.safetensors: "), "{:?}", ear.damaged);
        drop(checkpoints);
        // What was written in its place is whole.
        let again = outcome(&recipe, data(), 2, Some(&mut resumed(place.path())), None);
        same("after a damage", &again, &whole);
    }
    fs::write(path(place.path(), 8), b"nothing").unwrap();
    fs::remove_file(path(place.path(), 6)).unwrap();
    let error = Checkpoints::resume(place.path(), Every::default(), 2).err().unwrap().to_string();
    assert!(error.contains("no other checkpoint there is whole"), "{error}");
}

#[test]
fn a_folder_with_checkpoints_is_no_place_for_another_training() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe(&[]);
    let mut checkpoints = begun(folder.path(), Every::Time(Duration::from_secs(3600)));
    let busy = Checkpoints::resume(folder.path(), Every::default(), 2).err().unwrap().to_string();
    assert!(busy.contains("another training writes its checkpoints there"), "{busy}");
    let ear = heard(&recipe, data(), &mut checkpoints).unwrap();
    assert_eq!((ear.written, ear.from, steps(folder.path())), (2, None, vec![0, 4]));
    drop(checkpoints);
    let error = Checkpoints::begin(folder.path(), Every::default(), 2).err().unwrap().to_string();
    assert!(error.contains("expected no checkpoints of another training"), "{error}");
    let error = Checkpoints::resume(folder.path(), Every::Steps(0), 2).err().unwrap().to_string();
    assert!(error.contains("expected a length above 0, found 0steps"), "{error}");
}

/// A checkpoint that cannot be written is said, and the training goes on.
#[test]
fn a_failure_to_write_does_not_end_a_training() {
    struct Vandal<'a>(&'a Path, Vec<String>);
    impl Observer for Vandal<'_> {
        fn step(&mut self, step: u64, _loss: f64) {
            if step == 2 {
                fs::remove_dir_all(self.0).unwrap();
            }
        }

        fn checkpoint(&mut self, written: Result<&Path, &Error>) {
            self.1.extend(written.err().map(ToString::to_string));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("c");
    let (recipe, team, stop) = (recipe(&[]), Team::new(1).unwrap(), AtomicBool::new(false));
    let mut model = build(&recipe, data());
    let (mut checkpoints, mut vandal) = (begun(&place, Every::Steps(3)), Vandal(&place, Vec::new()));
    let record = train::train_with(&mut model, data(), &recipe, &team, &mut checkpoints, &stop, &mut vandal);
    assert_eq!(record.unwrap().epochs.len(), 1);
    assert!(
        vandal.1.len() == 2 && vandal.1[0].contains("checkpoint-3.safetensors: cannot create"),
        "{:?}",
        vandal.1
    );
}

/// What a program does with the library, on a network of its own.
#[test]
fn a_trainer_goes_on() {
    let x: Vec<f32> = (0..90).map(|i| i as f32 / 45.0 - 1.0).collect();
    let y = x.iter().map(|x| (3.0 * x).sin()).collect();
    let samples = Samples::from_rows(x, 1).values(y).unwrap();
    let model = || {
        let layers = Model::sequential(1).dense(8, Activation::TANH).dense(1, Activation::IDENTITY);
        layers.loss(Loss::MEAN_SQUARED_ERROR).build().unwrap()
    };
    let trainer =
        Trainer::new().optimizer(Optimizer::adam(0.01)).batch(20).epochs(6).validation(0.2).patience(2);
    let mut whole = model();
    let plain = trainer.fit(&mut whole, &samples).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kept = trainer.clone().checkpoint(folder.path(), Every::Steps(3));
    assert_eq!(kept.fit(&mut model(), &samples).unwrap().epochs.len(), plain.epochs.len());
    let found = steps(folder.path());
    assert_eq!(found.len(), 2, "{found:?}");
    fs::remove_file(path(folder.path(), found[1])).unwrap();
    let error = kept.fit(&mut model(), &samples).unwrap_err().to_string();
    assert!(error.contains("no checkpoints of another training"), "{error}");
    let mut again = model();
    let record = kept.resume(folder.path()).threads(2).fit(&mut again, &samples).unwrap();
    assert!(again.storage() == whole.storage() && record.best_epoch == plain.best_epoch);
    // Anew where there is none.
    let empty = folder.path().join("empty");
    let mut anew = model();
    trainer.resume(&empty).fit(&mut anew, &samples).unwrap();
    assert!(anew.storage() == whole.storage() && !steps(&empty).is_empty());
    assert!(steps(&empty).len() <= ALL);
}
