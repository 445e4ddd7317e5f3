//! Attention against its naive twin.

use super::*;
use crate::kernels::reference;

const ROWS: usize = 2;

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 1e-5;

fn numbers(count: usize, step: f64) -> Vec<f32> {
    (1..=count).map(|i| ((i as f64 * step).fract() * 4.0 - 2.0) as f32).collect()
}

/// Rows of samples `[ROWS, positions, channels]`, padded with zeros.
fn placed(values: &[f32], image: Image) -> Vec<f32> {
    let mut rows = vec![0.0; ROWS * image.columns()];
    for (to, from) in rows.chunks_exact_mut(image.pitch).zip(values.chunks_exact(image.channels)) {
        to[..from.len()].copy_from_slice(from);
    }
    rows
}

/// The inverse; padding must be zeros.
fn taken(rows: &[f32], image: Image) -> Vec<f32> {
    let pixel = |pixel: &[f32]| {
        assert!(pixel[image.channels..].iter().all(|&x| x == 0.0), "padding");
        pixel[..image.channels].to_vec()
    };
    rows.chunks_exact(image.pitch).flat_map(pixel).collect()
}

/// The output and the gradient of the input, `[ROWS, positions, channels]`.
fn fast(layer: &Attention, x: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    fast_in(layer, x, dy, None)
}

/// The same in training.
fn fast_in(layer: &Attention, x: &[f32], dy: &[f32], training: Option<&Training>) -> [Vec<f32>; 2] {
    let (input, output) = (layer.input(), layer.output());
    let (x, mut dy) = (placed(x, input), placed(dy, output));
    let [mut y, mut dx] = [output, input].map(|image| vec![f32::NAN; ROWS * image.columns()]);
    let mut scratch = vec![f32::NAN; layer.scratch_len() + layer.saved_len(ROWS)];
    let [of_x, of_y] = [input, output].map(|image| image.columns());
    layer.forward(Forward {
        y: MatrixMut::new(&mut y, ROWS, of_y, of_y),
        x: MatrixRef::new(&x, ROWS, of_x, of_x),
        storage: &[],
        derived: &[],
        columns: 0..of_y,
        scratch: &mut scratch,
        training,
        lengths: &[],
        carried: None,
    });
    let saved = layer.scratch_len();
    scratch[..saved].fill(f32::NAN);
    layer.backward(Backward {
        dx: Some(MatrixMut::new(&mut dx, ROWS, of_x, of_x)),
        dy: MatrixMut::new(&mut dy, ROWS, of_y, of_y),
        x: MatrixRef::new(&x, ROWS, of_x, of_x),
        y: MatrixRef::new(&y, ROWS, of_y, of_y),
        storage: &[],
        derived: &[],
        scratch: &mut scratch,
        training,
        lengths: &[],
    });
    [taken(&y, output), taken(&dx, input)]
}

/// The same in f64, with weights dropped as the layer drops them.
fn exact(
    layer: &Attention,
    rotary: Option<f32>,
    x: &[f32],
    dy: &[f32],
    training: Option<&Training>,
) -> [Vec<f64>; 2] {
    let &Attention { positions, heads, kv_heads, width, causal, .. } = layer;
    let [queries, keys] = [&layer.queries, &layer.keys].map(Clone::clone);
    let count = keys.len();
    let factor = |row: usize, head: usize, query: usize, key: usize| {
        let span = key / 64 * 64..(key / 64 * 64 + 64).min(count);
        let factors = layer.dropped(training, row, head).map(|dropped| dropped.factors(query, &span));
        factors.map_or(1.0, |factors| f64::from(factors[key % 64]))
    };
    let rotary = rotary.map(f64::from);
    let whole = reference::attention::Attention::of(positions, [heads, kv_heads], width, causal, rotary);
    let twin = reference::attention::Attention { queries, keys, ..whole };
    let [x, dy] = [x, dy].map(|values| values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>());
    let rows = || x.chunks_exact(positions * twin.inputs()).enumerate();
    let y =
        rows().flat_map(|(row, x)| twin.forward_dropped(x, |head, query, key| factor(row, head, query, key)));
    let gradients = dy.chunks_exact(positions * twin.outputs());
    let dx = gradients.zip(rows()).flat_map(|(dy, (row, x))| {
        twin.backward_dropped(dy, x, |head, query, key| factor(row, head, query, key))
    });
    [y.collect(), dx.collect()]
}

