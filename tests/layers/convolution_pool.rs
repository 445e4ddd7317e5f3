//! Convolutions with 16 samples in the lanes: against the convolution by patches and the pool, whose
//! output they have bit for bit, and against the naive twins.

use crate::common::compare::bits;
use crate::pass::{Activations, Placed, packed};
use crate::splitmix::uniform;
use crate::{close, sides, widened};
use fallline::engine::init::Init;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::kernels::reference::image::{Convolution as Twin, Pool as PoolTwin};
use fallline::engine::layers::{Convolution, ConvolutionPool, Dense, Layer, Pool, Pooling};

/// Sums of up to a few ten thousand terms in f32, relative to the largest number.
const TOLERANCE: f64 = 5e-6;

/// The pools that it takes in.
const POOL: Window = Window::plain(2, 2);

const fn window(kernel: usize, stride: usize, padding: usize) -> Window {
    Window::square(kernel, stride, padding, 1)
}

/// Height, width, channels in, window, channels out, rows: one place only, places that no pool reaches, all
/// widths of tiles, several panels of outputs, whole groups and parts of them.
const CASES: [([usize; 3], Window, usize, usize); 19] = [
    ([2, 2, 1], window(1, 1, 0), 1, 1),
    ([28, 28, 1], window(5, 1, 0), 6, 18),
    ([12, 12, 6], window(5, 1, 0), 16, 16),
    ([28, 28, 1], window(5, 1, 0), 24, 3),
    ([12, 12, 24], window(3, 1, 0), 32, 17),
    ([7, 9, 3], window(3, 1, 1), 5, 5),
    ([6, 5, 2], window(2, 1, 0), 3, 2),
    ([9, 8, 4], window(3, 1, 2), 17, 33),
    ([5, 13, 7], window(4, 1, 1), 9, 4),
    ([4, 4, 13], window(4, 1, 3), 2, 1),
    ([8, 6, 20], window(1, 1, 0), 33, 2),
    ([6, 11, 5], window(2, 1, 1), 40, 15),
    ([9, 11, 1], sides([3, 5], [1, 1], [[0, 0], [0, 0]], [1, 1]), 6, 17),
    ([7, 11, 3], sides([5, 2], [1, 1], [[2, 3], [1, 0]], [1, 1]), 9, 5),
    ([11, 6, 5], sides([1, 4], [1, 1], [[0, 1], [3, 2]], [1, 1]), 17, 3),
    ([6, 9, 4], sides([5, 1], [1, 1], [[4, 0], [0, 1]], [1, 1]), 3, 2),
    // The first layer alone may leave out places.
    ([13, 15, 3], window(3, 2, 1), 7, 6),
    ([10, 9, 2], window(2, 3, 0), 18, 16),
    ([11, 13, 3], sides([2, 3], [1, 2], [[1, 0], [2, 1]], [1, 1]), 7, 6),
];

/// A layer with its pool, the two layers that do the same, parameters, and a batch.
struct Case {
    kernel: ConvolutionPool,
    convolution: Convolution,
    pool: Pool,
    twins: (Twin, PoolTwin),
    /// `[out, channels, kernel, kernel]` and, if there is one, `[out]`
    parameters: Vec<Vec<f32>>,
    /// `[rows, channels, height, width]`
    x: Vec<f32>,
    dy: Vec<f32>,
    first: bool,
}

struct Answer {
    y: Vec<f32>,
    dx: Vec<f32>,
    parameters: Vec<Vec<f32>>,
}

