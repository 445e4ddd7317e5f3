//! The products of a convolution that read the image in place, on every instruction set: bit for bit
//! those of gathered patches.

use super::dense::Coverage;
use super::naive::{Naive, noise};
use super::surrounded::Surrounded;
use crate::common::windows::{sides, window};
use fallline::engine::kernels::convolution::convolve;
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::kernels::products::gemm::Epilogue;
use fallline::engine::tensor::LANES;

/// Height, width and channels of the image, whether they are data, the window, panels of outputs, samples:
/// few channels and many, with and without a frame, strides, dilations, windows that see nothing, more
/// pixels than are summed up at once, and whole samples together.
const CASES: [([usize; 3], bool, Window, usize, usize); 41] = [
    ([1, 1, 1], true, window(1, 1, 0, 1), 1, 1),
    ([5, 5, 1], true, window(5, 1, 0, 1), 1, 2),
    ([28, 28, 1], true, window(5, 1, 2, 1), 2, 2),
    ([9, 8, 3], true, window(3, 1, 1, 1), 3, 1),
    ([12, 12, 6], false, window(5, 1, 0, 1), 1, 2),
    ([7, 9, 3], false, window(3, 2, 1, 1), 1, 3),
    ([9, 7, 2], false, window(3, 1, 2, 2), 2, 2),
    ([11, 8, 16], false, window(3, 1, 1, 1), 3, 2),
    ([10, 11, 20], false, window(3, 3, 1, 1), 1, 2),
    ([8, 8, 5], false, window(2, 2, 0, 3), 1, 1),
    ([6, 5, 17], false, window(1, 1, 0, 1), 2, 3),
    ([6, 7, 4], false, window(1, 2, 0, 1), 1, 2),
    ([5, 6, 40], false, window(1, 2, 0, 1), 2, 2),
    ([3, 4, 2], false, window(1, 1, 1, 1), 1, 2),
    ([4, 4, 2], false, window(4, 1, 3, 1), 1, 3),
    ([4, 4, 20], false, window(4, 1, 3, 1), 1, 3),
    // All that the window sees at some places is beyond the edge.
    ([5, 4, 24], false, window(3, 2, 5, 1), 1, 2),
    ([5, 4, 24], false, window(3, 1, 5, 2), 3, 2),
    ([2, 3, 9], false, window(2, 1, 1, 3), 1, 2),
    ([30, 31, 3], false, window(4, 1, 0, 1), 2, 1),
    ([13, 6, 32], false, window(3, 1, 1, 2), 3, 1),
    ([28, 28, 32], false, window(3, 1, 1, 1), 2, 2),
    ([14, 14, 64], false, window(3, 1, 1, 1), 3, 2),
    ([7, 7, 64], false, window(3, 1, 1, 1), 4, 5),
    ([3, 3, 24], false, window(3, 1, 1, 1), 1, 40),
    ([12, 12, 24], true, window(3, 1, 0, 1), 2, 2),
    // Rectangles: of few channels and of many, rows and columns alone, strides larger than the kernel, paddings
    // that differ on every side, dilations along one side, sequences.
    ([11, 7, 1], true, sides([3, 5], [1, 1], [[1, 1], [2, 2]], [1, 1]), 1, 2),
    ([13, 7, 3], false, sides([5, 2], [2, 1], [[0, 3], [1, 0]], [1, 1]), 2, 2),
    ([7, 13, 3], true, sides([2, 3], [1, 2], [[1, 0], [0, 2]], [2, 1]), 1, 3),
    ([7, 11, 5], false, sides([1, 4], [3, 1], [[0, 0], [2, 1]], [1, 2]), 2, 1),
    ([11, 5, 17], false, sides([5, 1], [1, 1], [[2, 2], [0, 0]], [1, 1]), 1, 2),
    ([11, 5, 24], false, sides([4, 1], [1, 3], [[3, 0], [0, 0]], [2, 1]), 2, 2),
    ([5, 17, 9], false, sides([1, 7], [1, 1], [[0, 0], [3, 3]], [1, 1]), 3, 2),
    ([13, 11, 20], false, sides([2, 3], [5, 4], [[1, 1], [0, 1]], [1, 1]), 1, 2),
    ([7, 7, 32], false, sides([3, 5], [1, 1], [[2, 0], [4, 1]], [1, 1]), 2, 3),
    ([3, 2, 16], false, sides([2, 3], [1, 1], [[4, 1], [0, 3]], [1, 2]), 1, 2),
    ([1, 31, 1], true, Window::line(5, 2, 2, 1), 1, 3),
    ([1, 29, 6], false, Window::line(3, 1, 4, 4), 2, 2),
    ([1, 37, 40], false, Window::line(9, 1, 4, 1), 2, 2),
    ([1, 5, 2], true, Window::line(2, 7, 0, 1), 1, 2),
    ([1, 9, 33], false, Window::line(1, 2, 0, 1), 1, 2),
];

