//! Normalisations and dropout against their naive twins, and these against finite differences.

use crate::common::compare::{are_gradients, close, widened};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, packed, packed_as};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::Image;
use fallline::engine::kernels::reference::normalise::{Normalisation as Twin, NormalisationGradients, Over};
use fallline::engine::kernels::reference::numeric_gradient;
use fallline::engine::layers::{
    Backward, BackwardSums, BatchNorm, Dropout, Forward, GroupNorm, Layer, LayerNorm, Training,
};

/// Of the largest number, or of 1.
const TOLERANCE: f64 = 5e-6;
const EPSILON: f64 = 1e-3;

/// Rows, channels, height and width; features are no image.
const SHAPES: [(usize, usize, Option<[usize; 2]>); 12] = [
    (2, 1, None),
    (3, 5, None),
    (40, 16, None),
    (7, 33, None),
    (130, 12, None),
    (1, 2, Some([1, 2])),
    (2, 3, Some([1, 1])),
    (3, 16, Some([5, 7])),
    (2, 6, Some([9, 8])),
    (1, 33, Some([3, 1])),
    (5, 20, Some([4, 4])),
    (2, 4, Some([30, 29])),
];

const ACTIVATIONS: [Activation; 5] = [
    Activation::RELU,
    Activation::IDENTITY,
    Activation::leaky_relu(0.1),
    Activation::TANH,
    // Not zero at zero: padding must stay so.
    Activation::SIGMOID,
];

/// A normalisation with weights and biases, and a batch for it.
struct Case {
    twin: Twin,
    image: Option<Image>,
    rows: usize,
    /// `[rows, channels, pixels]`
    x: Vec<f32>,
    dy: Vec<f32>,
    parameters: [Vec<f32>; 2],
}

#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    dx: Vec<f32>,
    dweight: Vec<f32>,
    dbias: Vec<f32>,
}

impl Case {
    /// None if the groups do not divide the channels, or a batch has one value of each.
    fn new(turn: usize, over: Over, activation: Activation) -> Option<Case> {
        let (rows, channels, side) = SHAPES[turn];
        let image = side.map(|[height, width]| Image::new(height, width, channels));
        let pixels = image.map_or(1, |image| image.pixels());
        let fits = match over {
            Over::Groups(groups) => channels % groups == 0,
            _ => true,
        };
        let weights = channels * if over == Over::Layer { pixels } else { 1 };
        let weight: Vec<f32> = uniform(1, weights).iter().map(|x| 1.0 + 0.5 * x).collect();
        let bias = uniform(2, weights);
        let twin = Twin {
            over,
            channels,
            pixels,
            epsilon: EPSILON,
            weight: widened(&weight),
            bias: widened(&bias),
            activation,
        };
        // Far from 0, where sums of squares would cancel.
        let x = uniform(3, rows * channels * pixels).iter().map(|x| x + 7.0).collect();
        let dy = uniform(4, rows * channels * pixels);
        fits.then_some(Case { twin, image, rows, x, dy, parameters: [weight, bias] })
    }

    fn matrix(&self, values: &[f32]) -> Activations {
        match self.image {
            Some(image) => Activations::images(values, image),
            None => Activations::padded(values, self.twin.channels),
        }
    }

    fn values(&self, matrix: &Activations) -> Vec<f32> {
        self.image.map_or_else(|| matrix.features(self.twin.channels), |image| matrix.channels(image))
    }

    fn columns(&self) -> usize {
        self.image.map_or(self.twin.channels, |image| image.columns())
    }

    /// A normalisation that is not over the batch.
    fn layer(&self) -> Box<dyn Layer> {
        let Twin { over, channels, activation, .. } = self.twin;
        let features = channels * self.twin.pixels;
        match over {
            Over::Batch => unreachable!("it needs all rows"),
            Over::Layer => Box::new(LayerNorm::new(self.image, features, EPSILON, activation)),
            Over::Groups(groups) => {
                Box::new(GroupNorm::new(self.image, features, groups, EPSILON, activation))
            }
        }
    }

    fn batch_norm(&self) -> BatchNorm {
        let Twin { channels, activation, .. } = self.twin;
        BatchNorm::new(self.image, channels * self.twin.pixels, EPSILON, 0.25, activation)
    }

    /// Row by row, as layers that need one row only are.
    fn by_rows(&self) -> Answer {
        let layer = self.layer();
        let placed = Placed::new(layer.as_ref(), packed(layer.as_ref(), &self.parameters));
        let (x, mut dy) = (self.matrix(&self.x), self.matrix(&self.dy));
        let y = placed.forward_at_once(&x);
        let dx = placed.backward(&mut dy, &x, &y, Some(self.columns())).unwrap();
        let [dweight, dbias] = placed.gradient(&dy, &x).try_into().unwrap();
        Answer { y: self.values(&y), dx: self.values(&dx), dweight, dbias }
    }

