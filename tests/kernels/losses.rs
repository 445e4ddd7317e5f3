//! Every loss but plain cross-entropy, which has its own kernel and file.

use crate::common::compare::{bits_but_of_nan, each_close, widened};
use crate::{on_every_isa, spread};
use fallline::engine::kernels::loss::Rows;
use fallline::engine::kernels::reference;
use fallline::engine::losses::{Loss, Scores, Takes, Targets};
use proptest::prelude::*;

/// Numbers of rows and classes.
const SHAPES: [(usize, usize); 12] = [
    (0, 10),
    (1, 1),
    (3, 1),
    (1, 2),
    (64, 10),
    (5, 15),
    (5, 16),
    (2, 17),
    (7, 31),
    (4, 33),
    (3, 255),
    (2, 1000),
];

const TOLERANCE: f64 = 4e-6;
const SCALE: f32 = 0.125;

fn smoothed(label_smoothing: f32, class_weights: Vec<f32>) -> Loss {
    let smoothed = Loss::cross_entropy().with("label_smoothing", label_smoothing).unwrap();
    smoothed.with("class_weights", class_weights).unwrap()
}

/// All losses for so many classes; some weights are 0, but not that of a class alone.
fn losses(classes: usize) -> Vec<Loss> {
    let weights: Vec<f32> = (0..classes).map(|class| ((class + 1) % 4) as f32 * 0.6).collect();
    vec![
        smoothed(0.1, Vec::new()),
        smoothed(0.0, weights.clone()),
        smoothed(0.3, weights.clone()),
        Loss::BINARY_CROSS_ENTROPY,
        Loss::MEAN_SQUARED_ERROR,
        Loss::MEAN_ABSOLUTE_ERROR,
        Loss::LOG_COSH,
        Loss::huber(1.0),
        Loss::huber(0.05),
        Loss::hinge(1.0),
        Loss::hinge(0.3).with("squared", true).unwrap(),
        Loss::binary_hinge(false),
        Loss::binary_hinge(true),
        Loss::focal(2.0),
        Loss::focal(0.5).with("alpha", weights.clone()).unwrap(),
        Loss::KL_DIVERGENCE,
        Loss::POISSON,
        Loss::MINIMUM,
    ]
}

/// Outputs, padded with what must not matter, and targets of both kinds.
struct Block {
    outputs: Vec<f32>,
    labels: Vec<u8>,
    /// \[rows, classes\], those of a row probabilities
    values: Vec<f32>,
    rows: Rows,
}

/// One more padded chunk than needed, to see that it is passed over too.
fn block(count: usize, classes: usize, numbers: &[f32]) -> Block {
    let rows = Rows { classes, stride: classes.next_multiple_of(16) + 16 };
    let mut outputs = vec![1e30; count * rows.stride];
    for (row, numbers) in outputs.chunks_exact_mut(rows.stride).zip(numbers.chunks_exact(classes)) {
        row[..classes].copy_from_slice(numbers);
    }
    let labels = (0..count).map(|i| (i * 7 % classes.min(256)) as u8).collect();
    // Some are 0.
    let mut values = Vec::new();
    for row in 0..count {
        let raw: Vec<f32> = (0..classes).map(|i| ((3 * i + row + 1) % 4) as f32).collect();
        let sum: f32 = raw.iter().sum();
        values.extend(raw.iter().map(|x| if sum == 0.0 { 1.0 } else { x / sum }));
    }
    Block { outputs, labels, values, rows }
}

/// The targets of the block: classes or values.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Classes,
    Values,
}

impl Block {
    fn targets(&self, kind: Kind) -> Targets<'_> {
        match kind {
            Kind::Classes => Targets::Classes(&self.labels),
            Kind::Values => Targets::Values(&self.values),
        }
    }

    /// What the reference makes of a row.
    fn exact(&self, loss: &Loss, kind: Kind, row: usize) -> (f64, Vec<f64>) {
        let classes = self.rows.classes;
        let y = widened(&self.outputs[row * self.rows.stride..][..classes]);
        let label = usize::from(self.labels[row]);
        let t = match kind {
            Kind::Classes => reference::one_hot(label, classes),
            Kind::Values => widened(&self.values[row * classes..][..classes]),
        };
        (loss.kind().about().reference.unwrap())(loss.values(), &y, &t)
    }
}

struct Output {
    gradient: Vec<f32>,
    losses: Vec<f32>,
    correct: Vec<u8>,
}

