//! Convolutions and pools against their naive twins, and these against finite differences.

use crate::common::compare::{are_gradients, bits, close, widened};
use crate::common::splitmix::uniform;
use crate::common::windows::{sides, window};
use crate::pass::{Activations, Placed, dense};
use crate::windowed::{Answer, Given, drawn, image, numeric};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::kernels::reference::image::{Convolution as Twin, Pool as PoolTwin};
use fallline::engine::layers::{
    Convolution, Elementwise, Flatten, GlobalAverage, GlobalMax, Layer, Pool, Pooling,
};

/// Height, width, channels in, window, channels out, rows: strides, paddings, dilations, odd sizes, one
/// place only, whole vectors of channels and parts of them, and more patches than are gathered at once.
const CONVOLUTIONS: [([usize; 3], Window, usize, usize); 38] = [
    ([1, 1, 1], window(1, 1, 0, 1), 1, 1),
    ([5, 5, 1], window(5, 1, 0, 1), 3, 2),
    ([28, 28, 1], window(5, 1, 2, 1), 6, 2),
    ([12, 12, 6], window(5, 1, 0, 1), 16, 3),
    ([7, 9, 3], window(3, 2, 1, 1), 5, 3),
    ([9, 7, 2], window(3, 1, 2, 2), 17, 2),
    ([11, 8, 16], window(3, 1, 1, 1), 33, 2),
    ([10, 11, 20], window(3, 3, 1, 1), 4, 2),
    ([8, 8, 5], window(2, 2, 0, 3), 7, 1),
    ([6, 5, 17], window(1, 1, 0, 1), 20, 3),
    ([6, 7, 4], window(1, 2, 0, 1), 3, 2),
    ([3, 4, 2], window(1, 1, 1, 1), 2, 2),
    ([4, 4, 2], window(4, 1, 3, 1), 3, 2),
    ([30, 31, 3], window(4, 1, 0, 1), 18, 1),
    ([13, 6, 32], window(3, 1, 1, 2), 48, 1),
    // Wide ones, whose gradient of the input is a convolution; and some where it is not.
    ([14, 15, 32], window(3, 1, 1, 1), 32, 2),
    ([9, 8, 24], window(3, 1, 1, 1), 20, 2),
    ([7, 7, 64], window(3, 1, 1, 1), 40, 3),
    ([6, 7, 40], window(5, 1, 3, 1), 24, 2),
    ([8, 9, 57], window(2, 1, 0, 1), 16, 1),
    ([5, 4, 24], window(3, 1, 5, 1), 33, 2),
    ([9, 9, 32], window(3, 2, 1, 1), 32, 2),
    ([5, 6, 130], window(3, 1, 2, 2), 33, 1),
    // Rectangles: rows and columns alone, strides larger than the kernel, paddings that differ on every side,
    // dilations along one side, sequences; their gradient of the input is a convolution or not.
    ([11, 7, 1], sides([3, 5], [1, 1], [[1, 1], [2, 2]], [1, 1]), 5, 2),
    ([13, 7, 3], sides([5, 2], [2, 1], [[0, 3], [1, 0]], [1, 1]), 17, 2),
    ([7, 13, 3], sides([2, 3], [1, 2], [[1, 0], [0, 2]], [2, 1]), 4, 3),
    ([7, 11, 5], sides([1, 4], [3, 1], [[0, 0], [2, 1]], [1, 2]), 20, 1),
    ([11, 5, 33], sides([5, 1], [1, 1], [[2, 2], [0, 0]], [1, 1]), 24, 2),
    ([11, 5, 24], sides([4, 1], [1, 3], [[3, 0], [0, 0]], [2, 1]), 7, 2),
    ([5, 17, 32], sides([1, 7], [1, 1], [[0, 0], [3, 3]], [1, 1]), 32, 2),
    ([13, 11, 20], sides([2, 3], [5, 4], [[1, 1], [0, 1]], [1, 1]), 3, 2),
    ([7, 7, 48], sides([3, 5], [1, 1], [[2, 0], [4, 1]], [1, 1]), 32, 3),
    ([6, 9, 32], sides([2, 3], [1, 1], [[0, 1], [1, 2]], [1, 3]), 40, 2),
    ([1, 31, 1], Window::line(5, 2, 2, 1), 6, 3),
    ([1, 29, 6], Window::line(3, 1, 4, 4), 10, 2),
    ([1, 37, 40], Window::line(9, 1, 4, 1), 33, 2),
    ([1, 5, 2], Window::line(2, 7, 0, 1), 3, 2),
    ([1, 9, 33], Window::line(1, 1, 2, 1), 5, 2),
];

