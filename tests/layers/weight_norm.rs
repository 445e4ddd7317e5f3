//! Dense layers with normalised weights: against the naive twin, which is held against finite
//! differences, and against the numbers of PyTorch in `tests/golden/weight_norm.json`, which
//! `scripts/golden/weight_norm.py` made.

use crate::activations;
use crate::common::compare::{close, widened};
use crate::common::golden::{self, count, numbers, text};
use crate::common::splitmix::{self, uniform};
use crate::pass::{Activations, Placed, packed, storage_len};
use fallline::engine::init::Init;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::reference::{self, numeric_gradient};
use fallline::engine::layers::{Dense, Derived, Forward, Layer, Sharding, WeightNorm};
use fallline::engine::tensor::padded;

/// Sums of up to 300 terms in f32, relative to the largest number.
const TOLERANCE: f64 = 5e-6;

/// The seed of g in the golden file.
const LENGTHS: u64 = 500;

/// A layer with parameters, and a batch for it.
struct Case {
    layer: WeightNorm,
    inputs: usize,
    outputs: usize,
    activation: Activation,
    /// `[out, in]`
    v: Vec<f32>,
    /// `[out]`, or empty
    bias: Vec<f32>,
    /// `[out]`
    g: Vec<f32>,
    /// `[rows, in]`
    x: Vec<f32>,
    /// `[rows, out]`
    dy: Vec<f32>,
}

/// What the layer makes of a batch.
#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    dx: Vec<f32>,
    dg: Vec<f32>,
    dv: Vec<f32>,
    db: Vec<f32>,
}

impl Case {
    fn new([rows, inputs, outputs]: [usize; 3], bias: bool, activation: Activation) -> Case {
        let (weight_init, bias_init) = (Init::KaimingUniform { gain: 1.0 }, Init::Zeros);
        let (input_gradient, whole_columns) = (true, false);
        let dense = Dense {
            inputs,
            outputs,
            bias,
            activation,
            weight_init,
            bias_init,
            input_gradient,
            whole_columns,
            by_inputs: false,
            sparse_input: false,
        };
        Case {
            layer: WeightNorm::new(dense),
            inputs,
            outputs,
            activation,
            v: splitmix::weights(0, outputs, inputs),
            bias: if bias { splitmix::biases(0, outputs) } else { Vec::new() },
            g: uniform(LENGTHS, outputs),
            x: uniform(splitmix::INPUTS, rows * inputs),
            dy: uniform(splitmix::GRADIENTS, rows * outputs),
        }
    }

    fn storage(&self) -> Vec<f32> {
        let bias = (!self.bias.is_empty()).then(|| self.bias.clone());
        let parameters: Vec<_> =
            [Some(self.v.clone()), bias, Some(self.g.clone())].into_iter().flatten().collect();
        packed(&self.layer, &parameters)
    }

    fn fast(&self) -> Answer {
        let placed = Placed::new(&self.layer, self.storage());
        let x = Activations::padded(&self.x, self.inputs);
        let y = placed.forward_at_once(&x);
        let mut dy = Activations::padded(&self.dy, self.outputs);
        let dx = placed.backward(&mut dy, &x, &y, Some(self.inputs)).expect("it was asked for");
        let mut gradients = placed.gradient(&dy, &x);
        let dg = gradients.pop().expect("of g");
        let db = if self.bias.is_empty() { Vec::new() } else { gradients.pop().expect("of the bias") };
        let dv = gradients.pop().expect("of v");
        Answer { y: y.features(self.outputs), dx: dx.features(self.inputs), dg, dv, db }
    }

    fn twin(&self) -> reference::WeightNorm {
        let bias = if self.bias.is_empty() { vec![0.0; self.outputs] } else { widened(&self.bias) };
        reference::WeightNorm { g: widened(&self.g), v: widened(&self.v), bias, activation: self.activation }
    }

    /// Whether an answer is that of the twin.
    fn agrees(&self, fast: &Answer) -> bool {
        let (twin, x) = (self.twin(), widened(&self.x));
        let exact = twin.backward(&widened(&self.dy), &x);
        let db = if self.bias.is_empty() { Vec::new() } else { exact.bias };
        close(&fast.y, &twin.forward(&x), TOLERANCE)
            && close(&fast.dx, &exact.x, TOLERANCE)
            && close(&fast.dg, &exact.g, TOLERANCE)
            && close(&fast.dv, &exact.v, TOLERANCE)
            && close(&fast.db, &db, TOLERANCE)
    }
}

/// Each part of an answer broken in a way of its own.
const BREAKS: [fn(&mut Answer); 7] = [
    |answer| answer.y[4] += 1e-3,
    |answer| answer.dx.swap(0, 7),
    |answer| answer.dg[2] *= 1.001,
    |answer| answer.dg.iter_mut().for_each(|dg| *dg = -*dg),
    |answer| answer.dv[6] += 1e-3,
    |answer| answer.dv.swap(1, 7),
    |answer| answer.db[1] = 0.0,
];

#[test]
fn normalised_layers_agree_with_their_twin() {
    let mut turn = 0;
    for rows in [1, 17, 300] {
        for inputs in [1, 3, 16, 33, 113, 225] {
            for outputs in [1, 10, 16, 33, 65] {
                let fused =
                    activations().into_iter().filter(|activation| activation.derivative_from_output());
                let activation = fused.clone().cycle().nth(turn).expect("a cycle");
                turn += 1;
                let case = Case::new([rows, inputs, outputs], turn % 3 > 0, activation);
                assert!(case.agrees(&case.fast()), "{rows} {inputs} {outputs} {activation:?}");
            }
        }
    }
    let case = Case::new([4, 7, 5], true, Activation::TANH);
    for break_it in BREAKS {
        let mut wrong = case.fast();
        break_it(&mut wrong);
        assert!(case.agrees(&case.fast()) && !case.agrees(&wrong));
    }
}

