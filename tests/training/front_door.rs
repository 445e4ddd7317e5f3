//! The library as a program uses it: without a recipe, a file or a terminal.

use std::thread;

use crate::common::compare::bits;
use crate::common::runs::{digits, epoch, features, run};
use fallline::data::{DataSet, Origin};
use fallline::engine::model::recipe::DataConfig;
use fallline::engine::optim::schedule::Plateau;
use fallline::engine::team::Team;
use fallline::engine::train::{self, Session};
use fallline::{
    Activation, Curve, Error, LayerConfig, Loss, Model, ModelBuilder, Normalisation, Optimizer, Predictor,
    Recipe, Samples, Schedule, Trainer,
};

const WIDTH: usize = 5;
const CLASSES: usize = 3;

fn rows(count: usize) -> Vec<f32> {
    features(count * WIDTH)
}

fn classes(count: usize) -> Vec<u8> {
    (0..count).map(|i| (i * i % CLASSES) as u8).collect()
}

fn classified(count: usize) -> Samples {
    Samples::from_rows(rows(count), WIDTH).classes(classes(count)).unwrap()
}

fn builder() -> ModelBuilder {
    Model::sequential(WIDTH).dense(19, Activation::RELU).dense(CLASSES, Activation::IDENTITY).seed(3)
}

fn regression(outputs: usize) -> Model {
    Model::sequential(WIDTH)
        .dense(7, Activation::TANH)
        .dense(outputs, Activation::IDENTITY)
        .loss(Loss::MEAN_SQUARED_ERROR)
        .build()
        .unwrap()
}

/// The same settings as a text.
fn recipe(more: &str) -> Recipe {
    let text = format!(
        "name = \"same\"\n[data]\nset = \"folder\"\nmean = 0.25\ndeviation = 2.0\nvalidation = 0.2\n\
         [[model.layers]]\ntype = \"dense\"\nunits = 19\nactivation = \"relu\"\n\
         [[model.layers]]\ntype = \"dense\"\nunits = {CLASSES}\n\
         [train]\nepochs = 4\nbatch = 16\nseed = 3\n[gradient]\nclip_norm = 0.5\n\
         [optimizer]\nname = \"adamw\"\nlearning_rate = 0.02\nbeta1 = 0.8\n{more}"
    );
    Recipe::parse(&text, "test").unwrap()
}

fn trained_by(recipe: &Recipe, samples: &Samples) -> Model {
    let mut model = Model::build(&recipe.model, samples.shape(), CLASSES, recipe.train.seed).unwrap();
    let (train, test) = (samples.clone(), samples.clone());
    let data = DataSet::new("own", CLASSES, train, test, Origin::Generated { seed: 0 }).unwrap();
    run(&mut model, &data, recipe, 2).unwrap();
    model
}

#[test]
fn a_trainer_does_what_a_recipe_of_the_same_settings_does() {
    let samples = classified(150);
    let plateau = Plateau { factor: 0.5, patience: 0, ..Plateau::default() };
    let expected =
        trained_by(&recipe("[schedule]\nname = \"plateau\"\nfactor = 0.5\npatience = 0\n"), &samples);
    let trainer = Trainer::new()
        .optimizer(Optimizer::named("adamw").unwrap().rate(0.02).with("beta1", 0.8).unwrap())
        .schedule(Schedule::of(Curve::Plateau(plateau)))
        .normalise(Normalisation { scale: None, mean: 0.25, deviation: 2.0 })
        .batch(16)
        .epochs(4)
        .seed(3)
        .clip_norm(0.5)
        .validation(0.2);
    for threads in [1, 2, 3] {
        let mut model = builder().build().unwrap();
        let record = trainer.clone().threads(threads).fit(&mut model, &samples).unwrap();
        assert_eq!(bits(model.storage()), bits(expected.storage()), "{threads} threads");
        assert!(record.validation.is_some() && record.epochs.len() == 4);
    }
    let mut model = builder().build().unwrap();
    let text = recipe("[schedule]\nname = \"plateau\"\nfactor = 0.5\npatience = 0\n");
    Trainer::from_recipe(&text).fit(&mut model, &samples).unwrap();
    assert_eq!(bits(model.storage()), bits(expected.storage()));
}

