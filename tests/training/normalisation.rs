//! Runs with batch normalisation and dropout: what is refused, what becomes of the running statistics
//! beside averages, and what a model answers when it is trained.

use crate::common::compare::{largest_deviation, widened};
use crate::common::runs::{self, build, digits, epoch};
use fallline::data::DataSet;
use fallline::engine::model::{NamedTensor, Recipe};
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session};

const NORMED: &str = "[[model.layers]]\ntype = \"conv\"\nchannels = 6\nkernel = 5\nstride = 3\nbias = false\n\
                      [[model.layers]]\ntype = \"batch-norm\"\nactivation = \"relu\"\n\
                      [[model.layers]]\ntype = \"flatten\"\n\
                      [[model.layers]]\ntype = \"dense\"\nunits = 20\nbias = false\n\
                      [[model.layers]]\ntype = \"batch-norm\"\nactivation = \"relu\"\n";

fn recipe(layers: &str, batch: usize, tables: &str) -> Recipe {
    let toml = format!(
        "name = \"normalised\"\n[data]\nset = \"digits\"\n[model]\n{layers}\
         [[model.layers]]\ntype = \"dense\"\nunits = 10\n{tables}\
         [train]\nepochs = 2\nbatch = {batch}\n[optimizer]\nname = \"adam\"\n"
    );
    Recipe::parse(&toml, "test recipe").unwrap_or_else(|error| panic!("{error}\n{toml}"))
}

fn data(samples: usize) -> &'static DataSet {
    digits(samples, 50)
}

fn trained(recipe: &Recipe, data: &DataSet, epochs: usize) -> Vec<NamedTensor> {
    let mut model = build(recipe, data);
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &data.train, recipe, &team).unwrap();
    for _ in 0..epochs {
        epoch(&mut session).unwrap();
    }
    drop(session);
    model.tensors()
}

fn refusal(recipe: &Recipe, samples: usize) -> Option<String> {
    let data = data(samples);
    let mut model = build(recipe, data);
    let team = Team::new(2).unwrap();
    Session::new(&mut model, &data.train, recipe, &team).err().map(|error| error.to_string())
}

#[test]
fn a_batch_of_one_value_is_refused() {
    let refused = refusal(&recipe(NORMED, 1, ""), 20).unwrap();
    assert_eq!(
        refused,
        "recipe normalised: `train.batch`: expected batches of at least 2 samples, the last one of an epoch \
         too, with layer 5 (batch-norm + relu) in training, found batches of 1"
    );
    let refused = refusal(&recipe(NORMED, 8, ""), 33).unwrap();
    assert!(refused.ends_with("found 8, which leaves a batch of 1 of 33 samples"), "{refused}");
    assert_eq!(refusal(&recipe(NORMED, 8, ""), 34), None);
    // A smaller batch of a step is one, too.
    let mut several = recipe(NORMED, 8, "");
    several.train.accumulate = 3;
    assert!(refusal(&several, 41).is_some() && refusal(&several, 40).is_none());
    several.train.batch = 1;
    assert!(refusal(&several, 40).is_some());
    // One image has many values of a channel.
    let of_images = &NORMED[..NORMED.find("[[model.layers]]\ntype = \"dense\"").unwrap()];
    assert_eq!(refusal(&recipe(of_images, 1, ""), 20), None);
    trained(&recipe(of_images, 1, ""), data(20), 1);
}

fn close(one: &[NamedTensor], other: &[NamedTensor], running: bool) -> bool {
    one.iter().zip(other).filter(|(tensor, _)| tensor.name.contains("running") == running).all(|(a, b)| {
        a.name == b.name && largest_deviation(&widened(&a.values), &widened(&b.values), 0.1) <= 1e-5
    })
}

/// The mean of each number of two models.
fn mean(one: &[NamedTensor], other: &[NamedTensor]) -> Vec<NamedTensor> {
    let mut mean = one.to_vec();
    for (mean, other) in mean.iter_mut().zip(other) {
        mean.values.iter_mut().zip(&other.values).for_each(|(x, other)| *x = 0.5 * (*x + other));
    }
    mean
}

