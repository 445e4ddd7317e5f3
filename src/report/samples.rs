//! Records for the tests of reports.

use crate::train::analysis::{Analysis, ClassScore, Mistake, PredictedOutput, PredictedValues};
use crate::train::machine::Machine;
use crate::train::metrics::ValueMetrics;
use crate::train::reproduce::{REPRODUCE_SCHEMA, RecipeRecord, ReproduceRecord, Verdict};
use crate::train::{EpochRecord, Evaluation, ModelFacts, TrainRecord};

/// A run of two epochs, tested and not analysed.
pub fn train_record() -> TrainRecord {
    let epoch = EpochRecord {
        epoch: 1,
        train_loss: 0.5,
        train_accuracy: Some(0.75),
        validation_loss: None,
        validation_accuracy: None,
        seconds: 2.0,
        samples_per_second: 30_000.0,
        samples: Some(60_000),
        positions: None,
        incomplete: false,
        learning_rate: Some(0.001),
        evaluations: None,
        layers: Vec::new(),
    };
    let second = EpochRecord { epoch: 2, train_loss: 0.25, train_accuracy: Some(0.875), ..epoch.clone() };
    TrainRecord {
        schema: crate::train::record::TRAIN_SCHEMA.into(),
        recipe: "mnist-mlp".into(),
        data: Some("mnist".into()),
        optimizer: Some("adam".into()),
        averages: Vec::new(),
        batch: Some(64),
        seed: 1,
        threads: 2,
        machine: Machine {
            cpu: "Processor X".into(),
            cores: 2,
            instruction_set: "AVX2".into(),
            os: "linux x86_64".into(),
        },
        model: ModelFacts { parameters: 101_770, train_flops_per_sample: 409_984.0, trained: None },
        init: None,
        init_optimizer: None,
        epochs: vec![epoch, second],
        epochs_every: None,
        warnings: Vec::new(),
        test: Some(Evaluation::new(0.3, 0.9)),
        train_seconds: 4.0,
        stop_reason: "epochs".into(),
        signal: None,
        diverged: None,
        best_epoch: None,
        validation: None,
        analysis: None,
        exact: None,
        lloyd: None,
    }
}

/// The same run with an analysis of two classes.
pub fn analysed_record() -> TrainRecord {
    let score = |samples, precision, recall, f1| ClassScore { samples, precision, recall, f1 };
    // A PNG file of one black pixel.
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    let mistake =
        Mistake { index: 17, label: 1, predicted: 0, probability: 0.982, loss: 4.0, png: Some(png.into()) };
    let second = Mistake { index: 3, label: 0, predicted: 1, probability: 0.6, loss: 0.9, png: None };
    let analysis = Analysis {
        confusion: vec![vec![5, 1], vec![1, 0]],
        classes: vec![
            score(6, Some(5.0 / 6.0), Some(5.0 / 6.0), Some(5.0 / 6.0)),
            score(1, Some(0.0), Some(0.0), Some(0.0)),
        ],
        mistakes: vec![mistake, second],
        ..Analysis::default()
    };
    TrainRecord { analysis: Some(analysis), ..train_record() }
}

/// A run of two epochs whose targets are values, tested and analysed.
pub fn value_record() -> TrainRecord {
    let targets: Vec<f64> = (0..40).map(|place| 100.0 + 2.5 * f64::from(place)).collect();
    let error = |place: usize| [1.5, -4.0, 0.5, 2.0, -3.25, 0.0, 6.0][place % 7];
    let predictions = targets.iter().enumerate().map(|(place, target)| target - error(place)).collect();
    let output = PredictedOutput { targets, predictions };
    let values = PredictedValues { samples: (0..40).collect(), outputs: vec![output] };
    let metrics = ValueMetrics { rmse: 3.125, mae: 2.5, r_squared: 0.9875, outputs: Vec::new() };
    let seen = Evaluation { accuracy: None, values: Some(metrics), ..Evaluation::new(0.3, 0.0) };
    let mut record = train_record();
    for epoch in &mut record.epochs {
        (epoch.train_accuracy, epoch.validation_loss) = (None, Some(0.3125));
    }
    TrainRecord {
        recipe: "prices".into(),
        test: Some(seen.clone()),
        validation: Some(seen),
        analysis: Some(Analysis { values: Some(values), ..Analysis::default() }),
        ..record
    }
}

/// A recipe whose targets are values, with two runs.
pub fn value_reproduce_record() -> ReproduceRecord {
    let mut record = reproduce_record(None);
    record.recipes.truncate(1);
    let recipe = &mut record.recipes[0];
    (recipe.recipe, recipe.target, recipe.seeds) = ("prices".into(), None, vec![9, 10]);
    recipe.runs.clear();
    for (seed, rmse, r_squared) in [(9, 3.125, 0.75), (10, 3.375, 0.5)] {
        let mut run = TrainRecord { seed, analysis: None, ..value_record() };
        let values = ValueMetrics { rmse, mae: 2.5, r_squared, outputs: Vec::new() };
        run.test.as_mut().expect("it is tested").values = Some(values);
        record.add(0, run);
    }
    record
}

/// A recipe with a target and three runs, and one without of whose two seeds none is done.
pub fn reproduce_record(until_accuracy: Option<f64>) -> ReproduceRecord {
    let recipe = |name: &str, target, seeds: &[u64]| RecipeRecord {
        recipe: name.into(),
        summary: "MNIST, a network".into(),
        settings: "name = \"x\"\n".into(),
        data: "mnist".into(),
        target,
        target_loss: None,
        seeds: seeds.to_vec(),
        runs: Vec::new(),
        accuracy: None,
        values: None,
        loss: None,
        train_seconds: None,
        seconds_to_accuracy: None,
        verdict: Verdict::Unfinished,
    };
    let mut record = ReproduceRecord {
        schema: REPRODUCE_SCHEMA.into(),
        version: "1.2.3".into(),
        command: "fallline reproduce mnist-mlp other".into(),
        machine: train_record().machine,
        threads: 2,
        until_accuracy,
        recipes: vec![recipe("mnist-mlp", Some(0.9), &[9, 10, 11]), recipe("other", None, &[1, 2])],
    };
    for (seed, accuracy) in [(9, 0.9), (10, 0.92), (11, 0.91)] {
        let mut run = TrainRecord { seed, ..train_record() };
        run.test = Some(Evaluation::new(0.3, accuracy));
        for (epoch, accuracy) in run.epochs.iter_mut().zip([0.75, 0.85]) {
            epoch.validation_accuracy = Some(accuracy);
        }
        record.add(0, run);
    }
    record
}