/// A schedule that looks at each epoch must not wait for a call that a loop may forget.
#[test]
fn a_session_tells_its_plateau_of_each_epoch() {
    let samples = classified(60);
    let mut recipe = recipe("[schedule]\nname = \"plateau\"\nfactor = 0.5\npatience = 0\nthreshold = 0.9\n");
    recipe.data.validation = None;
    let expected = trained_by(&recipe, &samples);
    let mut model = Model::build(&recipe.model, samples.shape(), CLASSES, recipe.train.seed).unwrap();
    let team = Team::new(2).unwrap();
    let mut session = Session::new(&mut model, &samples, &recipe, &team).unwrap();
    let rates: Vec<f64> = (0..4).map(|_| epoch(&mut session).unwrap().learning_rate.unwrap()).collect();
    assert_eq!(rates, [0.02, 0.02, 0.01, 0.005]);
    assert_eq!(bits(model.storage()), bits(expected.storage()));
}

#[test]
fn steps_are_those_of_an_epoch_in_its_order() {
    let (count, batch) = (40, 16);
    let fit = |model: &mut Model, samples: &Samples| {
        let trainer = Trainer::new().batch(batch).epochs(2).shuffle(false).clip_norm(0.3);
        trainer.fit(model, samples).unwrap()
    };
    let (x, classes) = (rows(count), classes(count));
    for threads in [1, 3] {
        let trainer = Trainer::new().batch(batch).clip_norm(0.3).threads(threads);
        // Floats and classes; the last batch of an epoch has 8 samples.
        let mut expected = builder().build().unwrap();
        let record = fit(&mut expected, &classified(count));
        let mut model = builder().build().unwrap();
        let mut steps = trainer.steps(&mut model).unwrap();
        for epoch in 0..2 {
            let (mut loss, mut hits) = (0.0, 0.0);
            for (x, classes) in x.chunks(batch * WIDTH).zip(classes.chunks(batch)) {
                let record = steps.step(x, classes).unwrap();
                loss += record.loss * classes.len() as f64;
                hits += record.accuracy.unwrap() * classes.len() as f64;
                assert!(record.gradient_norm > 0.0);
            }
            assert!((loss / count as f64 - record.epochs[epoch].train_loss).abs() < 1e-12);
            assert!(hits > 0.0 && hits <= count as f64);
        }
        assert_eq!(steps.steps(), 6);
        assert_eq!(bits(model.storage()), bits(expected.storage()), "{threads} threads");

        // Floats and values.
        let y: Vec<f32> = rows(count).chunks(WIDTH).flat_map(|row| [row[0] * row[1], row[2]]).collect();
        let mut expected = regression(2);
        fit(&mut expected, &Samples::from_rows(x.clone(), WIDTH).values(y.clone()).unwrap());
        let mut model = regression(2);
        let mut steps = trainer.steps(&mut model).unwrap();
        for _ in 0..2 {
            for (x, y) in x.chunks(batch * WIDTH).zip(y.chunks(batch * 2)) {
                assert_eq!(steps.step(x, y).unwrap().accuracy, None);
            }
        }
        assert_eq!(bits(model.storage()), bits(expected.storage()), "{threads} threads");
    }

    // Bytes, through a convolution.
    let data = &digits(40, 1).train;
    let images = || Model::of_images([28, 28, 1]).convolution(5, 3, Activation::RELU).max_pool(2).flatten();
    let mut expected = images().dense(10, Activation::IDENTITY).build().unwrap();
    fit(&mut expected, data);
    let mut model = images().dense(10, Activation::IDENTITY).build().unwrap();
    let mut steps = Trainer::new().batch(batch).clip_norm(0.3).steps(&mut model).unwrap();
    let pixels: Vec<u8> = (0..40).flat_map(|i| data.row_bytes(i).unwrap().to_vec()).collect();
    for _ in 0..2 {
        for (x, classes) in pixels.chunks(batch * 784).zip(data.labels().unwrap().chunks(batch)) {
            steps.step(x, classes).unwrap();
        }
    }
    assert_eq!(steps.evaluate(data).unwrap(), Trainer::new().evaluate(&expected, data).unwrap());
    assert_eq!(bits(model.storage()), bits(expected.storage()));
}

