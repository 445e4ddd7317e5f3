//! The losses of the first 100 training steps against PyTorch's: `scripts/golden/first_steps.py`
//! made `tests/golden/first_steps.json` and, of real data, `first_steps_mnist.json`.

use crate::common;
use crate::common::golden::{self, count, integers, numbers, text};
use crate::common::splitmix;
use fallline::data::Samples;
use fallline::engine::model::Recipe;
use serde_json::Value;

/// Relative, of each of the losses.
const TOLERANCE: f64 = 1e-4;

const CLASSES: usize = 10;
const PIXELS: usize = 784;
/// The samples of which the files hold fingerprints.
const SAMPLES: usize = 6400;

/// Pictures `[SAMPLES, PIXELS]` and their labels.
struct Data {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Data {
    /// Checks that these are the data that the golden file was made from.
    fn check(&self, file: &Value) {
        let expected = &file["data"];
        assert_eq!(
            self.labels[..20].iter().map(|&l| l.into()).collect::<Vec<u64>>(),
            integers(&expected["first_labels"])
        );
        assert_eq!(splitmix::byte_fingerprint(&self.pixels), expected["byte_fingerprint"]);
        assert_eq!(splitmix::byte_fingerprint(&self.labels), expected["label_fingerprint"]);
    }

    fn first(&self, samples: usize) -> Samples {
        let (pixels, labels) = (self.pixels[..samples * PIXELS].to_vec(), self.labels[..samples].to_vec());
        Samples::images(pixels, [28, 28, 1], labels, CLASSES).unwrap()
    }
}

/// Checks that the initial values are those that the golden file was made from.
fn check_initial_values(case: &Value) {
    let dims = integers(&case["dims"]);
    let layers = || {
        dims.windows(2).enumerate().map(|(layer, pair)| (layer as u64, pair[1] as usize, pair[0] as usize))
    };
    let weights =
        layers().map(|(layer, out, inputs)| splitmix::fingerprint(&splitmix::weights(layer, out, inputs)));
    let biases = layers().map(|(layer, out, _)| splitmix::fingerprint(&splitmix::biases(layer, out)));
    assert_eq!(weights.collect::<Vec<_>>(), integers(&case["weight_fingerprints"]));
    assert_eq!(biases.collect::<Vec<_>>(), integers(&case["bias_fingerprints"]));
}

/// The recipe of a case; pixels become byte / 255 by its defaults, mean 0 and deviation 1.
fn recipe(case: &Value) -> Recipe {
    let options = &case["optimizer"];
    let optimizer = match text(&options["name"]) {
        "adam" => {
            let betas = numbers(&options["betas"]);
            format!(
                "name = \"adam\"\nbeta1 = {}\nbeta2 = {}\nepsilon = {:?}",
                betas[0],
                betas[1],
                numbers(&options["eps"])[0]
            )
        }
        _ => format!(
            "name = \"momentum\"\nmomentum = {}\nnesterov = {}",
            options["momentum"], options["nesterov"]
        ),
    };
    let optimizer = format!("{optimizer}\nlearning_rate = {}", options["lr"]);
    golden::recipe(case, &golden::activations(case), &optimizer, count(&case["batch"]))
}

/// The losses of as many steps as PyTorch took, through the training that the program does.
fn losses(case: &Value, data: &Data, recipe: &Recipe) -> Vec<f64> {
    golden::losses(case, &data.first(count(&case["samples"])), recipe, 2)
}

fn check(file: &Value, data: &Data, number_of_cases: usize) {
    data.check(file);
    let cases = golden::cases(file);
    assert_eq!(cases.len(), number_of_cases);
    for case in cases {
        check_initial_values(case);
        assert_eq!(numbers(&case["losses"]).len(), 100);
        let recipe = recipe(case);
        let right = golden::loss_deviation(&losses(case, data, &recipe), case);
        let mut off = recipe;
        off.optimizer.learning_rate *= 1.001;
        let wrong = golden::loss_deviation(&losses(case, data, &off), case);
        println!("{}: {right:.1e}; with a learning rate 0.1 % too high {wrong:.1e}", text(&case["name"]));
        assert!(right <= TOLERANCE, "{}: {right:e}", case["name"]);
        assert!(wrong > TOLERANCE, "{}: a wrong learning rate goes unnoticed: {wrong:e}", case["name"]);
    }
}

#[test]
fn first_steps_on_made_up_data() {
    let (pixels, labels) = splitmix::made_up_data(SAMPLES);
    check(&golden::read("first_steps.json"), &Data { pixels, labels }, 5);
}

#[test]
fn first_steps_on_mnist() {
    let Some(set) = common::mnist() else { return };
    let pixels = (0..SAMPLES).flat_map(|i| set.train.row_bytes(i).expect("images are bytes").to_vec());
    let labels = set.train.labels().expect("classes")[..SAMPLES].to_vec();
    check(&golden::read("first_steps_mnist.json"), &Data { pixels: pixels.collect(), labels }, 3);
}
