//! One layer run as the training step runs it: parameters in storage, matrices padded, gradients
//! shard by shard.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::ops::Range;

use fallline::engine::init::Init;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::{self, Image};
use fallline::engine::kernels::products::panels;
use fallline::engine::kernels::simd::prefetch::PrefetchQueue;
use fallline::engine::layers::{
    Backward, Dense, Derivation, Forward, Layer, Layout, ParameterSpec, RowsGradient,
};
use fallline::engine::tensor::{MatrixMut, MatrixRef, padded, row_stride};

/// What memory holds before it is written: it spoils whatever is made of it.
const UNWRITTEN: f32 = f32::NAN;

/// A matrix of activations, `[rows, columns]` with columns as a layer wants them.
#[derive(Clone)]
pub struct Activations {
    values: Vec<f32>,
    pub rows: usize,
    pub columns: usize,
    stride: usize,
}

impl Activations {
    /// A matrix to be written, `[rows, features]`, padded.
    pub fn unwritten(rows: usize, features: usize) -> Activations {
        let (columns, stride) = (padded(features), row_stride(features));
        Activations { values: vec![UNWRITTEN; rows * stride], rows, columns, stride }
    }

    /// `values` `[rows, features]`, padded with zeros.
    pub fn padded(values: &[f32], features: usize) -> Activations {
        let mut matrix = Self::unwritten(values.len() / features, features);
        for (row, values) in values.chunks_exact(features).enumerate() {
            matrix.view_mut(0..matrix.columns).row(row).fill(0.0);
            matrix.view_mut(0..features).row(row).copy_from_slice(values);
        }
        matrix
    }

    /// `values` `[rows, features]` without padding, as the first layer gets them.
    pub fn data(values: &[f32], features: usize) -> Activations {
        let padded = Self::padded(values, features);
        Activations { columns: features, ..padded }
    }

    /// `values` `[rows, channels, height, width]` as images between layers.
    pub fn images(values: &[f32], image: Image) -> Activations {
        let mut matrix = Self::unwritten(values.len() / image.features(), image.columns());
        matrix.columns = image.columns();
        for (row, values) in values.chunks_exact(image.features()).enumerate() {
            let mut view = matrix.view_mut(0..image.columns());
            let row = view.row(row);
            row.fill(0.0);
            for (channel, values) in values.chunks_exact(image.pixels()).enumerate() {
                for (pixel, value) in values.iter().enumerate() {
                    row[pixel * image.pitch + channel] = *value;
                }
            }
        }
        matrix
    }

    /// The inverse of [`images`](Activations::images); padding must be zeros.
    pub fn channels(&self, image: Image) -> Vec<f32> {
        assert_eq!(self.columns, image.columns());
        let mut values = Vec::new();
        for row in 0..self.rows {
            let row = self.view().row(row);
            let padding = |pixel: &[f32]| pixel[image.channels..].iter().all(|&x| x == 0.0);
            assert!(row.chunks_exact(image.pitch).all(padding), "padding");
            for channel in 0..image.channels {
                values.extend(row.iter().skip(channel).step_by(image.pitch));
            }
        }
        values
    }

    pub fn view(&self) -> MatrixRef<'_> {
        MatrixRef::new(&self.values, self.rows, self.columns, self.stride)
    }

    /// Some columns, to be written.
    pub fn view_mut(&mut self, columns: Range<usize>) -> MatrixMut<'_> {
        MatrixMut::new(&mut self.values[columns.start..], self.rows, columns.len(), self.stride)
    }

    /// Some rows, to be written.
    pub fn rows_mut(&mut self, rows: Range<usize>) -> MatrixMut<'_> {
        MatrixMut::new(&mut self.values[rows.start * self.stride..], rows.len(), self.columns, self.stride)
    }

    /// The first `features` columns; the others must be zeros.
    pub fn features(&self, features: usize) -> Vec<f32> {
        let (matrix, mut values) = (self.view(), Vec::new());
        for row in 0..self.rows {
            let (row, padding) = matrix.row(row).split_at(features);
            assert!(padding.iter().all(|&x| x == 0.0), "padding {padding:?}");
            values.extend(row);
        }
        values
    }
}

/// The products of a layer, the first of its network or a later one, whose parameters a test gives.
pub fn dense(inputs: usize, outputs: usize, bias: bool, activation: Activation, first: bool) -> Dense {
    Dense {
        inputs,
        outputs,
        bias,
        activation,
        weight_init: Init::Zeros,
        bias_init: Init::Zeros,
        input_gradient: !first,
        whole_columns: false,
        by_inputs: false,
        sparse_input: false,
    }
}

