//! A layer by itself, run as the training step runs it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::init;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::layers::{
    Backward, Derivation, Forward, Layer, ParameterSpec, RowsGradient, Shape, Sharding, Training,
};
use crate::rng::{self, Purpose};
use crate::tensor::{MatrixMut, MatrixRef, padded};

/// Samples that are tried.
pub(super) const ROWS: usize = 5;

/// Floats of a row between layers.
pub(super) fn columns(shape: Shape) -> usize {
    shape.image().map_or(padded(shape.features()), |image| image.columns())
}

/// Whether a float of a row is a number, and not padding.
pub(super) fn is_number(shape: Shape, column: usize) -> bool {
    shape.image().map_or(column < shape.features(), |image| column % image.pitch < image.channels)
}

/// The results of a layer for some rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// The output, `[rows, columns of the output]`.
    pub(super) y: Vec<f32>,
    /// The gradient of the input, `[rows, columns of the input]`.
    pub(super) dx: Vec<f32>,
    /// The gradient of the parameters, in the order in which they are stored.
    pub(super) gradient: Vec<f32>,
    /// What it was before it was finished: what further rows are added to.
    pub(super) sums: Vec<f32>,
}

/// A layer with parameters, and rows for it.
#[derive(Clone)]
pub(super) struct Pass<'a> {
    pub(super) layer: &'a dyn Layer,
    /// How its parameters are partitioned, if they are.
    pub(super) sharding: Option<&'a dyn Sharding>,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// The parameters as they are stored, and what is fixed.
    pub(super) storage: Vec<f32>,
    /// Whether each float of storage is a number of a parameter, and not padding.
    pub(super) is_parameter: Vec<bool>,
    /// The inputs, `[ROWS, columns of the input]`.
    pub(super) x: Vec<f32>,
    /// The gradients of the output, `[ROWS, columns of the output]`.
    pub(super) dy: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(layer: &'a dyn Layer, input: Shape, output: Shape) -> Pass<'a> {
        let (x, dy) = (rows(input, 0.618_033_988_7), rows(output, 0.754_877_666_2));
        let (sharding, storage, is_parameter) = (layer.sharding(), parameters(layer), places(layer));
        Pass { layer, sharding, input, output, storage, is_parameter, x, dy }
    }

    /// The same with the parameters partitioned in another way.
    pub(super) fn partitioned(self, sharding: &'a dyn Sharding) -> Pass<'a> {
        Pass { sharding: Some(sharding), ..self }
    }

    /// Runs some rows; `poison` is the content of all memory before.
    pub(super) fn run(&self, rows: Range<usize>, poison: f32) -> Answer {
        self.run_after(rows, poison, Vec::new())
    }

    /// [`run`](Pass::run) with the gradient of the parameters accumulated onto the sums of the rows before, if there were
    /// some.
    pub(super) fn run_after(&self, rows: Range<usize>, poison: f32, before: Vec<f32>) -> Answer {
        let [of_x, of_y] = [self.input, self.output].map(columns);
        let count = rows.len();
        let derived = self.derive();
        let mut scratch = self.scratch(count, poison);
        let mut y = vec![poison; count * of_y];
        let mut dx = vec![poison; count * of_x];
        let mut dy = self.dy[rows.start * of_y..rows.end * of_y].to_vec();
        let x = self.x_of(&rows);
        self.forward(&mut y, rows.clone(), 0..of_y, &derived, &mut scratch);
        self.layer.backward(Backward {
            dx: Some(MatrixMut::new(&mut dx, count, of_x, of_x)),
            dy: MatrixMut::new(&mut dy, count, of_y, of_y),
            x,
            y: MatrixRef::new(&y, count, of_y, of_y),
            storage: &self.storage,
            derived: &derived,
            scratch: &mut scratch,
            training: Some(&training(&rows)),
            lengths: &[],
        });
        let accumulate = !before.is_empty();
        let mut sums = if accumulate { before } else { vec![poison; self.is_parameter.len()] };
        let dy = MatrixRef::new(&dy, count, of_y, of_y);
        if !self.is_parameter.is_empty() {
            self.gradient(&mut sums, dy, x, accumulate, &mut scratch);
        }
        Answer { y, dx, gradient: self.finished(sums.clone()), sums }
    }

    /// The output of some rows, in these columns: `[rows, columns]`.
    pub(super) fn output_of(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<f32> {
        let mut y = vec![f32::NAN; rows.len() * columns.len()];
        let mut scratch = self.scratch(rows.len(), f32::NAN);
        self.forward(&mut y, rows, columns, &self.derive(), &mut scratch);
        y
    }

    /// What [`Derived::derive_forward`](crate::layers::Derived::derive_forward) makes, and the same part of what the shards
    /// derive.
    pub(super) fn derived_twice(&self) -> [Vec<f32>; 2] {
        let Some(derived) = self.layer.derived() else { return [Vec::new(), Vec::new()] };
        let mut alone = vec![0.0; derived.forward_derived_len()];
        derived.derive_forward(&mut alone, &self.storage);
        let mut by_shards = self.derive();
        by_shards.truncate(alone.len());
        [alone, by_shards]
    }

    /// The derived storage of the layer, zeros at first, each part of it made once.
    fn derive(&self) -> Vec<f32> {
        let of_shards = self.sharding.and_then(|sharding| sharding.derives());
        let Some(kind) = of_shards.or_else(|| self.layer.derived()) else { return Vec::new() };
        let mut derived = vec![0.0; kind.derived_len()];
        // The parts that were not handed out yet, by their start.
        let free = RefCell::new(BTreeMap::from([(0, derived.as_mut_slice())]));
        let take = |part: Range<usize>| {
            let mut free = free.borrow_mut();
            let before = free.range(..=part.start).next_back().map(|(&start, _)| start);
            let Some((start, whole)) = before.and_then(|start| Some((start, free.remove(&start)?))) else {
                return &mut [][..];
            };
            let (before, rest) = whole.split_at_mut(part.start - start);
            let (taken, after) = rest.split_at_mut(part.len());
            free.insert(start, before);
            free.insert(part.end, after);
            taken
        };
        let from = Derivation { storage: &|part| &self.storage[part], derived: &take };
        let shards = self.sharding.map_or(1, |sharding| sharding.shards());
        (0..shards).for_each(|shard| kind.derive(shard, &from));
        derived
    }

    fn scratch(&self, rows: usize, poison: f32) -> Vec<f32> {
        vec![poison; self.layer.scratch_len() + self.layer.saved_len(rows)]
    }

    fn x_of(&self, rows: &Range<usize>) -> MatrixRef<'_> {
        let columns = columns(self.input);
        let x = &self.x[rows.start * columns..rows.end * columns];
        MatrixRef::new(x, rows.len(), columns, columns)
    }

    fn forward(
        &self,
        y: &mut [f32],
        rows: Range<usize>,
        columns: Range<usize>,
        derived: &[f32],
        scratch: &mut [f32],
    ) {
        self.layer.forward(Forward {
            y: MatrixMut::new(y, rows.len(), columns.len(), columns.len()),
            x: self.x_of(&rows),
            storage: &self.storage,
            derived,
            columns,
            scratch,
            training: Some(&training(&rows)),
            lengths: &[],
            carried: None,
        });
    }

    fn gradient(&self, out: &mut [f32], dy: MatrixRef, x: MatrixRef, accumulate: bool, scratch: &mut [f32]) {
        if self.layer.sums_rows() || self.sharding.is_none() {
            let storage = &self.storage;
            return self.layer.gradient(RowsGradient { out, dy, x, accumulate, storage, scratch });
        }
        self.each_shard(out, |sharding, shard, own| {
            sharding.shard_gradient(shard, own, dy, x, accumulate, &PrefetchQueue::default());
        });
    }

    /// The gradient of the parameters, once its sums are complete.
    fn finished(&self, mut sums: Vec<f32>) -> Vec<f32> {
        self.each_shard(&mut sums, |sharding, shard, own| {
            sharding.finish_gradient(shard, own, &|part| &self.storage[part]);
        });
        sums
    }

    /// Changes the floats of each shard, which come in the order of its parts.
    fn each_shard(&self, all: &mut [f32], change: impl Fn(&dyn Sharding, usize, &mut [f32])) {
        let Some(sharding) = self.sharding else { return };
        for shard in 0..sharding.shards() {
            let parts = sharding.shard_parts(shard);
            let mut own: Vec<f32> = parts.iter().flat_map(|part| all[part.clone()].to_vec()).collect();
            change(sharding, shard, &mut own);
            let mut rest = &own[..];
            for part in parts {
                let (values, after) = rest.split_at(part.len());
                rest = after;
                all[part].copy_from_slice(values);
            }
        }
    }
}

/// The batch that rows belong to.
fn training(rows: &Range<usize>) -> Training {
    Training { seed: 1, step: 1, layer: 1, first: rows.start }
}

/// Numbers from -1.5 to 1.5, spread evenly and padded with zeros.
fn rows(shape: Shape, step: f64) -> Vec<f32> {
    let columns = columns(shape);
    let number = |index: usize| (3.0 * ((index + 1) as f64 * step).fract() - 1.5) as f32;
    (0..ROWS * columns).map(|at| if is_number(shape, at % columns) { number(at) } else { 0.0 }).collect()
}

/// Calls `each` with the number, the place and the numbers of each parameter, row-major, and stores what it makes of
/// them.
fn change(
    storage: &mut [f32],
    specs: &[ParameterSpec],
    mut each: impl FnMut(usize, &ParameterSpec, &mut [f32]),
) {
    for (number, spec) in specs.iter().enumerate() {
        let mut values = vec![0.0; spec.shape.iter().product()];
        spec.read(&mut values, storage);
        each(number, spec, &mut values);
        spec.store(storage, &values);
    }
}

/// Parameters as a training begins with them, and what is fixed, moved a little, so that none is at 0.
fn parameters(layer: &dyn Layer) -> Vec<f32> {
    let specs = [layer.parameters(), layer.fixed()].concat();
    let mut storage = vec![0.0; specs.last().map_or(0, |last| last.range.end)];
    change(&mut storage, &specs, |number, spec, values| {
        if let Some(init) = &spec.init {
            let [fan_in, fan_out] = [spec.shape[1..].iter().product(), spec.shape[0]];
            let mut stream = rng::stream(1, Purpose::Test, number as u64);
            init::fill(init, values, fan_in, fan_out, &mut stream);
        }
    });
    layer.complete(&mut storage);
    change(&mut storage, &specs, |_, _, values| {
        for (at, value) in values.iter_mut().enumerate() {
            *value += (0.4 * ((at + 1) as f64 * 0.569_840_291).fract() - 0.2) as f32;
        }
    });
    storage
}

/// Whether each float of storage is a number of a parameter: where a parameter of ones has them.
fn places(layer: &dyn Layer) -> Vec<bool> {
    let specs = layer.parameters();
    let mut storage = vec![0.0; specs.last().map_or(0, |last| last.range.end)];
    change(&mut storage, &specs, |_, _, values| values.fill(1.0));
    storage.iter().map(|&value| value == 1.0).collect()
}
