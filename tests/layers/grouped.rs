//! Convolutions in groups, and depthwise ones, against their naive twin, and this against finite
//! differences.

use crate::common::compare::{are_gradients, bits, close, widened};
use crate::common::isa::on_each;
use crate::common::splitmix::uniform;
use crate::common::windows::{sides, window};
use crate::pass::{Activations, columns, dense, packed, storage_len};
use crate::windowed::{Answer, Given, SOME_ACTIVATIONS, TOLERANCE, drawn, image, numeric};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{Image, Patches, Window};
use fallline::engine::kernels::reference::grouped::Grouped as Twin;
use fallline::engine::layers::{Depthwise, Forward, Grouped, Layer, Partitioning, Role, RowsGradient};

/// Height, width, channels in, window, groups, channels out, rows.
type Shape = ([usize; 3], Window, usize, usize, usize);

/// One kernel for each channel, of every size that has loops of its own and of others; strides, paddings
/// as wide as the kernel and wider, dilations, windows beyond the image on both sides, odd sizes, whole
/// vectors of channels and parts of them, several outputs for each channel.
const DEPTHWISE: [Shape; 27] = [
    ([5, 5, 2], window(3, 1, 1, 1), 2, 2, 1),
    ([28, 28, 32], window(3, 1, 1, 1), 32, 32, 2),
    ([14, 14, 64], window(3, 2, 1, 1), 64, 64, 2),
    ([7, 9, 17], window(5, 1, 2, 1), 17, 17, 3),
    ([9, 7, 16], window(5, 2, 2, 1), 16, 16, 2),
    ([8, 8, 5], window(2, 2, 0, 1), 5, 5, 3),
    ([6, 5, 33], window(1, 1, 0, 1), 33, 33, 2),
    ([6, 7, 20], window(1, 3, 0, 1), 20, 20, 1),
    ([11, 12, 18], window(4, 3, 2, 1), 18, 18, 2),
    ([9, 10, 16], window(7, 1, 3, 1), 16, 16, 2),
    ([13, 11, 6], window(3, 1, 2, 2), 6, 6, 2),
    ([13, 11, 6], window(3, 3, 3, 3), 6, 6, 1),
    // The frame is wider than the kernel: some places see nothing of the image.
    ([4, 3, 3], window(3, 1, 4, 1), 3, 3, 2),
    ([3, 4, 2], window(2, 2, 3, 1), 2, 2, 2),
    ([1, 1, 2], window(3, 1, 1, 1), 2, 2, 1),
    // Several outputs for each channel.
    ([6, 7, 3], window(3, 1, 1, 1), 3, 6, 2),
    ([7, 6, 16], window(3, 2, 1, 1), 16, 48, 1),
    ([5, 8, 5], window(5, 1, 2, 1), 5, 35, 3),
    // Sides that differ: kernels with loops of their own and others, strides along one side, gaps along one side.
    ([11, 7, 6], sides([3, 3], [2, 1], [[1, 0], [1, 1]], [1, 1]), 6, 6, 2),
    ([7, 13, 17], sides([3, 3], [1, 2], [[2, 1], [0, 3]], [1, 2]), 17, 17, 2),
    ([9, 7, 5], sides([5, 5], [1, 1], [[4, 0], [1, 2]], [1, 1]), 5, 5, 1),
    ([11, 13, 16], sides([3, 5], [1, 1], [[1, 1], [2, 2]], [1, 1]), 16, 16, 2),
    ([13, 7, 20], sides([5, 2], [2, 3], [[3, 1], [0, 1]], [1, 1]), 20, 20, 2),
    ([7, 11, 3], sides([1, 4], [3, 1], [[0, 0], [2, 1]], [1, 2]), 3, 6, 2),
    ([11, 5, 3], sides([4, 1], [3, 2], [[1, 2], [0, 0]], [2, 1]), 3, 3, 2),
    ([1, 31, 18], Window::line(7, 1, 3, 1), 18, 18, 2),
    ([1, 29, 4], Window::line(3, 2, 1, 1), 4, 8, 2),
];