    /// In parts of so many rows, each of cuts of `cut` rows, as a step takes them. Also the running
    /// statistics after it, `[2][channels]`.
    fn by_batch(&self, part: usize, cut: usize) -> (Answer, Vec<f32>) {
        let norm = self.batch_norm();
        let mut storage = packed_as(&norm.parameters(), norm.running().end, &self.parameters);
        norm.complete(&mut storage);
        let (x, mut dy) = (self.matrix(&self.x), self.matrix(&self.dy));
        let mut y = Activations::unwritten(self.rows, self.columns());
        let mut dx = y.clone();
        let cuts = || {
            let parts = (0..self.rows).step_by(part);
            parts.flat_map(|start| {
                let end = (start + part).min(self.rows);
                (start..end).step_by(cut).map(move |row| row..(row + cut).min(end))
            })
        };
        let (parts, columns) = (self.rows.div_ceil(part), x.columns);
        let mut moments = vec![f64::NAN; parts * norm.moments_len()];
        for rows in cuts() {
            let of_part = moments.chunks_exact_mut(norm.moments_len()).nth(rows.start / part).unwrap();
            norm.add_moments(of_part, rows.start % part, x.view().block(rows, 0..columns));
        }
        let mut state = vec![f32::NAN; norm.state_len()];
        norm.prepare(&mut state, &moments, part, self.rows, &storage);
        norm.normalise(y.view_mut(0..columns), x.view(), &state, &storage);
        let len = storage.len();
        let mut sums = vec![f32::NAN; parts * len];
        let mut scratch = vec![f32::NAN; norm.scratch_len()];
        for rows in cuts() {
            let out = &mut sums[rows.start / part * len..][..len];
            let (x, y) = (x.view().block(rows.clone(), 0..columns), y.view().block(rows.clone(), 0..columns));
            let accumulate = rows.start % part > 0;
            let (dy, state, scratch) = (dy.rows_mut(rows), &state[..], &mut scratch[..]);
            norm.backward_sums(BackwardSums { out, dy, x, y, state, accumulate, scratch });
        }
        let of_parts = fallline::engine::tensor::MatrixRef::new(&sums, parts, len, len);
        norm.prepare_backward(&mut state, of_parts, self.rows);
        norm.backward_input(dx.view_mut(0..columns), dy.view(), x.view(), &state);
        let range = norm.running();
        norm.update_running(&mut storage[range], &state);
        let total = |range: std::ops::Range<usize>| -> Vec<f32> {
            range.map(|at| (0..parts).map(|part| sums[part * len + at]).sum()).collect()
        };
        let named = |spec: &fallline::engine::layers::ParameterSpec| {
            spec.range.start..spec.range.start + self.twin.channels
        };
        let [dweight, dbias] = [0, 1].map(|number| total(named(&norm.parameters()[number])));
        let running = norm.statistics().iter().flat_map(|spec| storage[named(spec)].to_vec()).collect();
        (Answer { y: self.values(&y), dx: self.values(&dx), dweight, dbias }, running)
    }

    fn agrees(&self, answer: &Answer) -> bool {
        let (x, dy) = (widened(&self.x), widened(&self.dy));
        let exact = self.twin.backward(&dy, &x);
        // Differences of numbers around 7 are given to half a unit in the last place of these.
        let spread = TOLERANCE * 10.0;
        close(&answer.y, &self.twin.forward(&x), spread)
            && close(&answer.dx, &exact.x, spread)
            && close(&answer.dweight, &exact.weight, spread)
            && close(&answer.dbias, &exact.bias, TOLERANCE)
    }
}

#[test]
fn normalisations_of_rows_agree_with_their_twin() {
    let mut cases = 0;
    for turn in 0..SHAPES.len() {
        for (number, over) in
            [Over::Layer, Over::Groups(1), Over::Groups(2), Over::Groups(3)].into_iter().enumerate()
        {
            let activation = ACTIVATIONS[(turn + number) % ACTIVATIONS.len()];
            let Some(case) = Case::new(turn, over, activation) else { continue };
            cases += 1;
            assert!(case.agrees(&case.by_rows()), "{:?} {over:?} {activation:?}", SHAPES[turn]);
        }
    }
    assert!(cases > 30, "{cases}");
}

