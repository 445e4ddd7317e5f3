use super::trainings::*;
use super::*;
use crate::data::digits::CLASSES;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::train::{Predictor, Trainer};

#[test]
fn the_text_is_true() {
    let found = run(&Setting { threads: 1 }).unwrap();
    let of = |name: &str| found.number(name);
    // Weights and biases of both layers.
    assert_eq!(of("narrow_parameters"), 784.0 * 10.0 + 10.0 + 10.0 * 10.0 + 10.0);
    assert_eq!(of("wide_parameters"), 784.0 * 128.0 + 128.0 + 128.0 * 10.0 + 10.0);
    assert_eq!((of("wide_parameters") / of("narrow_parameters")).round(), 13.0);

    assert!(of("wide_accuracy") > 0.9 && of("narrow_accuracy") > 0.8);
    assert!(of("wide_accuracy") > of("narrow_accuracy") + 0.02);
    let first = of("wide_first_accuracy") - of("narrow_first_accuracy");
    assert!(first > of("wide_accuracy") - of("narrow_accuracy"));

    for name in ["narrow_one_hot", "wide_one_hot", "divergence", "squares_one_hot"] {
        let difference = of(&format!("{name}_difference"));
        assert!(difference < 1e-4, "{name}: {difference}");
    }
    assert!(of("squares_difference") > 0.5);
    assert!(of("narrow_worst_mistakes") > of("wide_worst_mistakes"));
}

/// The first loss of a network follows from its outputs, computed here in f64.
#[test]
fn losses_are_those_of_the_definition() {
    let model = |loss| {
        let start = Model::sequential(3).dense(CLASSES, Activation::IDENTITY).loss(loss);
        start.seed(5).build().unwrap()
    };
    let (x, classes) = ([0.5, -1.0, 2.0, 1.0, 0.25, -0.5], [3u8, 8]);
    let mut outputs = vec![0.0; 2 * CLASSES];
    Predictor::new(model(Loss::cross_entropy())).unwrap().predict(&x, &mut outputs).unwrap();
    let (mut entropy, mut squares) = (0.0, 0.0);
    for (row, class) in outputs.chunks(CLASSES).zip(classes) {
        let row: Vec<f64> = row.iter().map(|&y| y.into()).collect();
        let own = row[usize::from(class)];
        entropy += (row.iter().map(|y| y.exp()).sum::<f64>().ln() - own) / 2.0;
        let off =
            row.iter().enumerate().map(|(i, y)| (y - f64::from(u8::from(i == usize::from(class)))).powi(2));
        squares += off.sum::<f64>() / CLASSES as f64 / 2.0;
    }
    for (loss, expected) in [
        (Loss::cross_entropy(), entropy),
        (Loss::KL_DIVERGENCE, entropy),
        (Loss::MEAN_SQUARED_ERROR, squares),
    ] {
        let trainer = Trainer::new().optimizer(Optimizer::sgd(0.1)).batch(2).threads(1);
        let [mut one, mut other] = [model(loss.clone()), model(loss.clone())];
        let by_class = trainer.steps(&mut one).unwrap().step(&x, &classes).unwrap().loss;
        let by_row = trainer.steps(&mut other).unwrap().step(&x, &one_hot(&classes)).unwrap().loss;
        assert!((by_class - expected).abs() < 1e-6, "{}: {by_class} {expected}", loss.name());
        assert!((by_row - expected).abs() < 1e-6, "{}: {by_row} {expected}", loss.name());
        // The weights after the step are the same, too.
        let pairs = one.storage().iter().zip(other.storage());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
