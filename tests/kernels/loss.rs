use crate::common::compare::{bits_but_of_nan, each_close, widened};
use crate::{on_every_isa, spread};
use fallline::engine::kernels::loss::{self, Rows};
use fallline::engine::kernels::reference;
use proptest::prelude::*;

/// Numbers of rows and classes.
const SHAPES: [(usize, usize); 15] = [
    (0, 10),
    (1, 1),
    (1, 2),
    (16, 2),
    (37, 2),
    (3, 10),
    (64, 10),
    (5, 15),
    (5, 16),
    (2, 17),
    (7, 31),
    (4, 33),
    (3, 255),
    (2, 1000),
    (1, 4099),
];

const TOLERANCE: f64 = 2e-6;
const SCALE: f32 = 0.125;

/// A block of logits, padded with what must not matter, and its labels.
struct Block {
    values: Vec<f32>,
    labels: Vec<u8>,
    rows: Rows,
}

/// One more padded chunk than needed, to see that it is passed over too.
fn block(count: usize, classes: usize, reach: f32) -> Block {
    let rows = Rows { classes, stride: classes.next_multiple_of(16) + 16 };
    let mut values = vec![f32::NAN; count * rows.stride];
    let numbers = spread(count * classes, reach);
    for (row, numbers) in values.chunks_exact_mut(rows.stride).zip(numbers.chunks_exact(classes)) {
        row[..classes].copy_from_slice(numbers);
        row[classes..].fill(1e30);
    }
    let labels = (0..count).map(|i| (i * 7 % classes.min(256)) as u8).collect();
    Block { values, labels, rows }
}

impl Block {
    /// The numbers of each row, in f64, with its label.
    fn exact_rows(&self) -> impl Iterator<Item = (Vec<f64>, usize)> {
        let rows = self.values.chunks_exact(self.rows.stride).map(|row| widened(&row[..self.rows.classes]));
        rows.zip(self.labels.iter().map(|&label| usize::from(label)))
    }
}

/// What a loss kernel writes, all in one: gradient, losses, correct.
struct Output {
    gradient: Vec<f32>,
    losses: Vec<f32>,
    correct: Vec<u8>,
}

type Kernel = fn(&mut [f32], &mut [f32], &mut [u8], &[f32], &[u8], Rows, f32);
type ValueKernel = fn(&mut [f32], &mut [u8], &[f32], &[u8], Rows);

/// Runs the kernel on every instruction set, and its variant without gradient.
#[track_caller]
fn run(kernel: Kernel, value_kernel: ValueKernel, block: &Block) -> Output {
    let count = block.labels.len();
    let all = on_every_isa(|| {
        let mut gradient = vec![f32::NAN; block.values.len()];
        let (mut losses, mut correct) = (vec![f32::NAN; count], vec![9; count]);
        kernel(&mut gradient, &mut losses, &mut correct, &block.values, &block.labels, block.rows, SCALE);
        let (mut values, mut hits) = (vec![f32::NAN; count], vec![9; count]);
        value_kernel(&mut values, &mut hits, &block.values, &block.labels, block.rows);
        assert_eq!(
            (bits_but_of_nan(&values), &hits),
            (bits_but_of_nan(&losses), &correct),
            "with and without gradient"
        );
        [gradient, losses, correct.into_iter().map(f32::from).collect()].concat()
    });
    let (gradient, rest) = all.split_at(block.values.len());
    let (losses, correct) = rest.split_at(count);
    let correct = correct.iter().map(|&x| x as u8).collect();
    Output { gradient: gradient.to_vec(), losses: losses.to_vec(), correct }
}

fn cross_entropy(block: &Block) -> Output {
    run(loss::softmax_cross_entropy, loss::softmax_cross_entropy_value, block)
}

type Exact = fn(&[f64], usize) -> (f64, Vec<f64>);

/// Whether all rows agree with the reference and the padding is 0.
fn agrees(output: &Output, block: &Block, exact: Exact) -> bool {
    let Rows { classes, stride } = block.rows;
    let gradients = output.gradient.chunks_exact(stride);
    let outputs = gradients.zip(&output.losses).zip(&output.correct);
    outputs.zip(block.exact_rows()).all(|(((gradient, &loss), &correct), (row, label))| {
        let (exact_loss, exact_gradient) = exact(&row, label);
        let exact_gradient: Vec<f64> = exact_gradient.iter().map(|d| d * f64::from(SCALE)).collect();
        // The first of the largest.
        let first = (0..classes).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a)));
        each_close(&[loss], &[exact_loss], TOLERANCE)
            && each_close(&gradient[..classes], &exact_gradient, TOLERANCE * f64::from(SCALE))
            && gradient[classes..].iter().all(|&d| d == 0.0)
            && (correct == 1) == (first == Some(label))
    })
}

#[test]
fn agree_with_the_reference_over_many_shapes() {
    for (count, classes) in SHAPES {
        for reach in [0.1, 8.0] {
            let block = block(count, classes, reach);
            let output = cross_entropy(&block);
            assert!(agrees(&output, &block, reference::softmax_cross_entropy), "{count} x {classes}");
        }
    }
}

