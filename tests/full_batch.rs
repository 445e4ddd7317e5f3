//! Rules for the full batch on a case whose optimum is known: least squares, one linear layer.

#[path = "common/splitmix.rs"]
mod splitmix;

use std::sync::atomic::AtomicBool;

use fallline::data::Samples;
use fallline::model::{Model, Recipe};
use fallline::team::Team;
use fallline::train::{Observer, Session};

const SAMPLES: usize = 60;
const FEATURES: usize = 4;
const CLASSES: usize = 3;
/// The features and the bias.
const UNKNOWNS: usize = FEATURES + 1;

/// How far above the least loss the loss may end, relative to it.
const TOLERANCE: f64 = 1e-5;

struct Quiet;
impl Observer for Quiet {}

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

/// The loss that the network has before the last of so many steps.
fn trained(optimizer: &str, steps: usize) -> f64 {
    let recipe = recipe(optimizer);
    let pixels = pixels();
    let labels = labels(&pixels);
    let samples = Samples::images(pixels, [2, 2, 1], labels, CLASSES).unwrap();
    let mut model = Model::build(&recipe.model, samples.shape(), CLASSES, 1).unwrap();
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
    let stop = AtomicBool::new(false);
    (0..steps).map(|_| session.epoch(&stop, &mut Quiet).unwrap().train_loss).last().unwrap()
}

/// The least mean of the squared errors of all outputs, by the normal equations.
fn least_loss() -> f64 {
    let pixels = pixels();
    let labels = labels(&pixels);
    let row = |pixels: &[u8]| {
        let mut row = [1.0; UNKNOWNS];
        row.iter_mut().zip(pixels).for_each(|(x, &p)| *x = (f64::from(p) / 255.0 - 0.5) / 0.3);
        row
    };
    let rows: Vec<[f64; UNKNOWNS]> = pixels.chunks(FEATURES).map(row).collect();
    let mut loss = 0.0;
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
        let weights = solved(system);
        for (sample, row) in rows.iter().enumerate() {
            let output: f64 = row.iter().zip(weights).map(|(x, w)| x * w).sum();
            loss += (output - target(sample)).powi(2);
        }
    }
    loss / (SAMPLES * CLASSES) as f64
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
