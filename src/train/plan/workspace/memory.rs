//! The buffers of a training run: each is declared here, and nowhere else.

use super::activations::Activations;
use super::allocate::{Allocate, Form};
use crate::layers::MOST_PARTS;
use crate::model::PlacedLayer;
use crate::tensor::{LANES, padded, row_stride};
use crate::train::plan::{MatrixPlan, NORMS_PER_SHARD, PerTensorPlan, Plan};

/// Sums of squares that are kept of each shard: those of its gradient, of its update, of its parameters.
pub const NORMS: usize = 3;

/// The properties from which the buffers' sizes follow, beside the layers and the plan.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Features of a sample.
    pub features: usize,
    /// Target values of a sample; 0 if the targets are classes.
    pub targets: usize,
    /// Rows of the loss for each sample: the positions of sequences with a target each, else 1.
    pub positions: usize,
    /// Classes that are gathered of a sample, one for each position; 0 if its targets are no tokens.
    pub tokens: usize,
    /// Floats of all parameters, as they are stored.
    pub parameters: usize,
    /// The most samples of a step.
    pub batch: usize,
    /// Slots of the update rule: how many numbers it keeps for each parameter.
    pub slots: usize,
}

/// The factored second moments of a matrix.
pub struct Factors<F: Form> {
    /// The mean square of each output, `[panels * 16]`, and of each input, `[inputs]`.
    pub means: [F::Of<f32>; 2],
    /// The mean squares of the step alone, of the same shapes.
    pub of_step: [F::Of<f32>; 2],
    /// The sums of squares of each input over the outputs of each panel, `[panels, inputs]`.
    pub input_sums: F::Of<f32>,
}

/// The buffers of a run.
pub struct Memory<F: Form> {
    /// Each worker's own copy of the input, or one for all, `[block, in]`.
    pub inputs: Activations<F>,
    /// Each layer's output, `[block, out]` with `out` padded.
    pub outputs: Vec<Activations<F>>,
    /// The gradient of each layer's output, of the same shape.
    pub gradients: Vec<Activations<F>>,
    /// The loss of each row, `[batch, positions]`.
    pub losses: F::Of<f32>,
    /// Each layer's derived storage, which is made from its parameters.
    pub derived: Vec<F::Of<f32>>,
    /// The optimizer's slots, each as long as the parameters.
    pub slots: Vec<F::Of<f32>>,
    /// The gradients of all shards, if they are summed over several blocks or needed before the first update.
    pub sums: F::Of<f32>,
    /// Each worker's scratch: a shard's gradient, or what a layer wants for its rows.
    pub scratch: Vec<F::Of<f32>>,
    /// Each row's target values, `[block, targets]`.
    pub targets: F::Of<f32>,
    /// For each matrix that becomes orthogonal, two iterates in turn, `[longer side, shorter side]`,
    /// columns padded.
    pub iterates: Vec<[F::Of<f32>; 2]>,
    /// For each of these, its Gram matrix and a polynomial of that, `[shorter side, shorter side]`, columns padded.
    pub grams: Vec<[F::Of<f32>; 2]>,
    /// The factored second moments of each matrix that has them.
    pub factors: Vec<Factors<F>>,
    /// The slot of all parameters that are of no such matrix.
    pub vectors: F::Of<f32>,
    /// For each part of each shard of such matrices, the sums of the squares of its outputs,
    /// `[shards, MOST_PARTS, 16]`.
    pub part_sums: F::Of<f32>,
    /// Each worker's scratch: a shard's parameters before its update.
    pub before: Vec<F::Of<f32>>,
    /// Lookahead's slow parameters, in the places of the parameters; empty where they are not kept.
    pub slow: F::Of<f32>,
    /// The average of the parameters, in their places; empty where it is not kept.
    pub average: F::Of<f32>,
    /// For each layer that sums by rows, its gradient over each part of the block, `[parts, storage]`.
    pub partials: Vec<F::Of<f32>>,
    /// The contribution of a layer to a gradient that other layers add to as well, as wide as the widest of these;
    /// nothing in a plain chain.
    pub branch: Activations<F>,
    /// For each layer that normalises by batch, each worker's state of the block, `[workers, state]`.
    pub states: Vec<F::Of<f32>>,
    /// For each layer that carries a state from a batch to the next, that of each row of a batch, `[batch, carried_len]`;
    /// empty for others, and where nothing is carried.
    pub carried: Vec<F::Of<f32>>,
    /// Each worker's scratch for augmentation.
    pub augment_floats: Vec<F::Of<f32>>,
    /// Each worker's words of scratch for augmentation, `[workers, words]`.
    pub augment_words: F::Of<u32>,
    /// Where the samples come without their zeros, each worker's numbers of a block by their columns: where each
    /// column's end, `[workers, in]`, and what they are, `[workers, entries, 2]`.
    pub column_ends: F::Of<u32>,
    pub column_entries: F::Of<u32>,
    /// Each worker's scratch of each layer that saves something in it for the backward pass; empty for others.
    pub saved: Vec<Vec<F::Of<f32>>>,
    /// The class of each position of each row, `[block, positions]`, of sequences.
    pub tokens: F::Of<u32>,
    /// How many positions of each row count, `[block]`, if they are not all.
    pub lengths: F::Of<u32>,
    /// Each row's class, `[block]`.
    pub labels: F::Of<u8>,
    /// The class of the sample that each row is mixed with, `[block]`, if it is.
    pub others: F::Of<u8>,
    /// 1 for each row whose class was predicted, `[batch, positions]`.
    pub correct: F::Of<u8>,
    /// The sum of squares of each shard's gradient, if the norm of all is needed; `[shards]`.
    pub squares: F::Of<f64>,
    /// For each part of each shard, the sums of the squares of directions and of parameters, for a per-tensor
    /// rule; `[shards, MOST_PARTS, 2]`.
    pub part_squares: F::Of<f64>,
    /// Sums of squares of each shard in the last step of an epoch; `[shards][NORMS]`.
    pub norms: F::Of<f64>,
    /// For each layer that normalises by batch, the moments of its input over each part of the block,
    /// `[parts][moments]`.
    pub moments: Vec<F::Of<f64>>,
    /// What an embedding adds to the gradients of the shards whose weights are its table, too, over all blocks of a step.
    pub tied: F::Of<f32>,
}

