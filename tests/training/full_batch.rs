//! Rules for the full batch on a case whose optimum is known, least squares by one linear layer, and in
//! whole runs: what ends them, what they report.

use crate::common::runs::{self, epoch, run};
use crate::common::splitmix;
use fallline::Error;
use fallline::data::{DataSet, Samples};
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, EpochRecord, Session, TrainRecord};

const SAMPLES: usize = 60;
const FEATURES: usize = 4;
const CLASSES: usize = 3;
/// The features and the bias.
const UNKNOWNS: usize = FEATURES + 1;

/// How far above the least loss the loss may end, relative to it.
const TOLERANCE: f64 = 1e-5;
/// The same with a line search: a loss of f32 terms is known to about 1e-7.
const SEARCHED_TOLERANCE: f64 = 3e-7;

const SEARCHED: [&str; 5] = [
    "name = \"lbfgs\"",
    "name = \"lbfgs\"\nhistory_size = 3",
    "name = \"cg\"",
    "name = \"cg\"\nformula = \"fletcher-reeves\"",
    "name = \"cg\"\nformula = \"hestenes-stiefel\"",
];

fn pixels() -> Vec<u8> {
    splitmix::uniform(1, SAMPLES * FEATURES).iter().map(|x| ((x + 1.0) * 127.5) as u8).collect()
}

/// The place of the brightest of the first three pixels, which no linear function tells exactly.
fn labels(pixels: &[u8]) -> Vec<u8> {
    let brightest = |row: &[u8]| (0..CLASSES).max_by_key(|&place| row[place]).unwrap() as u8;
    pixels.chunks(FEATURES).map(brightest).collect()
}

fn recipe(optimizer: &str) -> Recipe {
    let toml = format!(
        "name = \"squares\"\n[data]\nset = \"folder\"\nmean = 0.5\ndeviation = 0.3\n\
         [model]\nloss = \"mean-squared-error\"\n[[model.layers]]\ntype = \"dense\"\nunits = {CLASSES}\n\
         [optimizer]\n{optimizer}\n[train]\nbatch = {SAMPLES}\n"
    );
    Recipe::parse(&toml, "test recipe").unwrap()
}

fn samples() -> Samples {
    let pixels = pixels();
    let labels = labels(&pixels);
    Samples::images(pixels, [2, 2, 1], labels, CLASSES).unwrap()
}

/// The loss that the network has before the last of so many steps.
fn trained(optimizer: &str, steps: usize) -> f64 {
    let (recipe, samples) = (recipe(optimizer), samples());
    let mut model = Model::build(&recipe.model, samples.shape(), CLASSES, 1).unwrap();
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
    (0..steps).map(|_| epoch(&mut session).unwrap().train_loss).last().unwrap()
}

/// The least mean of the squared errors of all outputs, by the normal equations.
fn least_loss() -> f64 {
    least_squares(0.0).0
}

/// The least sum of the mean of the squared errors of all outputs and penalty / 2 · Σ p²: the first part of it, and p,
/// of each class the weights and the bias.
fn least_squares(penalty: f64) -> (f64, Vec<f64>) {
    let pixels = pixels();
    let labels = labels(&pixels);
    let row = |pixels: &[u8]| {
        let mut row = [1.0; UNKNOWNS];
        row.iter_mut().zip(pixels).for_each(|(x, &p)| *x = (f64::from(p) / 255.0 - 0.5) / 0.3);
        row
    };
    let rows: Vec<[f64; UNKNOWNS]> = pixels.chunks(FEATURES).map(row).collect();
    let (mut loss, mut all) = (0.0, Vec::new());
    for class in 0..CLASSES {
        let target = |sample: usize| f64::from(u8::from(usize::from(labels[sample]) == class));
        // [X'X | X'y]
        let mut system = [[0.0; UNKNOWNS + 1]; UNKNOWNS];
        for (sample, row) in rows.iter().enumerate() {
            for i in 0..UNKNOWNS {
                (0..UNKNOWNS).for_each(|j| system[i][j] += row[i] * row[j]);
                system[i][UNKNOWNS] += row[i] * target(sample);
            }
        }
        (0..UNKNOWNS).for_each(|i| system[i][i] += penalty / 2.0 * (SAMPLES * CLASSES) as f64);
        let weights = solved(system);
        all.extend(weights);
        for (sample, row) in rows.iter().enumerate() {
            let output: f64 = row.iter().zip(weights).map(|(x, w)| x * w).sum();
            loss += (output - target(sample)).powi(2);
        }
    }
    (loss / (SAMPLES * CLASSES) as f64, all)
}

/// Gauss-Jordan elimination; the matrix is positive definite, so no pivot is 0.
fn solved(mut system: [[f64; UNKNOWNS + 1]; UNKNOWNS]) -> [f64; UNKNOWNS] {
    for pivot in 0..UNKNOWNS {
        let scale = system[pivot][pivot];
        system[pivot].iter_mut().for_each(|x| *x /= scale);
        let from = system[pivot];
        for (_, row) in system.iter_mut().enumerate().filter(|(index, _)| *index != pivot) {
            let factor = row[pivot];
            row.iter_mut().zip(from).for_each(|(x, from)| *x -= factor * from);
        }
    }
    system.map(|row| row[UNKNOWNS])
}