#[test]
fn normalised_layers_agree_with_pytorch() {
    let file = golden::read("weight_norm.json");
    assert_eq!(golden::cases(&file).len(), 4);
    for golden in golden::cases(&file) {
        let activation = match text(&golden["activation"]) {
            "tanh" => Activation::TANH,
            "relu" => Activation::RELU,
            "sigmoid" => Activation::SIGMOID,
            _ => Activation::IDENTITY,
        };
        let shape = ["rows", "in", "out"].map(|key| count(&golden[key]));
        let case = Case::new(shape, true, activation);
        let agrees = |answer: &Answer| {
            let part = |values: &[f32], key: &str| close(values, &numbers(&golden[key]), 2e-6);
            part(&answer.y, "y")
                && part(&answer.dx, "dx")
                && part(&answer.dg, "dg")
                && part(&answer.dv, "dv")
                && part(&answer.db, "db")
        };
        let right = case.fast();
        assert!(agrees(&right), "{golden}");
        // A dead output has no gradient to break.
        if shape[1] > 1 && activation != Activation::RELU {
            for break_it in BREAKS {
                let mut wrong = right.clone();
                break_it(&mut wrong);
                assert!(!agrees(&wrong));
            }
        }
        // g begins as the norm of v.
        let mut storage = case.storage();
        case.layer.complete(&mut storage);
        let lengths = case.layer.parameters().pop().expect("g");
        let initial = &storage[lengths.range][..case.outputs];
        assert!(close(initial, &numbers(&golden["initial_g"]), 1e-6));
        assert!(!close(&case.g, &numbers(&golden["initial_g"]), 1e-6));
        let mut names: Vec<String> =
            case.layer.parameters().into_iter().map(|spec| spec.name.to_string()).collect();
        names.sort();
        let theirs: Vec<&str> = golden["names"].as_array().expect("names").iter().map(text).collect();
        assert_eq!(names, theirs);
    }
}

/// Outside of training, what is derived for the forward pass alone is what training derives.
#[test]
fn the_forward_pass_alone_derives_the_same() {
    for bias in [false, true] {
        let case = Case::new([17, 113, 33], bias, Activation::RELU);
        let storage = case.storage();
        let mut derived = vec![f32::NAN; case.layer.forward_derived_len()];
        case.layer.derive_forward(&mut derived, &storage);
        let x = Activations::padded(&case.x, case.inputs);
        let mut y = Activations::unwritten(x.rows, case.outputs);
        let columns = 0..padded(case.outputs);
        case.layer.forward(Forward {
            y: y.view_mut(columns.clone()),
            x: x.view(),
            storage: &storage,
            derived: &derived,
            columns,
            scratch: &mut [],
            training: None,
            lengths: &[],
            carried: None,
        });
        assert_eq!(y.features(case.outputs), case.fast().y);
    }
}

#[test]
fn the_naive_layer_has_the_gradients_of_its_output() {
    for activation in activations() {
        for shape in [[1, 1, 1], [3, 5, 4], [1, 7, 2], [6, 1, 3]] {
            let case = Case::new(shape, true, activation);
            let (twin, x, dy) = (case.twin(), widened(&case.x), widened(&case.dy));
            let loss = |twin: &reference::WeightNorm, x: &[f64]| -> f64 {
                twin.forward(x).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
            };
            const STEP: f64 = 1e-6;
            let by_x = numeric_gradient(|x| loss(&twin, x), &x, STEP);
            let with_g = |g: &[f64]| reference::WeightNorm { g: g.to_vec(), ..twin.clone() };
            let by_g = numeric_gradient(|g| loss(&with_g(g), &x), &twin.g, STEP);
            let with_v = |v: &[f64]| reference::WeightNorm { v: v.to_vec(), ..twin.clone() };
            let by_v = numeric_gradient(|v| loss(&with_v(v), &x), &twin.v, STEP);
            let with_bias = |bias: &[f64]| reference::WeightNorm { bias: bias.to_vec(), ..twin.clone() };
            let by_bias = numeric_gradient(|bias| loss(&with_bias(bias), &x), &twin.bias, STEP);
            let exact = twin.backward(&dy, &x);
            let near = |numeric: &[f64], gradient: &[f64]| {
                let close = |(n, g): (&f64, &f64)| (n - g).abs() <= 1e-6 * g.abs().max(1.0);
                numeric.len() == gradient.len() && numeric.iter().zip(gradient).all(close)
            };
            let all = [(by_x, exact.x), (by_g, exact.g), (by_v, exact.v), (by_bias, exact.bias)];
            for (numeric, gradient) in all {
                assert!(near(&numeric, &gradient), "{activation:?} {shape:?}: {numeric:?} {gradient:?}");
                let moved: Vec<f64> = gradient.iter().map(|g| g + 1e-5).collect();
                assert!(!near(&numeric, &moved));
            }
        }
    }
}

#[test]
fn shards_own_whole_columns() {
    for (inputs, outputs, bias) in [(1, 1, true), (784, 10, true), (113, 225, true), (784, 512, false)] {
        let layer = Case::new([1, inputs, outputs], bias, Activation::IDENTITY).layer;
        let owned: usize = (0..layer.shards()).map(|shard| layer.shard_len(shard)).sum();
        assert_eq!(owned, storage_len(&layer));
        assert_eq!(owned, padded(outputs) * (inputs + 1 + usize::from(bias)));
        assert_eq!(layer.shards(), padded(outputs).div_ceil(32) + usize::from(bias));
    }
}
