//! The dense layer against its naive twin.

use crate::activations;
use crate::common::compare::{bits, close, widened};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, dense, packed, storage_len};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::reference;
use fallline::engine::layers::{Dense, Sharding};
use fallline::engine::tensor::{LANES, padded};

const BATCHES: [usize; 4] = [1, 2, 17, 300];
const FEATURES: [usize; 8] = [1, 3, 10, 16, 17, 33, 113, 225];

/// Sums of up to 300 terms in f32, relative to the largest number.
const TOLERANCE: f64 = 3e-6;

/// What tells one case from another.
#[derive(Clone, Copy, Debug)]
struct Config {
    rows: usize,
    inputs: usize,
    outputs: usize,
    bias: bool,
    activation: Activation,
    first: bool,
    whole: bool,
}

/// A dense layer with parameters, and a batch for it.
struct Case {
    config: Config,
    layer: Dense,
    /// `[out, in]` and, if there is one, `[out]`
    parameters: Vec<Vec<f32>>,
    /// `[rows, in]`
    x: Vec<f32>,
    /// `[rows, out]`
    dy: Vec<f32>,
}

/// What a layer makes of a batch.
#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    /// Empty for the first layer.
    dx: Vec<f32>,
    dweight: Vec<f32>,
    /// Empty without a bias.
    dbias: Vec<f32>,
}

impl Case {
    fn new(config: Config) -> Case {
        let Config { rows, inputs, outputs, bias, activation, first, whole } = config;
        let products = dense(inputs, outputs, bias, activation, first);
        let layer = Dense { whole_columns: whole, by_inputs: (rows + inputs) % 2 == 0, ..products };
        let bound = (3.0 / inputs as f32).sqrt();
        let mut parameters = vec![uniform(1, outputs * inputs).into_iter().map(|w| w * bound).collect()];
        if bias {
            parameters.push(uniform(2, outputs));
        }
        Case { config, layer, parameters, x: uniform(3, rows * inputs), dy: uniform(4, rows * outputs) }
    }

    fn placed(&self) -> Placed<'_> {
        Placed::new(&self.layer, packed(&self.layer, &self.parameters))
    }

    fn x(&self) -> Activations {
        let form = if self.config.first { Activations::data } else { Activations::padded };
        form(&self.x, self.config.inputs)
    }

    fn fast(&self) -> Answer {
        let Config { inputs, outputs, first, .. } = self.config;
        let (placed, x) = (self.placed(), self.x());
        let y = placed.forward_at_once(&x);
        let mut dy = Activations::padded(&self.dy, outputs);
        let dx = placed.backward(&mut dy, &x, &y, (!first).then_some(inputs));
        let mut gradients = placed.gradient(&dy, &x).into_iter();
        Answer {
            y: y.features(outputs),
            dx: dx.map_or(Vec::new(), |dx| dx.features(inputs)),
            dweight: gradients.next().expect("a weight"),
            dbias: gradients.next().unwrap_or_default(),
        }
    }

    /// Whether an answer is that of the twin.
    fn agrees(&self, fast: &Answer) -> bool {
        let zeros = || vec![0.0; self.config.outputs];
        let twin = reference::Dense {
            weight: widened(&self.parameters[0]),
            bias: self.parameters.get(1).map_or_else(zeros, |bias| widened(bias)),
            activation: self.config.activation,
        };
        let x = widened(&self.x);
        let exact = twin.backward(&widened(&self.dy), &x);
        close(&fast.y, &twin.forward(&x), TOLERANCE)
            && (self.config.first || close(&fast.dx, &exact.x, TOLERANCE))
            && close(&fast.dweight, &exact.weight, TOLERANCE)
            && (!self.config.bias || close(&fast.dbias, &exact.bias, TOLERANCE))
    }
}

/// The activations that a dense layer computes itself.
fn fused() -> impl Iterator<Item = Activation> {
    activations().into_iter().filter(|activation| activation.derivative_from_output())
}

/// All batch sizes and features; activation, bias and place in the network by turns.
fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    let mut activations = fused().collect::<Vec<_>>().into_iter().cycle();
    for rows in BATCHES {
        for inputs in FEATURES {
            for outputs in FEATURES {
                let turn = configs.len();
                let activation = activations.next().expect("a cycle");
                configs.push(Config {
                    rows,
                    inputs,
                    outputs,
                    bias: turn % 3 > 0,
                    activation,
                    first: turn % 5 == 0,
                    whole: turn % 2 == 0,
                });
            }
        }
    }
    for activation in fused() {
        for (bias, first) in [(false, false), (false, true), (true, false), (true, true)] {
            for (rows, inputs, outputs) in [(17, 10, 33), (2, 113, 17)] {
                for whole in [false, true] {
                    configs.push(Config { rows, inputs, outputs, bias, activation, first, whole });
                }
            }
        }
    }
    configs
}

