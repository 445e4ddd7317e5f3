//! Embeddings against their naive twin in f64, against PyTorch, and what they do with codes that are none.

use std::path::Path;

use crate::common::compare::{close, widened};
use crate::common::golden::{self, count, integers, numbers, text};
use crate::common::splitmix::{self, SplitMix64, uniform};
use crate::pass::{Activations, Placed, packed};
use fallline::engine::init::Init;
use fallline::engine::kernels::image::Image;
use fallline::engine::kernels::products::panels;
use fallline::engine::kernels::reference;
use fallline::engine::layers::{Embedding, Forward, Layer, MOST_TABLES, Partitioning};
use fallline::engine::model::{Model, NamedTensor};
use fallline::engine::tensor::{MatrixMut, MatrixRef};
use fallline::{Activation, LayerConfig, Optimizer, Trainer};
use serde_json::Value;

const TOLERANCE: f64 = 2e-6;
/// Of a few steps in f32.
const TRAINED: f64 = 2e-5;
/// Seeds, as in the script.
const CODES: u64 = 600;
const TABLES: u64 = 700;

fn init() -> Init {
    Init::Normal { mean: 0.0, deviation: 1.0 }
}

/// Codes of tables of so many rows, `[samples]` each; some are none of theirs.
fn codes(seed: u64, samples: usize, rows: usize) -> Vec<f32> {
    let drawn = SplitMix64(seed).take(samples).map(|z| (z % (rows as u64 + 1)) as f32);
    drawn.map(|code| if code == rows as f32 { code + 0.25 } else { code }).collect()
}

/// `[samples, numbers + tables]`.
fn samples(samples: usize, numbers: usize, tables: &[[usize; 2]]) -> Vec<f32> {
    let values = uniform(1, samples * numbers);
    let columns: Vec<Vec<f32>> =
        tables.iter().enumerate().map(|(j, [rows, _])| codes(10 + j as u64, samples, *rows)).collect();
    (0..samples)
        .flat_map(|row| {
            let own = values[row * numbers..(row + 1) * numbers].iter().copied();
            own.chain(columns.iter().map(|column| column[row])).collect::<Vec<f32>>()
        })
        .collect()
}

fn parameters(tables: &[[usize; 2]]) -> Vec<Vec<f32>> {
    tables.iter().enumerate().map(|(j, [rows, width])| uniform(30 + j as u64, rows * width)).collect()
}

fn twin(numbers: usize, codes: usize, tables: &[[usize; 2]], w: &[Vec<f32>]) -> reference::Embedding {
    let tables = w.iter().zip(tables).map(|(w, sides)| (widened(w), *sides)).collect();
    reference::Embedding { numbers, codes, tables }
}

/// Output, and the gradients of the input and of all tables.
type Exact = [Vec<f64>; 3];

fn exact(twin: &reference::Embedding, x: &[f32], dy: &[f32]) -> Exact {
    let mut gradients: Vec<Vec<f64>> = twin.tables.iter().map(|(w, _)| vec![0.0; w.len()]).collect();
    let (mut y, mut dx) = (Vec::new(), Vec::new());
    let (x, dy) = (widened(x), widened(dy));
    for (x, dy) in x.chunks_exact(twin.numbers + twin.codes).zip(dy.chunks_exact(twin.outputs())) {
        y.extend(twin.forward(x));
        dx.extend(twin.backward(x, dy, &mut gradients));
    }
    [y, dx, gradients.concat()]
}

fn agrees(fast: &[Vec<f32>; 3], exact: &Exact) -> bool {
    fast.iter().zip(exact).all(|(fast, exact)| close(fast, exact, TOLERANCE))
}

fn breaks_are_seen(right: &[Vec<f32>; 3], exact: &Exact) {
    for part in 0..3 {
        let mut wrong = right.clone();
        if let Some(first) = wrong[part].first_mut() {
            *first += 1e-3;
            assert!(!agrees(&wrong, exact), "{part}");
        }
    }
}

