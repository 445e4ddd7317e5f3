//! Convolutions of single pixels against the convolution of any window, which is held against its twin:
//! the same numbers, however the rows lie.

use crate::common::splitmix::uniform;
use crate::pass::dense;
use crate::windowed::{Answer, Given, image};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Patches, Window};
use fallline::engine::layers::{Convolution, Dense, Layer, Pointwise};

/// Height, width, channels in, stride, channels out, rows: small images and large ones, rows with gaps
/// between them (of whole multiples of 512 floats) and without, strides with pixels left over.
const SHAPES: [([usize; 3], [usize; 2], usize, usize); 11] = [
    ([1, 1, 1], [1, 1], 1, 1),
    ([7, 7, 20], [1, 1], 33, 5),
    ([4, 4, 64], [1, 1], 32, 3),
    ([4, 4, 16], [1, 1], 64, 3),
    ([3, 5, 17], [1, 1], 10, 300),
    ([28, 28, 32], [1, 1], 16, 2),
    ([6, 7, 4], [2, 2], 3, 3),
    ([9, 8, 33], [3, 3], 40, 4),
    ([5, 5, 16], [6, 6], 16, 2),
    ([7, 5, 18], [3, 1], 5, 2),
    ([5, 11, 3], [1, 2], 20, 3),
];

#[test]
fn pixels_alone_give_what_any_window_gives() {
    for (turn, (shape, stride, outputs, rows)) in SHAPES.into_iter().enumerate() {
        for (first, activation) in
            [(false, Activation::RELU), (true, Activation::IDENTITY), (false, Activation::SIGMOID)]
        {
            let (input, [.., channels], bias) = (image(shape, first), shape, turn % 3 != 1);
            let patch = dense(channels, outputs, bias, activation, first);
            let patch = Dense { whole_columns: turn % 2 == 0, ..patch };
            let window = Window::rectangle([1, 1], stride, [0, 0], [1, 1]);
            let patches = Patches { input, window };
            let any = Convolution { patches, patch: patch.clone() };
            let pixels = Pointwise { input, window, patch };
            let parameters = [uniform(1, outputs * channels), uniform(2, outputs)];
            let given = Given::new(&any, input, first, rows, parameters);
            let (expected, found) = (Answer::of(&any, &given), Answer::of(&pixels, &given));
            assert_eq!(found, expected, "{shape:?} {stride:?} {outputs} {first}");
            let mut wrong = found;
            wrong.gradients[usize::from(first)][0] += 1e-3;
            assert_ne!(wrong, expected);
            assert_eq!(pixels.kind(), any.kind());
            assert_eq!((pixels.parameters(), pixels.flops()), (any.parameters(), any.flops()));
        }
    }
}