fn deviation(fast: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(fast.len(), exact.len());
    let scale = exact.iter().fold(1.0f64, |largest, x| largest.max(x.abs()));
    let each = fast.iter().zip(exact).map(|(fast, exact)| (f64::from(*fast) - exact).abs() / scale);
    each.fold(0.0, |largest, x| if x <= largest { largest } else { x })
}

fn agrees(positions: usize, heads: [usize; 2], width: usize) {
    agrees_in(positions, heads, width, 0.0, None);
}

/// With a part of the weights dropped, if it is in training.
fn agrees_in(positions: usize, heads: [usize; 2], width: usize, dropout: f64, training: Option<&Training>) {
    for (causal, rotary) in [(false, None), (true, None), (true, Some(100.0)), (false, Some(10_000.0))] {
        let layer = Attention::new(positions, heads, width, causal, rotary).with_dropout(dropout);
        compare(&layer, rotary, training);
    }
}

fn compare(layer: &Attention, rotary: Option<f32>, training: Option<&Training>) {
    let x = numbers(ROWS * layer.input().features(), 0.618_033_988_7);
    let dy = numbers(ROWS * layer.output().features(), 0.754_877_666_2);
    let fast = fast_in(layer, &x, &dy, training);
    let exact = exact(layer, rotary, &x, &dy, training);
    for (number, (fast, exact)) in fast.iter().zip(&exact).enumerate() {
        let found = deviation(fast, exact);
        assert!(found <= TOLERANCE, "{layer:?} {number}: {found:e}");
        // What the test would see.
        let mut wrong = fast.clone();
        *wrong.last_mut().unwrap() += 1e-3 * exact.iter().fold(1.0f32, |m, x| m.max(x.abs() as f32));
        assert!(deviation(&wrong, exact) > TOLERANCE);
    }
}

/// Queries and keys of other positions, fewer and more of them than a block has; and parts with themselves, of which rotary
/// positions are counted from the first.
#[test]
fn parts_agree_with_the_twin() {
    for (positions, source) in [(2, 1), (9, 4), (23, 17), (90, 70), (140, 66), (140, 10)] {
        for (heads, width) in [([2, 1], 20), ([1, 1], 32), ([4, 2], 8)] {
            for (dropout, training) in [(0.0, None), (0.3, Some(&TRAINING))] {
                let layer = |causal, rotary| {
                    Attention::new(positions, heads, width, causal, rotary).with_dropout(dropout)
                };
                let (first, last) = (0..source, source..positions);
                compare(&layer(false, None).between(last.clone(), first.clone()), None, training);
                compare(&layer(false, None).between(first.clone(), last.clone()), None, training);
                for rotary in [None, Some(100.0)] {
                    compare(&layer(false, rotary).between(first.clone(), first.clone()), rotary, training);
                    compare(&layer(true, rotary).between(last.clone(), last.clone()), rotary, training);
                }
            }
        }
    }
}

/// A part has the bits that it has as a sequence by itself.
#[test]
fn a_part_is_a_sequence_by_itself() {
    let (source, target, channels) = (70, 66, 8);
    for part in [0..source, source..source + target] {
        for causal in [false, true] {
            let of = |positions| Attention::new(positions, [1, 1], channels, causal, Some(100.0));
            let (whole, alone) = (of(source + target).between(part.clone(), part.clone()), of(part.len()));
            let x = numbers(ROWS * whole.input().features(), 0.618_033_988_7);
            let dy = numbers(ROWS * whole.output().features(), 0.754_877_666_2);
            let cut = |values: &[f32], channels: usize| -> Vec<f32> {
                let rows = values.chunks_exact((source + target) * channels);
                rows.flat_map(|row| row[part.start * channels..part.end * channels].to_vec()).collect()
            };
            let [y, dx] = fast(&whole, &x, &dy);
            let expected = fast(&alone, &cut(&x, 3 * channels), &cut(&dy, channels));
            assert_eq!([cut(&y, channels), cut(&dx, 3 * channels)], expected);
        }
    }
}