/// Groups of one channel and of several, of whole vectors of channels and of parts.
const GROUPED: [Shape; 14] = [
    ([5, 5, 4], window(3, 1, 1, 1), 2, 4, 1),
    ([12, 12, 32], window(3, 1, 1, 1), 2, 32, 2),
    ([7, 9, 6], window(3, 2, 1, 1), 3, 12, 3),
    ([9, 7, 20], window(2, 1, 0, 2), 5, 10, 2),
    ([10, 11, 36], window(3, 3, 1, 1), 2, 34, 2),
    ([6, 5, 12], window(1, 1, 0, 1), 4, 20, 3),
    ([6, 7, 32], window(1, 2, 0, 1), 2, 64, 2),
    ([8, 8, 64], window(3, 1, 1, 1), 16, 64, 1),
    ([3, 4, 4], window(1, 1, 1, 1), 2, 2, 2),
    ([13, 6, 6], window(5, 1, 4, 2), 2, 40, 1),
    ([11, 7, 6], sides([3, 2], [2, 1], [[1, 0], [1, 2]], [1, 1]), 3, 12, 2),
    ([7, 13, 36], sides([1, 5], [1, 1], [[0, 0], [2, 2]], [1, 1]), 2, 34, 2),
    ([13, 5, 8], sides([5, 1], [1, 2], [[0, 3], [0, 0]], [1, 1]), 4, 4, 1),
    ([1, 31, 8], Window::line(3, 1, 1, 2), 4, 16, 3),
];

fn shapes() -> impl Iterator<Item = (usize, Shape)> {
    DEPTHWISE.into_iter().chain(GROUPED).enumerate()
}

/// A layer, and what it is given.
struct Case {
    layer: Box<dyn Layer>,
    twin: Twin,
    given: Given,
}

impl Case {
    fn new(turn: usize, shape: Shape, first: bool, activation: Activation) -> Case {
        let (shape, window, groups, outputs, rows) = shape;
        let [height, width, channels] = shape;
        let input = image(shape, first);
        let (inputs, bias) = (Patches { input, window }.inputs() / groups, turn % 3 != 1);
        let patch = dense(inputs, outputs, bias, activation, first);
        let layer: Box<dyn Layer> = if groups == channels {
            Box::new(Depthwise { input, window, patch })
        } else {
            Box::new(Grouped::new(input, groups, window, patch))
        };
        let parameters = drawn(outputs * inputs, inputs, outputs, bias);
        let twin = Twin {
            input: [channels, height, width],
            groups,
            window,
            weight: widened(&parameters[0]),
            bias: widened(&parameters[1]),
            activation,
        };
        Case { given: Given::new(layer.as_ref(), input, first, rows, parameters), layer, twin }
    }

    fn fast(&self) -> Answer {
        Answer::of(self.layer.as_ref(), &self.given)
    }

    fn agrees(&self, fast: &Answer) -> bool {
        let x = widened(&self.given.x);
        fast.agrees(&self.twin.forward(&x), &self.twin.backward(&widened(&self.given.dy), &x), &self.given)
    }
}

#[test]
fn convolutions_in_groups_agree_with_their_twin() {
    for (turn, shape) in shapes() {
        for first in [false, true] {
            let activation = SOME_ACTIVATIONS[(turn + usize::from(first)) % SOME_ACTIVATIONS.len()];
            let case = Case::new(turn, shape, first, activation);
            assert!(case.agrees(&case.fast()), "{shape:?} {first} {activation:?}");
        }
    }
}

/// On every instruction set the same bits.
#[test]
fn depthwise_convolutions_do_not_depend_on_the_instruction_set() {
    use fallline::engine::kernels::convolution::depthwise::{self, Depthwise as Kernel};
    use fallline::engine::kernels::products::gemm::Epilogue;
    for (_, ([height, width, channels], window, ..)) in shapes().take(DEPTHWISE.len()) {
        let shape = Kernel { input: Image::new(height, width, channels), window };
        let (inputs, outputs) = (shape.input.columns(), shape.output().columns());
        let (x, dy, weights) = (uniform(1, inputs), uniform(2, outputs), uniform(3, shape.weights_len()));
        let bias = uniform(4, shape.input.pitch);
        let mut all = Vec::new();
        on_each(|_| {
            let (mut y, mut dx, mut dw) = (vec![0.0; outputs], vec![9.0; inputs], vec![9.0; weights.len()]);
            depthwise::forward(&mut y, &x, &weights, Some(&bias), shape, Epilogue::LeakyRelu { slope: 0.1 });
            depthwise::input_gradient(&mut dx, &dy, &weights, shape);
            depthwise::weight_gradient(&mut dw, &dy, &x, shape, false);
            all.push(bits(&[y, dx, dw].concat()));
        });
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{shape:?}");
    }
}