impl Case {
    fn new(turn: usize, first: bool, activation: Activation) -> Case {
        let ([height, width, channels], window, outputs, rows) = CASES[turn];
        let input =
            if first { Image::data([height, width, channels]) } else { Image::new(height, width, channels) };
        let patches = Patches { input, window };
        let bias = turn % 3 != 2;
        let patch = Dense {
            inputs: patches.inputs(),
            outputs,
            bias,
            activation,
            weight_init: Init::Zeros,
            bias_init: Init::Zeros,
            input_gradient: !first,
            whole_columns: false,
            by_inputs: false,
        };
        let convolution = Convolution { patches, patch };
        let between = window.output(input, outputs);
        let bound = (3.0 / patches.inputs() as f32).sqrt();
        let weight: Vec<f32> = uniform(1, outputs * patches.inputs()).iter().map(|w| w * bound).collect();
        let biases = if bias { uniform(2, outputs) } else { vec![0.0; outputs] };
        let twin = Twin {
            input: [channels, height, width],
            window,
            weight: widened(&weight),
            bias: widened(&biases),
            activation,
        };
        let shape = [outputs, between.height, between.width];
        Case {
            kernel: ConvolutionPool::new(convolution.clone(), POOL).expect("it fits"),
            convolution,
            pool: Pool { input: between, pooling: Pooling::Max, window: POOL },
            twins: (twin, PoolTwin { input: shape, window: POOL, max: true }),
            parameters: if bias { vec![weight, biases] } else { vec![weight] },
            x: uniform(3, rows * input.features()),
            dy: uniform(4, rows * POOL.output(between, outputs).features()),
            first,
        }
    }

    fn images(&self) -> (Activations, Activations) {
        let (input, output) = (self.convolution.patches.input, self.kernel.image().unwrap());
        (Activations::images(&self.x, input), Activations::images(&self.dy, output))
    }

    fn fast(&self) -> Answer {
        let (input, output) = (self.convolution.patches.input, self.kernel.image().unwrap());
        let placed = Placed::new(&self.kernel, packed(&self.kernel, &self.parameters));
        let (x, mut dy) = self.images();
        let y = placed.forward_at_once(&x);
        let dx = placed.backward(&mut dy, &x, &y, (!self.first).then_some(input.columns()));
        let parameters = placed.gradient(&dy, &x);
        Answer { y: y.channels(output), dx: dx.map_or(Vec::new(), |dx| dx.channels(input)), parameters }
    }

    /// What the two layers give.
    fn apart(&self) -> Vec<f32> {
        let (x, _) = self.images();
        let placed = Placed::new(&self.convolution, packed(&self.convolution, &self.parameters));
        let between = placed.forward_at_once(&x);
        let y = Placed::new(&self.pool, Vec::new()).forward_at_once(&between);
        y.channels(self.pool.image().unwrap())
    }

    fn agrees(&self, fast: &Answer) -> bool {
        let (x, dy, (twin, pool)) = (widened(&self.x), widened(&self.dy), &self.twins);
        let between = twin.forward(&x);
        let exact = twin.backward(&pool.backward(&dy, &between).x, &x);
        close(&fast.y, &pool.forward(&between), TOLERANCE)
            && (self.first || close(&fast.dx, &exact.x, TOLERANCE))
            && close(&fast.parameters[0], &exact.weight, TOLERANCE)
            && fast.parameters.get(1).is_none_or(|bias| close(bias, &exact.bias, TOLERANCE))
    }
}

fn all() -> impl Iterator<Item = Case> {
    (0..CASES.len()).flat_map(|turn| {
        let strides = CASES[turn].1.stride != [1, 1];
        let activations = [Activation::RELU, Activation::IDENTITY];
        let of = move |first: bool| Case::new(turn, first, activations[(turn + usize::from(first)) % 2]);
        [false, true].into_iter().filter(move |first| *first || !strides).map(of)
    })
}

#[test]
fn the_output_is_that_of_convolution_and_pool_bit_for_bit() {
    for case in all() {
        assert_eq!(bits(&case.fast().y), bits(&case.apart()), "{:?}", case.kernel);
    }
}

#[test]
fn gradients_agree_with_the_twins() {
    for case in all() {
        assert!(case.agrees(&case.fast()), "{:?}", case.kernel);
    }
}

#[test]
fn a_broken_gradient_is_seen() {
    let case = Case::new(7, false, Activation::RELU);
    let right = || case.fast();
    let broken: [fn(&mut Answer); 6] = [
        |answer| answer.y[5] += 1e-3,
        |answer| answer.dx.swap(0, 1),
        |answer| answer.dx[9] += 1e-3,
        |answer| answer.parameters[0].swap(1, 3),
        |answer| answer.parameters[0][7] *= 1.01,
        |answer| answer.parameters[1][2] = 0.0,
    ];
    for break_it in broken {
        let mut wrong = right();
        assert!(case.agrees(&wrong));
        break_it(&mut wrong);
        assert!(!case.agrees(&wrong));
    }
}

