//! The fully connected layer: `y = activation(x · wᵀ + b)`.

use std::ops::Range;

use super::derived::{Derivation, Derived, Destination, Reader};
use super::layer::{Backward, Flops, Forward, Layer};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Role, Sharding};
use super::sparse::Sparse;
use crate::init::Init;
use crate::kernels::activation::{self, Activation};
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::products::panels;
use crate::kernels::products::sparse::{self, SparseColumns};
use crate::kernels::simd::prefetch::{PrefetchQueue, RESIDENT};
use crate::tensor::{LANES, MatrixMut, MatrixRef, SparseRef, padded};

/// Panels of one shard: as many as a register tile is wide.
const SHARD_PANELS: usize = 2;

/// Inputs and panels of one shard where the input is mostly zeros: a gradient of at most 128 KiB, of which each input's
/// sums are in registers. Of more inputs a shard has fewer panels.
const SPARSE_INPUTS: usize = 512;
const SPARSE_PANELS: usize = 4;

/// Inputs of one shard: whole panels of the transposed weights, whole register tiles, and 14 KiB of
/// gradient, which stay in the first-level cache until the update has used them.
const SHARD_INPUTS: usize = 112;

const _: () = assert!(MOST_PARTS == SHARD_PANELS + 1, "the panels and the bias");

/// A dense layer with its activation, which must be one whose derivative follows from its output.
#[derive(Clone, Debug)]
pub struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
    pub activation: Activation,
    pub weight_init: Init,
    pub bias_init: Init,
    /// Whether the gradient of the input is wanted: in all layers but the first. It takes a second,
    /// transposed copy of the weights.
    pub input_gradient: bool,
    /// Whether a shard holds all inputs of its outputs, and the bias is a shard of its own, the last. This and the
    /// next are those of a partition: each training has its own.
    pub whole_columns: bool,
    /// Whether the shards of the same inputs follow each other, and not those of the same outputs.
    pub by_inputs: bool,
    /// Whether the input comes without its zeros.
    pub sparse_input: bool,
}

/// The weights of one shard: some panels, some inputs.
pub(super) struct Shard {
    pub(super) panels: Range<usize>,
    pub(super) inputs: Range<usize>,
}

impl Dense {
    /// The layer with its parameters partitioned so.
    pub(super) fn partitioned(&self, wanted: Partitioning) -> Dense {
        let Partitioning { whole_columns, by_inputs, sparse_input } = wanted;
        Dense { whole_columns, by_inputs, sparse_input, ..self.clone() }
    }