#[test]
fn columns_of_codes_agree_with_their_twin() {
    let many: Vec<[usize; 2]> = (0..MOST_TABLES).map(|j| [j + 1, j % 7 + 1]).collect();
    let cases: [(usize, &[[usize; 2]]); 6] = [
        (0, &[[1, 1]]),
        (3, &[[5, 2]]),
        (1, &[[7, 16], [3, 33]]),
        (17, &[[40, 1], [1, 3], [9, 5]]),
        // Several shards, the last of which is not full.
        (2, &[[1001, 50], [20, 4]]),
        (5, &many),
    ];
    for (numbers, tables) in cases {
        for count in [1, 19] {
            let (inputs, w) = (numbers + tables.len(), parameters(tables));
            let x = samples(count, numbers, tables);
            let layer = Embedding::new(inputs, tables, init());
            let dy = uniform(2, count * layer.outputs());
            let placed = Placed::new(&layer, packed(&layer, &w));
            for x_of in [Activations::data, Activations::padded] {
                let (x, mut dy) = (x_of(&x, inputs), Activations::padded(&dy, layer.outputs()));
                let y = placed.forward_at_once(&x);
                let dx = placed.backward(&mut dy, &x, &y, Some(inputs)).expect("it was asked for");
                let dw = placed.gradient(&dy, &x).concat();
                let answer = [y.features(layer.outputs()), dx.features(inputs), dw];
                let exact = exact(
                    &twin(numbers, tables.len(), tables, &w),
                    &x.features(inputs),
                    &dy.features(layer.outputs()),
                );
                assert!(agrees(&answer, &exact), "{numbers} {tables:?} {count}");
                breaks_are_seen(&answer, &exact);
            }
        }
    }
}

#[test]
fn sequences_of_codes_agree_with_their_twin() {
    for (positions, [rows, width]) in [(1, [1, 1]), (5, [4, 16]), (7, [900, 33])] {
        let (w, image) = (parameters(&[[rows, width]]), Image::new(1, positions, width));
        let x = codes(10, 3 * positions, rows);
        let layer = Embedding::shared(positions, [rows, width], init());
        assert_eq!(layer.image(), Some(image));
        // By position, then by channel; images are compared by channel.
        let dy = uniform(2, 3 * layer.outputs());
        let by_channel = |values: &[f64]| -> Vec<f64> {
            let sample = |values: &[f64]| -> Vec<f64> {
                (0..width)
                    .flat_map(|at| (0..positions).map(move |p| (p, at)))
                    .map(|(p, at)| values[p * width + at])
                    .collect()
            };
            values.chunks_exact(positions * width).flat_map(sample).collect()
        };
        let [y, dx, dw] = exact(&twin(0, positions, &[[rows, width]], &w), &x, &dy);
        let dy: Vec<f32> = by_channel(&widened(&dy)).iter().map(|&dy| dy as f32).collect();
        let placed = Placed::new(&layer, packed(&layer, &w));
        let (x, mut dy) = (Activations::padded(&x, positions), Activations::images(&dy, image));
        let found = placed.forward_at_once(&x);
        let of_x = placed.backward(&mut dy, &x, &found, Some(positions)).expect("it was asked for");
        let answer = [found.channels(image), of_x.features(positions), placed.gradient(&dy, &x).concat()];
        let exact = [by_channel(&y), dx, dw];
        assert!(agrees(&answer, &exact), "{positions} {rows} {width}");
        breaks_are_seen(&answer, &exact);
    }
}

