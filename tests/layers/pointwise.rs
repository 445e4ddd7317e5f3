//! Convolutions of single pixels against the convolution of any window, which is held against its twin:
//! the same numbers, however the rows lie.

use crate::pass::{Activations, Placed, packed};
use crate::splitmix::uniform;
use fallline::engine::init::Init;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Patches, Window};
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

/// Output, gradients of input and parameters.
fn answer(layer: &dyn Layer, input: Image, bias: bool, first: bool, rows: usize) -> Vec<Vec<f32>> {
    let output = layer.image().unwrap();
    let weight = uniform(1, output.channels * input.channels);
    let parameters = if bias { vec![weight, uniform(2, output.channels)] } else { vec![weight] };
    let placed = Placed::new(layer, packed(layer, &parameters));
    let x = Activations::images(&uniform(3, rows * input.features()), input);
    let mut dy = Activations::images(&uniform(4, rows * output.features()), output);
    let y = placed.forward_at_once(&x);
    let dx = placed.backward(&mut dy, &x, &y, (!first).then_some(input.columns()));
    let mut all = vec![y.channels(output)];
    all.extend(dx.map(|dx| dx.channels(input)));
    all.extend(placed.gradient(&dy, &x));
    all
}

#[test]
fn pixels_alone_give_what_any_window_gives() {
    for (turn, ([height, width, channels], stride, outputs, rows)) in SHAPES.into_iter().enumerate() {
        for (first, activation) in
            [(false, Activation::RELU), (true, Activation::IDENTITY), (false, Activation::SIGMOID)]
        {
            let input = if first {
                Image::data([height, width, channels])
            } else {
                Image::new(height, width, channels)
            };
            let bias = turn % 3 != 1;
            let patch = Dense {
                inputs: channels,
                outputs,
                bias,
                activation,
                weight_init: Init::Zeros,
                bias_init: Init::Zeros,
                input_gradient: !first,
                whole_columns: turn % 2 == 0,
                by_inputs: false,
            };
            let window = Window::rectangle([1, 1], stride, [0, 0], [1, 1]);
            let patches = Patches { input, window };
            let any = Convolution { patches, patch: patch.clone() };
            let pixels = Pointwise { input, window, patch };
            let expected = answer(&any, input, bias, first, rows);
            let found = answer(&pixels, input, bias, first, rows);
            assert_eq!(found, expected, "{height}x{width}x{channels} {stride:?} {outputs} {first}");
            let mut wrong = found.clone();
            wrong[1][0] += 1e-3;
            assert_ne!(wrong, expected);
            assert_eq!(pixels.kind(), any.kind());
            assert_eq!((pixels.parameters(), pixels.flops()), (any.parameters(), any.flops()));
        }
    }
}