#[test]
fn dense_layers_agree_with_their_twin() {
    for config in configs() {
        let case = Case::new(config);
        assert!(case.agrees(&case.fast()), "{config:?}");
    }
}

#[test]
fn a_broken_gradient_is_seen() {
    let config = Config {
        rows: 17,
        inputs: 33,
        outputs: 17,
        bias: true,
        activation: Activation::RELU,
        first: false,
        whole: false,
    };
    let case = Case::new(config);
    let right = case.fast();
    assert!(case.agrees(&right));
    let broken: [fn(&mut Answer); 5] = [
        |answer| answer.y[5] += 1e-3,
        |answer| answer.dx[100] += 1e-3,
        |answer| answer.dweight[33] += 1e-3,
        |answer| answer.dweight.swap(1, 33),
        |answer| answer.dbias[16] = 0.0,
    ];
    for break_it in broken {
        let mut wrong = right.clone();
        break_it(&mut wrong);
        assert!(!case.agrees(&wrong));
    }
}

#[test]
fn a_forgotten_row_is_seen() {
    let config = Config {
        rows: 17,
        inputs: 10,
        outputs: 16,
        bias: true,
        activation: Activation::IDENTITY,
        first: true,
        whole: false,
    };
    let case = Case::new(config);
    let mut answer = case.fast();
    let dy = Activations::padded(&case.dy[..16 * 16], 16);
    let x = Activations::data(&case.x[..16 * 10], 10);
    answer.dweight = case.placed().gradient(&dy, &x).swap_remove(0);
    assert!(!case.agrees(&answer));
}

/// Neither the columns asked for together nor the rows given together change a bit.
#[test]
fn parts_equal_the_whole() {
    for activation in fused() {
        for (rows, inputs, outputs) in [(1, 3, 33), (31, 113, 225), (20, 17, 130)] {
            let config = Config { rows, inputs, outputs, bias: true, activation, first: false, whole: false };
            let case = Case::new(config);
            let (placed, x) = (case.placed(), case.x());
            let whole = placed.forward_at_once(&x).features(outputs);
            let columns = padded(outputs);
            for cuts in [
                vec![16],
                vec![32, 32, 48],
                vec![columns - LANES, columns],
                (1..columns / LANES).map(|i| i * LANES).collect(),
            ] {
                let ends = cuts.iter().copied().chain([columns]);
                let starts = [0].into_iter().chain(cuts.iter().copied());
                let ranges: Vec<_> = starts.zip(ends).map(|(start, end)| start..end).collect();
                let parts = placed.forward(&x, &ranges).features(outputs);
                assert_eq!(bits(&parts), bits(&whole), "{config:?} {ranges:?}");
            }
            let by_row = case
                .x
                .chunks(inputs)
                .flat_map(|row| placed.forward_at_once(&Activations::padded(row, inputs)).features(outputs));
            assert_eq!(bits(&by_row.collect::<Vec<_>>()), bits(&whole), "{config:?} row by row");
        }
    }
}

/// Gradients have the same bits however they are owned.
#[test]
fn whole_columns_change_no_bit() {
    for bias in [false, true] {
        for (inputs, outputs) in [(1, 1), (113, 33), (784, 10), (300, 70)] {
            let [parts, whole] = [false, true].map(|whole| {
                let config = Config {
                    rows: 40,
                    inputs,
                    outputs,
                    bias,
                    activation: Activation::RELU,
                    first: false,
                    whole,
                };
                Case::new(config).fast()
            });
            assert_eq!(bits(&parts.dweight), bits(&whole.dweight));
            assert_eq!((bits(&parts.dbias), bits(&parts.dx)), (bits(&whole.dbias), bits(&whole.dx)));
        }
    }
}

#[test]
fn shards_own_what_they_count() {
    for whole in [false, true] {
        for (inputs, outputs) in [(1, 1), (784, 10), (113, 225), (784, 512)] {
            let config = Config {
                rows: 1,
                inputs,
                outputs,
                bias: true,
                activation: Activation::RELU,
                first: false,
                whole,
            };
            let case = Case::new(config);
            let owned: usize = (0..case.layer.shards()).map(|shard| case.layer.shard_len(shard)).sum();
            assert_eq!(owned, padded(outputs) * (inputs + 1));
            assert_eq!(storage_len(&case.layer), owned);
            if whole {
                assert_eq!(case.layer.shards(), outputs.div_ceil(32) + 1);
            }
        }
    }
}
