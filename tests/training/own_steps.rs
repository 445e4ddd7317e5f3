//! Steps of one's own that are told how long an epoch is: what goes by epochs goes as in a training of whole epochs.

use crate::common::compare::bits_of;
use crate::common::runs::features;
use fallline::{Activation, Loss, Model, Optimizer, Recipe, Samples, Trainer};

const WIDTH: usize = 4;
const BATCH: usize = 8;
const PER_EPOCH: usize = 5;
const EPOCHS: usize = 6;

fn x() -> Vec<f32> {
    features(BATCH * PER_EPOCH * WIDTH)
}

fn y() -> Vec<f32> {
    (0..BATCH * PER_EPOCH).map(|i| (i as f32 * 0.7).cos()).collect()
}

fn model() -> Model {
    let layers = Model::sequential(WIDTH).dense(9, Activation::TANH).dense(1, Activation::IDENTITY);
    layers.loss(Loss::MEAN_SQUARED_ERROR).seed(2).build().unwrap()
}

/// The settings of a recipe's text.
fn trainer(text: &str) -> Trainer {
    let text = format!(
        "name = \"own\"\n[data]\nset = \"digits\"\n[[model.layers]]\ntype = \"dense\"\nunits = 10\n\
         [train]\nepochs = {EPOCHS}\nbatch = {BATCH}\nshuffle = false\n{text}"
    );
    let mut recipe = Recipe::parse(&text, "own.toml").unwrap();
    (recipe.data.mean, recipe.data.deviation) = (0.0, 1.0);
    Trainer::from_recipe(&recipe).normalise(Default::default()).threads(2)
}

const ADAM: &str = "[optimizer]\nname = \"adam\"\nlearning_rate = 0.05\n";

/// Schedules by the step and by the epoch, averages, Lookahead, and a rule that keeps an average.
fn settings() -> Vec<String> {
    let with = |more: &str| format!("{ADAM}{more}");
    vec![
        with("[schedule]\nname = \"cosine\"\nwarmup_steps = 3\n"),
        with("[schedule]\nname = \"one-cycle\"\n"),
        with("[schedule]\nname = \"plateau\"\nfactor = 0.5\npatience = 0\nthreshold = 0.9\n"),
        with("[average]\nmethod = \"ema\"\ndecay = 0.9\nstart = 2\n"),
        with("[average]\nmethod = \"swa\"\nstart = 3\n"),
        with("[lookahead]\nsteps = 4\n"),
        with("[lookahead]\nsteps = 4\n[average]\nmethod = \"swa\"\nstart = 3\n"),
        "[optimizer]\nname = \"schedule-free-adamw\"\nlearning_rate = 0.05\n".into(),
    ]
}

#[test]
fn own_steps_of_whole_epochs_are_those_of_a_training() {
    let samples = Samples::from_rows(x(), WIDTH).values(y()).unwrap();
    let plain = {
        let mut model = model();
        trainer(ADAM).fit(&mut model, &samples).unwrap();
        bits_of(&model)
    };
    for text in settings() {
        let mut whole = model();
        trainer(&text).fit(&mut whole, &samples).unwrap();
        assert_ne!(bits_of(&whole), plain, "{text} does something");

        let mut stepped = model();
        let mut steps = trainer(&text).steps_per_epoch(PER_EPOCH as u64).steps(&mut stepped).unwrap();
        for _ in 0..EPOCHS {
            for (x, y) in x().chunks(BATCH * WIDTH).zip(y().chunks(BATCH)) {
                steps.step(x, y).unwrap();
            }
        }
        assert_eq!(bits_of(steps.model()), bits_of(&whole), "{text}");
        drop(steps);
        assert_eq!(bits_of(&stepped), bits_of(&whole), "{text}");
    }
}

/// Looking at an average within an epoch changes nothing that is trained.
#[test]
fn an_average_that_is_shown_in_between_changes_no_bit() {
    for text in settings() {
        let trained = |shows: bool| {
            let mut model = model();
            let mut steps = trainer(&text).steps_per_epoch(PER_EPOCH as u64).steps(&mut model).unwrap();
            let mut seen = Vec::new();
            for number in 0..EPOCHS * PER_EPOCH {
                let batch = number % PER_EPOCH;
                let x = &x()[batch * BATCH * WIDTH..][..BATCH * WIDTH];
                steps.step(x, &y()[batch * BATCH..][..BATCH]).unwrap();
                if shows && number == 12 {
                    let before = bits_of(steps.model());
                    seen = vec![before, bits_of(steps.show_average())];
                }
            }
            (bits_of(&model), seen)
        };
        let ((without, _), (with, seen)) = (trained(false), trained(true));
        assert_eq!(with, without, "{text}");
        let averages = !text.contains("schedule]") && (!text.contains("swa") || text.contains("lookahead"));
        assert_eq!(seen[0] != seen[1], averages, "{text}");
    }
}

/// The learning rate of the next step is that of the schedule, and of a plateau by what the caller says of an epoch.
#[test]
fn the_learning_rate_follows_the_schedule() {
    let mut model = model();
    let text = format!("{ADAM}[schedule]\nname = \"plateau\"\nfactor = 0.5\npatience = 0\n");
    let mut steps = trainer(&text).steps_per_epoch(2).steps(&mut model).unwrap();
    let mut rates = Vec::new();
    for loss in [1.0, 0.1, 0.2, 0.3] {
        for _ in 0..2 {
            steps.step(&x()[..BATCH * WIDTH], &y()[..BATCH]).unwrap();
        }
        steps.validated(loss);
        rates.push(steps.learning_rate());
    }
    assert_eq!(rates, [0.05, 0.05, 0.025, 0.0125]);
}

#[test]
fn an_epoch_of_no_steps_is_refused() {
    let mut model = model();
    let trainer = Trainer::new().optimizer(Optimizer::sgd(0.1)).steps_per_epoch(0);
    let error = trainer.steps(&mut model).err().unwrap().to_string();
    assert!(error.contains("`steps_per_epoch`: expected at least 1, found 0"), "{error}");
}