    fn panels(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    pub(super) fn weights_len(&self) -> usize {
        panels::packed_len(self.outputs, self.inputs)
    }

    pub(super) fn bias_range(&self) -> Range<usize> {
        self.weights_len()..self.weights_len() + if self.bias { padded(self.outputs) } else { 0 }
    }

    fn inputs_of_shard(&self) -> usize {
        match (self.whole_columns, self.sparse_input) {
            (true, _) => self.inputs,
            (false, true) => self.inputs.min(SPARSE_INPUTS),
            (false, false) => SHARD_INPUTS,
        }
    }

    fn panels_of_shard(&self) -> usize {
        if self.is_one_range() { SPARSE_PANELS } else { SHARD_PANELS }
    }

    /// Whether a shard has all inputs of its panels and is not cut into them: it is one range of storage then, however many
    /// they are.
    fn is_one_range(&self) -> bool {
        self.sparse_input && !self.whole_columns && self.inputs <= SPARSE_INPUTS
    }

    /// Shards of the same inputs.
    fn shards_across(&self) -> usize {
        self.panels().div_ceil(self.panels_of_shard())
    }

    /// The shards that hold weights.
    fn weight_shards(&self) -> usize {
        self.shards_across() * self.shards_along()
    }

    /// Whether a shard is the bias, and holds no weights.
    pub(super) fn is_bias(&self, shard: usize) -> bool {
        self.whole_columns && shard == self.weight_shards()
    }

    /// Shards of weights run along the inputs first, so that consecutive ones share panels, or along the
    /// outputs.
    pub(super) fn shard(&self, shard: usize) -> Shard {
        let (along, across) = (self.shards_along(), self.shards_across());
        let [panel, input] =
            if self.by_inputs { [shard % across, shard / across] } else { [shard / along, shard % along] };
        let (panel, input) = (panel * self.panels_of_shard(), input * self.inputs_of_shard());
        Shard {
            panels: panel..(panel + self.panels_of_shard()).min(self.panels()),
            inputs: input..(input + self.inputs_of_shard()).min(self.inputs),
        }
    }

    /// The columns of the output that the gradients of some consecutive shards read.
    pub(super) fn columns_of_shards(&self, shards: Range<usize>) -> Range<usize> {
        if shards.clone().any(|shard| self.is_bias(shard)) || shards.is_empty() {
            return 0..padded(self.outputs);
        }
        let panels = shards.map(|shard| self.shard(shard).panels);
        let (start, end) =
            panels.fold((usize::MAX, 0), |(start, end), of| (start.min(of.start), end.max(of.end)));
        start * LANES..end * LANES
    }

    /// Shards of the same outputs.
    fn shards_along(&self) -> usize {
        self.inputs.div_ceil(self.inputs_of_shard().max(1)).max(1)
    }

    /// Where the weights of these inputs of one panel lie in storage.
    pub(super) fn weights(&self, panel: usize, inputs: &Range<usize>) -> Range<usize> {
        let start = (panel * self.inputs + inputs.start) * LANES;
        start..start + inputs.len() * LANES
    }

    /// Where the block of a panel from an input on lies in the transposed weights.
    fn transposed_block(&self, panel: usize, input: usize) -> Range<usize> {
        let start = (input / LANES * padded(self.outputs) + panel * LANES) * LANES;
        start..start + LANES * LANES
    }

    /// Writes `weights`, those of these inputs of one panel, to the transposed copy.
    pub(super) fn transpose(
        &self,
        panel: usize,
        inputs: &Range<usize>,
        weights: &[f32],
        derived: &mut impl Destination,
    ) {
        for (input, source) in inputs.clone().step_by(LANES).zip(weights.chunks(LANES * LANES)) {
            panels::transpose_block(derived.part(self.transposed_block(panel, input)), source);
        }
    }

    /// The part of the transposed copy that belongs to a shard; `storage` reads the layer's.
    pub(super) fn transpose_shard(&self, shard: usize, storage: &Reader, derived: &mut impl Destination) {
        if !self.input_gradient || self.is_bias(shard) {
            return;
        }
        let Shard { panels, inputs } = self.shard(shard);
        for panel in panels {
            self.transpose(panel, &inputs, storage(self.weights(panel, &inputs)), derived);
        }
    }

    /// What the product does by itself; every other activation is a pass of its own.
    pub(super) fn epilogue(&self) -> Option<Epilogue> {
        epilogue(self.activation)
    }

    /// The output `y` `[rows, columns.len()]` of `x` `[rows, in]`, in these columns.
    pub(super) fn apply(&self, y: MatrixMut, x: MatrixRef, storage: &[f32], columns: Range<usize>) {
        self.apply_beside(y, x, storage, columns, RESIDENT);
    }

    /// [`apply`](Dense::apply), where no more than so many bytes of weights [stay in cache](gemm::product_beside).
    pub(super) fn apply_beside(
        &self,
        mut y: MatrixMut,
        x: MatrixRef,
        storage: &[f32],
        columns: Range<usize>,
        resident: usize,
    ) {
        let x = x.block(0..x.rows(), 0..self.inputs);
        let (weights, bias) = self.columns_of(storage, columns.clone());
        // [rows x in] * [in x out] -> [rows x out], m = rows, n = output features, k = inputs
        let epilogue = self.epilogue().unwrap_or(Epilogue::Plain);
        gemm::product_beside(y.reborrow(), x, weights, bias, epilogue, resident);
        self.activate(y, columns);
    }

    /// The weights and the bias of some columns of the output.
    fn columns_of<'s>(&self, storage: &'s [f32], columns: Range<usize>) -> (&'s [f32], Option<&'s [f32]>) {
        let weights = &storage[columns.start * self.inputs..columns.end * self.inputs];
        (weights, storage.get(self.bias_range()).filter(|_| self.bias).map(|bias| &bias[columns]))
    }