/// The gradient of the input, bit for bit: each place adds to the pixels under it, in their order.
#[test]
fn gradients_of_depthwise_inputs_are_summed_in_the_order_of_the_places() {
    use fallline::engine::kernels::convolution::depthwise::{self, Depthwise as Kernel};
    let more = [(4, 2, 1, 1), (6, 2, 2, 1), (5, 3, 4, 2), (3, 2, 2, 2), (2, 3, 0, 1), (7, 4, 3, 1)]
        .map(|(kernel, stride, padding, dilation)| window(kernel, stride, padding, dilation));
    let rectangles = [
        sides([4, 6], [2, 3], [[1, 0], [2, 2]], [1, 1]),
        sides([3, 2], [1, 4], [[1, 1], [0, 3]], [2, 1]),
        sides([1, 7], [3, 2], [[0, 0], [3, 3]], [1, 1]),
        sides([5, 3], [4, 1], [[2, 4], [1, 1]], [1, 3]),
    ];
    let more = more.into_iter().chain(rectangles).map(|window| ([16, 29, 21], window));
    let shapes = DEPTHWISE.map(|(image, window, ..)| (image, window)).into_iter().chain(more);
    for ([height, width, channels], window) in shapes {
        let shape = Kernel { input: Image::new(height, width, channels), window };
        let (input, output) = (shape.input, shape.output());
        let (dy, weights) = (uniform(2, output.columns()), uniform(3, shape.weights_len()));
        let mut expected = vec![0.0f32; input.columns()];
        let taps = window.area();
        for place in 0..output.pixels() {
            for tap in 0..taps {
                let at = |axis: usize, place: usize, tap: usize, pixels: usize| {
                    let at = place * window.stride[axis] + tap * window.dilation[axis];
                    at.checked_sub(window.padding[axis][0]).filter(|at| *at < pixels)
                };
                let y = at(0, place / output.width, tap / window.kernel[1], height);
                let x = at(1, place % output.width, tap % window.kernel[1], width);
                let Some((y, x)) = y.zip(x) else { continue };
                for channel in 0..input.pitch {
                    let weight = weights[(channel / 16 * taps + tap) * 16 + channel % 16];
                    let dx = &mut expected[(y * width + x) * input.pitch + channel];
                    *dx = weight.mul_add(dy[place * input.pitch + channel], *dx);
                }
            }
        }
        let mut dx = vec![9.0; input.columns()];
        depthwise::input_gradient(&mut dx, &dy, &weights, shape);
        assert_eq!(bits(&dx), bits(&expected), "{shape:?}");
    }
}

#[test]
fn a_broken_gradient_is_seen() {
    for (turn, shape) in [(0, DEPTHWISE[15]), (0, GROUPED[2])] {
        let case = Case::new(turn, shape, false, Activation::RELU);
        let right = case.fast();
        assert!(case.agrees(&right));
        assert!(right.broken().all(|wrong| !case.agrees(&wrong)));
        // Channels that belong to other groups would show.
        let mut other = Case::new(turn, shape, false, Activation::RELU);
        other.twin.groups = 1;
        other.twin.weight = other.twin.weight.repeat(shape.2);
        assert!(!close(&right.y, &other.twin.forward(&widened(&other.given.x)), TOLERANCE));
    }
}

