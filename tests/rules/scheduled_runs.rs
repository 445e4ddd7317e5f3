//! Schedules in the training loop: the recorded rates, what they do to the parameters, and the same bits
//! on any number of threads.

use crate::common::compare::{bits, largest_deviation};
use crate::common::runs::{self, build, epoch};
use fallline::data::DataSet;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{Session, TrainRecord};

/// Four steps an epoch, of which the last has fewer samples.
const SAMPLES: usize = 190;
const BATCH: usize = 50;
const STEPS: usize = 12;

fn data() -> &'static DataSet {
    runs::digits(SAMPLES, 20)
}

fn read(optimizer: &str, schedule: &str, epochs: usize) -> Result<Recipe, String> {
    let toml = format!(
        "name = \"scheduled\"\n[data]\nset = \"digits\"\n[model]\n\
         [[model.layers]]\ntype = \"dense\"\nunits = 20\nactivation = \"tanh\"\n\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
         [optimizer]\n{optimizer}\n{schedule}\n[train]\nepochs = {epochs}\nbatch = {BATCH}\nshuffle = false\n"
    );
    Recipe::parse(&toml, "test recipe").map_err(|error| error.to_string())
}

fn recipe(optimizer: &str, schedule: &str, epochs: usize) -> Recipe {
    read(optimizer, schedule, epochs).unwrap()
}

/// The record, and all parameters after it.
fn trained(recipe: &Recipe, threads: usize) -> (TrainRecord, Vec<f32>) {
    let (record, model) = runs::trained(recipe, data(), threads);
    (record, values(&model))
}

fn values(model: &Model) -> Vec<f32> {
    model.tensors().into_iter().flat_map(|tensor| tensor.values).collect()
}

fn rates(record: &TrainRecord) -> Vec<f64> {
    record.epochs.iter().map(|epoch| epoch.learning_rate.unwrap()).collect()
}

/// Plain gradient descent, each step a run of its own with its own rate.
fn steps_by_hand(rates: &[f64]) -> Vec<f32> {
    let data = data();
    let plain = |rate: f64| recipe(&format!("name = \"sgd\"\nlearning_rate = {rate:e}"), "", 1);
    let mut model = build(&plain(0.0), data);
    let team = Team::new(1).unwrap();
    for (step, &rate) in rates.iter().enumerate() {
        let start = step % 4 * BATCH;
        let batch = data.train.take(&Vec::from_iter(start..(start + BATCH).min(SAMPLES))).unwrap();
        let recipe = plain(rate);
        let mut session = Session::new(&mut model, &batch, &recipe, &team).unwrap();
        epoch(&mut session).unwrap();
    }
    values(&model)
}

fn largest_difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

fn near(found: &[f64], expected: &[f64]) -> bool {
    largest_deviation(found, expected, 0.0) <= 1e-12
}

#[test]
fn each_step_is_taken_at_its_rate() {
    // Up to 0.5 in four steps, then down a cosine.
    let schedule = "[schedule]\nname = \"cosine\"\nwarmup_epochs = 1\nwarmup_factor = 0.2";
    let scheduled = recipe("name = \"sgd\"\nlearning_rate = 0.5", schedule, 3);
    let (record, parameters) = trained(&scheduled, 2);
    let rate = |step: usize| match step {
        0..4 => 0.5 * (0.2 + 0.8 * step as f64 / 4.0),
        _ => 0.25 * (1.0 + (std::f64::consts::PI * (step - 4) as f64 / 8.0).cos()),
    };
    let expected: Vec<f64> = (0..STEPS).map(rate).collect();
    assert!(near(&rates(&record), &[expected[3], expected[7], expected[11]]), "{:?}", rates(&record));
    let by_hand = steps_by_hand(&expected);
    let difference = largest_difference(&parameters, &by_hand);
    println!("by hand: {difference:e}");
    assert!(difference <= 1e-6, "{difference:e}");

    // The same rates a step later, and one rate that is a little off, show.
    let mut late = expected.clone();
    late.rotate_right(1);
    assert!(largest_difference(&parameters, &steps_by_hand(&late)) > 1e-4);
    let mut off = expected;
    off[7] *= 1.01;
    assert!(largest_difference(&parameters, &steps_by_hand(&off)) > 1e-5);
}