/// A table that lies in panels, as the weights of a tied output layer do, whose gradient is asked for part by part.
#[test]
fn tied_tables_agree_with_their_twin() {
    for (positions, [rows, width]) in [(1, [1, 1]), (5, [4, 16]), (7, [90, 33]), (3, [33, 120])] {
        let (samples, w) = (3, parameters(&[[rows, width]]));
        let image = Image::new(1, positions, width);
        let x = codes(10, samples * positions, rows);
        let layer = Embedding::tied(positions, [rows, width]);
        assert!(layer.parameters().is_empty() && layer.sharding().is_none());
        let mut storage = vec![f32::NAN; panels::packed_len(rows, width) + 16];
        let weights = storage.len() - 16;
        panels::pack(&mut storage[..weights], &w[0], rows, width);
        let dy = uniform(2, samples * layer.outputs());
        let [y, _, dw] = exact(&twin(0, positions, &[[rows, width]], &w), &x, &dy);

        let columns = image.columns();
        let mut found = vec![f32::NAN; samples * columns];
        let x = MatrixRef::new(&x, samples, positions, positions);
        layer.forward(Forward {
            y: MatrixMut::new(&mut found, samples, columns, columns),
            x,
            storage: &storage,
            derived: &[],
            columns: 0..columns,
            scratch: &mut [],
            training: None,
            lengths: &[],
            carried: None,
        });
        let unpadded: Vec<f32> =
            found.chunks_exact(image.pitch).flat_map(|pixel| pixel[..width].to_vec()).collect();
        assert!(close(&unpadded, &y, 0.0), "{rows} {width}");
        assert_eq!(found.iter().filter(|&&y| y == 0.0).count(), found.len() - unpadded.len());

        let mut padded = vec![0.0; samples * columns];
        for (pixel, dy) in padded.chunks_exact_mut(image.pitch).zip(dy.chunks_exact(width)) {
            pixel[..width].copy_from_slice(dy);
        }
        let dy = MatrixRef::new(&padded, samples, columns, columns);
        // Parts of one panel, of several and of none, and behind them the bias, which has no part of it.
        for length in [16, 48, 1600, 1 << 20] {
            let mut sums = vec![0.0; storage.len()];
            let cut = |start: usize| start..(start + length).min(storage.len());
            for part in (0..storage.len()).step_by(length).map(cut) {
                layer.add_tied_gradient(&mut sums[part.clone()], &[part, 0..0], [x, dy]);
            }
            let mut found = vec![0.0; rows * width];
            panels::unpack(&mut found, &sums[..weights], rows, width);
            assert!(close(&found, &dw, TOLERANCE), "{rows} {width} {length}");
            assert!(sums[weights..].iter().all(|&sum| sum == 0.0));
        }
    }
}

/// The rows that no code stands for have a gradient of exactly 0, and a whole table is a shard where one has to be.
#[test]
fn rows_that_are_not_read_have_no_gradient() {
    let (tables, w) = ([[1000, 40]], parameters(&[[1000, 40]]));
    let layer = Embedding::new(1, &tables, init());
    let placed = Placed::new(&layer, packed(&layer, &w));
    let x = Activations::data(&[3.0, 999.0, 3.0, f32::NAN, 1e9, -5.0], 1);
    let gradient = placed.gradient(&Activations::padded(&[1.0; 240], 40), &x).concat();
    for (row, values) in gradient.chunks_exact(40).enumerate() {
        let times = match row {
            0 => 3.0,
            3 => 2.0,
            999 => 1.0,
            _ => 0.0,
        };
        assert!(values.iter().all(|&value| value == times), "{row}");
    }
    let shards = |whole_columns| {
        let wanted = Partitioning { whole_columns, ..Partitioning::default() };
        layer.partition(wanted).map(|shards| (shards.shards(), shards.shard_inputs(0)))
    };
    assert_eq!((shards(false), shards(true)), (Some((3, 0..1)), Some((1, 0..1))));
}

/// A case of the golden file: the layer, the rest of the network, the samples.
struct Case {
    model: Model,
    /// `[batch, inputs]`
    inputs: Vec<f32>,
    labels: Vec<u8>,
}

