//! Losses that a program defines: training with them, saving, and reading by their names.

use crate::common::compare::bits;
use crate::common::runs::features;
use fallline::extend::{HyperParameter, HyperValues, positive};
use fallline::testing::check_loss;
use fallline::{
    Activation, ElementwiseLoss, Loss, LossFunction, LossKind, Model, Optimizer, Predictor, Recipe, RowLoss,
    Samples, Takes, Target, Trainer,
};

const WIDTH: usize = 6;
const OUTPUTS: usize = 3;
const SAMPLES: usize = 700;

/// The formula of the mean squared error, times a factor.
#[derive(Clone, Copy)]
struct Squared(f32);

impl ElementwiseLoss for Squared {
    #[inline(always)]
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        (self.0 * d * d, self.0 * 2.0 * d)
    }
}

fn squared(values: &HyperValues) -> LossFunction {
    LossFunction::elementwise(Squared(values.single("factor")))
}

const FACTOR: &[HyperParameter] = &[HyperParameter::single("factor", 1.0, positive(), "what it is times")];

/// Cross-entropy by libm's functions, written down without care for large outputs.
struct CrossEntropy;

impl RowLoss for CrossEntropy {
    fn row(&self, outputs: &[f32], target: Target, gradient: Option<&mut [f32]>) -> f32 {
        let sum: f32 = outputs.iter().map(|y| y.exp()).sum();
        if let Some(gradient) = gradient {
            for (output, derivative) in gradient.iter_mut().enumerate() {
                *derivative = outputs[output].exp() / sum - target.of(output);
            }
        }
        (0..outputs.len()).map(|output| target.of(output) * (sum.ln() - outputs[output])).sum()
    }
}

fn rows() -> Vec<f32> {
    features(SAMPLES * WIDTH)
}

fn values() -> Samples {
    let x = rows();
    let y = x.chunks(WIDTH).flat_map(|x| [x[0] - x[1], x[2] * x[3], x[4]]).collect();
    Samples::from_rows(x, WIDTH).values(y).unwrap()
}

fn classes() -> Samples {
    let x = rows();
    let class = |x: &[f32]| u8::from(x[0] > 0.3) + u8::from(x[0] > -0.3);
    let labels = x.chunks(WIDTH).map(class).collect();
    Samples::from_rows(x, WIDTH).classes(labels).unwrap()
}

fn model(loss: Loss) -> fallline::Result<Model> {
    Model::sequential(WIDTH)
        .dense(20, Activation::TANH)
        .dense(OUTPUTS, Activation::IDENTITY)
        .loss(loss)
        .seed(5)
        .build()
}

/// In batches that are computed in blocks, on so many threads; with the loss that it ends with.
fn trained(loss: Loss, samples: &Samples, threads: usize) -> (Model, f64) {
    let mut model = model(loss).unwrap();
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).batch(300).epochs(60).threads(threads);
    trainer.fit(&mut model, samples).unwrap();
    let seen = trainer.evaluate(&model, samples).unwrap();
    (model, seen.loss)
}

/// The same formula makes the same network as the loss that is built in, bit by bit, on any number of threads.
#[test]
fn a_loss_from_outside_trains_as_one_that_is_built_in() {
    static OWN: LossKind = LossKind::new("outside-squared", squared).hyper_parameters(FACTOR);
    let samples = values();
    let (expected, loss) = trained(Loss::MEAN_SQUARED_ERROR, &samples, 2);
    for threads in [1, 2, 3] {
        let (model, found) = trained(Loss::of(&OWN), &samples, threads);
        assert_eq!((bits(model.storage()), found), (bits(expected.storage()), loss), "{threads}");
    }
    // The factor is not ignored.
    let (model, doubled) = trained(Loss::of(&OWN).with("factor", 2.0).unwrap(), &samples, 1);
    assert!(bits(model.storage()) != bits(expected.storage()) && doubled < 1.0, "{doubled}");
}

#[test]
fn a_loss_of_rows_trains_on_classes_and_step_by_step() {
    static OWN: LossKind = LossKind::new("outside-cross-entropy", |_| LossFunction::by_row(CrossEntropy))
        .takes(Takes::Probabilities);
    let (samples, loss) = (classes(), Loss::of(&OWN));
    check_loss(&loss, OUTPUTS).unwrap();
    let (first, value) = trained(loss.clone(), &samples, 1);
    let (second, same) = trained(loss.clone(), &samples, 3);
    assert_eq!((bits(first.storage()), value), (bits(second.storage()), same));
    let (_, of_built_in) = trained(Loss::cross_entropy(), &samples, 1);
    assert!((value - of_built_in).abs() < 1e-2 && value < 0.5, "{value} {of_built_in}");
    let seen = Trainer::new().evaluate(&first, &samples).unwrap();
    assert!(seen.accuracy.unwrap() > 0.85, "{seen:?}");

    let step = |loss: Loss| {
        let mut model = model(loss).unwrap();
        let trainer = Trainer::new().optimizer(Optimizer::sgd(0.1)).batch(8).threads(2);
        trainer
            .steps(&mut model)
            .unwrap()
            .step(&rows()[..8 * WIDTH], &[0u8, 1, 2, 0, 1, 2, 0, 1][..])
            .unwrap()
    };
    let (own, built_in) = (step(loss), step(Loss::cross_entropy()));
    assert!((own.loss - built_in.loss).abs() < 1e-6, "{own:?} {built_in:?}");
    assert!((own.gradient_norm - built_in.gradient_norm).abs() < 1e-6, "{own:?} {built_in:?}");
    assert_eq!(own.accuracy, built_in.accuracy);
}

