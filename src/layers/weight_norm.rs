//! Weight normalisation, a wrapper of a dense layer: `y = activation(x · wᵀ + b)` with `w = g v / ‖v‖` for
//! each output by itself. g, v and b are trained (Salimans and Kingma: Weight normalization, 2016; as
//! `torch.nn.utils.parametrizations.weight_norm` with `dim = 0`).

use std::ops::Range;

use super::dense::{Dense, Shard};
use super::derived::{Derivation, Derived, Reader};
use super::layer::{Backward, Flops, Forward, Layer};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Role, Sharding};
use crate::kernels::normalisation::weight_norm;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::{LANES, MatrixRef, padded};

/// The part of a shard of weights that holds g: behind its panels.
const LENGTHS: usize = MOST_PARTS - 1;

/// A dense layer whose weights are normalised.
///
/// Its storage is that of the dense layer, with v in the place of w, and g behind it. What it derives is
/// the storage of the dense layer that it stands for, and then what that one derives.
#[derive(Clone, Debug)]
pub struct WeightNorm {
    dense: Dense,
}

impl WeightNorm {
    /// The dense layer, normalised; its initialiser of the weights is that of v, and g begins as ‖v‖.
    pub fn new(dense: Dense) -> WeightNorm {
        WeightNorm { dense: Dense { whole_columns: true, ..dense } }
    }

    /// Floats of the dense layer's storage: [`Layer::storage_len`], without the list that it makes.
    fn dense_len(&self) -> usize {
        self.dense.bias_range().end
    }

    /// Where the g of some panels lie in storage.
    fn lengths(&self, panels: Range<usize>) -> Range<usize> {
        let start = self.dense_len();
        start + panels.start * LANES..start + panels.end * LANES
    }

    fn all_panels(&self) -> Range<usize> {
        0..padded(self.dense.outputs) / LANES
    }

    /// Where the v, or the w, of one panel lie.
    fn panel(&self, panel: usize) -> Range<usize> {
        self.dense.weights(panel, &(0..self.dense.inputs))
    }
}

impl Layer for WeightNorm {
    fn kind(&self) -> String {
        format!("weight-normed {}", self.dense.kind())
    }

    fn outputs(&self) -> usize {
        self.dense.outputs
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.dense.parameters();
        parameters[0].name = "parametrizations.weight.original1";
        parameters.push(ParameterSpec {
            name: "parametrizations.weight.original0",
            shape: vec![self.dense.outputs, 1],
            range: self.lengths(self.all_panels()),
            layout: Layout::Plain,
            init: None,
        });
        parameters
    }

    fn complete(&self, storage: &mut [f32]) {
        let (v, g) = storage.split_at_mut(self.dense_len());
        for panel in self.all_panels() {
            weight_norm::norms(&mut g[panel * LANES..][..LANES], &v[self.panel(panel)]);
        }
    }

    fn flops(&self) -> Flops {
        self.dense.flops()
    }

    fn splits_features(&self) -> bool {
        self.dense.splits_features()
    }

    fn forward(&self, Forward { y, x, derived, columns, .. }: Forward) {
        self.dense.apply(y, x, &derived[..self.dense_len()], columns);
    }

    fn prepares_gradient(&self) -> bool {
        self.dense.prepares_gradient()
    }

    fn backward(&self, pass: Backward) {
        let (storage, derived) = pass.derived.split_at(self.dense_len());
        self.dense.backward(Backward { storage, derived, ..pass });
    }

    fn sums_rows(&self) -> bool {
        false
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, _wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.clone()))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Sharding for WeightNorm {
    fn shards(&self) -> usize {
        self.dense.shards()
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        let mut parts = self.dense.shard_parts(shard);
        if !self.dense.is_bias(shard) {
            parts[LENGTHS] = self.lengths(self.dense.shard(shard).panels);
        }
        parts
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        if self.dense.is_bias(shard) {
            return [Role::Bias; MOST_PARTS];
        }
        let mut roles = [Role::Directions; MOST_PARTS];
        roles[LENGTHS] = Role::Lengths;
        roles
    }

    fn shards_along_inputs(&self) -> usize {
        self.dense.shards_along_inputs()
    }

    /// That of w, in the place of that of v; the place of that of g is left as it is.
    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: MatrixRef,
        accumulate: bool,
        ahead: &PrefetchQueue,
    ) {
        let len = self.dense.shard_len(shard);
        self.dense.shard_gradient(shard, &mut out[..len], dy, x, accumulate, ahead);
    }

    fn prefetch_gradient(
        &self,
        shard: usize,
        before: Option<usize>,
        dy: MatrixRef,
        x: MatrixRef,
        ahead: &mut PrefetchQueue,
    ) {
        self.dense.prefetch_gradient(shard, before, dy, x, ahead);
    }

    fn finish_gradient(&self, shard: usize, out: &mut [f32], from: &Reader) {
        if self.dense.is_bias(shard) {
            return;
        }
        let Shard { panels, inputs } = self.dense.shard(shard);
        let (of_v, of_g) = out.split_at_mut(panels.len() * inputs.len() * LANES);
        let parts = of_v.chunks_exact_mut(inputs.len() * LANES).zip(of_g.chunks_exact_mut(LANES));
        for (panel, (dv, dg)) in panels.zip(parts) {
            weight_norm::backward(dv, dg, from(self.panel(panel)), from(self.lengths(panel..panel + 1)));
        }
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Derived for WeightNorm {
    fn derived_len(&self) -> usize {
        self.dense_len() + self.dense.derived_len()
    }

    fn forward_derived_len(&self) -> usize {
        self.dense_len()
    }

    fn derive_forward(&self, derived: &mut [f32], storage: &[f32]) {
        for panel in self.all_panels() {
            let place = self.panel(panel);
            let lengths = self.lengths(panel..panel + 1);
            weight_norm::forward(&mut derived[place.clone()], &storage[place], &storage[lengths]);
        }
        let bias = self.dense.bias_range();
        derived[bias.clone()].copy_from_slice(&storage[bias]);
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        if self.dense.is_bias(shard) {
            let bias = self.dense.bias_range();
            (from.derived)(bias.clone()).copy_from_slice((from.storage)(bias));
            return;
        }
        let behind = self.dense_len();
        for panel in self.dense.shard(shard).panels {
            let place = self.panel(panel);
            let weights = (from.derived)(place.clone());
            weight_norm::forward(
                weights,
                (from.storage)(place),
                (from.storage)(self.lengths(panel..panel + 1)),
            );
            if self.dense.input_gradient {
                let copy = Derivation {
                    storage: &|part| (from.storage)(part),
                    derived: &|part| (from.derived)(behind + part.start..behind + part.end),
                };
                self.dense.transpose(panel, &(0..self.dense.inputs), weights, &mut &copy);
            }
        }
    }
}