#[test]
fn momentum_and_weight_decay_are_scheduled() {
    let momentum = "name = \"momentum\"\nlearning_rate = 0.1\nweight_decay = 0.5";
    let nothing = "[schedule.momentum]\nname = \"constant\"\nscale = 0\n\
                   [schedule.weight_decay]\nname = \"constant\"\nscale = 0";
    let (_, without) = trained(&recipe(momentum, nothing, 2), 1);
    let (_, plain) = trained(&recipe("name = \"sgd\"\nlearning_rate = 0.1", "", 2), 1);
    assert_eq!(without, plain);
    for one in nothing.split_inclusive("scale = 0") {
        assert!(largest_difference(&trained(&recipe(momentum, one, 2), 1).1, &plain) > 1e-3);
    }

    // A cycle that stays where the momentum is, changes nothing; another one does.
    let cycle = |rest: &str| format!("[schedule]\nname = \"one-cycle\"\n{rest}");
    let parameters = |rest: &str| trained(&recipe(momentum, &cycle(rest), 2), 1).1;
    let still = parameters("cycle_momentum = false");
    assert_eq!(parameters("base_momentum = 0.9\nmax_momentum = 0.9"), still);
    assert!(largest_difference(&parameters(""), &still) > 1e-4);
}

#[test]
fn a_plateau_lowers_the_rate_when_the_loss_stays() {
    let plateau = |rest: &str| format!("[schedule]\nname = \"plateau\"\n{rest}");
    let rates = |rest: &str| {
        let recipe = recipe("name = \"sgd\"\nlearning_rate = 0.1", &plateau(rest), 5);
        rates(&trained(&recipe, 2).0)
    };
    assert_eq!(rates(""), [0.1; 5]);
    // No loss is ever better by that much.
    let lowered = rates("threshold = 0.99\npatience = 0\nfactor = 0.5");
    assert!(near(&lowered, &[0.1, 0.1, 0.05, 0.025, 0.0125]), "{lowered:?}");
    let patient = rates("threshold = 0.99\npatience = 1\nfactor = 0.5");
    assert!(near(&patient, &[0.1, 0.1, 0.1, 0.05, 0.05]), "{patient:?}");
}

#[test]
fn the_same_bits_on_any_number_of_threads() {
    let optimizer = "name = \"adam\"\nlearning_rate = 0.02\nweight_decay = 0.01";
    for schedule in [
        "[schedule]\nname = \"one-cycle\"\nwarmup_steps = 2\n[schedule.weight_decay]\nname = \"linear\"",
        "[[schedule.sequence]]\nname = \"exponential\"\nlength_steps = 5\n\
         [[schedule.sequence]]\nname = \"cosine-restarts\"\n[schedule.momentum]\nname = \"linear\"",
        "[schedule]\nname = \"plateau\"\npatience = 0\nthreshold = 0.9",
    ] {
        let recipe = recipe(optimizer, schedule, 3);
        let outcome = |threads| {
            let (record, parameters) = trained(&recipe, threads);
            let rates: Vec<u64> = rates(&record).into_iter().map(f64::to_bits).collect();
            (rates, bits(&parameters))
        };
        let alone = outcome(1);
        assert!(outcome(3) == alone, "{schedule}");
        let mut other = recipe.clone();
        other.schedule.learning_rate.phases[0].scale = 0.9999;
        assert_ne!(bits(&trained(&other, 1).1), alone.1);
    }
}

#[test]
fn lengths_in_steps_are_refused_before_training() {
    let data = data();
    let refusal = |schedule: &str| {
        let recipe = recipe("name = \"sgd\"", schedule, 3);
        let mut model = build(&recipe, data);
        let refused = Session::new(&mut model, &data.train, &recipe, &Team::new(1).unwrap()).err();
        refused.map(|error| error.to_string())
    };
    assert_eq!(refusal("[schedule]\nname = \"cosine\"\nlength_steps = 12"), None);
    assert_eq!(
        refusal("[schedule]\nname = \"cosine\"\nlength_steps = 13").unwrap(),
        "recipe scheduled: `schedule.length_steps`: expected at most 12 steps, what is left of the run, found 13 steps"
    );
    assert_eq!(
        refusal("[schedule]\nname = \"multi-step\"\nmilestones_steps = [3, 12]").unwrap(),
        "recipe scheduled: `schedule.milestones_steps`: expected milestones below 12 steps, as long as it lasts, found 12 steps"
    );
}

/// A program may change a recipe after it was read.
#[test]
fn a_rule_without_momentum_refuses_a_scheduled_one() {
    let data = data();
    let mut recipe = recipe("name = \"momentum\"", "[schedule]\nname = \"one-cycle\"", 3);
    recipe.optimizer = read("name = \"sgd\"", "", 3).unwrap().optimizer;
    let mut model = build(&recipe, data);
    let refused = Session::new(&mut model, &data.train, &recipe, &Team::new(1).unwrap()).err().unwrap();
    assert_eq!(
        refused.to_string(),
        "recipe scheduled: `schedule.momentum`: expected none with the optimizer `sgd`, found a scheduled momentum"
    );
}