#[test]
fn rprop_finds_the_least_squares() {
    let least = least_loss();
    let excess = |steps| (trained("name = \"rprop\"", steps) - least) / least;
    let (early, late) = (excess(10), excess(600));
    println!("least loss {least:.6}; above it by {early:.1e} after 10 steps, by {late:.1e} after 600");
    assert!(late.abs() <= TOLERANCE, "{late:e}");
    assert!(early > TOLERANCE, "nothing was left to find: {early:e}");
}

/// Trains on all samples, until it ends.
fn ended(recipe: &Recipe) -> (TrainRecord, Model) {
    let data = DataSet {
        name: "squares".into(),
        train: samples(),
        test: samples(),
        classes: CLASSES,
        ..digits().clone()
    };
    runs::trained(recipe, &data, 2)
}

fn digits() -> &'static DataSet {
    runs::digits(400, 100)
}

#[test]
fn line_searches_find_the_least_squares() {
    let least = least_loss();
    for optimizer in SEARCHED {
        let mut recipe = recipe(&format!("{optimizer}\ntolerance_change = 0\ntolerance_grad = 0"));
        recipe.train.epochs = 200;
        let (record, _) = ended(&recipe);
        let excess = |epoch: &EpochRecord| (epoch.train_loss - least) / least;
        let (early, late) = (excess(&record.epochs[1]), excess(record.epochs.last().unwrap()));
        println!(
            "{optimizer}: above {least:.6} by {early:.1e} after 2 epochs, {late:.1e} after {}: {}",
            record.epochs.len(),
            record.stop_reason
        );
        assert!(late.abs() <= SEARCHED_TOLERANCE, "{optimizer}: {late:e}");
        assert!(early > SEARCHED_TOLERANCE, "{optimizer}: nothing was left to find: {early:e}");
        // With no tolerance, only a search that finds nothing ends it.
        assert_eq!(record.stop_reason, "line-search", "{optimizer}");
        assert!(record.epochs.len() < 200);
    }
}

#[test]
fn the_penalty_is_part_of_what_is_minimised() {
    let penalty = 0.05;
    let (least, expected) = least_squares(penalty);
    assert!(least > least_loss() * 1.001, "a penalty that changes nothing");
    for optimizer in SEARCHED {
        let mut recipe = recipe(&format!("{optimizer}\nweight_decay = {penalty}"));
        recipe.train.epochs = 200;
        let (record, model) = ended(&recipe);
        let tensors = model.tensors();
        let row = |class: usize| {
            let weights = &tensors[0].values[class * FEATURES..(class + 1) * FEATURES];
            weights.iter().chain(&tensors[1].values[class..=class]).map(|&p| f64::from(p)).collect::<Vec<_>>()
        };
        let found: Vec<f64> = (0..CLASSES).flat_map(row).collect();
        let off = found.iter().zip(&expected).map(|(p, e)| (p - e).abs()).fold(0.0, f64::max);
        let shown = record.epochs.last().unwrap().train_loss;
        println!("{optimizer}: parameters off by {off:.1e}, loss {shown:.6} of {least:.6}");
        assert!(off < 2e-4, "{optimizer}: {off:e}");
        // The penalty is not shown.
        assert!((shown - least).abs() < 1e-4 * least, "{optimizer}: {shown}, {least}");
    }
}

/// The settings of a small network on generated digits.
fn network(settings: &[&str]) -> Recipe {
    let text = "name = \"small\"\n[data]\nset = \"digits\"\n[model]\n\
        [[model.layers]]\ntype = \"dense\"\nunits = 20\nactivation = \"tanh\"\n\
        [[model.layers]]\ntype = \"dense\"\nunits = 10\n\
        [optimizer]\nname = \"lbfgs\"\n[train]\nepochs = 12\n";
    let overrides: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
    Recipe::parse_with(text, "small", &overrides).unwrap()
}

#[test]
fn a_record_counts_evaluations_and_tells_the_loss_at_the_end_of_each_epoch() {
    for optimizer in ["optimizer.name=lbfgs", "optimizer.name=cg"] {
        let data = digits();
        let (record, model) = runs::trained(&network(&[optimizer]), data, 2);
        assert_eq!((record.epochs.len(), record.batch), (12, Some(400)));
        let evaluations: Vec<usize> = record.epochs.iter().map(|epoch| epoch.evaluations.unwrap()).collect();
        println!("{optimizer}: {evaluations:?} evaluations");
        assert!(evaluations.iter().all(|&count| (1..=26).contains(&count)));
        assert!(record.epochs.iter().all(|epoch| epoch.samples == Some(400) && !epoch.incomplete));
        assert!(record.epochs.is_sorted_by(|a, b| a.train_loss > b.train_loss), "the loss rises");
        let last = record.epochs.last().unwrap();
        let team = Team::new(1).unwrap();
        let seen = train::evaluate(&model, &data.train, &network(&[]).data, &team).unwrap();
        assert!((seen.loss - last.train_loss).abs() < 1e-6 * seen.loss, "{} {}", seen.loss, last.train_loss);
        assert_eq!(seen.accuracy, last.train_accuracy);
        assert!(record.epochs[0].train_accuracy < seen.accuracy);
    }
}

