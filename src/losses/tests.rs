use super::*;
use crate::HyperValue;
use crate::kernels::loss::Rows;

const ROWS: Rows = Rows { classes: 3, stride: 16 };

fn smoothed(label_smoothing: f32, class_weights: &[f32]) -> Loss {
    let smoothed = Loss::cross_entropy().with("label_smoothing", label_smoothing).unwrap();
    smoothed.with("class_weights", class_weights.to_vec()).unwrap()
}

fn block(rows: [[f32; 3]; 2]) -> Vec<f32> {
    let mut block = vec![f32::NAN; 32];
    block[..3].copy_from_slice(&rows[0]);
    block[16..19].copy_from_slice(&rows[1]);
    block
}

/// The gradient, losses and hits of two rows with the classes 0 and 1.
fn run(loss: &Loss) -> (Vec<f32>, [f32; 2], [u8; 2]) {
    let outputs = block([[0.0, 0.0, 0.0], [1.0, 0.0, 2.0]]);
    let targets = Targets::Classes(&[0, 1]);
    let (mut gradient, mut losses, mut correct) = (vec![f32::NAN; 32], [0.0; 2], [9; 2]);
    let scores = Scores { losses: &mut losses, correct: &mut correct };
    loss.function().gradient(&mut gradient, scores, &outputs, targets, ROWS, 0.5);
    let (mut values, mut hits) = ([0.0; 2], [9; 2]);
    let scores = Scores { losses: &mut values, correct: &mut hits };
    loss.function().value(scores, &outputs, targets, ROWS);
    assert_eq!((losses, correct), (values, hits));
    (gradient, losses, correct)
}

#[test]
fn each_loss_reaches_its_kernel() {
    // The loss of each row by hand, and the gradient of the second row's third output, times 1/2.
    let ln_3 = 3f64.ln();
    let sum: f64 = 1f64.exp() + 1.0 + 2f64.exp();
    let softplus = |x: f64| x.exp().ln_1p();
    let p = 2f64.exp() / sum;
    let sigmoid = 1.0 / (1.0 + (-2f64).exp());
    let cases = [
        (Loss::default(), [ln_3, sum.ln()], p),
        (smoothed(0.3, &[]), [ln_3, sum.ln() - 0.1 * 3.0], p - 0.1),
        (smoothed(0.0, &[2.0, 0.5, 9.0]), [2.0 * ln_3, 0.5 * sum.ln()], 0.5 * p),
        (Loss::KL_DIVERGENCE, [ln_3, sum.ln()], p),
        (
            Loss::BINARY_CROSS_ENTROPY,
            [softplus(0.0), (softplus(1.0) + softplus(0.0) + softplus(2.0)) / 3.0],
            { sigmoid / 3.0 },
        ),
        (Loss::MEAN_SQUARED_ERROR, [1.0 / 3.0, 2.0], 4.0 / 3.0),
        (Loss::MEAN_ABSOLUTE_ERROR, [1.0 / 3.0, 4.0 / 3.0], 1.0 / 3.0),
        (Loss::huber(1.5), [0.5 / 3.0, (0.5 + 0.5 + 1.875) / 3.0], 0.5),
        (Loss::hinge(1.0), [2.0 / 3.0, 5.0 / 3.0], 1.0 / 3.0),
        (Loss::hinge(1.0).with("squared", true).unwrap(), [2.0 / 3.0, 13.0 / 3.0], 2.0),
        (Loss::binary_hinge(false), [1.0, 2.0], 1.0 / 3.0),
        (Loss::binary_hinge(true), [1.0, 14.0 / 3.0], 2.0),
        (Loss::POISSON, [1.0, sum / 3.0], 2f64.exp() / 3.0),
        (Loss::LOG_COSH, [1f64.cosh().ln() / 3.0, (2.0 * 1f64.cosh().ln() + 2f64.cosh().ln()) / 3.0], {
            2f64.tanh() / 3.0
        }),
        (Loss::focal(0.0), [ln_3, sum.ln()], p),
        (Loss::focal(2.0), [4.0 / 9.0 * ln_3, (1.0 - 1.0 / sum).powi(2) * sum.ln()], {
            let (q, other) = (1.0 - 1.0 / sum, 1.0 / sum);
            p * (q.powi(2) + 2.0 * q * other * sum.ln())
        }),
    ];
    for (loss, losses, gradient) in cases {
        let (found, values, correct) = run(&loss);
        for (value, expected) in values.into_iter().zip(losses) {
            assert!((f64::from(value) - expected).abs() < 2e-6, "{loss:?}: {value} {expected}");
        }
        assert!((f64::from(found[18]) - 0.5 * gradient).abs() < 2e-6, "{loss:?}: {}", found[18]);
        assert!(found[3..16].iter().all(|&d| d == 0.0), "{loss:?}");
        assert_eq!(correct, [1, 0]);
        assert!(LossKind::named(loss.name()) == Some(loss.kind()));
    }
}