/// A convolution, and what it is given.
struct Case {
    layer: Convolution,
    twin: Twin,
    given: Given,
}

impl Case {
    fn new(turn: usize, first: bool, activation: Activation) -> Case {
        let (shape, window, outputs, rows) = CONVOLUTIONS[turn];
        let [height, width, channels] = shape;
        let patches = Patches { input: image(shape, first), window };
        let (inputs, bias) = (patches.inputs(), turn % 3 != 1);
        let layer = Convolution { patches, patch: dense(inputs, outputs, bias, activation, first) };
        let parameters = drawn(outputs * inputs, inputs, outputs, bias);
        let twin = Twin {
            input: [channels, height, width],
            window,
            weight: widened(&parameters[0]),
            bias: widened(&parameters[1]),
            activation,
        };
        Case { given: Given::new(&layer, patches.input, first, rows, parameters), layer, twin }
    }

    fn fast(&self) -> Answer {
        Answer::of(&self.layer, &self.given)
    }

    fn agrees(&self, fast: &Answer) -> bool {
        let x = widened(&self.given.x);
        fast.agrees(&self.twin.forward(&x), &self.twin.backward(&widened(&self.given.dy), &x), &self.given)
    }
}

const SOME_ACTIVATIONS: [Activation; 4] = [
    Activation::RELU,
    Activation::IDENTITY,
    Activation::TANH,
    // Not zero at zero: padding must stay so.
    Activation::SIGMOID,
];

#[test]
fn convolutions_agree_with_their_twin() {
    for turn in 0..CONVOLUTIONS.len() {
        for first in [false, true] {
            let activation = SOME_ACTIVATIONS[(turn + usize::from(first)) % SOME_ACTIVATIONS.len()];
            let case = Case::new(turn, first, activation);
            assert!(case.agrees(&case.fast()), "{:?} {first} {activation:?}", CONVOLUTIONS[turn]);
        }
    }
}

#[test]
fn a_broken_gradient_is_seen() {
    let case = Case::new(6, false, Activation::RELU);
    let right = case.fast();
    assert!(case.agrees(&right));
    assert!(right.broken().all(|wrong| !case.agrees(&wrong)));
    // Another stride, or a frame that is not zero, would show as well.
    let mut other = Case::new(4, false, Activation::RELU);
    assert!(other.agrees(&other.fast()));
    other.twin.window = Window::plain(1, 2);
    other.twin.weight.truncate(15);
    assert!(!other.agrees(&other.fast()));
    // And so would sides that have changed places.
    let mut other = Case::new(23, false, Activation::RELU);
    assert!(other.agrees(&other.fast()));
    other.twin.window = sides([5, 3], [1, 1], [[2, 2], [1, 1]], [1, 1]);
    assert!(!other.agrees(&other.fast()));
}

/// Rows together give the bits of rows alone.
#[test]
fn rows_do_not_depend_on_each_other() {
    for turn in [2, 3, 4, 9, 15, 17, 24, 31, 35] {
        let case = Case::new(turn, false, Activation::RELU);
        case.given.rows_are_apart(&case.layer);
    }
}

/// Height, width, channels, window: side by side, overlapping, with gaps, with leftovers, rectangles, paddings
/// and dilations that differ on every side, sequences.
const POOLS: [([usize; 3], Window); 19] = [
    ([1, 1, 1], Window::plain(1, 1)),
    ([28, 28, 6], Window::plain(2, 2)),
    ([9, 7, 3], Window::plain(2, 2)),
    ([9, 8, 17], Window::plain(3, 2)),
    ([10, 11, 16], Window::plain(2, 3)),
    ([6, 6, 33], Window::plain(3, 1)),
    ([5, 5, 40], Window::plain(5, 5)),
    ([7, 6, 1], Window::plain(1, 2)),
    ([7, 9, 5], window(3, 2, 1, 1)),
    ([8, 8, 18], window(2, 1, 1, 2)),
    ([6, 12, 3], sides([2, 3], [2, 3], [[0, 0], [0, 0]], [1, 1])),
    ([7, 11, 17], sides([2, 3], [1, 3], [[0, 0], [0, 0]], [1, 1])),
    ([11, 7, 3], sides([5, 1], [2, 1], [[2, 0], [0, 0]], [1, 1])),
    ([7, 13, 20], sides([3, 4], [2, 5], [[1, 2], [3, 0]], [1, 1])),
    ([13, 11, 2], sides([2, 3], [1, 2], [[2, 1], [0, 4]], [3, 2])),
    ([4, 6, 16], sides([2, 2], [2, 2], [[0, 0], [0, 0]], [2, 1])),
    ([1, 31, 3], Window::line(2, 2, 0, 1)),
    ([1, 17, 18], Window::line(5, 3, 2, 1)),
    ([1, 19, 1], Window::line(3, 1, 2, 2)),
];