/// Averages are over the running statistics as over the parameters.
#[test]
fn running_statistics_are_averaged_as_the_parameters_are() {
    let data = data(150);
    let of = |tables: &str, epochs| trained(&recipe(NORMED, 32, tables), data, epochs);
    let (one, two) = (of("", 1), of("", 2));
    assert!(!close(&one, &two, true) && !close(&one, &two, false));
    let swa = of("[average]\nmethod = \"swa\"\n", 2);
    let expected = mean(&one, &two);
    assert!(close(&swa, &expected, true) && close(&swa, &expected, false));
    // An average that remembers nothing.
    let ema = of("[average]\nmethod = \"ema\"\ndecay = 0.0\ndebias = false\n", 2);
    assert_eq!(ema, two);
    // One that remembers everything, as an equal average over the steps: one step, then another.
    let half = "[average]\nmethod = \"ema\"\ndecay = 0.5\ndebias = false\n";
    let (first, second) =
        (trained(&recipe(NORMED, 150, ""), data, 1), trained(&recipe(NORMED, 150, ""), data, 2));
    let ema = trained(&recipe(NORMED, 150, half), data, 2);
    let expected = mean(&first, &second);
    assert!(close(&ema, &expected, true) && close(&ema, &expected, false));
    // Slow parameters that are the fast ones, and statistics that have no slow ones.
    assert_eq!(of("[lookahead]\nsteps = 1\nalpha = 1.0\n", 2), two);
    let slow = of("[lookahead]\nsteps = 1\nalpha = 0.5\n[average]\nmethod = \"swa\"\n", 1);
    let alone = of("[lookahead]\nsteps = 1\nalpha = 0.5\n", 1);
    assert_eq!(slow, alone);
    assert!(alone.iter().any(|tensor| tensor.name == "1.running_mean" && tensor.values[0] != 0.0));
}

#[test]
fn dropout_of_nothing_changes_no_bit_and_of_something_does() {
    let data = data(100);
    let with = |rate: f64| {
        let dropout = format!("[[model.layers]]\ntype = \"dropout\"\nrate = {rate}\n");
        trained(&recipe(&format!("{NORMED}{dropout}"), 16, ""), data, 2)
    };
    let values =
        |tensors: Vec<NamedTensor>| tensors.into_iter().map(|tensor| tensor.values).collect::<Vec<_>>();
    let (none, some) = (values(with(0.0)), values(with(0.3)));
    assert_eq!(values(trained(&recipe(NORMED, 16, ""), data, 2)), none);
    assert_ne!(some, none);
    assert_eq!(values(with(0.3)), some);
}

/// Outside training, an answer depends on its sample alone.
#[test]
fn a_trained_network_learns_and_answers_alone() {
    let data = data(600);
    let dropout = "[[model.layers]]\ntype = \"dropout\"\nrate = 0.2\n";
    let mut recipe = recipe(&format!("{NORMED}{dropout}"), 32, "");
    (recipe.train.epochs, recipe.optimizer.learning_rate) = (6, 0.01);
    let team = Team::new(2).unwrap();
    let (record, model) = runs::trained(&recipe, data, 2);
    let accuracy = record.test.as_ref().unwrap().accuracy.unwrap();
    println!("{accuracy}");
    assert!(accuracy > 0.7, "{accuracy}");
    let all = train::outputs(&model, &data.test, &recipe.data, &team).unwrap();
    let one = data.test.take(&[17]).unwrap();
    assert_eq!(train::outputs(&model, &one, &recipe.data, &team).unwrap(), all[170..180]);
}

/// A number that is none is told with the layer that it comes from.
#[test]
fn a_loss_that_is_none_names_the_layer() {
    let data = data(64);
    let mut recipe = recipe(NORMED, 32, "");
    recipe.optimizer.learning_rate = 1e38;
    let mut model = build(&recipe, data);
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &data.train, &recipe, &team).unwrap();
    let error = (0..5).find_map(|_| epoch(&mut session).err()).unwrap().to_string();
    assert!(error.contains("the output of layer 0 (conv 5x5)"), "{error}");
}