/// Runs the loss on every instruction set, with and without gradient.
#[track_caller]
fn run(loss: &Loss, block: &Block, kind: Kind) -> Output {
    let count = block.labels.len();
    let targets = block.targets(kind);
    let all = on_every_isa(|| {
        let mut gradient = vec![f32::NAN; block.outputs.len()];
        let (mut losses, mut correct) = (vec![f32::NAN; count], vec![9; count]);
        let scores = Scores { losses: &mut losses, correct: &mut correct };
        loss.function().gradient(&mut gradient, scores, &block.outputs, targets, block.rows, SCALE);
        let (mut values, mut hits) = (vec![f32::NAN; count], vec![9; count]);
        let scores = Scores { losses: &mut values, correct: &mut hits };
        loss.function().value(scores, &block.outputs, targets, block.rows);
        assert_eq!(
            (bits_but_of_nan(&values), &hits),
            (bits_but_of_nan(&losses), &correct),
            "with and without gradient"
        );
        [gradient, losses, correct.into_iter().map(f32::from).collect()].concat()
    });
    let (gradient, rest) = all.split_at(block.outputs.len());
    let (losses, correct) = rest.split_at(count);
    let correct = correct.iter().map(|&x| x as u8).collect();
    Output { gradient: gradient.to_vec(), losses: losses.to_vec(), correct }
}

/// Whether all rows agree with the reference and the padding is 0.
fn agrees(output: &Output, loss: &Loss, block: &Block, kind: Kind) -> bool {
    let Rows { classes, stride } = block.rows;
    let outputs = output.gradient.chunks_exact(stride).zip(&output.losses).zip(&output.correct);
    outputs.enumerate().all(|(index, ((gradient, &value), &correct))| {
        let (exact_value, exact) = block.exact(loss, kind, index);
        let exact: Vec<f64> = exact.iter().map(|d| d * f64::from(SCALE)).collect();
        let row = &block.outputs[index * stride..][..classes];
        let first = (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
        let is_hit = kind == Kind::Classes && first == Some(usize::from(block.labels[index]));
        each_close(&[value], &[exact_value], TOLERANCE)
            && each_close(&gradient[..classes], &exact, TOLERANCE * f64::from(SCALE))
            && gradient[classes..].iter().all(|&d| d == 0.0)
            && (correct == 1) == is_hit
    })
}

fn kinds(loss: &Loss) -> &'static [Kind] {
    if loss.kind().about().takes == Takes::Classes {
        &[Kind::Classes]
    } else {
        &[Kind::Classes, Kind::Values]
    }
}

#[test]
fn agree_with_the_reference_over_many_shapes() {
    for (count, classes) in SHAPES {
        for reach in [0.1, 6.0] {
            let block = block(count, classes, &spread(count * classes, reach));
            for loss in losses(classes) {
                for &kind in kinds(&loss) {
                    let output = run(&loss, &block, kind);
                    let about = format!("{loss:?}, {kind:?}, {count} x {classes}, {reach}");
                    assert!(agrees(&output, &loss, &block, kind), "{about}");
                }
            }
        }
    }
}

/// Bit for bit; and found is the class of the larger share.
#[test]
fn mixtures_are_the_probabilities_that_they_stand_for() {
    for (count, classes) in SHAPES {
        let block = block(count, classes, &spread(count * classes, 3.0));
        let others: Vec<u8> = (0..count).map(|row| ((row * row + 1) % classes) as u8).collect();
        for share in [0.0, 0.25, 0.5, 0.9, 1.0] {
            let mut values = vec![0.0; count * classes];
            for (row, values) in values.chunks_exact_mut(classes).enumerate() {
                values[usize::from(block.labels[row])] += share;
                values[usize::from(others[row])] += 1.0 - share;
            }
            let larger = if share >= 0.5 { &block.labels } else { &others };
            for loss in losses(classes).into_iter().filter(Loss::takes_mixtures) {
                let pass = |targets| {
                    on_every_isa(|| {
                        let mut gradient = vec![f32::NAN; block.outputs.len()];
                        let (mut losses, mut correct) = (vec![f32::NAN; count], vec![9; count]);
                        let scores = Scores { losses: &mut losses, correct: &mut correct };
                        loss.function().gradient(
                            &mut gradient,
                            scores,
                            &block.outputs,
                            targets,
                            block.rows,
                            SCALE,
                        );
                        [gradient, losses, correct.into_iter().map(f32::from).collect()].concat()
                    })
                };
                let mixed = Targets::Mixed { labels: &block.labels, others: &others, share };
                let (mixed, values) = (pass(mixed.rows(0..count, classes)), pass(Targets::Values(&values)));
                let (mixed, found) = mixed.split_at(block.outputs.len() + count);
                assert_eq!(
                    bits_but_of_nan(mixed),
                    bits_but_of_nan(&values[..mixed.len()]),
                    "{loss:?} {count} x {classes} {share}"
                );
                let of_classes = pass(Targets::Classes(larger));
                assert_eq!(found, &of_classes[mixed.len()..], "{loss:?} {count} x {classes} {share}");
            }
        }
    }
    assert!(losses(3).iter().filter(|loss| loss.takes_mixtures()).count() < losses(3).len());
}