fn pool(turn: usize, pooling: Pooling, first: bool) -> (Pool, PoolTwin) {
    let (shape, window) = POOLS[turn];
    let [height, width, channels] = shape;
    let max = pooling == Pooling::Max;
    (
        Pool { input: image(shape, first), pooling, window },
        PoolTwin { input: [channels, height, width], window, max },
    )
}

#[test]
fn pools_agree_with_their_twin() {
    for turn in 0..POOLS.len() {
        for pooling in [Pooling::Max, Pooling::Average] {
            let rows = 1 + turn % 3;
            let (layer, twin) = pool(turn, pooling, false);
            // Of few values, so that there are ties; in some windows with padding all are below 0.
            let coarse = |x: &f32| (x * 4.0).round() - 1.0;
            let x: Vec<f32> = uniform(1, rows * layer.input.features()).iter().map(coarse).collect();
            let dy: Vec<f32> = uniform(2, rows * layer.outputs());
            let (images, output) = (Activations::images(&x, layer.input), layer.image().unwrap());
            let placed = Placed::new(&layer, Vec::new());
            let y = placed.forward_at_once(&images);
            let mut gradient = Activations::images(&dy, output);
            let dx = placed.backward(&mut gradient, &images, &y, Some(layer.input.columns())).unwrap();
            let dx = dx.channels(layer.input);
            let exact = twin.backward(&widened(&dy), &widened(&x)).x;
            assert!(close(&y.channels(output), &twin.forward(&widened(&x)), 1e-6), "{layer:?}");
            assert!(close(&dx, &exact, 1e-6), "{layer:?}");
            // As the first layer it gets data without padding.
            let (first, _) = pool(turn, pooling, true);
            let data = Activations::images(&x, first.input);
            let again = Placed::new(&first, Vec::new()).forward_at_once(&data);
            assert_eq!(bits(&again.channels(output)), bits(&y.channels(output)));

            let mut wrong = dx.clone();
            wrong[0] += 1e-3;
            assert!(!close(&wrong, &exact, 1e-6));
        }
    }
}

#[test]
fn the_first_of_equal_numbers_takes_the_gradient() {
    let layer = Pool { input: Image::new(2, 2, 1), pooling: Pooling::Max, window: Window::plain(2, 2) };
    let placed = Placed::new(&layer, Vec::new());
    for (x, taker) in [([1.0, 2.0, 2.0, 2.0], 1), ([3.0; 4], 0), ([0.0, -1.0, 0.0, 5.0], 3)] {
        let images = Activations::images(&x, layer.input);
        let y = placed.forward_at_once(&images);
        let mut dy = Activations::images(&[7.0], layer.image().unwrap());
        let dx = placed.backward(&mut dy, &images, &y, Some(layer.input.columns())).unwrap();
        let expected: Vec<f32> = (0..4).map(|i| if i == taker { 7.0 } else { 0.0 }).collect();
        assert_eq!(dx.channels(layer.input), expected);
    }
    let images = Activations::images(&[1.0, f32::NAN, 2.0, 0.0], layer.input);
    assert!(placed.forward_at_once(&images).view().row(0)[0].is_nan());
}

