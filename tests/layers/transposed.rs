//! Transposed convolutions against their naive twin, and that against finite differences.

use crate::common::compare::bits;
use crate::pass::{Activations, Placed, packed};
use crate::splitmix::uniform;
use crate::{are_gradients, close, sides, widened};
use fallline::engine::init::Init;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Window};
use fallline::engine::kernels::reference::{Transposed as Twin, numeric_gradient};
use fallline::engine::layers::{Dense, Layer, Transposed};

/// Sums of up to a few thousand terms in f32, relative to the largest number.
const TOLERANCE: f64 = 5e-6;

const fn window(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Window {
    Window::square(kernel, stride, padding, dilation)
}

/// Height, width and channels in; window, output padding; channels out, rows.
type Form = ([usize; 3], Window, [usize; 2], usize, usize);

/// Strides, paddings, dilations and output paddings, one pixel that comes in, windows of one pixel, images that do not
/// grow, padding wider than the window reaches, whole vectors of channels and parts of them; spread by a convolution of
/// stride 1 flipped round, and by adding patches to their places.
const FORMS: [Form; 36] = [
    ([1, 1, 1], window(1, 1, 0, 1), [0, 0], 1, 1),
    ([1, 1, 3], window(4, 1, 0, 1), [0, 0], 5, 2),
    ([5, 5, 1], window(5, 1, 0, 1), [0, 0], 3, 2),
    ([7, 7, 16], window(3, 2, 1, 1), [1, 1], 8, 2),
    ([7, 9, 3], window(3, 2, 1, 1), [0, 1], 5, 3),
    ([6, 5, 17], window(1, 1, 0, 1), [0, 0], 20, 3),
    ([6, 7, 4], window(1, 2, 0, 1), [0, 0], 3, 2),
    ([6, 7, 33], window(1, 3, 0, 1), [2, 1], 18, 2),
    ([4, 5, 2], window(2, 3, 0, 1), [2, 0], 17, 1),
    ([5, 4, 20], window(3, 3, 2, 1), [0, 2], 4, 2),
    ([9, 7, 2], window(3, 1, 2, 2), [0, 0], 17, 2),
    ([8, 8, 5], window(2, 2, 1, 2), [1, 0], 7, 1),
    ([6, 6, 12], window(4, 2, 1, 1), [0, 0], 6, 3),
    ([14, 14, 24], window(4, 2, 1, 1), [0, 0], 1, 2),
    ([12, 12, 16], window(5, 1, 4, 1), [0, 0], 6, 2),
    ([10, 10, 6], window(3, 1, 3, 1), [0, 0], 4, 2),
    ([3, 3, 2], window(2, 2, 2, 1), [1, 1], 3, 2),
    ([20, 21, 18], window(4, 1, 0, 1), [0, 0], 3, 1),
    // Wide ones, that are a convolution flipped round, or have far more weights than numbers.
    ([11, 8, 33], window(3, 1, 1, 1), [0, 0], 16, 2),
    ([14, 15, 32], window(3, 1, 1, 1), [0, 0], 32, 2),
    ([7, 7, 40], window(3, 1, 1, 1), [0, 0], 64, 3),
    ([6, 7, 24], window(5, 1, 3, 1), [0, 0], 40, 2),
    ([9, 8, 20], window(3, 1, 0, 2), [0, 0], 24, 2),
    ([4, 4, 64], window(3, 2, 1, 1), [1, 1], 48, 2),
    ([3, 3, 130], window(3, 1, 2, 2), [0, 0], 33, 1),
    ([11, 12, 33], window(3, 1, 5, 1), [0, 0], 24, 2),
    // Rectangles, and sides with paddings of their own.
    ([9, 5, 5], sides([3, 5], [1, 1], [[1, 1], [2, 2]], [1, 1]), [0, 0], 1, 2),
    ([6, 4, 17], sides([5, 2], [2, 1], [[0, 3], [1, 0]], [1, 1]), [1, 0], 3, 2),
    ([7, 5, 4], sides([2, 3], [1, 2], [[1, 0], [0, 2]], [2, 1]), [0, 1], 3, 3),
    ([3, 8, 20], sides([1, 4], [3, 1], [[0, 2], [2, 1]], [1, 2]), [2, 0], 5, 1),
    ([11, 5, 24], sides([5, 1], [1, 1], [[2, 2], [0, 0]], [1, 1]), [0, 0], 33, 2),
    ([10, 2, 7], sides([4, 1], [1, 3], [[3, 0], [0, 0]], [2, 1]), [0, 2], 24, 2),
    ([5, 9, 32], sides([1, 7], [1, 1], [[0, 0], [3, 3]], [1, 1]), [0, 0], 32, 2),
    ([3, 3, 3], sides([2, 3], [5, 4], [[1, 1], [0, 1]], [1, 1]), [4, 3], 20, 2),
    ([7, 9, 32], sides([3, 5], [1, 1], [[2, 0], [4, 1]], [1, 1]), [0, 0], 48, 3),
    ([7, 6, 40], sides([2, 3], [1, 1], [[0, 1], [1, 2]], [1, 3]), [0, 0], 32, 2),
];

/// A transposed convolution with parameters, and a batch for it.
struct Case {
    layer: Transposed,
    input: Image,
    twin: Twin,
    /// `[in, out, kernel, kernel]` and, if there is one, `[out]`
    parameters: Vec<Vec<f32>>,
    /// `[rows, channels, height, width]`
    x: Vec<f32>,
    dy: Vec<f32>,
    first: bool,
}

#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    gradients: [Vec<f32>; 3],
}