    /// Applies the activation to `y`, these columns of the output, if the product has not.
    fn activate(&self, mut y: MatrixMut, columns: Range<usize>) {
        if self.epilogue().is_none() {
            // Padding stays zero, which not every activation makes of it.
            let features = self.outputs.min(columns.end).saturating_sub(columns.start);
            for row in 0..y.rows() {
                activation::forward_in_place(self.activation, &mut y.row(row)[..features]);
            }
        }
    }
}

/// What a product does by itself of an activation; none of those that are a pass of their own.
pub(super) fn epilogue(activation: Activation) -> Option<Epilogue> {
    match (activation.name(), activation.parameter()) {
        ("identity", _) => Some(Epilogue::Plain),
        ("relu", _) => Some(Epilogue::Relu),
        ("leaky-relu", Some((_, slope))) => Some(Epilogue::LeakyRelu { slope }),
        _ => None,
    }
}

impl Layer for Dense {
    fn kind(&self) -> String {
        super::activation::with_activation("dense", self.activation)
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = vec![ParameterSpec {
            name: "weight",
            shape: vec![self.outputs, self.inputs],
            range: 0..self.weights_len(),
            layout: Layout::Panels,
            init: Some(self.weight_init),
        }];
        if self.bias {
            parameters.push(ParameterSpec {
                name: "bias",
                shape: vec![self.outputs],
                range: self.bias_range(),
                layout: Layout::Plain,
                init: Some(self.bias_init),
            });
        }
        parameters
    }

    fn flops(&self) -> Flops {
        let product = 2.0 * self.inputs as f64 * self.outputs as f64;
        let backward = if self.input_gradient { product } else { 0.0 };
        Flops { forward: product, backward, gradient: product }
    }

    fn splits_features(&self) -> bool {
        true
    }

    fn forward(&self, Forward { y, x, storage, columns, .. }: Forward) {
        self.apply(y, x, storage, columns);
    }

    fn prepares_gradient(&self) -> bool {
        self.activation != Activation::IDENTITY
    }

    fn backward(&self, Backward { dx, mut dy, y, derived, .. }: Backward) {
        // Inverts the activation: dy becomes the gradient of x · wᵀ + b.
        if self.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.activation, dy.row(row), y.row(row));
            }
        }
        if let Some(dx) = dx {
            // Inverts the product:
            // [rows x out] * [out x in] -> [rows x in], m = rows, n = inputs, k = output features without their
            // padding, which is most of them in a layer of two outputs
            let dy = dy.as_ref().block(0..dy.rows(), 0..self.outputs);
            gemm::product(dx, dy, derived, None, Epilogue::Plain);
        }
    }

    fn sums_rows(&self) -> bool {
        false
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.partitioned(wanted)))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }

    fn sparse(&self) -> Option<&dyn Sparse> {
        Some(self)
    }
}

impl Sparse for Dense {
    fn forward(&self, mut y: MatrixMut, x: SparseRef, storage: &[f32], columns: Range<usize>) {
        let (weights, bias) = self.columns_of(storage, columns.clone());
        sparse::product(y.reborrow(), x, weights, bias, self.epilogue().unwrap_or(Epilogue::Plain));
        self.activate(y, columns);
    }

    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: SparseColumns,
        accumulate: bool,
    ) {
        if self.is_bias(shard) {
            gemm::column_sums(out, dy.block(0..dy.rows(), 0..padded(self.outputs)), accumulate);
            return;
        }
        let Shard { panels, inputs } = self.shard(shard);
        let dy = dy.block(0..dy.rows(), panels.start * LANES..panels.end * LANES);
        let (dw, db) = out.split_at_mut(dy.columns() * inputs.len());
        sparse::gradient(dw, dy, x, inputs, accumulate);
        if !db.is_empty() {
            gemm::column_sums(db, dy, accumulate);
        }
    }
}