impl<F: Form> Memory<F> {
    /// All buffers of a training of these layers.
    pub fn declare(
        arena: &mut impl Allocate<F>,
        sizes: Sizes,
        layers: &[PlacedLayer],
        plan: &Plan,
    ) -> Memory<F> {
        let Sizes { features, targets, positions, tokens, parameters, batch, slots } = sizes;
        let workers = plan.owners.len();
        let rows = batch.min(plan.block);
        let together = rows.min(plan.rows.together());
        let parts = plan.rows.parts(rows);
        let all = |arena: &mut _, columns, stride| Activations::of_block(arena, rows, columns, stride, 1);
        let under_way = |arena: &mut _, columns, stride| {
            Activations::of_rows_under_way(arena, together, columns, stride, workers)
        };
        let stride = row_stride(features);
        let inputs = match plan.rows.keeps_input() {
            // Saved for all rows of a block, by all workers together.
            true => all(arena, features, stride),
            false if plan.rows.input_is_transient => under_way(arena, features, stride),
            // Made by one worker for all, or by each for itself.
            false if plan.shares_input => all(arena, features, stride),
            false => Activations::of_block(arena, rows, features, stride, workers),
        };
        let (mut outputs, mut gradients) = (Vec::new(), Vec::new());
        for (index, placed) in layers.iter().enumerate() {
            let columns = placed.layer.columns();
            // The losses take rows without gaps.
            let stride = if index + 1 == layers.len() { columns } else { row_stride(columns) };
            let mut of = |is_transient: bool| match is_transient {
                true => under_way(arena, columns, stride),
                false => all(arena, columns, stride),
            };
            outputs.push(of(plan.rows.outputs_transient[index]));
            // Where the backward pass does not come nothing is written.
            let is_needed = plan.frozen.reaches(index);
            let gradient = is_needed.then(|| of(plan.rows.gradients_transient[index]));
            gradients.push(gradient.unwrap_or_else(Activations::none));
        }
        let batch_norms = || plan.rows.norms.iter().filter_map(|&index| layers[index].layer.as_batch_norm());
        let orthogonal = plan.per_tensor.as_ref().map_or(&[][..], PerTensorPlan::orthogonal);
        let is_factored = plan.per_tensor.as_ref().is_some_and(PerTensorPlan::is_factored);
        let factored = plan.per_tensor.as_ref().map_or(&[][..], PerTensorPlan::factored);
        let keeps_sums = rows < batch || plan.stores_gradients();
        let only = |is_needed: bool, len: usize| if is_needed { len } else { 0 };
        let entries = rows.saturating_mul(plan.sparse_entries.unwrap_or(0));
        let each_worker =
            |arena: &mut _, len| (0..workers).map(|_| Allocate::<F>::array(arena, len)).collect();
        Memory {
            inputs,
            outputs,
            gradients,
            losses: arena.array(batch.saturating_mul(positions)),
            derived: layers.iter().map(|placed| arena.array(placed.layer.derived_lens()[0])).collect(),
            slots: (0..slots).map(|_| arena.array(parameters)).collect(),
            sums: arena.array(only(keeps_sums, plan.gradients_len())),
            scratch: each_worker(arena, plan.scratch_len),
            targets: arena.array(rows * targets),
            iterates: orthogonal.iter().map(|of| arena.pair(of.rows(), of.columns())).collect(),
            grams: orthogonal.iter().map(|of| arena.pair(of.columns(), of.columns())).collect(),
            factors: factored.iter().map(|of| Factors::declare(arena, of)).collect(),
            vectors: arena
                .array(plan.per_tensor.as_ref().map_or(0, |tensors| only(is_factored, tensors.slot_len))),
            part_sums: arena.array(only(is_factored, plan.shards() * MOST_PARTS * LANES)),
            before: each_worker(arena, plan.scratch_len),
            slow: arena.array(only(plan.keeps_slow, parameters)),
            average: arena.array(only(plan.keeps_average, parameters)),
            partials: layers
                .iter()
                .enumerate()
                .map(|(index, placed)| {
                    partials(arena, placed, if plan.frozen.is_frozen(index) { 0 } else { parts })
                })
                .collect(),
            branch: match plan.rows.merges.columns {
                0 => Activations::none(),
                columns => under_way(arena, columns, row_stride(columns)),
            },
            states: batch_norms()
                .map(|norm| arena.strided(workers, norm.state_len(), norm.state_len()))
                .collect(),
            carried: layers
                .iter()
                .map(|placed| carried(arena, placed, if plan.carries { batch } else { 0 }))
                .collect(),
            augment_floats: each_worker(arena, plan.augment_lens[0]),
            augment_words: arena.words(workers, plan.augment_lens[1]),
            column_ends: arena.words(workers, only(plan.sparse_entries.is_some(), padded(features))),
            column_entries: arena.words(workers, padded(entries.saturating_mul(2))),
            saved: (0..workers)
                .map(|_| layers.iter().map(|placed| saved(arena, placed, together)).collect())
                .collect(),
            tokens: arena.words(rows, tokens),
            lengths: arena.words(1, rows),
            labels: arena.bytes(rows),
            others: arena.bytes(only(plan.mixes, rows)),
            correct: arena.bytes(batch.saturating_mul(positions)),
            squares: arena.doubles(only(plan.needs_norm, plan.shards())),
            part_squares: arena.doubles(only(plan.per_tensor.is_some(), NORMS_PER_SHARD * plan.shards())),
            norms: arena.doubles(NORMS * plan.shards()),
            moments: batch_norms().map(|norm| arena.doubles(norm.moments_len() * parts)).collect(),
            tied: arena.array(plan.tied_len()),
        }
    }
}