impl Case {
    fn new(file: &Value, case: &Value) -> Case {
        let (batch, outputs) = (count(&file["batch"]), count(&file["outputs"]));
        let tables: Vec<[usize; 2]> = case["tables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|table| {
                integers(table)[..2].iter().map(|&side| side as usize).collect::<Vec<_>>().try_into().unwrap()
            })
            .collect();
        let codes = |j: usize, count: usize, rows: usize| -> Vec<f32> {
            SplitMix64(CODES + j as u64).take(count).map(|z| (z % rows as u64) as f32).collect()
        };
        let identity = Activation::IDENTITY;
        let (model, inputs, dims) = if case["positions"].is_u64() {
            let positions = count(&case["positions"]);
            let layer = LayerConfig::embedding(&tables).with("shared", true).unwrap();
            let model = Model::sequential(positions).layer(layer).layer(LayerConfig::global_average_pool());
            (model, codes(0, batch * positions, tables[0][0]), vec![tables[0][1]])
        } else {
            let (before, hidden) = (count(&case["numbers"]), count(&case["hidden"]));
            let values = uniform(splitmix::INPUTS, batch * before);
            let columns: Vec<_> =
                tables.iter().enumerate().map(|(j, [rows, _])| codes(j, batch, *rows)).collect();
            let row = |row: usize| {
                let values = values[row * before..(row + 1) * before].iter().copied();
                values.chain(columns.iter().map(move |column| column[row])).collect::<Vec<f32>>()
            };
            let width = before + tables.iter().map(|[_, width]| width).sum::<usize>();
            let model =
                Model::sequential(before + tables.len()).embedding(&tables).dense(hidden, Activation::TANH);
            (model, (0..batch).flat_map(row).collect(), vec![width, hidden])
        };
        let mut model = model.dense(outputs, identity).build().unwrap();
        let dims: Vec<usize> = dims.into_iter().chain([outputs]).collect();
        let (mut table, mut dense) = (0, 0);
        let tensors = model.tensors().into_iter().map(|NamedTensor { name, shape, values }| {
            let values = if name.starts_with("0.") {
                table += 1;
                uniform(TABLES + table - 1, values.len())
            } else if name.ends_with("weight") {
                splitmix::weights(dense as u64, dims[dense + 1], dims[dense])
            } else {
                dense += 1;
                splitmix::biases(dense as u64 - 1, dims[dense])
            };
            NamedTensor { name, shape, values }
        });
        let tensors: Vec<NamedTensor> = tensors.collect();
        model.load_tensors(Path::new("golden"), tensors).unwrap();
        Case { model, inputs, labels: splitmix::labels(batch, outputs as u64) }
    }

    /// The losses before each step, the tables and the first dense weights behind the last.
    fn trained(mut self, case: &Value, threads: usize) -> [Vec<f64>; 3] {
        let rule = &case["rule"];
        let rate = rule["lr"].as_f64().unwrap();
        let optimizer =
            if text(&rule["name"]) == "sgd" { Optimizer::sgd(rate) } else { Optimizer::adam(rate) };
        let trainer = Trainer::new().optimizer(optimizer).batch(self.labels.len()).threads(threads);
        let mut losses = Vec::new();
        {
            let mut steps = trainer.steps(&mut self.model).unwrap();
            for _ in 0..numbers(&case["losses"]).len() {
                losses.push(steps.step(&self.inputs[..], &self.labels[..]).unwrap().loss);
            }
        }
        let of = |of_table: bool| {
            let tensors = self.model.tensors().into_iter();
            let is_wanted = |tensor: &NamedTensor| {
                tensor.name.ends_with("weight") && tensor.name.starts_with("0.") == of_table
            };
            tensors.filter(is_wanted).map(|tensor| widened(&tensor.values)).collect::<Vec<_>>()
        };
        [losses, of(true).concat(), of(false)[0].clone()]
    }
}

#[test]
fn steps_are_those_of_pytorch() {
    let file = golden::read("embedding.json");
    for case in golden::cases(&file) {
        let name = format!("{} {}", text(&case["name"]), text(&case["rule"]["name"]));
        let expected = ["losses", "weights", "dense"].map(|key| numbers(&case[key]));
        let agrees = |found: &[Vec<f64>; 3]| {
            let mut all = found.iter().zip(&expected);
            all.all(|(found, expected)| {
                found.len() == expected.len()
                    && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= TRAINED)
            })
        };
        let found = Case::new(&file, case).trained(case, 1);
        assert!(agrees(&found), "{name}: {found:?}\n{expected:?}");
        assert_eq!(Case::new(&file, case).trained(case, 2), found, "{name}");
        // A step too few of one row would be seen.
        let mut wrong = found.clone();
        wrong[1][0] += 1e-4;
        assert!(!agrees(&wrong));
    }
}