/// Rows together give the bits of rows alone, and gradients are summed in the order of the rows.
#[test]
fn rows_do_not_depend_on_each_other() {
    for shape in [DEPTHWISE[3], DEPTHWISE[5], DEPTHWISE[17], GROUPED[2], GROUPED[5]] {
        let case = Case::new(0, shape, false, Activation::RELU);
        case.given.rows_are_apart(case.layer.as_ref());
        let (given, image) = (&case.given, case.layer.image().unwrap());
        let (x, dy) = (Activations::images(&given.x, given.input), Activations::images(&given.dy, image));
        let storage = packed(case.layer.as_ref(), &given.parameters);
        let sums = |cuts: &[usize]| {
            let mut out = vec![f32::NAN; storage_len(case.layer.as_ref())];
            for rows in cuts.windows(2) {
                let x = x.view().block(rows[0]..rows[1], 0..x.columns);
                let dy = dy.view().block(rows[0]..rows[1], 0..dy.columns);
                let mut scratch = vec![f32::NAN; case.layer.scratch_len()];
                let (out, scratch, accumulate) = (&mut out, &mut scratch, rows[0] > 0);
                case.layer.gradient(RowsGradient { out, dy, x, accumulate, storage: &storage, scratch });
            }
            bits(&out)
        };
        assert_eq!(sums(&[0, 3]), sums(&[0, 1, 2, 3]), "{shape:?}");
    }
}

#[test]
fn the_twin_has_the_gradients_of_its_output() {
    for shape in [0, 5, 10, 12, 13, 14, 15, 18, 23, 24]
        .map(|i| DEPTHWISE[i])
        .into_iter()
        .chain([0, 2, 8, 10].map(|i| GROUPED[i]))
    {
        let case = Case::new(0, shape, false, Activation::TANH);
        let (x, dy, twin) = (widened(&case.given.x), widened(&case.given.dy), &case.twin);
        let mut right = twin.backward(&dy, &x);
        let by = numeric([&x, &twin.weight, &twin.bias], &dy, |[x, weight, bias]| {
            Twin { weight: weight.to_vec(), bias: bias.to_vec(), ..twin.clone() }.forward(x)
        });
        assert!(are_gradients(&by[0], &right.x), "{shape:?}");
        assert!(are_gradients(&by[1], &right.weight) && are_gradients(&by[2], &right.bias), "{shape:?}");
        right.weight[0] += 1e-4;
        assert!(!are_gradients(&by[1], &right.weight));
    }
}

/// Shards cover all parameters once, weights and bias apart where whole columns are asked for; what is
/// derived for the forward pass alone is what training derives.
#[test]
fn shards_own_all_parameters_once() {
    for (turn, shape) in shapes() {
        for whole in [false, true] {
            let case = Case::new(turn, shape, false, Activation::RELU);
            let layer = &case.layer;
            let wanted = Partitioning { whole_columns: whole, by_inputs: false, sparse_input: false };
            let sharding = layer.partition(wanted).unwrap();
            let mut owned = vec![0; storage_len(layer.as_ref())];
            for shard in 0..sharding.shards() {
                let parts = sharding.shard_parts(shard);
                assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), sharding.shard_len(shard));
                parts.iter().for_each(|part| owned[part.clone()].iter_mut().for_each(|n| *n += 1));
                if whole {
                    let bias = layer.parameters().get(1).is_some_and(|bias| parts[0] == bias.range);
                    assert_eq!(sharding.shard_roles(shard)[0], if bias { Role::Bias } else { Role::Weights });
                }
            }
            assert!(owned.iter().all(|&n| n == 1), "{shape:?} {whole}");
            assert!(case.agrees(&case.fast()), "{shape:?} {whole}");
            let storage = packed(layer.as_ref(), &case.given.parameters);
            let derives = layer.derived();
            let mut derived = vec![f32::NAN; derives.map_or(0, |derives| derives.forward_derived_len())];
            if let Some(derives) = derives {
                derives.derive_forward(&mut derived, &storage);
            }
            let x = Activations::images(&case.given.x, case.given.input);
            let mut y = Activations::unwritten(x.rows, columns(layer.as_ref()));
            let mut scratch = vec![f32::NAN; layer.scratch_len()];
            let columns = 0..columns(layer.as_ref());
            layer.forward(Forward {
                y: y.view_mut(columns.clone()),
                x: x.view(),
                storage: &storage,
                derived: &derived,
                columns,
                scratch: &mut scratch,
                training: None,
                lengths: &[],
                carried: None,
            });
            assert_eq!(bits(&y.channels(layer.image().unwrap())), bits(&case.fast().y));
        }
    }
}
