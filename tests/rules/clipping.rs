//! The losses of training steps with clipped gradients and an L1 penalty against PyTorch's:
//! `scripts/golden/clipping.py` made `tests/golden/clipping.json`.

use crate::common::golden::{self, count, integers, numbers, text};
use crate::common::runs::epoch;
use crate::common::splitmix;
use fallline::engine::model::recipe::GradientConfig;
use fallline::engine::model::{Model, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{Ending, Session};
use serde_json::Value;

/// Relative, of each of the losses.
const TOLERANCE: f64 = 1e-4;

const CLASSES: usize = 10;
/// The samples of which the file holds a fingerprint.
const SAMPLES: usize = 6400;

fn recipe(case: &Value) -> Recipe {
    let recipe =
        golden::recipe(case, &golden::activations(case), &golden::momentum(case), count(&case["batch"]));
    let number = |key: &str| case["gradient"][key].as_f64().map(|value| value as f32);
    let gradient = GradientConfig {
        l1: number("l1").unwrap(),
        clip_value: number("clip_value"),
        clip_norm: number("clip_norm"),
        ..GradientConfig::default()
    };
    Recipe { gradient, ..recipe }
}

#[test]
fn clipped_steps() {
    let file = golden::read("clipping.json");
    let (pixels, labels) = splitmix::made_up_data(SAMPLES);
    assert_eq!(splitmix::byte_fingerprint(&pixels), file["data"]["byte_fingerprint"]);
    let cases = golden::cases(&file);
    assert_eq!(cases.len(), 5);
    for case in cases {
        let name = text(&case["name"]);
        assert_eq!(numbers(&case["losses"]).len(), 40);
        let samples = golden::samples(case, &pixels, &labels);
        let recipe = recipe(case);
        let one = golden::losses(case, &samples, &recipe, 1);
        let right = golden::loss_deviation(&one, case);
        for threads in [2, 3] {
            assert_eq!(golden::losses(case, &samples, &recipe, threads), one, "{name}, {threads} threads");
        }
        // Each of the settings matters: 1 % more of it, and nothing of it, are seen.
        let mut wrong = Vec::new();
        for factor in [Some(1.01), None] {
            for key in 0..3 {
                let mut off = recipe.clone();
                let gradient = &mut off.gradient;
                match key {
                    0 => gradient.l1 *= factor.unwrap_or(0.0),
                    1 => gradient.clip_value = gradient.clip_value.zip(factor).map(|(value, by)| value * by),
                    _ => gradient.clip_norm = gradient.clip_norm.zip(factor).map(|(value, by)| value * by),
                }
                if off != recipe {
                    wrong.push(golden::loss_deviation(&golden::losses(case, &samples, &off, 2), case));
                }
            }
        }
        println!("{name}: {right:.1e}; with other settings {wrong:?}");
        assert!(right <= TOLERANCE, "{name}: {right:e}");
        assert!(wrong.len() >= 2 && wrong.iter().all(|&wrong| wrong > TOLERANCE), "{name}: {wrong:?}");
    }
}

/// The norms themselves: a limit a little above the first norm ends the training after the first step,
/// one a little below does not.
#[test]
fn norms() {
    let file = golden::read("clipping.json");
    let (pixels, labels) = splitmix::made_up_data(SAMPLES);
    for case in golden::cases(&file) {
        let samples = golden::samples(case, &pixels, &labels);
        let norm = numbers(&case["norms"])[0];
        for (limit, ending) in [(norm * 1.00001, Some(Ending::GradientNorm)), (norm * 0.99999, None)] {
            let mut recipe = recipe(case);
            recipe.stop.gradient_norm = Some(limit);
            // The step after it must not end the training in its place.
            recipe.optimizer.learning_rate = 0.0;
            recipe.train.batch = count(&case["batch"]);
            let mut model = Model::build(&recipe.model, samples.shape(), CLASSES, 1).unwrap();
            golden::initialise(&mut model, &integers(&case["dims"]));
            let team = Team::new(2).unwrap();
            let first: Vec<u32> = (0..recipe.train.batch as u32).collect();
            let mut session = Session::on_part(&mut model, &samples, Some(first), &recipe, &team).unwrap();
            epoch(&mut session).unwrap();
            assert_eq!(session.ended(), ending, "{}: {norm}", case["name"]);
        }
    }
}