#[test]
fn a_wrong_result_trips_the_comparison() {
    let block = block(5, 10, &spread(50, 3.0));
    let breakages: [fn(&mut Output); 4] = [
        |output| output.losses[4] += 1e-4,
        |output| output.gradient[32 + 9] += 1e-5,
        |output| output.gradient[10] = 1e-9,
        |output| output.correct[2] ^= 1,
    ];
    for loss in losses(10) {
        for breakage in breakages {
            let mut output = run(&loss, &block, Kind::Classes);
            assert!(agrees(&output, &loss, &block, Kind::Classes));
            breakage(&mut output);
            assert!(!agrees(&output, &loss, &block, Kind::Classes), "{loss:?}");
        }
    }
}

/// The loss of a row with class 0.
fn row(loss: &Loss, outputs: &[f32]) -> Output {
    run(loss, &block(1, outputs.len(), outputs), Kind::Classes)
}

#[test]
fn huge_outputs_do_not_overflow_where_the_loss_does_not() {
    let huge = [1e30, -1e30, 0.0];
    for loss in losses(3) {
        let output = row(&loss, &huge);
        let overflows = match loss.name() {
            "mean-squared-error" | "poisson" => true,
            // The right class is far ahead.
            "hinge" | "focal" => {
                assert_eq!((output.losses[0], &output.gradient[..3]), (0.0, &[0.0; 3][..]));
                false
            }
            _ => false,
        };
        assert_eq!(!output.losses[0].is_finite(), overflows, "{loss:?} {:?}", output.losses);
        assert_eq!(!output.gradient[..3].iter().all(|d| d.is_finite()), loss == Loss::POISSON, "{loss:?}");
    }
    let far = row(&Loss::BINARY_CROSS_ENTROPY, &[-3e30, -1e30, 3e30]);
    assert!(each_close(&far.losses, &[2e30], TOLERANCE), "{:?}", far.losses);
    assert_eq!(far.gradient[..3], [-SCALE / 3.0, 0.0, SCALE / 3.0]);
}

#[test]
fn an_output_of_nan_makes_the_loss_nan() {
    for loss in losses(3) {
        for place in 0..3 {
            let mut outputs = [0.5, 0.25, -0.5];
            outputs[place] = f32::NAN;
            let output = row(&loss, &outputs);
            assert!(output.losses[0].is_nan(), "{loss:?} {place}");
            assert!(output.gradient[..3].iter().any(|d| d.is_nan()) || loss.name() == "hinge");
            assert!(output.gradient[3..].iter().all(|&d| d == 0.0), "{loss:?} {place}");
        }
    }
}

#[test]
fn a_class_without_weight_costs_nothing() {
    let output = row(&smoothed(0.0, vec![0.0, 1.0, 2.0]), &[0.5, 3.0, -1.0]);
    assert_eq!((output.losses[0], &output.gradient[..3]), (0.0, &[0.0; 3][..]));
    // Nor does a class of which no probability is asked and none is given.
    let output = row(&smoothed(0.1, vec![1.0, 0.0, 1.0]), &[0.5, f32::NEG_INFINITY, -1.0]);
    assert!(output.losses[0].is_finite());
}

proptest! {
    #[test]
    fn agree_with_the_reference_on_random_rows(
        classes in 1usize..40,
        // Of few digits: no shortfall of a hinge is so near to 0 that rounding moves it across.
        numbers in prop::collection::vec((-12_000i16..12_000).prop_map(|x| f32::from(x) / 1024.0), 160),
    ) {
        let block = block(4, classes, &numbers[..4 * classes]);
        for loss in losses(classes) {
            for &kind in kinds(&loss) {
                prop_assert!(agrees(&run(&loss, &block, kind), &loss, &block, kind), "{loss:?} {kind:?}");
            }
        }
    }
}