/// A layer with parameters.
pub struct Placed<'a> {
    pub layer: &'a dyn Layer,
    pub storage: Vec<f32>,
    derived: Vec<f32>,
    /// As training hands it over: what a layer keeps of some rows stays there.
    scratch: RefCell<Vec<f32>>,
}

impl<'a> Placed<'a> {
    /// A layer whose parameters lie in `storage`.
    pub fn new(layer: &'a dyn Layer, storage: Vec<f32>) -> Placed<'a> {
        let derived = derive(layer, &storage);
        Placed { layer, storage, derived, scratch: RefCell::default() }
    }

    /// What the layer has derived from them.
    pub fn derived(&self) -> &[f32] {
        &self.derived
    }

    /// The output, computed in the given ranges of columns one after the other.
    pub fn forward(&self, x: &Activations, ranges: &[Range<usize>]) -> Activations {
        let mut y = Activations::unwritten(x.rows, columns(self.layer));
        let mut scratch = self.scratch(x.rows);
        for columns in ranges {
            self.layer.forward(Forward {
                y: y.view_mut(columns.clone()),
                x: x.view(),
                storage: &self.storage,
                derived: &self.derived,
                columns: columns.clone(),
                scratch: &mut scratch,
                training: None,
                lengths: &[],
                carried: None,
            });
        }
        y
    }

    fn scratch(&self, rows: usize) -> RefMut<'_, Vec<f32>> {
        let mut scratch = self.scratch.borrow_mut();
        let (own, kept) = (self.layer.scratch_len(), self.layer.saved_len(rows));
        scratch.resize(own + kept, UNWRITTEN);
        scratch[..own].fill(UNWRITTEN);
        scratch
    }

    /// The output, computed at once.
    pub fn forward_at_once(&self, x: &Activations) -> Activations {
        self.forward(x, std::slice::from_ref(&(0..columns(self.layer))))
    }

    /// Turns `dy` into what [`gradient`](Placed::gradient) takes; the gradient of the input of
    /// `inputs` features, if there is one to be computed.
    pub fn backward(
        &self,
        dy: &mut Activations,
        x: &Activations,
        y: &Activations,
        inputs: Option<usize>,
    ) -> Option<Activations> {
        let mut dx = inputs.map(|inputs| Activations::unwritten(x.rows, inputs));
        let columns = dy.columns;
        self.layer.backward(Backward {
            dx: dx.as_mut().map(|dx| dx.view_mut(0..dx.columns)),
            dy: dy.view_mut(0..columns),
            x: x.view(),
            y: y.view(),
            storage: &self.storage,
            derived: &self.derived,
            scratch: &mut self.scratch(x.rows),
            training: None,
            lengths: &[],
        });
        dx
    }

    /// The gradient of each parameter, in PyTorch's layout. Shards must cover the storage of every
    /// parameter once, and the gradient of padding must be zero.
    pub fn gradient(&self, dy: &Activations, x: &Activations) -> Vec<Vec<f32>> {
        let mut gradient = vec![UNWRITTEN; self.storage.len()];
        if self.layer.sums_rows() {
            // In two parts of rows, the second carried on from the first; but rows that a layer has kept
            // something of belong together.
            let half = if self.layer.saved_len(dy.rows) > 0 { dy.rows } else { dy.rows / 2 };
            for (rows, accumulate) in [(0..half.max(1), false), (half.max(1)..dy.rows, true)] {
                if rows.is_empty() {
                    continue;
                }
                let x = x.view().block(rows.clone(), 0..x.columns);
                let dy = dy.view().block(rows, 0..dy.columns);
                self.sum_rows(&mut gradient, dy, x, accumulate);
            }
            return self.layer.parameters().iter().map(|spec| unpacked(spec, &gradient)).collect();
        }
        let sharding = self.layer.sharding().expect("what does not sum by rows has shards");
        for shard in 0..sharding.shards() {
            let mut values = vec![UNWRITTEN; sharding.shard_len(shard)];
            sharding.shard_gradient(
                shard,
                &mut values,
                dy.view(),
                x.view(),
                false,
                &PrefetchQueue::default(),
            );
            sharding.finish_gradient(shard, &mut values, &|part| &self.storage[part]);
            let mut rest = &values[..];
            for part in sharding.shard_parts(shard) {
                let (values, after) = rest.split_at(part.len());
                rest = after;
                let place = &mut gradient[part];
                assert!(place.iter().all(|x| x.is_nan()), "two shards own the same parameters");
                place.copy_from_slice(values);
            }
            assert!(rest.is_empty(), "a shard is its parts");
        }
        self.layer.parameters().iter().map(|spec| unpacked(spec, &gradient)).collect()
    }