/// y = w x + b with one weight: what a step comes to can be told by hand.
#[test]
fn loss_and_gradient_norm_are_those_of_the_batch() {
    let linear = LayerConfig::dense(1, Activation::IDENTITY);
    let mut model = Model::sequential(1).layer(linear).loss(Loss::MEAN_SQUARED_ERROR).build().unwrap();
    let w = f64::from(model.tensors()[0].values[0]);
    let (x, y) = ([1.0, 2.0, -3.0], [0.5, -1.0, 2.0]);
    let errors: Vec<f64> = x.iter().zip(y).map(|(x, y)| w * f64::from(*x) - f64::from(y)).collect();
    let loss = errors.iter().map(|e| e * e).sum::<f64>() / 3.0;
    let dw = errors.iter().zip(x).map(|(e, x)| 2.0 * e * f64::from(x)).sum::<f64>() / 3.0;
    let db = errors.iter().map(|e| 2.0 * e).sum::<f64>() / 3.0;
    // The norm is that before it is clipped.
    let trainer = Trainer::new().optimizer(Optimizer::sgd(0.25)).clip_norm(1e-3);
    let mut steps = trainer.steps(&mut model).unwrap();
    steps.set_learning_rate(0.125).unwrap();
    let record = steps.step(&x, &y).unwrap();
    assert!((record.loss - loss).abs() < 1e-6 * loss, "{record:?}, {loss}");
    assert!((record.gradient_norm - dw.hypot(db)).abs() < 1e-6 * dw.hypot(db), "{record:?}");
    assert_eq!((record.step, steps.learning_rate()), (1, 0.125));
    let moved = f64::from(model.tensors()[0].values[0]) - w;
    assert!((moved + 0.125 * 1e-3 * dw / dw.hypot(db)).abs() < 1e-7, "{moved}");
}

#[test]
fn predictions_are_those_of_the_command_line_for_any_number_of_threads() {
    let data = digits(300, 250);
    let layers = || {
        let images = Model::of_images([28, 28, 1]);
        images.convolution(6, 5, Activation::RELU).max_pool(2).layer(LayerConfig::batch_norm()).flatten()
    };
    let mut model = layers().dropout(0.2).dense(10, Activation::IDENTITY).build().unwrap();
    let normalisation = Normalisation { scale: Some(255.0), mean: 0.1, deviation: 0.5 };
    Trainer::new().epochs(2).normalise(normalisation).fit(&mut model, &data.train).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save(&path).unwrap();

    let team = Team::new(3).unwrap();
    let config = DataConfig { scale: Some(255.0), mean: 0.1, deviation: 0.5, ..DataConfig::of_program() };
    let outputs = train::outputs(&model, &data.test, &config, &team).unwrap();
    let probabilities = train::predict(&model, &data.test, &config, &team).unwrap().concat();
    let seen = model.seen().clone();
    let plain = Predictor::new(model).unwrap();
    // Of four callers at a time, one gets the threads.
    let loaded = Predictor::load(&path).unwrap().with_softmax().with_threads(3).unwrap();
    assert_eq!(*loaded.model().seen(), seen);

    let pixels: Vec<u8> = (0..250).flat_map(|i| data.test.row_bytes(i).unwrap().to_vec()).collect();
    let floats: Vec<f32> = pixels.iter().map(|&pixel| pixel.into()).collect();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut out = vec![0.0; outputs.len()];
                plain.predict(&pixels, &mut out).unwrap();
                assert_eq!(bits(&out), bits(&outputs));
                loaded.predict(&floats, &mut out).unwrap();
                assert_eq!(bits(&out), bits(&probabilities));
                for (sample, expected) in pixels.chunks(784).zip(probabilities.chunks(10)) {
                    loaded.predict(sample, &mut out[..10]).unwrap();
                    assert_eq!(bits(&out[..10]), bits(expected));
                }
            });
        }
    });
    // Nothing asked, nothing answered.
    plain.predict(&[0.0; 0], &mut []).unwrap();
    // The model may be trained on, and remembers what it sees.
    let mut model = plain.into_model();
    Trainer::new().epochs(1).fit(&mut model, &data.train).unwrap();
    assert_eq!(*model.seen(), seen);
}

#[track_caller]
fn refused<T>(result: fallline::Result<T>, expected: &str) {
    match result {
        Ok(_) => panic!("nothing is wrong, where {expected}"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}"),
    }
}

