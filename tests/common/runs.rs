//! Data that is made in no time, and trainings of which little is asked.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use fallline::Result;
use fallline::data::small::SmallSet;
use fallline::data::text::{Form, TextSource};
use fallline::data::{DataSet, Samples, source};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, EpochRecord, Session, TrainRecord};

use super::observer::Recorder;

/// So many digits to train on and to test with, always the same; they are drawn once.
pub fn digits(train: usize, test: usize) -> &'static DataSet {
    static DRAWN: Mutex<BTreeMap<[usize; 2], &DataSet>> = Mutex::new(BTreeMap::new());
    let mut drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner);
    let draw = || source::generate_digits([train, test], 1).unwrap();
    drawn.entry([train, test]).or_insert_with(|| Box::leak(Box::new(draw())))
}

/// The data of a built-in recipe: those of a set that needs no file, and otherwise so many digits in their place.
pub fn data_of(recipe: &Recipe, train: usize, test: usize) -> DataSet {
    match recipe.data.table {
        Some(_) => train::dataset::load(&recipe.data, None).unwrap(),
        None => digits(train, test).clone(),
    }
}

/// Samples of sequences, which take longer, and of those of more than a hundred positions.
const MOST_SEQUENCES: [usize; 2] = [24, 6];

/// Puts the series that is part of the program, in windows that fit it, in the place of one that is downloaded.
pub fn without_download(recipe: &mut Recipe) {
    let Some(table) = recipe.data.table.as_mut().filter(|table| table.small.is_none()) else { return };
    recipe.data.set = "airline".into();
    (table.small, table.file) = (SmallSet::named("airline"), String::new());
    (table.setup.target, table.setup.ignore) = (Vec::new(), Vec::new());
    if let Some(windows) = &mut table.setup.windows {
        (windows.window, windows.season) = (24, None);
    }
}

/// A built-in recipe of one network with data for it: of a text, sentences of a grammar in short windows; and few samples of
/// sequences.
pub fn small(recipe: &Recipe, train: usize, test: usize) -> (Recipe, DataSet) {
    let mut recipe = recipe.clone();
    recipe.train.steps_per_epoch = None;
    without_download(&mut recipe);
    if let Some(text) = &mut recipe.data.text {
        text.setup.source = TextSource::Grammar { characters: 1500 };
        if let Form::Stream { context, stride } = &mut text.setup.form {
            (*context, *stride) = (16, 16);
        }
    }
    let is_sequence = |kind: &str| ["rnn", "lstm", "gru", "transformer-block"].contains(&kind);
    let few = recipe.model.layers.iter().any(|layer| is_sequence(layer.kind()));
    let is_long = recipe.data.task.as_ref().is_some_and(|task| task.length > 100)
        || recipe.model.layers.first().is_some_and(|layer| layer.kind() == "gru");
    let most = if few { MOST_SEQUENCES[usize::from(is_long)] } else { usize::MAX };
    let [train, test] = [train, test].map(|count| count.min(most));
    let is_drawn = recipe.data.text.is_some() || recipe.data.task.is_some();
    let data = if is_drawn {
        let own = train::dataset::load(&recipe.data, None).unwrap();
        let first = |samples: Samples, count: usize| {
            let count = count.min(samples.len());
            samples.first(count).unwrap()
        };
        DataSet { train: first(own.train, train), test: first(own.test, test), ..own }
    } else {
        data_of(&recipe, train, test)
    };
    (recipe.for_samples(&data.train).unwrap(), data)
}

/// So many features between -0.9 and 0.9, of no pattern that a small network sees at once.
pub fn features(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 % 1013) as f32 / 500.0 - 1.0).sin()).collect()
}

/// The network of a recipe for this data.
pub fn build(recipe: &Recipe, data: &DataSet) -> Model {
    Model::build(&recipe.model, data.train.shape(), data.classes, recipe.train.seed).unwrap()
}

/// Trains a network to the end of its recipe, on so many threads; with what was heard of it.
pub fn recorded(
    model: &mut Model,
    data: &DataSet,
    recipe: &Recipe,
    threads: usize,
) -> Result<(TrainRecord, Recorder)> {
    let (team, stop, mut recorder) = (Team::new(threads)?, AtomicBool::new(false), Recorder::default());
    let record = train::run(model, data, recipe, &team, &stop, &mut recorder)?;
    Ok((record, recorder))
}

/// The record of such a training alone.
pub fn run(model: &mut Model, data: &DataSet, recipe: &Recipe, threads: usize) -> Result<TrainRecord> {
    recorded(model, data, recipe, threads).map(|(record, _)| record)
}

/// Trains a new network, on so many threads.
pub fn trained(recipe: &Recipe, data: &DataSet, threads: usize) -> (TrainRecord, Model) {
    let mut model = build(recipe, data);
    (run(&mut model, data, recipe, threads).unwrap(), model)
}

/// An epoch of a session.
pub fn epoch(session: &mut Session) -> Result<EpochRecord> {
    session.epoch(&AtomicBool::new(false), &mut Recorder::default())
}

/// The losses of the first `steps` steps of a session, over as many epochs as they take.
pub fn first_losses(session: &mut Session, steps: usize) -> Vec<f64> {
    let mut recorder = Recorder::default();
    while recorder.losses.len() < steps {
        session.epoch(&AtomicBool::new(false), &mut recorder).unwrap();
    }
    assert!(recorder.steps.iter().copied().eq(1..=recorder.steps.len() as u64), "{:?}", recorder.steps);
    recorder.losses.truncate(steps);
    recorder.losses
}