#[test]
fn class_weights_make_the_divisor_of_classes_only() {
    let labels = Targets::Classes(&[0, 2, 2, 1]);
    let weighted = smoothed(0.1, &[1.0, 0.0, 0.25]);
    assert_eq!(weighted.function().weight(labels, 0..4), 1.5);
    assert_eq!(weighted.function().weight(labels, [3, 1].into_iter()), 0.25);
    assert_eq!(weighted.function().weight(Targets::Values(&[0.5; 12]), 0..4), 4.0);
    assert_eq!(smoothed(0.1, &[]).function().weight(labels, 0..4), 4.0);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let message = |loss: Loss| loss.check(3).unwrap_err().to_string();
    assert!(smoothed(0.5, &[0.0, 1.0, 2.0]).check(3).is_ok());
    let count = "`model.loss.class_weights`: expected 3 weights, one for each class, found 2";
    assert_eq!(message(smoothed(0.0, &[1.0; 2])), count);
    assert_eq!(
        message(smoothed(0.0, &[0.0; 3])),
        "`model.loss.class_weights`: expected a weight above 0, found none"
    );
    let range = "`model.loss.class_weights`: expected numbers of at least 0, found";
    assert_eq!(message(smoothed(0.0, &[1.0, -2.0, 1.0])), format!("{range} -2"));
    assert_eq!(message(smoothed(0.0, &[1.0, f32::INFINITY, 1.0])), format!("{range} inf"));
    assert_eq!(
        message(smoothed(1.0, &[])),
        "`model.loss.label_smoothing`: expected a number in [0, 1), found 1"
    );
    assert_eq!(message(Loss::huber(0.0)), "`model.loss.delta`: expected a number above 0, found 0");
    assert!(Loss::hinge(f32::NAN).check(3).is_err());
}

#[test]
fn targets_without_a_meaning_are_refused() {
    let message = |loss: &Loss, values: &[f32]| match loss.check_targets(Targets::Values(values), 2) {
        Ok(()) => "fine".to_string(),
        Err(error) => error.to_string(),
    };
    let kl = Loss::KL_DIVERGENCE;
    assert_eq!(message(&kl, &[0.25, 0.75, 1.0, 0.0]), "fine");
    let about = "targets of the loss kl-divergence: expected";
    assert_eq!(
        message(&kl, &[0.0, 1.0, 0.5, 0.25]),
        format!("{about} rows that sum to 1, found 0.75 at sample 1")
    );
    assert_eq!(message(&kl, &[-1.0, 2.0]), format!("{about} numbers in [0, 1], found -1 at index 0"));
    assert_ne!(message(&Loss::default(), &[0.5, 0.6]), "fine");
    assert_eq!(message(&Loss::BINARY_CROSS_ENTROPY, &[1.0, 1.0]), "fine");
    assert_ne!(message(&Loss::BINARY_CROSS_ENTROPY, &[1.5, 1.0]), "fine");
    assert_ne!(message(&Loss::POISSON, &[7.0, -0.5]), "fine");
    assert_eq!(message(&Loss::MEAN_SQUARED_ERROR, &[7.0, -0.5]), "fine");
    let hinge = message(&Loss::hinge(1.0), &[0.0, 1.0]);
    assert_eq!(hinge, "targets of the loss hinge: expected classes, found values");

    let weighted = smoothed(0.0, &[1.0, 0.0]);
    assert!(weighted.check_targets(Targets::Classes(&[1, 0]), 2).is_ok());
    let none = weighted.check_targets(Targets::Classes(&[1, 1]), 2).unwrap_err().to_string();
    assert_eq!(
        none,
        "`model.loss.class_weights`: expected a sample of a class with a weight above 0, found none"
    );
}

#[test]
fn the_table_has_names_and_keys_that_recipes_may_have() {
    for kind in ALL {
        kind.check().unwrap();
    }
}

#[test]
fn hyper_parameters_are_set_by_their_keys() {
    let huber = Loss::huber(0.25);
    for value in [HyperValue::from(0.25), 0.25f32.into()] {
        assert_eq!(Loss::named("huber").unwrap().with("delta", value).unwrap(), huber);
    }
    assert_eq!(Loss::huber(1.0).with("delta", 2).unwrap().values().single("delta"), 2.0);
    let message = |result: Result<Loss>| result.unwrap_err().to_string();
    assert_eq!(message(Loss::named("hubert")), "loss: unknown loss `hubert`; did you mean `huber`?");
    assert_eq!(
        message(huber.clone().with("delt", 1.0)),
        "loss: unknown hyper-parameter `delt`; did you mean `delta`?"
    );
    assert_eq!(
        message(huber.clone().with("delta", true)),
        "loss: `delta`: expected a number above 0, found true"
    );
    assert_eq!(format!("{huber:?} {:?}", Loss::POISSON), "huber with delta 0.25 poisson");
    assert_ne!(huber, Loss::huber(0.5));
    assert_ne!(Loss::POISSON, Loss::LOG_COSH);
}