#[test]
fn batches_agree_with_their_twin_in_any_parts() {
    for turn in 0..SHAPES.len() {
        for (part, cut) in [(1000, 1000), (1, 1), (16, 5), (3, 2)] {
            let activation = ACTIVATIONS[(turn + part) % ACTIVATIONS.len()];
            let case = Case::new(turn, Over::Batch, activation).unwrap();
            let (answer, running) = case.by_batch(part, cut);
            assert!(case.agrees(&answer), "{:?} {part} {cut} {activation:?}", SHAPES[turn]);
            let [means, variances] = case.twin.moments(&widened(&case.x));
            let values = (case.rows * case.twin.pixels) as f64;
            let means = means.iter().map(|mean| 0.25 * mean);
            // From 1, and unbiased.
            let variances = variances.iter().map(|variance| 0.75 + 0.25 * variance * values / (values - 1.0));
            let expected: Vec<f64> = means.chain(variances).collect();
            assert!(close(&running, &expected, 2e-6), "{running:?} {expected:?}");
            let biased: Vec<f64> =
                expected.iter().map(|x| 0.75 + (x - 0.75) * (values - 1.0) / values).collect();
            assert!(values > 1000.0 || !close(&running, &biased, 2e-6));
        }
    }
}

/// The output of a model that is not in training is by the running statistics, whatever the batch.
#[test]
fn running_statistics_serve_outside_training() {
    for turn in [1, 7, 8] {
        let case = Case::new(turn, Over::Batch, Activation::TANH).unwrap();
        let norm = case.batch_norm();
        let channels = case.twin.channels;
        let running = [uniform(5, channels), uniform(6, channels).iter().map(|x| x + 1.5).collect()];
        let mut storage = packed_as(&norm.parameters(), norm.running().end, &case.parameters);
        for (spec, values) in norm.statistics().iter().zip(&running) {
            storage[spec.range.start..spec.range.start + channels].copy_from_slice(values);
        }
        let x = case.matrix(&case.x);
        let mut y = Activations::unwritten(x.rows, x.columns);
        norm.infer(Forward {
            y: y.view_mut(0..x.columns),
            x: x.view(),
            storage: &storage,
            derived: &[],
            columns: 0..x.columns,
            scratch: &mut vec![f32::NAN; norm.scratch_len()],
            training: None,
            lengths: &[],
            carried: None,
        });
        let expected = case.x.iter().enumerate().map(|(index, &x)| {
            let c = index / case.twin.pixels % channels;
            let deviation = (f64::from(running[1][c]) + EPSILON).sqrt();
            ((f64::from(x) - f64::from(running[0][c])) / deviation * case.twin.weight[c] + case.twin.bias[c])
                .tanh()
        });
        assert!(close(&case.values(&y), &expected.collect::<Vec<_>>(), TOLERANCE));
    }
}

#[test]
fn a_broken_normalisation_is_seen() {
    let broken: [fn(&mut Answer); 5] = [
        |answer| answer.y[5] += 1e-3,
        |answer| answer.dx[7] -= 1e-3,
        |answer| answer.dx.iter_mut().for_each(|x| *x *= 1.001),
        |answer| answer.dweight.swap(0, 1),
        |answer| answer.dbias[1] *= 1.001,
    ];
    for over in [Over::Batch, Over::Layer, Over::Groups(2)] {
        let case = Case::new(8, over, Activation::RELU).unwrap();
        let right = if over == Over::Batch { case.by_batch(1, 1).0 } else { case.by_rows() };
        assert!(case.agrees(&right));
        for break_it in broken {
            let mut wrong = right.clone();
            break_it(&mut wrong);
            assert!(!case.agrees(&wrong));
        }
    }
}

/// Numbers whose squares are 10⁸ times their variance keep it.
#[test]
fn nothing_cancels_far_from_zero() {
    let mut case = Case::new(11, Over::Batch, Activation::IDENTITY).unwrap();
    case.x.iter_mut().for_each(|x| *x = 1e4 + (*x - 7.0));
    let [_, exact] = case.twin.moments(&widened(&case.x));
    let (_, running) = case.by_batch(1, 1);
    let values = (case.rows * case.twin.pixels) as f64;
    for (found, exact) in running[case.twin.channels..].iter().zip(exact) {
        let found = (f64::from(*found) - 0.75) / 0.25 * (values - 1.0) / values;
        assert!((found / exact - 1.0).abs() < 1e-5, "{found} {exact}");
    }
}