#[test]
fn short_sequences_agree_with_the_twin() {
    for positions in [1, 2, 17] {
        for heads in [[1, 1], [2, 1], [2, 2], [4, 2], [4, 1]] {
            [8, 16, 20, 32].into_iter().for_each(|width| agrees(positions, heads, width));
        }
    }
}

/// Of one block and of several, of which the last is short.
#[test]
fn long_sequences_agree_with_the_twin() {
    for (positions, heads, width) in [
        (64, [2, 1], 20),
        (64, [1, 1], 32),
        (65, [1, 1], 8),
        (65, [4, 2], 16),
        (130, [2, 1], 20),
        (130, [1, 1], 32),
    ] {
        agrees(positions, heads, width);
    }
}

/// Products that no exponential holds.
#[test]
fn large_products_do_not_overflow() {
    let layer = Attention::new(70, [1, 1], 16, true, None);
    let x: Vec<f32> = numbers(ROWS * layer.input().features(), 0.618_033_988_7);
    let x: Vec<f32> = x.iter().map(|x| x * 100.0).collect();
    let dy = numbers(ROWS * layer.output().features(), 0.754_877_666_2);
    let [y, dx] = fast(&layer, &x, &dy);
    assert!(y.iter().chain(&dx).all(|x| x.is_finite()));
}

/// What a later position holds changes nothing before it.
#[test]
fn causal_attention_does_not_look_ahead() {
    let layer = Attention::new(70, [2, 1], 8, true, Some(10_000.0));
    let (inputs, outputs) = (layer.input().channels, layer.output().channels);
    let mut x = numbers(ROWS * layer.input().features(), 0.618_033_988_7);
    let dy = numbers(ROWS * layer.output().features(), 0.754_877_666_2);
    let [before, _] = fast(&layer, &x, &dy);
    let changed = 66;
    x[changed * inputs..70 * inputs].iter_mut().for_each(|x| *x += 1.0);
    let [after, _] = fast(&layer, &x, &dy);
    assert_eq!(before[..changed * outputs], after[..changed * outputs]);
    assert_ne!(before[changed * outputs..70 * outputs], after[changed * outputs..70 * outputs]);
}

const TRAINING: Training = Training { seed: 3, step: 5, layer: 2, first: 7 };

#[test]
fn dropped_weights_agree_with_the_twin() {
    for (positions, heads, width) in [
        (1, [1, 1], 8),
        (5, [2, 1], 20),
        (17, [4, 2], 16),
        (64, [2, 2], 32),
        (65, [2, 1], 8),
        (130, [2, 1], 20),
    ] {
        for rate in [0.1, 0.5] {
            agrees_in(positions, heads, width, rate, Some(&TRAINING));
        }
    }
}

/// Without a rate, and where nothing is trained, nothing is dropped: all bits are the same.
#[test]
fn nothing_is_dropped_out_of_training_or_without_a_rate() {
    for positions in [3, 70] {
        let layer = || Attention::new(positions, [4, 2], 8, true, Some(10_000.0));
        let x = numbers(ROWS * layer().input().features(), 0.618_033_988_7);
        let dy = numbers(ROWS * layer().output().features(), 0.754_877_666_2);
        let expected = fast(&layer(), &x, &dy);
        assert_eq!(fast_in(&layer().with_dropout(0.0), &x, &dy, Some(&TRAINING)), expected);
        assert_eq!(fast(&layer().with_dropout(0.5), &x, &dy), expected);
        let dropped = |training: Training| fast_in(&layer().with_dropout(0.5), &x, &dy, Some(&training));
        let some = dropped(TRAINING);
        assert_ne!(some, expected);
        assert_eq!(some, dropped(TRAINING));
        let others = [
            Training { seed: 4, ..TRAINING },
            Training { step: 6, ..TRAINING },
            Training { layer: 3, ..TRAINING },
            Training { first: 9, ..TRAINING },
        ];
        others.into_iter().for_each(|other| assert_ne!(some, dropped(other)));
    }
}