impl Sharding for Dense {
    fn sparse(&self) -> Option<&dyn Sparse> {
        Some(self)
    }

    fn shard_inputs(&self, shard: usize) -> Range<usize> {
        if self.is_bias(shard) { 0..0 } else { self.shard(shard).inputs }
    }

    fn shards(&self) -> usize {
        self.weight_shards() + usize::from(self.whole_columns && self.bias)
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        let mut parts: [Range<usize>; MOST_PARTS] = Default::default();
        if self.is_bias(shard) {
            parts[0] = self.bias_range();
            return parts;
        }
        let Shard { panels, inputs } = self.shard(shard);
        if self.is_one_range() {
            let [first, last] = [panels.start, panels.end - 1].map(|panel| self.weights(panel, &inputs));
            parts[0] = first.start..last.end;
        } else {
            for (part, panel) in parts.iter_mut().zip(panels.clone()) {
                *part = self.weights(panel, &inputs);
            }
        }
        // The bias belongs to the shards of the first inputs, unless it is one of its own.
        if self.bias && inputs.start == 0 && !self.whole_columns {
            let start = self.weights_len() + panels.start * LANES;
            parts[SHARD_PANELS] = start..start + panels.len() * LANES;
        }
        parts
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        debug_assert!(self.whole_columns);
        [if self.is_bias(shard) { Role::Bias } else { Role::Weights }; MOST_PARTS]
    }

    fn shards_along_inputs(&self) -> usize {
        if self.by_inputs { 1 } else { self.shards_along() }
    }

    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: MatrixRef,
        accumulate: bool,
        ahead: &PrefetchQueue,
    ) {
        if self.is_bias(shard) {
            gemm::column_sums(out, dy.block(0..dy.rows(), 0..padded(self.outputs)), accumulate);
            return;
        }
        let Shard { panels, inputs } = self.shard(shard);
        let outputs = panels.start * LANES..(panels.end * LANES).min(self.outputs);
        let dy_of_few = dy.block(0..dy.rows(), outputs);
        let dy = dy.block(0..dy.rows(), panels.start * LANES..panels.end * LANES);
        let (dw, db) = out.split_at_mut(dy.columns() * inputs.len());
        // [out x rows] * [rows x in] -> [out x in], m = output features, n = inputs, k = rows
        let whole = inputs.start..inputs.end.next_multiple_of(LANES);
        if dy_of_few.columns() <= gemm::FEW && whole.end <= x.columns() {
            gemm::gradient_of_few(dw, dy_of_few, x.block(0..x.rows(), whole), accumulate, ahead);
        } else {
            gemm::gradient(dw, dy, x.block(0..x.rows(), inputs), accumulate, ahead);
        }
        if !db.is_empty() {
            gemm::column_sums(db, dy, accumulate);
        }
    }

    fn prefetch_gradient(
        &self,
        shard: usize,
        before: Option<usize>,
        dy: MatrixRef,
        x: MatrixRef,
        ahead: &mut PrefetchQueue,
    ) {
        if self.is_bias(shard) || before.is_some_and(|before| self.is_bias(before)) {
            return;
        }
        let (shard, before) = (self.shard(shard), before.map(|before| self.shard(before)));
        if before.as_ref().is_none_or(|before| shard.panels != before.panels) {
            ahead.add_columns(dy, shard.panels.start * LANES..shard.panels.end * LANES);
        }
        if before.is_none_or(|before| shard.inputs != before.inputs) {
            ahead.add_columns(x, shard.inputs);
        }
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Derived for Dense {
    fn derived_len(&self) -> usize {
        if self.input_gradient { panels::packed_len(self.inputs, padded(self.outputs)) } else { 0 }
    }

    fn derived_parts(&self, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        if !self.input_gradient || self.is_bias(shard) {
            return;
        }
        let Shard { panels, inputs } = self.shard(shard);
        for panel in panels {
            inputs.clone().step_by(LANES).for_each(|input| each(self.transposed_block(panel, input)));
        }
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        self.transpose_shard(shard, &from.storage, &mut &*from);
    }
}