#[test]
fn a_wrong_result_trips_the_comparison() {
    let block = block(5, 10, 3.0);
    let breakages: [fn(&mut Output); 5] = [
        |output| output.losses[4] += 1e-4,
        |output| output.gradient[32 + 9] += 1e-5,
        |output| output.gradient.iter_mut().for_each(|d| *d *= 1.000_05),
        |output| output.gradient[10] = 1e-9,
        |output| output.correct[2] ^= 1,
    ];
    for (index, breakage) in breakages.into_iter().enumerate() {
        let mut output = cross_entropy(&block);
        assert!(agrees(&output, &block, reference::softmax_cross_entropy));
        breakage(&mut output);
        assert!(!agrees(&output, &block, reference::softmax_cross_entropy), "breakage {index}");
    }
}

/// One row of logits with label 0.
fn row(logits: &[f32]) -> Block {
    let rows = Rows { classes: logits.len(), stride: logits.len().next_multiple_of(16) };
    let mut values = logits.to_vec();
    values.resize(rows.stride, 0.0);
    Block { values, labels: vec![0], rows }
}

#[test]
fn huge_logits_do_not_overflow() {
    let output = cross_entropy(&row(&[1e30, -1e30, 0.0]));
    assert_eq!((output.losses[0], output.correct[0]), (0.0, 1));
    assert_eq!(output.gradient, [0.0; 16]);
    let output = cross_entropy(&row(&[-1e30, 1e30, 1e30]));
    assert_eq!((output.losses[0], output.correct[0]), (2e30, 0));
    assert_eq!(output.gradient[..3], [-SCALE, SCALE / 2.0, SCALE / 2.0]);
}

#[test]
fn logits_that_are_not_finite_give_a_loss_that_is_not() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let diverged = [[inf, 0.0, 0.0], [0.0, inf, 0.0], [-inf; 3], [-inf, 0.0, 0.0], [nan, 0.0, 0.0], [nan; 3]];
    for logits in diverged {
        let output = cross_entropy(&row(&logits));
        assert!(!output.losses[0].is_finite(), "{logits:?} {:?}", output.losses);
        assert!(output.gradient[3..].iter().all(|&d| d == 0.0), "{logits:?} {:?}", output.gradient);
    }
    // But minus infinity on another class is a probability of 0.
    assert_eq!(cross_entropy(&row(&[0.0, -inf])).losses, [0.0]);
}

#[test]
fn the_first_of_equal_logits_wins() {
    let last = |classes: usize| {
        let mut block = row(&vec![1.0; classes]);
        block.labels[0] = (classes.min(256) - 1) as u8;
        block
    };
    for classes in [2, 10, 16, 17, 40] {
        assert_eq!(cross_entropy(&row(&vec![1.0; classes])).correct, [1]);
        assert_eq!(cross_entropy(&last(classes)).correct, [0]);
    }
}

/// A third class that cannot be changes nothing: two classes are computed across rows, three along them.
#[test]
fn two_classes_have_the_bits_of_three() {
    let inf = f32::INFINITY;
    let rows = Rows { classes: 2, stride: 16 };
    let mut logits = spread(2 * 35, 30.0);
    logits[..16].copy_from_slice(&[
        0.0,
        0.0,
        1.5,
        1.5,
        -inf,
        0.0,
        0.0,
        -inf,
        inf,
        0.0,
        0.0,
        f32::NAN,
        1e30,
        -1e30,
        -inf,
        -inf,
    ]);
    let values: Vec<f32> =
        logits.chunks_exact(2).flat_map(|pair| [&[pair[0], pair[1]][..], &[-inf; 14]].concat()).collect();
    let labels: Vec<u8> = (0..35).map(|i| (i % 3 % 2) as u8).collect();
    let [two, three] = [2, 3].map(|classes| {
        let rows = Rows { classes, ..rows };
        cross_entropy(&Block { values: values.clone(), labels: labels.clone(), rows })
    });
    assert_eq!(bits_but_of_nan(&two.losses), bits_but_of_nan(&three.losses));
    assert_eq!(two.correct, three.correct);
    for (row, (two, three)) in two.gradient.chunks_exact(16).zip(three.gradient.chunks_exact(16)).enumerate()
    {
        assert_eq!(bits_but_of_nan(&two[..2]), bits_but_of_nan(&three[..2]), "{row}");
    }
}

#[test]
fn softmax_gives_probabilities() {
    for (count, classes) in SHAPES {
        let block = block(count, classes, 8.0);
        let stride = block.rows.stride;
        let probabilities = on_every_isa(|| {
            let mut probabilities = vec![f32::NAN; block.values.len()];
            loss::softmax(&mut probabilities, &block.values, block.rows);
            probabilities
        });
        for (found, (logits, _)) in probabilities.chunks_exact(stride).zip(block.exact_rows()) {
            assert!(each_close(&found[..classes], &reference::softmax(&logits), 5e-7));
            assert!(found[classes..].iter().all(|&p| p == 0.0));
        }
    }
}

proptest! {
    #[test]
    fn agree_with_the_reference_on_random_rows(
        classes in 1usize..60,
        numbers in prop::collection::vec(-40f32..40.0, 240),
    ) {
        let mut block = block(4, classes, 1.0);
        for (row, numbers) in block.values.chunks_exact_mut(block.rows.stride).zip(numbers.chunks(60)) {
            row[..classes].copy_from_slice(&numbers[..classes]);
        }
        prop_assert!(agrees(&cross_entropy(&block), &block, reference::softmax_cross_entropy));
    }
}