#[test]
fn wrong_data_are_errors() {
    let rows = |len, width| Samples::from_rows(vec![0.5; len], width);
    refused(
        rows(7, 3).values(vec![1.0; 2]),
        "number of features: expected rows of 3, and at least one, found 7",
    );
    refused(rows(6, 0).values(vec![1.0; 2]), "rows of 0");
    refused(rows(0, 3).classes(vec![]), "found 0");
    refused(rows(6, 3).values(vec![1.0; 3]), "as many for each of 2 samples, and at least one, found 3");
    refused(rows(6, 3).values(vec![]), "found 0");
    refused(rows(6, 3).classes(vec![0]), "classes: expected 2, one for each sample, found 1");
    refused(rows(6, 3).values(vec![1.0, f32::NAN]), "expected finite numbers, found NaN at index 1");
    refused(Samples::from_rows(vec![f32::INFINITY], 1).classes(vec![0]), "features: expected finite numbers");

    let mut model = builder().build().unwrap();
    let fit = |model: &mut Model, samples: &Samples| Trainer::new().fit(model, samples);
    refused(fit(&mut model, &Samples::from_rows(vec![0.0; 8], 4).classes(vec![0, 1]).unwrap()), "1 x 1 x 5");
    let values = Samples::from_rows(self::rows(2), WIDTH).values(vec![0.5; 4]).unwrap();
    refused(fit(&mut model, &values), "3 a sample, one for each output, found 2");
    let wide = Samples::from_rows(self::rows(2), WIDTH).classes(vec![0, 3]).unwrap();
    refused(fit(&mut model, &wide), "labels: expected below 3, found 3");
    refused(Trainer::new().evaluate(&model, &wide), "labels: expected below 3, found 3");
}

#[test]
fn wrong_models_are_errors() {
    let dense = |units| Model::sequential(4).dense(units, Activation::RELU);
    refused(dense(0).build(), "model: `model.layers.0.units`: expected an integer from 1");
    refused(dense(usize::MAX).build(), "model.layers.0.units");
    refused(Model::sequential(0).dense(1, Activation::RELU).build(), "at least one feature");
    refused(Model::sequential(4).build(), "at least one");
    refused(dense(2).dropout(1.5).build(), "`model.layers.1.rate`: expected a number in [0, 1), found 1.5");
    refused(dense(2).dropout(f64::NAN).build(), "found NaN");
    refused(dense(2).max_pool(2).build(), "expected an image, found 2 features");
    let images = || Model::of_images([8, 8, 1]).convolution(3, 3, Activation::RELU);
    refused(images().build(), "expected 0 outputs");
    refused(images().max_pool(0).build(), "kernel");
    refused(Model::of_images([8, 8, 1]).convolution(1, 9, Activation::RELU).build(), "`kernel` from 1 to 8");
    refused(dense(2).loss(Loss::huber(-1.0)).build(), "delta");
    refused(dense(2).layer(LayerConfig::group_norm(3)).build(), "`groups` that divide the 2");
    let norm = LayerConfig::layer_norm().with("epsilon", -1.0).unwrap();
    refused(dense(2).layer(norm).build(), "epsilon");
    refused(
        dense(2).layer(LayerConfig::named("dense").unwrap()).build(),
        "`model.layers.1.units`: expected an integer from 1 to 1048576, found nothing",
    );
    let window = LayerConfig::named("conv").unwrap().with("channels", 2).unwrap();
    refused(Model::of_images([8, 8, 1]).layer(window).build(), "kernel`: expected an integer from 1");
    refused(dense(1 << 20).dense(1 << 20, Activation::RELU).build(), "trained numbers of the model");
    refused(Model::load("no/such/file"), "no/such/file");
}

#[test]
fn wrong_settings_are_errors() {
    let samples = classified(20);
    let fit = |trainer: Trainer| trainer.fit(&mut builder().build().unwrap(), &samples);
    refused(fit(Trainer::new().batch(0)), "trainer: `train.batch`: expected an integer from 1");
    refused(fit(Trainer::new().epochs(0)), "`train.epochs`: expected an integer from 1");
    refused(fit(Trainer::new().threads(0)), "threads");
    refused(fit(Trainer::new().clip_norm(f32::NAN)), "`gradient.clip_norm`");
    refused(fit(Trainer::new().validation(1.0)), "`data.validation`");
    refused(fit(Trainer::new().patience(3)), "samples for validation");
    refused(fit(Trainer::new().optimizer(Optimizer::adam(-1.0))), "`optimizer.learning_rate`");
    refused(fit(Trainer::new().optimizer(Optimizer::adam(f64::NAN))), "`optimizer.learning_rate`");
    let rule = |key, value: f64| Optimizer::named("adam").and_then(|rule| rule.with(key, value));
    refused(fit(Trainer::new().optimizer(rule("beta1", 1.5).unwrap())), "`optimizer.beta1`");
    refused(rule("beta3", 0.5), "did you mean `beta");
    refused(Optimizer::named("momentum").unwrap().with("nesterov", 0.5), "true or false");
    refused(Optimizer::named("adum"), "did you mean `adam`?");
    let zero = Normalisation { deviation: 0.0, ..Normalisation::default() };
    refused(fit(Trainer::new().normalise(zero)), "deviation");
    // A rule for all samples takes all unless it is told otherwise.
    let lbfgs = || Trainer::new().optimizer(Optimizer::named("lbfgs").unwrap()).epochs(2);
    fit(lbfgs()).unwrap();
    refused(fit(lbfgs().batch(4)), "batch");
}

