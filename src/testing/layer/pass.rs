//! A layer by itself, run as the training step runs it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::init;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::layers::{Backward, Derivation, Forward, Layer, Layout, RowsGradient, Shape, Training};
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

/// What some rows give.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// `[rows, columns of the output]`
    pub(super) y: Vec<f32>,
    /// `[rows, columns of the input]`
    pub(super) dx: Vec<f32>,
    /// As the parameters are stored.
    pub(super) gradient: Vec<f32>,
}

/// A layer with parameters, and rows for it.
pub(super) struct Pass<'a> {
    pub(super) layer: &'a dyn Layer,
    pub(super) input: Shape,
    pub(super) output: Shape,
    /// The parameters.
    pub(super) storage: Vec<f32>,
    /// `[ROWS, columns of the input]`
    pub(super) x: Vec<f32>,
    /// `[ROWS, columns of the output]`
    pub(super) dy: Vec<f32>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(layer: &'a dyn Layer, input: Shape, output: Shape) -> Pass<'a> {
        let (x, dy) = (rows(input, 0.618_033_988_7), rows(output, 0.754_877_666_2));
        Pass { layer, input, output, storage: parameters(layer), x, dy }
    }

    /// The answer of some rows; `poison` is what memory holds before.
    pub(super) fn run(&self, rows: Range<usize>, poison: f32) -> Answer {
        self.run_after(rows, poison, Vec::new())
    }

    /// The same, with the gradient of the parameters added to that of the rows before, if there were some.
    pub(super) fn run_after(&self, rows: Range<usize>, poison: f32, gradient: Vec<f32>) -> Answer {
        let [of_x, of_y] = [self.input, self.output].map(columns);
        let count = rows.len();
        let derived = derive(self.layer, &self.storage, poison);
        let mut scratch = self.scratch(count, poison);
        let mut y = vec![poison; count * of_y];
        let mut dx = vec![poison; count * of_x];
        let mut dy = self.dy[rows.start * of_y..rows.end * of_y].to_vec();
        let x = self.x_of(&rows);
        self.forward(&mut y, rows.clone(), &derived, &mut scratch);
        self.layer.backward(Backward {
            dx: Some(MatrixMut::new(&mut dx, count, of_x, of_x)),
            dy: MatrixMut::new(&mut dy, count, of_y, of_y),
            x,
            y: MatrixRef::new(&y, count, of_y, of_y),
            storage: &self.storage,
            derived: &derived,
            scratch: &mut scratch,
            training: Some(&training(&rows)),
        });
        let accumulate = !gradient.is_empty();
        let mut out = if accumulate { gradient } else { vec![poison; self.storage.len()] };
        let dy = MatrixRef::new(&dy, count, of_y, of_y);
        if !self.storage.is_empty() {
            self.gradient(&mut out, dy, x, accumulate, &mut scratch);
        }
        Answer { y, dx, gradient: out }
    }

    /// The output of some rows, `[rows, columns of the output]`.
    pub(super) fn output_of(&self, rows: Range<usize>) -> Vec<f32> {
        let of_y = columns(self.output);
        let mut y = vec![f32::NAN; rows.len() * of_y];
        let mut scratch = self.scratch(rows.len(), f32::NAN);
        self.forward(&mut y, rows.clone(), &derive(self.layer, &self.storage, f32::NAN), &mut scratch);
        y
    }

    fn scratch(&self, rows: usize, poison: f32) -> Vec<f32> {
        vec![poison; self.layer.scratch_len() + self.layer.saved_len(rows)]
    }

    fn x_of(&self, rows: &Range<usize>) -> MatrixRef<'_> {
        let columns = columns(self.input);
        let x = &self.x[rows.start * columns..rows.end * columns];
        MatrixRef::new(x, rows.len(), columns, columns)
    }

    fn forward(&self, y: &mut [f32], rows: Range<usize>, derived: &[f32], scratch: &mut [f32]) {
        let columns = columns(self.output);
        self.layer.forward(Forward {
            y: MatrixMut::new(y, rows.len(), columns, columns),
            x: self.x_of(&rows),
            storage: &self.storage,
            derived,
            columns: 0..columns,
            scratch,
            training: Some(&training(&rows)),
        });
    }

    fn gradient(&self, out: &mut [f32], dy: MatrixRef, x: MatrixRef, accumulate: bool, scratch: &mut [f32]) {
        let sharding = self.layer.sharding().filter(|_| !self.layer.sums_rows());
        let Some(sharding) = sharding else {
            let storage = &self.storage;
            return self.layer.gradient(RowsGradient { out, dy, x, accumulate, storage, scratch });
        };
        for shard in 0..sharding.shards() {
            let parts = sharding.shard_parts(shard);
            let mut own: Vec<f32> = parts.iter().flat_map(|part| out[part.clone()].to_vec()).collect();
            sharding.shard_gradient(shard, &mut own, dy, x, accumulate, &PrefetchQueue::default());
            sharding.finish_gradient(shard, &mut own, &|part| &self.storage[part]);
            let mut rest = &own[..];
            for part in parts {
                let (values, after) = rest.split_at(part.len());
                rest = after;
                out[part].copy_from_slice(values);
            }
        }
    }
}

/// What rows belong to.
fn training(rows: &Range<usize>) -> Training {
    Training { seed: 1, step: 1, layer: 1, first: rows.start }
}

/// Numbers from -1.5 to 1.5, spread evenly and padded with zeros.
fn rows(shape: Shape, step: f64) -> Vec<f32> {
    let columns = columns(shape);
    let number = |index: usize| (3.0 * ((index + 1) as f64 * step).fract() - 1.5) as f32;
    (0..ROWS * columns).map(|at| if is_number(shape, at % columns) { number(at) } else { 0.0 }).collect()
}

/// Parameters as a training begins with them, and those that lie plainly moved a little: none is at 0 then.
fn parameters(layer: &dyn Layer) -> Vec<f32> {
    let specs = layer.parameters();
    let mut storage = vec![0.0; specs.last().map_or(0, |last| last.range.end)];
    for (number, spec) in specs.iter().enumerate() {
        let count: usize = spec.shape.iter().product();
        let place = &mut storage[spec.range.start..spec.range.start + count];
        if let Some(init) = &spec.init {
            let [fan_in, fan_out] = [spec.shape[1..].iter().product(), spec.shape[0]];
            let mut stream = rng::stream(1, Purpose::Test, number as u64);
            init::fill(init, place, fan_in, fan_out, &mut stream);
        }
    }
    layer.complete(&mut storage);
    for spec in specs.iter().filter(|spec| spec.layout == Layout::Plain) {
        let count: usize = spec.shape.iter().product();
        for (at, value) in storage[spec.range.start..][..count].iter_mut().enumerate() {
            *value += (0.4 * ((at + 1) as f64 * 0.569_840_291).fract() - 0.2) as f32;
        }
    }
    storage
}

/// What the layer derives from its parameters, each part of it once.
fn derive(layer: &dyn Layer, storage: &[f32], poison: f32) -> Vec<f32> {
    let Some(kind) = layer.derived() else { return Vec::new() };
    let mut derived = vec![poison; kind.derived_len()];
    // What was not handed out yet, by its start.
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
    let from = Derivation { storage: &|part| &storage[part], derived: &take };
    let shards = layer.sharding().map_or(1, |sharding| sharding.shards());
    (0..shards).for_each(|shard| kind.derive(shard, &from));
    derived
}