impl Case {
    fn new(turn: usize, first: bool, activation: Activation) -> Case {
        let (shape, window, output_padding, outputs, rows) = FORMS[turn];
        let [height, width, channels] = shape;
        let input = if first { Image::data(shape) } else { Image::new(height, width, channels) };
        let bias = turn % 3 != 1;
        let patch = Dense {
            inputs: channels * window.area(),
            outputs,
            bias,
            activation,
            weight_init: Init::Zeros,
            bias_init: Init::Zeros,
            input_gradient: !first,
            whole_columns: false,
            by_inputs: false,
        };
        let layer = Transposed::new(input, window, output_padding, patch);
        let bound = (3.0 / (channels * window.area()) as f32).sqrt();
        let weights = channels * outputs * window.area();
        let weight: Vec<f32> = uniform(1, weights).iter().map(|w| w * bound).collect();
        let biases = if bias { uniform(2, outputs) } else { vec![0.0; outputs] };
        let twin = Twin {
            input: [channels, height, width],
            window,
            output_padding,
            weight: widened(&weight),
            bias: widened(&biases),
            activation,
        };
        let features = layer.outputs();
        Case {
            layer,
            input,
            twin,
            parameters: if bias { vec![weight, biases] } else { vec![weight] },
            x: uniform(3, rows * input.features()),
            dy: uniform(4, rows * features),
            first,
        }
    }

    fn placed(&self) -> Placed<'_> {
        Placed::new(&self.layer, packed(&self.layer, &self.parameters))
    }

    fn fast(&self) -> Answer {
        let output = self.layer.image().unwrap();
        let placed = self.placed();
        let x = Activations::images(&self.x, self.input);
        let y = placed.forward_at_once(&x);
        let mut dy = Activations::images(&self.dy, output);
        let dx = placed.backward(&mut dy, &x, &y, (!self.first).then_some(self.input.columns()));
        let mut gradients = placed.gradient(&dy, &x).into_iter();
        let dx = dx.map_or(Vec::new(), |dx| dx.channels(self.input));
        let y = y.channels(output);
        Answer { y, gradients: [dx, gradients.next().unwrap(), gradients.next().unwrap_or_default()] }
    }

    fn agrees(&self, fast: &Answer) -> bool {
        let x = widened(&self.x);
        let exact = self.twin.backward(&widened(&self.dy), &x);
        let [dx, dweight, dbias] = &fast.gradients;
        close(&fast.y, &self.twin.forward(&x), TOLERANCE)
            && (self.first || close(dx, &exact.x, TOLERANCE))
            && close(dweight, &exact.weight, TOLERANCE)
            && (self.parameters.len() < 2 || close(dbias, &exact.bias, TOLERANCE))
    }
}

const SOME_ACTIVATIONS: [Activation; 5] = [
    Activation::RELU,
    Activation::IDENTITY,
    Activation::TANH,
    // Not zero at zero: padding must stay so.
    Activation::SIGMOID,
    Activation::leaky_relu(0.1),
];

#[test]
fn transposed_convolutions_agree_with_their_twin() {
    for turn in 0..FORMS.len() {
        for first in [false, true] {
            let activation = SOME_ACTIVATIONS[(turn + usize::from(first)) % SOME_ACTIVATIONS.len()];
            let case = Case::new(turn, first, activation);
            let [channels, height, width] = case.twin.output();
            assert_eq!(case.layer.image(), Some(Image::new(height, width, channels)));
            assert!(case.agrees(&case.fast()), "{:?} {first} {activation:?}", FORMS[turn]);
        }
    }
}

