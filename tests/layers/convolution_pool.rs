//! Convolutions with 16 samples in the lanes: against the convolution by patches and the pool, whose
//! output they have bit for bit, and against the naive twins.

use crate::common::compare::{bits, widened};
use crate::common::windows::sides;
use crate::pass::{Activations, Placed, dense};
use crate::windowed::{Answer, Given, drawn, image};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::kernels::reference::image::{Convolution as Twin, Pool as PoolTwin};
use fallline::engine::layers::{Convolution, ConvolutionPool, Layer, Pool, Pooling};

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

/// A layer with its pool, the two layers that do the same, and what they are given.
struct Case {
    kernel: ConvolutionPool,
    convolution: Convolution,
    pool: Pool,
    twins: (Twin, PoolTwin),
    given: Given,
}

impl Case {
    fn new(turn: usize, first: bool, activation: Activation) -> Case {
        let (shape, window, outputs, rows) = CASES[turn];
        let [height, width, channels] = shape;
        let patches = Patches { input: image(shape, first), window };
        let (inputs, bias) = (patches.inputs(), turn % 3 != 2);
        let convolution = Convolution { patches, patch: dense(inputs, outputs, bias, activation, first) };
        let between = window.output(patches.input, outputs);
        let parameters = drawn(outputs * inputs, inputs, outputs, bias);
        let twin = Twin {
            input: [channels, height, width],
            window,
            weight: widened(&parameters[0]),
            bias: widened(&parameters[1]),
            activation,
        };
        let pool_twin = PoolTwin { input: [outputs, between.height, between.width], window: POOL, max: true };
        let kernel = ConvolutionPool::new(convolution.clone(), POOL).expect("it fits");
        Case {
            given: Given::new(&kernel, patches.input, first, rows, parameters),
            kernel,
            convolution,
            pool: Pool { input: between, pooling: Pooling::Max, window: POOL },
            twins: (twin, pool_twin),
        }
    }

    fn fast(&self) -> Answer {
        Answer::of(&self.kernel, &self.given)
    }

    /// What the two layers give.
    fn apart(&self) -> Vec<f32> {
        let placed = self.given.placed(&self.convolution);
        let between = placed.forward_at_once(&Activations::images(&self.given.x, self.given.input));
        let y = Placed::new(&self.pool, Vec::new()).forward_at_once(&between);
        y.channels(self.pool.image().unwrap())
    }

    fn agrees(&self, fast: &Answer) -> bool {
        let (x, dy, (twin, pool)) = (widened(&self.given.x), widened(&self.given.dy), &self.twins);
        let between = twin.forward(&x);
        let exact = twin.backward(&pool.backward(&dy, &between).x, &x);
        fast.agrees(&pool.forward(&between), &exact, &self.given)
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
    let right = case.fast();
    assert!(case.agrees(&right));
    assert!(right.broken().all(|wrong| !case.agrees(&wrong)));
}

/// Rows together give the bits of rows alone, whatever lanes they are in.
#[test]
fn rows_do_not_depend_on_each_other() {
    for turn in [1, 4, 7] {
        let case = Case::new(turn, false, Activation::RELU);
        case.given.rows_are_apart(&case.kernel);
    }
}

/// A gradient is carried on: the same rows a second time make it twice as large, exactly.
#[test]
fn gradients_are_carried_on() {
    for turn in [1, 6, 11] {
        let case = Case::new(turn, true, Activation::RELU);
        let placed = case.given.placed(&case.kernel);
        let x = Activations::images(&case.given.x, case.given.input);
        let mut dy = Activations::images(&case.given.dy, case.kernel.image().unwrap());
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
        case.given.parameters = vec![vec![1.0], vec![0.0]];
        case
    };
    for (x, relu_passes, taker) in
        [([1.0, 2.0, 2.0, 2.0], true, 1), ([3.0; 4], true, 0), ([-4.0, -1.0, -2.0, -1.0], false, 1)]
    {
        for activation in [Activation::RELU, Activation::IDENTITY] {
            let mut case = case(activation);
            (case.given.x, case.given.dy) = (x.to_vec(), vec![7.0]);
            let passes = relu_passes || activation == Activation::IDENTITY;
            let expected = |i| if i == taker && passes { 7.0 } else { 0.0 };
            assert_eq!(
                case.fast().gradients[0],
                (0..4).map(expected).collect::<Vec<f32>>(),
                "{x:?} {activation:?}"
            );
        }
    }
    for place in 0..4 {
        let mut case = case(Activation::RELU);
        case.given.x = (0..4).map(|i| if i == place { f32::NAN } else { i as f32 }).collect();
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