/// A batch, and weights and the gradient of the output for it.
struct Case {
    patches: Patches,
    outputs: usize,
    /// `[samples, height * width * pitch]`
    x: Surrounded,
    /// `[out / 16][in][16]`
    weights: Surrounded,
    bias: Option<Surrounded>,
    epilogue: Epilogue,
    /// `[samples, pixels * out]`
    dy: Surrounded,
}

impl Case {
    fn new(turn: usize) -> Case {
        let ([height, width, channels], data, window, panels, samples) = CASES[turn];
        let input =
            if data { Image::data([height, width, channels]) } else { Image::new(height, width, channels) };
        let patches = Patches { input, window };
        let pixels = window.output(input, 1).pixels();
        let x = noise(1);
        let x = |sample: usize, i: usize| if i % input.pitch < channels { x(sample, i) } else { 0.0 };
        Case {
            patches,
            outputs: panels * LANES,
            x: Surrounded::new(samples, input.columns(), turn % 3, x),
            weights: Surrounded::new(panels, patches.inputs() * LANES, 0, noise(2)),
            bias: (turn % 3 != 1).then(|| Surrounded::new(1, panels * LANES, 0, noise(3))),
            epilogue: [Epilogue::Plain, Epilogue::Relu, Epilogue::LeakyRelu { slope: 0.01 }][turn % 3],
            dy: Surrounded::new(samples, pixels * panels * LANES, turn % 4, noise(4)),
        }
    }

    fn pixels(&self) -> usize {
        self.patches.window.output(self.patches.input, 1).pixels()
    }

    /// An input of the patch at a place, 0 beyond the edge.
    fn patch(&self, sample: usize, pixel: usize, input: usize) -> f32 {
        let Patches { input: image, window } = self.patches;
        let across = window.output(image, 1).width;
        let [element, channel] = [input / image.channels, input % image.channels];
        let along = |axis: usize, place: usize, i: usize, pixels: usize| {
            let at = place * window.stride[axis] + i * window.dilation[axis];
            at.checked_sub(window.padding[axis][0]).filter(|&at| at < pixels)
        };
        let row = along(0, pixel / across, element / window.kernel[1], image.height);
        let column = along(1, pixel % across, element % window.kernel[1], image.width);
        row.zip(column).map_or(0.0, |(row, column)| {
            self.x.at(sample, (row * image.width + column) * image.pitch + channel)
        })
    }

    fn naive(&self) -> Naive {
        let weight = |i: usize, out: usize| self.weights.at(out / LANES, i * LANES + out % LANES);
        let bias = self.bias.as_ref().map(|bias| move |out| bias.at(0, out));
        let bias: Option<&dyn Fn(usize) -> f32> = bias.as_ref().map(|bias| bias as _);
        let shape = [self.x.rows * self.pixels(), self.outputs, self.patches.inputs()];
        let patch = |row: usize, i: usize| self.patch(row / self.pixels(), row % self.pixels(), i);
        let product = Naive::product(shape, patch, weight, bias);
        match self.epilogue {
            Epilogue::Plain => product,
            Epilogue::Relu => product.rectified(0.0),
            Epilogue::LeakyRelu { slope } => product.rectified(slope),
        }
    }