#[test]
fn wrong_steps_are_errors_and_change_nothing() {
    let mut model = builder().build().unwrap();
    let before = bits(model.storage());
    let by_epochs = |trainer: Trainer| trainer.steps(&mut builder().build().unwrap()).map(drop);
    refused(by_epochs(Trainer::new().batch(usize::MAX)), "batch");
    refused(by_epochs(Trainer::new().optimizer(Optimizer::named("lbfgs").unwrap())), "all samples");
    // What it is evaluated at is put into the model between epochs.
    let averages = Optimizer::named("schedule-free-adamw").unwrap();
    refused(by_epochs(Trainer::new().optimizer(averages)), "schedule-free-adamw");
    refused(
        by_epochs(Trainer::new().schedule(Schedule::of(Curve::Plateau(Plateau::default())))),
        "`schedule`",
    );

    let mut steps = Trainer::new().batch(4).steps(&mut model).unwrap();
    let x = rows(6);
    refused(steps.step(&x[..WIDTH + 1], &[0u8]), "1 to 4 samples of 5, one after the other, found 6");
    refused(steps.step(&x, &classes(6)), "found 30");
    refused(steps.step(&[0.0f32; 0], &[0u8; 0]), "found 0");
    refused(steps.step(&x[..2 * WIDTH], &[0u8]), "classes of the batch: expected 2, found 1");
    refused(steps.step(&x[..2 * WIDTH], &[0u8, 3]), "expected below 3, found 3 at index 1");
    refused(steps.step(&x[..WIDTH], &[0.5f32]), "target values of the batch: expected 3, found 1");
    refused(steps.step(&x[..WIDTH], &[0.5f32, f32::NAN, 0.5]), "found NaN at index 1");
    refused(steps.step(&x[..WIDTH], &[0.5f32, 0.5, 0.5]), "rows that sum to 1");
    refused(steps.step(&[f32::NAN; WIDTH], &[0u8]), "found NaN at index 0");
    for rate in [-1.0, f64::NAN, f64::INFINITY] {
        refused(steps.set_learning_rate(rate), "learning_rate");
    }
    assert_eq!((steps.steps(), steps.learning_rate()), (0, 1e-3));
    assert_eq!(bits(model.storage()), before);

    // What a batch of one sample is normalised by is nothing.
    let norm = LayerConfig::batch_norm();
    let mut normed = Model::sequential(WIDTH).dense(CLASSES, Activation::RELU).layer(norm).build().unwrap();
    let mut steps = Trainer::new().batch(4).steps(&mut normed).unwrap();
    refused(steps.step(&x[..WIDTH], &[0u8]), "at least 2 with layer");
    steps.step(&x[..3 * WIDTH], &[0u8, 1, 2]).unwrap();

    // A step that is too long.
    let mut lost = regression(1);
    let mut steps = Trainer::new().optimizer(Optimizer::sgd(1e30)).steps(&mut lost).unwrap();
    let error = (0..5).find_map(|_| steps.step(&x[..WIDTH], &[1.0f32]).err()).unwrap();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
}

#[test]
fn wrong_predictions_are_errors_and_write_nothing() {
    let mut model = builder().build().unwrap();
    // Of a model that was not trained nothing is known.
    let fresh = Predictor::new(builder().build().unwrap()).unwrap();
    let mut out = [7.0; CLASSES];
    fresh.predict(&[1u8; WIDTH], &mut out).unwrap();
    fresh.predict(&[1.0f32; WIDTH], &mut out).unwrap();

    Trainer::new().epochs(1).fit(&mut model, &classified(20)).unwrap();
    let predictor = Predictor::new(model).unwrap();
    let mut out = [7.0; CLASSES];
    refused(
        predictor.predict(&[1.0; WIDTH + 1], &mut out),
        "number of features: expected rows of 5, found 6",
    );
    refused(
        predictor.predict(&[1.0; 2 * WIDTH], &mut out),
        "length of the output slice: expected 2 x 3, found 3",
    );
    refused(predictor.predict(&[1.0; WIDTH], &mut [0.0; 2]), "expected 1 x 3, found 2");
    refused(predictor.predict(&[f32::NAN; WIDTH], &mut out), "found NaN at index 0");
    refused(predictor.predict(&[1u8; WIDTH], &mut out), "type of the features: expected floats");
    assert_eq!(out, [7.0; CLASSES]);
}