#[test]
fn what_is_broken_is_seen() {
    let case = Case::new(3, false, Activation::RELU);
    let right = case.fast();
    assert!(case.agrees(&right));
    let broken: [fn(&mut Answer); 6] = [
        |answer| answer.y[5] += 1e-3,
        |answer| answer.gradients[0].swap(0, 1),
        |answer| answer.gradients[0][9] += 1e-3,
        |answer| answer.gradients[1].swap(1, 3),
        |answer| answer.gradients[1][7] *= 1.01,
        |answer| answer.gradients[2][2] = 0.0,
    ];
    for break_it in broken {
        let mut wrong = right.clone();
        break_it(&mut wrong);
        assert!(!case.agrees(&wrong));
    }
    // Padding on another side, and pixels more on another side, are another image of the same size.
    let mut other = Case::new(27, false, Activation::RELU);
    assert!(other.agrees(&other.fast()));
    other.twin.window.padding = [[3, 0], [1, 0]];
    assert!(!other.agrees(&other.fast()));
    let mut other = Case::new(4, false, Activation::RELU);
    assert!(other.agrees(&other.fast()));
    other.twin.window.padding = [[1, 1], [0, 2]];
    assert!(!other.agrees(&other.fast()));
}

/// What the layer derives when it is only used is what training keeps up to date, and both follow the weights.
#[test]
fn a_model_in_use_derives_what_training_does() {
    for turn in [3, 5, 15, 18, 19, 20, 22, 27, 34] {
        let case = Case::new(turn, false, Activation::RELU);
        let placed = case.placed();
        let derives = case.layer.derived().unwrap();
        assert_eq!(derives.forward_derived_len(), derives.derived_len());
        let mut derived = vec![f32::NAN; derives.derived_len()];
        derives.derive_forward(&mut derived, &placed.storage);
        assert_eq!(bits(&derived), bits(placed.derived()), "{:?}", FORMS[turn]);
        let mut other = placed.storage.clone();
        other[0] += 1.0;
        derives.derive_forward(&mut derived, &other);
        let changed = derived.iter().zip(placed.derived()).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 1);
    }
}

/// Rows together give the bits of rows alone.
#[test]
fn rows_do_not_depend_on_each_other() {
    for turn in [3, 4, 10, 18, 20, 23, 28, 34] {
        let case = Case::new(turn, false, Activation::RELU);
        let placed = case.placed();
        let whole = placed.forward_at_once(&Activations::images(&case.x, case.input));
        let image = case.layer.image().unwrap();
        let by_row: Vec<f32> = case
            .x
            .chunks(case.input.features())
            .flat_map(|x| placed.forward_at_once(&Activations::images(x, case.input)).channels(image))
            .collect();
        assert_eq!(bits(&whole.channels(image)), bits(&by_row));
    }
}

#[test]
fn the_twin_has_the_gradients_of_its_output() {
    const STEP: f64 = 1e-5;
    let activations = [Activation::TANH, Activation::IDENTITY, Activation::SIGMOID];
    for (number, turn) in [0, 1, 2, 4, 6, 8, 11, 16, 26, 28, 33].into_iter().enumerate() {
        let case = Case::new(turn, false, activations[number % activations.len()]);
        let (x, dy, twin) = (widened(&case.x), widened(&case.dy), &case.twin);
        let weighted = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>();
        let right = twin.backward(&dy, &x);
        let by_x = numeric_gradient(|x| weighted(twin.forward(x)), &x, STEP);
        let of_weight = |w: &[f64]| weighted(Twin { weight: w.to_vec(), ..twin.clone() }.forward(&x));
        let by_weight = numeric_gradient(of_weight, &twin.weight, STEP);
        let of_bias = |b: &[f64]| weighted(Twin { bias: b.to_vec(), ..twin.clone() }.forward(&x));
        let by_bias = numeric_gradient(of_bias, &twin.bias, STEP);
        assert!(are_gradients(&by_x, &right.x), "{:?}", FORMS[turn]);
        assert!(are_gradients(&by_weight, &right.weight) && are_gradients(&by_bias, &right.bias));
        let mut wrong = right.weight;
        wrong[0] += 1e-4;
        assert!(!are_gradients(&by_weight, &wrong));
    }
}