    fn fast(&self) -> Vec<f32> {
        let mut y = Surrounded::new(self.x.rows, self.pixels() * self.outputs, 5, |_, _| f32::NAN);
        let bias = self.bias.as_ref().map(Surrounded::slice);
        let mut scratch = vec![f32::NAN; self.patches.correlation_scratch()];
        for sample in 0..self.x.rows {
            let (y, x) = (&mut y.view_mut(), self.x.view().row(sample));
            let y = y.row(sample);
            convolve::correlate(y, x, &self.patches, self.weights.slice(), bias, self.epilogue, &mut scratch);
        }
        assert!(y.is_tidy(), "written beside the result");
        y.values()
    }

    /// `[out x pixels] * [pixels x in] -> [out x in]`, in the order of panels: `[out / 16][in][16]`.
    fn naive_gradient(&self) -> Naive {
        let (inputs, pixels) = (self.patches.inputs(), self.pixels());
        let patch = |row: usize, i: usize| self.patch(i / pixels, i % pixels, row % inputs);
        let mut naive = Naive { chain: Vec::new(), exact: Vec::new(), bounds: Vec::new() };
        for panel in 0..self.outputs / LANES {
            let dy = |i: usize, lane: usize| {
                self.dy.at(i / pixels, i % pixels * self.outputs + panel * LANES + lane)
            };
            let part = Naive::product([inputs, LANES, self.x.rows * pixels], patch, dy, None);
            naive.chain.extend(part.chain);
            naive.exact.extend(part.exact);
            naive.bounds.extend(part.bounds);
        }
        naive
    }

    /// The gradient over all samples at once, or carried on from one to the next.
    fn fast_gradient(&self, at_once: bool) -> Vec<f32> {
        let mut dw = Surrounded::new(self.outputs / LANES, self.patches.inputs() * LANES, 0, |_, _| f32::NAN);
        let mut scratch = vec![f32::NAN; self.patches.gradient_scratch()];
        let step = if at_once { self.x.rows } else { 1 };
        for first in (0..self.x.rows).step_by(step) {
            let [x, dy] =
                [&self.x, &self.dy].map(|matrix| matrix.view().block(first..first + step, 0..matrix.columns));
            convolve::gradient(dw.slice_mut(), dy, x, &self.patches, first > 0, &mut scratch);
        }
        assert!(dw.is_tidy(), "written beside the gradient");
        dw.values()
    }
}

#[test]
fn convolutions_in_place_have_the_bits_of_nested_loops() {
    let mut coverage = Coverage::default();
    for (turn, shape) in CASES.iter().enumerate() {
        let case = Case::new(turn);
        let (naive, gradient) = (case.naive(), case.naive_gradient());
        coverage.run(|isa| {
            let fail = |what: &str, error: String| panic!("{what}, {} {shape:?}: {error}", isa.name());
            naive.check_bits(&case.fast()).unwrap_or_else(|error| fail("forward", error));
            for at_once in [true, false] {
                let fast = case.fast_gradient(at_once);
                gradient.check_bits(&fast).unwrap_or_else(|error| fail("gradient", error));
                gradient.check_bounds(&fast).unwrap_or_else(|error| fail("gradient", error));
            }
        });
    }
    coverage.report("convolutions", CASES.len());
}

#[test]
fn a_wrong_pixel_or_weight_is_seen() {
    let mut case = Case::new(7);
    let (naive, gradient) = (case.naive(), case.naive_gradient());
    assert!(naive.check_bits(&case.fast()).is_ok() && gradient.check_bits(&case.fast_gradient(true)).is_ok());
    // Another pixel at the edge.
    case.x.set(1, 3, 0.75);
    assert!(
        naive.check_bits(&case.fast()).is_err() && gradient.check_bits(&case.fast_gradient(true)).is_err()
    );
    case = Case::new(7);
    case.weights.set(2, 5, 0.75);
    assert!(naive.check_bits(&case.fast()).is_err());
    case.dy.set(0, 40, 0.75);
    assert!(gradient.check_bits(&case.fast_gradient(true)).is_err());
}