#[test]
fn images_become_features_and_back() {
    let input = Image::new(3, 5, 18);
    let x = uniform(1, 2 * input.features());
    let images = Activations::images(&x, input);
    let flatten = Flatten { input };
    let placed = Placed::new(&flatten, Vec::new());
    let y = placed.forward_at_once(&images);
    // PyTorch's order is that of the images here.
    assert_eq!(y.features(input.features()), x);
    let mut dy = Activations::padded(&x, input.features());
    let dx = placed.backward(&mut dy, &images, &y, Some(input.columns())).unwrap();
    assert_eq!(dx.channels(input), x);

    let mean = GlobalAverage { input };
    let placed = Placed::new(&mean, Vec::new());
    let y = placed.forward_at_once(&images);
    let sums = widened(&x).chunks(15).map(|channel| channel.iter().sum::<f64>() / 15.0).collect::<Vec<_>>();
    assert!(close(&y.features(18), &sums, 1e-6));
    let dy = uniform(2, 36);
    let mut padded = Activations::padded(&dy, 18);
    let dx = placed.backward(&mut padded, &images, &y, Some(input.columns())).unwrap().channels(input);
    let expected: Vec<f64> = widened(&dy).iter().flat_map(|dy| [dy / 15.0; 15]).collect();
    assert!(close(&dx, &expected, 1e-6));
    assert!(!close(&dx, &expected[1..], 1e-6) && !close(&dx[15..], &expected[..525], 1e-6));

    let largest = GlobalMax { input };
    let placed = Placed::new(&largest, Vec::new());
    let y = placed.forward_at_once(&images);
    let of_channel = |channel: &[f32]| channel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let expected: Vec<f32> = x.chunks(15).map(of_channel).collect();
    assert_eq!(y.features(18), expected);
    let mut padded = Activations::padded(&dy, 18);
    let dx = placed.backward(&mut padded, &images, &y, Some(input.columns())).unwrap().channels(input);
    for ((dx, x), (dy, largest)) in dx.chunks(15).zip(x.chunks(15)).zip(dy.iter().zip(&expected)) {
        let first = x.iter().position(|x| x == largest);
        assert!(dx.iter().enumerate().all(|(i, dx)| *dx == if Some(i) == first { *dy } else { 0.0 }));
    }
}

/// Activations of images keep the padding zero.
#[test]
fn activations_of_images_are_those_of_their_numbers() {
    let image = Image::new(2, 3, 5);
    let (x, dy) = (uniform(1, 30), uniform(2, 30));
    for activation in crate::activations() {
        let of = |image: Option<Image>, features| Elementwise { features, activation, image };
        let (images, flat) = (of(Some(image), 5), of(None, 30));
        let (images, flat) = (Placed::new(&images, Vec::new()), Placed::new(&flat, Vec::new()));
        let (a, b) = (Activations::images(&x, image), Activations::padded(&x, 30));
        let (y, z) = (images.forward_at_once(&a), flat.forward_at_once(&b));
        assert_eq!(y.channels(image), z.features(30));
        let mut of_images = Activations::images(&dy, image);
        let dx = images.backward(&mut of_images, &a, &y, Some(image.columns())).unwrap();
        let dz = flat.backward(&mut Activations::padded(&dy, 30), &b, &z, Some(30)).unwrap();
        assert_eq!(dx.channels(image), dz.features(30));
    }
}

#[test]
fn the_twins_have_the_gradients_of_their_output() {
    for turn in [0, 1, 4, 5, 8, 10, 11, 12, 23, 24, 25, 26, 33, 36] {
        let case = Case::new(turn, false, SOME_ACTIVATIONS[turn % 4]);
        let (x, dy, twin) = (widened(&case.given.x), widened(&case.given.dy), &case.twin);
        let mut right = twin.backward(&dy, &x);
        let by = numeric([&x, &twin.weight, &twin.bias], &dy, |[x, weight, bias]| {
            Twin { weight: weight.to_vec(), bias: bias.to_vec(), ..twin.clone() }.forward(x)
        });
        assert!(are_gradients(&by[0], &right.x), "{:?}", CONVOLUTIONS[turn]);
        assert!(are_gradients(&by[1], &right.weight) && are_gradients(&by[2], &right.bias));
        right.weight[0] += 1e-4;
        assert!(!are_gradients(&by[1], &right.weight));
    }
    for turn in [2, 3, 4, 7, 8, 12, 14, 17] {
        for pooling in [Pooling::Max, Pooling::Average] {
            let (layer, twin) = pool(turn, pooling, false);
            let x = widened(&uniform(1, layer.input.features()));
            let dy = widened(&uniform(2, layer.outputs()));
            let [by_x, ..] = numeric([&x, &[], &[]], &dy, |[x, ..]| twin.forward(x));
            assert!(are_gradients(&by_x, &twin.backward(&dy, &x).x), "{layer:?}");
        }
    }
}