#[test]
fn every_rule_of_a_training_ends_it() {
    let ended = |settings: &[&str]| {
        let (record, _) = runs::trained(&network(settings), digits(), 2);
        (record.stop_reason.clone(), record.epochs.len(), record)
    };
    let (reason, epochs, plain) = ended(&[]);
    assert_eq!((reason.as_str(), epochs), ("epochs", 12));
    let loss = plain.epochs[4].train_loss;
    let at_five = ended(&[&format!("stop.loss={loss}")]);
    assert_eq!((at_five.0.as_str(), at_five.1), ("loss", 5));
    for (settings, reason) in [
        (&["stop.steps=3"][..], "steps"),
        (&["stop.seconds=1e-9"], "seconds"),
        (&["stop.gradient_norm=1e9"], "gradient-norm"),
        (&["stop.tolerance=1e9", "stop.tolerance_epochs=1"], "tolerance"),
        (&["stop.accuracy=0.2"], "accuracy"),
        (&["optimizer.tolerance_grad=1e9"], "tolerance-grad"),
        (&["optimizer.tolerance_change=1e9"], "tolerance-change"),
    ] {
        let (ending, epochs, _) = ended(settings);
        assert_eq!(ending, reason, "{settings:?}");
        assert!(epochs < 12, "{settings:?}");
    }
    // The samples are learnt by heart: the validation loss rises again, and the best parameters come back.
    let (reason, epochs, record) = ended(&["data.validation=100", "stop.patience=3", "train.epochs=200"]);
    let best = record.best_epoch.unwrap();
    assert_eq!((reason.as_str(), epochs), ("patience", best + 3));
    let validation = record.validation.unwrap();
    assert_eq!(Some(validation.loss), record.epochs[best - 1].validation_loss);
}

#[test]
fn a_smaller_batch_is_refused() {
    let data = digits();
    for name in ["rprop", "lbfgs", "cg"] {
        let small = network(&[&format!("optimizer.name={name}"), "train.batch=399"]);
        let mut model = Model::build(&small.model, data.train.shape(), 10, 1).unwrap();
        let team = Team::new(1).unwrap();
        let error = Session::new(&mut model, &data.train, &small, &team).err().expect("a refusal");
        assert!(matches!(&error, Error::Setting { key, .. } if key == "train.batch"), "{error}");
        let enough = network(&[&format!("optimizer.name={name}"), "train.batch=400"]);
        assert!(Session::new(&mut model, &data.train, &enough, &team).is_ok());
    }
}

#[test]
fn a_run_that_begins_with_no_finite_loss_diverges() {
    let data = digits();
    let recipe = network(&[
        "model.layers.0.activation=identity",
        "model.layers.0.weight_init.type=constant",
        "model.layers.0.weight_init.value=3e38",
    ]);
    let mut model = Model::build(&recipe.model, data.train.shape(), 10, 1).unwrap();
    let error = run(&mut model, data, &recipe, 2).unwrap_err();
    assert!(error.to_string().starts_with("training diverged: the output of layer 0 (dense"), "{error}");
}

/// A convex loss: what hundred epochs of Adam leave, line searches take away in as many iterations.
#[test]
fn line_searches_go_below_what_adam_reaches() {
    let data = runs::digits(2000, 100);
    let trained = |name: &str| {
        let settings = ["data.set=digits", "train.epochs=100", "train.batch=all"].map(|s| s.parse().unwrap());
        let optimizer = format!("optimizer.name={name}").parse().unwrap();
        let batch = "train.batch=128".parse().unwrap();
        let adam = [batch, "optimizer.learning_rate=0.001".parse().unwrap()];
        let extra = if name == "adam" { &adam[..] } else { &[] };
        let all = [&settings[..], &[optimizer], extra].concat();
        let recipe = Recipe::load("mnist-softmax", &all).unwrap();
        let (record, model) = runs::trained(&recipe, data, 2);
        let loss = train::evaluate(&model, &data.train, &recipe.data, &Team::new(2).unwrap()).unwrap().loss;
        let evaluations: usize = record.epochs.iter().filter_map(|epoch| epoch.evaluations).sum();
        println!(
            "{name}: loss {loss:.3e} after {} epochs, {evaluations} evaluations, {:.2} s: {}",
            record.epochs.len(),
            record.train_seconds,
            record.stop_reason
        );
        loss
    };
    let adam = trained("adam");
    for name in ["lbfgs", "cg"] {
        assert!(trained(name) < adam / 2.0, "{name}");
    }
    assert!(trained("rprop") > 0.0);
}