#[test]
fn what_does_not_fit_is_refused() {
    static OWN: LossKind = LossKind::new("outside-refused", squared).hyper_parameters(FACTOR);
    static OF_CLASSES: LossKind =
        LossKind::new("outside-classes", |_| LossFunction::by_row(CrossEntropy)).takes(Takes::Classes);
    static TAKEN: LossKind = LossKind::new("poisson", squared).hyper_parameters(FACTOR);
    let message = |result: fallline::Result<Model>| result.err().unwrap().to_string();
    let below = Loss::of(&OWN).with("factor", -1.0).unwrap();
    assert!(message(model(below)).ends_with("expected a number above 0, found -1"));
    assert_eq!(
        message(model(Loss::of(&TAKEN))),
        "loss `poisson`: `name`: expected a name that no other loss has, found poisson"
    );
    let mut model = model(Loss::of(&OF_CLASSES)).unwrap();
    let refused = Trainer::new().fit(&mut model, &values()).unwrap_err().to_string();
    assert_eq!(refused, "targets of the loss outside-classes: expected classes, found values");
}

#[test]
fn a_saved_model_is_read_where_its_loss_is_known() {
    static OWN: LossKind = LossKind::new("outside-saved", squared).hyper_parameters(FACTOR);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    let (model, _) = trained(Loss::of(&OWN).with("factor", 0.1).unwrap(), &values(), 1);
    model.save(&path).unwrap();
    let refused = Model::load(&path).err().unwrap().to_string();
    let expected = "metadata `recipe`: expected a loss that is built in, or that the program has registered, found the \
                    loss `outside-saved`";
    assert!(refused.ends_with(expected), "{refused}");

    let text = "name = \"own\"\ndata = { set = \"folder\" }\noptimizer = { name = \"sgd\" }\n[train]\n\
                [model]\nloss = { type = \"outside-saved\", factor = 0.1 }\n\
                layers = [{ type = \"dense\", units = 3 }]\n";
    let read = || Recipe::parse(text, "test");
    assert!(read().unwrap_err().to_string().contains("unknown loss `outside-saved`"));

    OWN.register().unwrap();
    let again = Model::load(&path).unwrap();
    assert_eq!(again.loss(), model.loss());
    assert_eq!(bits(again.storage()), bits(model.storage()));
    let answers = |model: Model| {
        let mut answers = vec![0.0; OUTPUTS];
        Predictor::new(model).unwrap().predict(&rows()[..WIDTH], &mut answers).unwrap();
        answers
    };
    assert_eq!(answers(again), answers(model));
    let recipe = read().unwrap();
    assert_eq!(recipe.model.loss, Loss::of(&OWN).with("factor", 0.1).unwrap());
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    let low = read_error(&text.replace("0.1", "0"));
    assert_eq!(low, "test: `model.loss.factor`: expected a number above 0, found 0");
    assert!(read_error(&text.replace("factor", "factr")).contains("did you mean `model.loss.factor`?"));
}

fn read_error(text: &str) -> String {
    Recipe::parse(text, "test").unwrap_err().to_string()
}

#[test]
fn names_are_those_of_one_loss() {
    static FIRST: LossKind = LossKind::new("outside-name", squared).hyper_parameters(FACTOR);
    static SECOND: LossKind = LossKind::new("outside-name", squared).hyper_parameters(FACTOR);
    static TAKEN: LossKind = LossKind::new("huber", squared).hyper_parameters(FACTOR);
    static EMPTY: LossKind = LossKind::new("", squared);
    static ODD: LossKind = LossKind::new("outside name", squared);
    static KEYS: LossKind = LossKind::new("outside-keys", squared).hyper_parameters(&[
        HyperParameter::single("factor", 1.0, positive(), "one"),
        HyperParameter::single("factor", 1.0, positive(), "another"),
    ]);
    assert!(Loss::named("outside-name").is_err());
    // Without a name in the list it is used all the same, but not in the place of one that is there.
    assert!(Loss::of(&SECOND).check(3).is_ok());
    FIRST.register().unwrap();
    FIRST.register().unwrap();
    assert_eq!(Loss::named("outside-name").unwrap(), Loss::of(&FIRST));
    assert_ne!(Loss::of(&FIRST), Loss::of(&SECOND));
    let message = |result: fallline::Result<()>| result.unwrap_err().to_string();
    let taken = "loss `outside-name`: `name`: expected a name that no other loss has, found outside-name";
    assert_eq!(message(SECOND.register()), taken);
    assert_eq!(message(Loss::of(&SECOND).check(3)), taken);
    assert_eq!(message(TAKEN.register()), taken.replace("outside-name", "huber"));
    let letters = "`name`: expected 1 to 40 of a-z, 0-9 and -, a letter first, found";
    assert!(message(EMPTY.register()).ends_with(&format!("{letters} \"\"")));
    assert!(message(ODD.register()).ends_with(&format!("{letters} \"outside name\"")));
    assert!(message(KEYS.register()).ends_with("expected keys that differ, found `factor` twice"));
}