#[test]
fn the_twins_have_the_gradients_of_their_output() {
    const STEP: f64 = 1e-5;
    for turn in [0, 1, 2, 5, 6, 8] {
        for over in [Over::Batch, Over::Layer, Over::Groups(1), Over::Groups(3)] {
            let Some(case) = Case::new(turn, over, Activation::TANH) else { continue };
            let (x, dy, twin) = (widened(&case.x), widened(&case.dy), &case.twin);
            let value = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>();
            let NormalisationGradients { x: dx, weight, bias } = twin.backward(&dy, &x);
            let by_x = numeric_gradient(|x| value(twin.forward(x)), &x, STEP);
            let of_weight = |w: &[f64]| value(Twin { weight: w.to_vec(), ..twin.clone() }.forward(&x));
            let by_weight = numeric_gradient(of_weight, &twin.weight, STEP);
            let of_bias = |b: &[f64]| value(Twin { bias: b.to_vec(), ..twin.clone() }.forward(&x));
            let by_bias = numeric_gradient(of_bias, &twin.bias, STEP);
            assert!(are_gradients(&by_x, &dx), "{turn} {over:?}");
            assert!(are_gradients(&by_weight, &weight) && are_gradients(&by_bias, &bias));
            let mut wrong = dx;
            wrong[0] += 1e-5;
            assert!(!are_gradients(&by_x, &wrong));
        }
    }
}

/// What a dropout makes of rows in training, and of their gradient, `[rows, features]` or images.
fn dropped(layer: &Dropout, x: &[f32], training: Training) -> [Vec<f32>; 2] {
    let matrix = |values: &[f32]| match layer.image {
        Some(image) => Activations::images(values, image),
        None => Activations::padded(values, layer.features),
    };
    let values = |matrix: &Activations| match layer.image {
        Some(image) => matrix.channels(image),
        None => matrix.features(layer.features),
    };
    let (x, mut dy) = (matrix(x), matrix(x));
    let columns = x.columns;
    let mut y = Activations::unwritten(x.rows, columns);
    let mut dx = y.clone();
    let scratch = &mut vec![f32::NAN; layer.scratch_len()];
    layer.forward(Forward {
        y: y.view_mut(0..columns),
        x: x.view(),
        storage: &[],
        derived: &[],
        columns: 0..columns,
        scratch,
        training: Some(&training),
        lengths: &[],
        carried: None,
    });
    layer.backward(Backward {
        dx: Some(dx.view_mut(0..columns)),
        dy: dy.view_mut(0..columns),
        x: x.view(),
        y: y.view(),
        storage: &[],
        derived: &[],
        scratch,
        training: Some(&training),
        lengths: &[],
    });
    [values(&y), values(&dx)]
}

#[test]
fn dropout_drops_by_seed_step_layer_and_row_alone() {
    let image = Image::new(5, 7, 20);
    let training = Training { seed: 1, step: 1, layer: 2, first: 0 };
    for (image, channels, features) in
        [(None, false, 700), (Some(image), false, 700), (Some(image), true, 700)]
    {
        let layer = Dropout { features, image, rate: 0.25, channels };
        let x: Vec<f32> = uniform(1, 6 * features).iter().map(|x| x + 2.0).collect();
        let [y, dx] = dropped(&layer, &x, training);
        for ((y, dx), x) in y.iter().zip(&dx).zip(&x) {
            assert!(*y == 0.0 || (y / x * 0.75 - 1.0).abs() < 1e-6, "{y} {x}");
            // The gradient of a factor, at the same numbers.
            assert_eq!(y, dx);
        }
        assert_eq!(dropped(&layer, &x, training), [y.clone(), dx.clone()]);
        if channels {
            let whole = |channel: &[f32]| channel.iter().all(|&y| y == 0.0) || !channel.contains(&0.0);
            assert!(y.chunks(35).all(whole) && y.chunks(35).any(|channel| channel[0] == 0.0));
        } else {
            let kept = y.iter().filter(|&&y| y != 0.0).count() as f64 / y.len() as f64;
            assert!((kept - 0.75).abs() < 0.04, "{kept}");
        }
        let zeros = |y: &[f32]| y.iter().map(|&y| y == 0.0).collect::<Vec<_>>();
        for other in [
            Training { seed: 2, ..training },
            Training { step: 2, ..training },
            Training { layer: 3, ..training },
            Training { first: 1, ..training },
        ] {
            assert_ne!(zeros(&dropped(&layer, &x, other)[0]), zeros(&y), "{other:?}");
        }
        let rows: Vec<_> = y.chunks(features).map(zeros).collect();
        assert!(rows.windows(2).all(|pair| pair[0] != pair[1]));
        // Rows by themselves give what they give together.
        let last = Training { first: 5, ..training };
        assert_eq!(dropped(&layer, &x[5 * features..], last)[0], &y[5 * features..]);
        // Outside training nothing is dropped.
        let same = Dropout { image: None, ..layer };
        let same = Placed::new(&same, Vec::new());
        assert_eq!(same.forward_at_once(&Activations::padded(&x, features)).features(features), x);
    }
}