    /// The gradient of rows that a layer has kept, once and carried on.
    pub fn gradient_twice(&self, dy: &Activations, x: &Activations) -> Vec<Vec<f32>> {
        let mut gradient = vec![UNWRITTEN; self.storage.len()];
        for accumulate in [false, true] {
            self.sum_rows(&mut gradient, dy.view(), x.view(), accumulate);
        }
        self.layer.parameters().iter().map(|spec| unpacked(spec, &gradient)).collect()
    }

    fn sum_rows(&self, out: &mut [f32], dy: MatrixRef, x: MatrixRef, accumulate: bool) {
        let (storage, scratch) = (&self.storage, &mut self.scratch(dy.rows()));
        self.layer.gradient(RowsGradient { out, dy, x, accumulate, storage, scratch });
    }
}

/// What a layer derives from its parameters, every part of it once.
fn derive(layer: &dyn Layer, storage: &[f32]) -> Vec<f32> {
    let Some(derives) = layer.derived() else { return Vec::new() };
    let mut derived = vec![UNWRITTEN; derives.derived_len()];
    // The parts that were not handed out yet, by their start.
    let free = RefCell::new(BTreeMap::from([(0, derived.as_mut_slice())]));
    let take = |part: Range<usize>| {
        let mut free = free.borrow_mut();
        let (&start, _) = free.range(..=part.start).next_back().expect("a part is derived once");
        let whole = free.remove(&start).expect("it was just seen");
        let (before, rest) = whole.split_at_mut(part.start - start);
        let (taken, after) = rest.split_at_mut(part.len());
        free.insert(start, before);
        free.insert(part.end, after);
        taken
    };
    let from = Derivation { storage: &|part| &storage[part], derived: &take };
    let shards = layer.sharding().map_or(1, |sharding| sharding.shards());
    (0..shards).for_each(|shard| derives.derive(shard, &from));
    assert!(free.into_inner().values().all(|rest| rest.is_empty()), "not all was derived");
    derived
}

/// Floats of storage for all parameters.
pub fn storage_len(layer: &dyn Layer) -> usize {
    layer.parameters().last().map_or(0, |last| last.range.end)
}

/// Columns of the output, padding included.
pub fn columns(layer: &dyn Layer) -> usize {
    layer.image().map_or(padded(layer.outputs()), |image| image.columns())
}

/// The parameters' values in PyTorch's layouts, put into a layer's storage.
pub fn packed(layer: &dyn Layer, parameters: &[Vec<f32>]) -> Vec<f32> {
    packed_as(&layer.parameters(), storage_len(layer), parameters)
}

/// The same in `len` floats of storage, placed as `specs` say.
pub fn packed_as(specs: &[ParameterSpec], len: usize, parameters: &[Vec<f32>]) -> Vec<f32> {
    let mut storage = vec![0.0; len];
    for (spec, values) in specs.iter().zip(parameters) {
        let place = &mut storage[spec.range.clone()];
        match spec.layout {
            Layout::Plain => place[..values.len()].copy_from_slice(values),
            Layout::Panels => panels::pack(place, values, spec.shape[0], spec.shape[1]),
            Layout::Kernels => panels::pack_kernels(place, values, spec.kernels()),
            Layout::GroupedKernels { groups } => {
                panels::pack_groups(place, values, spec.kernels(), groups);
            }
            Layout::Pixels => image::unflatten(place, values, spec.pixels()),
            Layout::Rows { pitch } => {
                let rows = place.chunks_mut(pitch).zip(values.chunks(spec.shape[1]));
                rows.for_each(|(row, values)| row[..values.len()].copy_from_slice(values));
            }
        }
    }
    storage
}

/// One parameter from a layer's storage, whose padding must be zero.
fn unpacked(spec: &ParameterSpec, storage: &[f32]) -> Vec<f32> {
    let place = &storage[spec.range.clone()];
    let len = spec.shape.iter().product();
    let mut values = vec![0.0; len];
    match spec.layout {
        Layout::Plain => values.copy_from_slice(&place[..len]),
        Layout::Panels => panels::unpack(&mut values, place, spec.shape[0], spec.shape[1]),
        Layout::Kernels => panels::unpack_kernels(&mut values, place, spec.kernels()),
        Layout::GroupedKernels { groups } => {
            panels::unpack_groups(&mut values, place, spec.kernels(), groups);
        }
        Layout::Pixels => image::flatten(&mut values, place, spec.pixels()),
        Layout::Rows { pitch } => {
            let rows = place.chunks(pitch).zip(values.chunks_mut(spec.shape[1]));
            rows.for_each(|(row, values)| values.copy_from_slice(&row[..values.len()]));
        }
    }
    let nonzeros = |values: &[f32]| values.iter().filter(|&&x| x != 0.0).count();
    assert_eq!(nonzeros(place), nonzeros(&values), "the padding of {} is not zero", spec.name);
    values
}