/// Rows together give the bits of rows alone, whatever lanes they are in.
#[test]
fn rows_do_not_depend_on_each_other() {
    for turn in [1, 4, 7] {
        let case = Case::new(turn, false, Activation::RELU);
        let input = case.convolution.patches.input;
        let placed = Placed::new(&case.kernel, packed(&case.kernel, &case.parameters));
        let image = case.kernel.image().unwrap();
        let row = |x: &[f32]| placed.forward_at_once(&Activations::images(x, input)).channels(image);
        let by_row: Vec<f32> = case.x.chunks(input.features()).flat_map(row).collect();
        assert_eq!(bits(&row(&case.x)), bits(&by_row));
    }
}

/// A gradient is carried on: the same rows a second time make it twice as large, exactly.
#[test]
fn gradients_are_carried_on() {
    for turn in [1, 6, 11] {
        let case = Case::new(turn, true, Activation::RELU);
        let placed = Placed::new(&case.kernel, packed(&case.kernel, &case.parameters));
        let (x, mut dy) = case.images();
        let y = placed.forward_at_once(&x);
        placed.backward(&mut dy, &x, &y, None);
        let once = placed.gradient(&dy, &x);
        let twice = placed.gradient_twice(&dy, &x);
        for (once, twice) in once.iter().zip(&twice) {
            let same =
                once.iter().zip(twice).all(|(once, twice)| (2.0 * once - twice).abs() <= 1e-5 * once.abs());
            assert!(same && once.iter().any(|&x| x != 0.0), "{:?}", case.kernel);
        }
    }
}

/// What is largest, what takes its gradient, and what does not get lost.
#[test]
fn the_first_of_equal_numbers_takes_the_gradient() {
    let case = |activation| {
        let mut case = Case::new(0, false, activation);
        case.parameters = vec![vec![1.0], vec![0.0]];
        case
    };
    for (x, relu_passes, taker) in
        [([1.0, 2.0, 2.0, 2.0], true, 1), ([3.0; 4], true, 0), ([-4.0, -1.0, -2.0, -1.0], false, 1)]
    {
        for activation in [Activation::RELU, Activation::IDENTITY] {
            let mut case = case(activation);
            (case.x, case.dy) = (x.to_vec(), vec![7.0]);
            let passes = relu_passes || activation == Activation::IDENTITY;
            let expected = |i| if i == taker && passes { 7.0 } else { 0.0 };
            assert_eq!(case.fast().dx, (0..4).map(expected).collect::<Vec<f32>>(), "{x:?} {activation:?}");
        }
    }
    for place in 0..4 {
        let mut case = case(Activation::RELU);
        case.x = (0..4).map(|i| if i == place { f32::NAN } else { i as f32 }).collect();
        assert!(case.fast().y[0].is_nan(), "a NaN at {place} is lost");
    }
}

/// What it does not do is left to other layers.
#[test]
fn what_does_not_fit_is_refused() {
    let new = |turn: usize, change: &dyn Fn(&mut Convolution, &mut Window)| {
        let (mut convolution, mut pool) = (Case::new(turn, false, Activation::RELU).convolution, POOL);
        change(&mut convolution, &mut pool);
        ConvolutionPool::new(convolution, pool).is_some()
    };
    assert!(new(1, &|_, _| {}));
    assert!(!new(1, &|_, pool| pool.kernel = [2, 3]));
    assert!(!new(1, &|_, pool| pool.stride = [2, 1]));
    assert!(!new(1, &|_, pool| pool.padding = [[0, 1], [0, 0]]));
    assert!(!new(1, &|convolution, _| convolution.patch.activation = Activation::TANH));
    assert!(!new(1, &|convolution, _| convolution.patches.window.dilation = [1, 2]));
    assert!(!new(1, &|convolution, _| convolution.patches.window.stride = [2, 1]));
    assert!(new(1, &|convolution, _| {
        (convolution.patches.window.stride, convolution.patch.input_gradient) = ([1, 2], false);
    }));
    assert!(!new(1, &|convolution, _| convolution.patches.input = Image::new(28, 28, 64)));
    assert!(!new(1, &|convolution, _| convolution.patches.input = Image::new(500, 500, 1)));
}
