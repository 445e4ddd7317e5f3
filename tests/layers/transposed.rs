//! Transposed convolutions against their naive twin, and that against finite differences.

use crate::common::compare::{are_gradients, bits, widened};
use crate::common::windows::{sides, window};
use crate::pass::dense;
use crate::windowed::{Answer, Given, SOME_ACTIVATIONS, drawn, image, numeric};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Window};
use fallline::engine::kernels::reference::Transposed as Twin;
use fallline::engine::layers::{Layer, Transposed};

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

/// A transposed convolution, and what it is given.
struct Case {
    layer: Transposed,
    twin: Twin,
    given: Given,
}

impl Case {
    fn new(turn: usize, first: bool, activation: Activation) -> Case {
        let (shape, window, output_padding, outputs, rows) = FORMS[turn];
        let [height, width, channels] = shape;
        let input = image(shape, first);
        let (inputs, bias) = (channels * window.area(), turn % 3 != 1);
        let patch = dense(inputs, outputs, bias, activation, first);
        let layer = Transposed::new(input, window, output_padding, patch);
        let parameters = drawn(outputs * inputs, inputs, outputs, bias);
        let twin = Twin {
            input: [channels, height, width],
            window,
            output_padding,
            weight: widened(&parameters[0]),
            bias: widened(&parameters[1]),
            activation,
        };
        Case { given: Given::new(&layer, input, first, rows, parameters), layer, twin }
    }

    fn fast(&self) -> Answer {
        Answer::of(&self.layer, &self.given)
    }

    fn agrees(&self, fast: &Answer) -> bool {
        let x = widened(&self.given.x);
        fast.agrees(&self.twin.forward(&x), &self.twin.backward(&widened(&self.given.dy), &x), &self.given)
    }
}

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
    assert!(right.broken().all(|wrong| !case.agrees(&wrong)));
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
        let placed = case.given.placed(&case.layer);
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
        case.given.rows_are_apart(&case.layer);
    }
}

#[test]
fn the_twin_has_the_gradients_of_its_output() {
    let activations = [Activation::TANH, Activation::IDENTITY, Activation::SIGMOID];
    for (number, turn) in [0, 1, 2, 4, 6, 8, 11, 16, 26, 28, 33].into_iter().enumerate() {
        let case = Case::new(turn, false, activations[number % activations.len()]);
        let (x, dy, twin) = (widened(&case.given.x), widened(&case.given.dy), &case.twin);
        let mut right = twin.backward(&dy, &x);
        let by = numeric([&x, &twin.weight, &twin.bias], &dy, |[x, weight, bias]| {
            Twin { weight: weight.to_vec(), bias: bias.to_vec(), ..twin.clone() }.forward(x)
        });
        assert!(are_gradients(&by[0], &right.x), "{:?}", FORMS[turn]);
        assert!(are_gradients(&by[1], &right.weight) && are_gradients(&by[2], &right.bias));
        right.weight[0] += 1e-4;
        assert!(!are_gradients(&by[1], &right.weight));
    }
}