impl<F: Form> Factors<F> {
    fn declare(arena: &mut impl Allocate<F>, of: &MatrixPlan) -> Factors<F> {
        let lens = [of.panels() * LANES, of.inputs];
        Factors {
            means: lens.map(|len| arena.array(len)),
            of_step: lens.map(|len| arena.array(len)),
            input_sums: arena.array(of.panels() * of.inputs),
        }
    }
}

/// One gradient of all parameters for each part of a block, of which there are none where nothing is trained, if the
/// layer sums by rows.
fn partials<F: Form>(arena: &mut impl Allocate<F>, placed: &PlacedLayer, parts: usize) -> F::Of<f32> {
    match placed.layer.sums_rows() && parts > 0 {
        true => arena.matrix(parts, placed.layer.storage_len()),
        false => arena.matrix(0, 0),
    }
}

/// What a layer carries of so many rows; nothing of none.
fn carried<F: Form>(arena: &mut impl Allocate<F>, placed: &PlacedLayer, rows: usize) -> F::Of<f32> {
    match placed.layer.carried_len() {
        len if len > 0 && rows > 0 => arena.matrix(rows, len),
        _ => arena.array(0),
    }
}

/// A worker's scratch of a layer that saves something in it for these rows; nothing for others.
fn saved<F: Form>(arena: &mut impl Allocate<F>, placed: &PlacedLayer, rows: usize) -> F::Of<f32> {
    match placed.layer.saved_len(rows) {
        0 => arena.array(0),
        saved => arena.array(placed.layer.scratch_len().saturating_add(saved)),
    }
}
