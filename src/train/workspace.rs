//! All memory of a training run, planned once: after that nothing allocates.

use std::ops::Range;

use super::activations::Activations;
use super::plan::{MatrixPlan, NORMS_PER_SHARD, PerTensorPlan, Plan};
use crate::Result;
use crate::kernels::simd::reduce;
use crate::layers::MOST_PARTS;
use crate::memory;
use crate::model::PlacedLayer;
use crate::team::Shared;
use crate::tensor::{Arena, Buffer, LANES, padded, row_stride};

/// Sums of squares that are kept of each shard: of its gradient, of its update, of its parameters.
pub const NORMS: usize = 3;

/// The places of a batch's matrices and of what belongs to the parameters, in one buffer of floats.
pub struct Workspace {
    floats: Buffer<f32>,
    labels: Buffer<u8>,
    others: Buffer<u8>,
    words: Buffer<u32>,
    correct: Buffer<u8>,
    squares: Vec<f64>,
    part_squares: Vec<f64>,
    norms: Vec<f64>,
    moments: Vec<Vec<f64>>,
    places: Places,
}

/// Where everything lies in a workspace's floats.
struct Places {
    inputs: Rows,
    outputs: Vec<Rows>,
    gradients: Vec<Rows>,
    losses: Range<usize>,
    derived: Vec<Range<usize>>,
    slots: Vec<Range<usize>>,
    sums: Range<usize>,
    scratch: Vec<Range<usize>>,
    targets: Range<usize>,
    iterates: Vec<[Matrix; 2]>,
    grams: Vec<[Matrix; 2]>,
    factors: Vec<[Range<usize>; 5]>,
    vectors: Range<usize>,
    part_sums: Range<usize>,
    before: Vec<Range<usize>>,
    slow: Range<usize>,
    average: Range<usize>,
    partials: Vec<Matrix>,
    branch: Rows,
    states: Vec<Matrix>,
    augment: Vec<Range<usize>>,
    kept: Vec<Vec<Range<usize>>>,
}

/// The matrices of [`Activations`].
struct Rows {
    matrices: Vec<Matrix>,
    transient: bool,
}

/// A matrix in a buffer.
struct Matrix {
    range: Range<usize>,
    rows: usize,
    columns: usize,
    stride: usize,
}

fn place(layout: &mut Arena, rows: usize, columns: usize, stride: usize) -> Matrix {
    Matrix { range: arena.place(rows * stride), rows, columns, stride }
}

/// Two matrices of this shape, columns padded.
fn pair(layout: &mut Arena, rows: usize, columns: usize) -> [Matrix; 2] {
    [(); 2].map(|()| place(layout, rows, padded(columns), row_stride(columns)))
}

/// The parts of [`Factors`].
fn factors(layout: &mut Arena, matrix: &MatrixPlan) -> [Range<usize>; 5] {
    let (outputs, inputs) = (matrix.panels() * LANES, matrix.inputs);
    [outputs, inputs, outputs, inputs, matrix.panels() * inputs].map(|len| arena.place(len))
}

/// A worker's scratch of a layer that keeps something in it for these rows; nothing for others.
fn kept(layout: &mut Arena, placed: &PlacedLayer, rows: usize) -> Range<usize> {
    let kept = placed.layer.saved_len(rows);
    arena.place(if kept > 0 { placed.layer.scratch_len().saturating_add(saved) } else { 0 })
}

/// One gradient of all parameters for each part of a block, if the layer sums by rows.
fn partials(layout: &mut Arena, placed: &PlacedLayer, parts: usize) -> Matrix {
    let columns = placed.layer.storage_len();
    if placed.layer.sums_rows() {
        place(layout, parts, columns, row_stride(columns))
    } else {
        place(layout, 0, 0, 0)
    }
}

/// Rows of the widest gradient to which a layer adds, for each worker; nothing if there is none.
fn branch(layout: &mut Arena, plan: &Plan, rows: usize) -> Rows {
    let columns = plan.rows.merges.columns;
    let workers = if columns > 0 { plan.owners.len() } else { 0 };
    let matrices = (0..workers).map(|_| place(layout, rows, columns, row_stride(columns))).collect();
    Rows { matrices, transient: true }
}

/// What the memory of a run is for, in messages.
const USE: &str = "gradients, optimizer and batch";

impl Workspace {
    /// Memory for batches of up to `batch` samples of `features` features and `targets` values to come
    /// close to (0 if the targets are classes), and a rule with `slots` numbers for each of
    /// `parameters`.
    ///
    /// # Errors
    /// If the machine has less memory free.
    pub fn new(
        layers: &[PlacedLayer],
        features: usize,
        targets: usize,
        parameters: usize,
        batch: usize,
        slots: usize,
        plan: &Plan,
    ) -> Result<Workspace> {
        let mut arena = Arena::default();
        let shard_lens = layers.iter().flat_map(|placed| {
            (0..placed.layer.sharding().shards()).map(|shard| placed.layer.sharding().shard_len(shard))
        });
        let layer_lens = layers.iter().map(|placed| placed.layer.scratch_len());
        let scratch_len = shard_lens.chain(layer_lens).max().unwrap_or(0);
        let rows = batch.min(plan.block);
        // Of which only some are under way, and that in each worker.
        let transient_rows = rows.min(plan.rows.together());
        let mut activations = |columns, stride, transient: bool, each: bool| Rows {
            matrices: (0..if transient || each { plan.owners.len() } else { 1 })
                .map(|_| place(&mut layout, if transient { transient_rows } else { rows }, columns, stride))
                .collect(),
            transient,
        };
        let sums_len = if rows < batch || plan.keeps_gradients() { plan.gradients_len() } else { 0 };
        let stride = row_stride(features);
        // Kept for all rows of a block, or made by one worker for all.
        let keeps = plan.rows.keeps_input();
        let each = !keeps && !plan.shares_input;
        let inputs = activations(features, stride, plan.rows.input_is_transient && !keeps, each);
        let mut outputs = Vec::new();
        let mut gradients = Vec::new();
        for (index, placed) in layers.iter().enumerate() {
            let columns = placed.layer.columns();
            // The losses take rows without gaps.
            let stride = if index + 1 == layers.len() { columns } else { row_stride(columns) };
            outputs.push(activations(columns, stride, plan.rows.outputs_transient[index], false));
            gradients.push(activations(columns, stride, plan.rows.gradients_transient[index], false));
        }
        let batch_norms = || plan.rows.norms.iter().filter_map(|&index| layers[index].layer.as_batch_norm());
        let matrices = plan.per_tensor.as_ref().map_or(&[][..], PerTensorPlan::orthogonal);
        let factored = plan.per_tensor.as_ref().filter(|whole| whole.is_factored());
        let places = Places {
            inputs,
            outputs,
            gradients,
            losses: arena.place(batch),
            derived: layers.iter().map(|placed| arena.place(placed.layer.derived_lens()[0])).collect(),
            slots: (0..slots).map(|_| arena.place(parameters)).collect(),
            sums: arena.place(sums_len),
            scratch: plan.owners.iter().map(|_| arena.place(scratch_len)).collect(),
            targets: arena.place(rows * targets),
            iterates: matrices.iter().map(|of| pair(&mut layout, of.rows(), of.columns())).collect(),
            grams: matrices.iter().map(|of| pair(&mut layout, of.columns(), of.columns())).collect(),
            factors: factored
                .map_or(&[][..], PerTensorPlan::factored)
                .iter()
                .map(|of| factors(&mut layout, of))
                .collect(),
            vectors: arena.place(factored.map_or(0, |whole| whole.slot_len)),
            part_sums: arena.place(if factored.is_some() { plan.shards() * MOST_PARTS * LANES } else { 0 }),
            before: plan.owners.iter().map(|_| arena.place(scratch_len)).collect(),
            slow: arena.place(if plan.keeps_slow { parameters } else { 0 }),
            average: arena.place(if plan.keeps_average { parameters } else { 0 }),
            partials: layers
                .iter()
                .map(|placed| partials(&mut layout, placed, plan.rows.parts(rows)))
                .collect(),
            branch: branch(&mut layout, plan, transient_rows),
            states: batch_norms()
                .map(|norm| place(&mut layout, plan.owners.len(), norm.state_len(), norm.state_len()))
                .collect(),
            augment: plan.owners.iter().map(|_| arena.place(plan.augment_lens[0])).collect(),
            kept: plan
                .owners
                .iter()
                .map(|_| layers.iter().map(|placed| kept(&mut layout, placed, transient_rows)).collect())
                .collect(),
        };
        let words = plan.owners.len() * plan.augment_lens[1];
        let bytes = arena.len().saturating_add(words).saturating_mul(size_of::<f32>());
        memory::check(USE, bytes)?;
        Ok(Workspace {
            floats: Buffer::try_zeros(USE, arena.len())?,
            labels: Buffer::try_zeros(USE, rows)?,
            others: Buffer::try_zeros(USE, if plan.mixes { rows } else { 0 })?,
            words: Buffer::try_zeros(USE, words)?,
            correct: Buffer::try_zeros(USE, batch)?,
            squares: vec![0.0; if plan.needs_norm { plan.shards() } else { 0 }],
            part_squares: vec![
                0.0;
                if plan.per_tensor.is_some() { NORMS_PER_SHARD * plan.shards() } else { 0 }
            ],
            norms: vec![0.0; NORMS * plan.shards()],
            moments: batch_norms()
                .map(|norm| vec![0.0; norm.moments_len() * plan.rows.parts(rows)])
                .collect(),
            places,
        })
    }
}

impl Workspace {
    /// Bytes of the floats and words, which are nearly all.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.floats[..]).saturating_add(size_of_val(&self.words[..]))
    }

    /// All shards' gradients, as the plan places them, if they are kept.
    pub fn sums(&self) -> &[f32] {
        &self.floats[self.places.sums.clone()]
    }

    /// The first layer with a number that is not finite among the outputs that it gave last.
    pub fn first_output_not_finite(&self) -> Option<usize> {
        let is_lost = |output: &Matrix| !reduce::all_finite(&self.floats[output.range.clone()]);
        self.places.outputs.iter().position(|outputs| outputs.matrices.iter().any(is_lost))
    }

    /// What was measured last of each shard, `[shards][NORMS]`.
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// Lookahead's slow parameters, and the average of the parameters; empty where they are not kept.
    pub fn averages(&self) -> (&[f32], &[f32]) {
        (&self.floats[self.places.slow.clone()], &self.floats[self.places.average.clone()])
    }

    /// A slot of the rule, in the places of the parameters.
    pub fn slot(&self, slot: usize) -> &[f32] {
        &self.floats[self.places.slots[slot].clone()]
    }

    /// As [`slot`](Workspace::slot).
    pub fn slot_mut(&mut self, slot: usize) -> &mut [f32] {
        let place = self.places.slots[slot].clone();
        &mut self.floats[place]
    }

    /// As [`averages`](Workspace::averages).
    pub fn averages_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        let mut carver = Carver { rest: &mut self.floats, position: 0 };
        (carver.cut(&self.places.slow), carver.cut(&self.places.average))
    }

    /// The first shard, among those of all layers, whose sum of squares is not finite.
    pub fn first_square_not_finite(&self) -> Option<usize> {
        self.squares.iter().position(|squares| !squares.is_finite())
    }
}

/// The factored second moments of a matrix.
pub struct Factors<'a> {
    /// The mean square of each output, `[panels * 16]`, and of each input, `[inputs]`.
    pub means: [Shared<'a, f32>; 2],
    /// Those of the step alone.
    pub of_step: [Shared<'a, f32>; 2],
    /// The sums of squares of each input over the outputs of each panel, `[panels, inputs]`.
    pub input_sums: Shared<'a, f32>,
}

/// A workspace, cut into its parts and shared by the workers.
pub struct Memory<'a> {
    /// Each worker's own copy of the input, or one for all, `[block, in]`.
    pub inputs: Activations<'a>,
    /// Each layer's output, `[block, out]` with `out` padded.
    pub outputs: Vec<Activations<'a>>,
    /// The gradient of each layer's output, of the same shape.
    pub gradients: Vec<Activations<'a>>,
    /// Each row's loss, `[batch]`.
    pub losses: Shared<'a, f32>,
    /// Each row's class, `[block]`.
    pub labels: Shared<'a, u8>,
    /// The class of what each row is mixed with, `[block]`, if it is.
    pub others: Shared<'a, u8>,
    /// 1 for each row whose class was found, `[batch]`.
    pub correct: Shared<'a, u8>,
    /// What each layer derives from its parameters.
    pub derived: Vec<Shared<'a, f32>>,
    /// The optimizer's slots, each as long as the parameters.
    pub slots: Vec<Shared<'a, f32>>,
    /// All shards' gradients, if they are summed over several blocks or needed all at once.
    pub sums: Shared<'a, f32>,
    /// The sum of squares of each shard's gradient, if they are needed all at once; `[shards]`.
    pub squares: Shared<'a, f64>,
    /// Each worker's scratch: a shard's gradient, or what a layer wants for its rows.
    pub scratch: Vec<Shared<'a, f32>>,
    /// Each row's values to come close to, `[block, targets]`.
    pub targets: Shared<'a, f32>,
    /// Of each matrix that becomes orthogonal, two iterates in turn, `[longer side, shorter side]`,
    /// columns padded.
    pub iterates: Vec<[Shared<'a, f32>; 2]>,
    /// Its Gram matrix and a polynomial of that, `[shorter side, shorter side]`, columns padded.
    pub grams: Vec<[Shared<'a, f32>; 2]>,
    /// Of each matrix whose second moments are factored.
    pub factors: Vec<Factors<'a>>,
    /// The slot of all that is no such matrix.
    pub vectors: Shared<'a, f32>,
    /// Of each part of each shard of such matrices the sums of the squares of its outputs, `[shards, MOST_PARTS, 16]`.
    pub part_sums: Shared<'a, f32>,
    /// Of each part of each shard the sums of the squares of directions and of parameters, for a rule
    /// for whole parameters; `[shards, MOST_PARTS, 2]`.
    pub part_squares: Shared<'a, f64>,
    /// Each worker's scratch: a shard's parameters before its update.
    pub before: Vec<Shared<'a, f32>>,
    /// Lookahead's slow parameters, in the places of the parameters.
    pub slow: Shared<'a, f32>,
    /// The average of the parameters, in their places.
    pub average: Shared<'a, f32>,
    /// Sums of squares of each shard in the last step of an epoch; `[shards][NORMS]`.
    pub norms: Shared<'a, f64>,
    /// Of each layer that sums by rows, its gradient over each part of the block, `[parts, storage]`.
    pub partials: Vec<Shared<'a, f32>>,
    /// What a layer gives to a gradient that others give to as well; nothing in a plain chain.
    pub branch: Activations<'a>,
    /// Of each layer that normalises by batch, what each worker keeps of the block, `[workers, state]`.
    pub states: Vec<Shared<'a, f32>>,
    /// The moments of its input over each part of the block, `[parts][moments]`.
    pub moments: Vec<Shared<'a, f64>>,
    /// Each worker's scratch for augmentation.
    pub augment_floats: Vec<Shared<'a, f32>>,
    /// As well, `[workers, words]`.
    pub augment_words: Shared<'a, u32>,
    /// Each worker's scratch of each layer that keeps something in it; empty for others.
    pub saved: Vec<Vec<Shared<'a, f32>>>,
}

impl Workspace {
    /// Shares all parts.
    pub fn share(&mut self) -> Memory<'_> {
        let places = &self.places;
        let mut carver = Carver { rest: &mut self.floats, position: 0 };
        // In the order in which they were placed.
        let inputs = carver.activations(&places.inputs);
        let mut outputs = Vec::new();
        let mut gradients = Vec::new();
        for (output, gradient) in places.outputs.iter().zip(&places.gradients) {
            outputs.push(carver.activations(output));
            gradients.push(carver.activations(gradient));
        }
        Memory {
            inputs,
            outputs,
            gradients,
            losses: carver.array(&places.losses),
            derived: places.derived.iter().map(|place| carver.array(place)).collect(),
            slots: places.slots.iter().map(|place| carver.array(place)).collect(),
            sums: carver.array(&places.sums),
            scratch: places.scratch.iter().map(|place| carver.array(place)).collect(),
            targets: carver.array(&places.targets),
            iterates: places
                .iterates
                .iter()
                .map(|pair| pair.each_ref().map(|of| carver.matrix(of)))
                .collect(),
            grams: places.grams.iter().map(|pair| pair.each_ref().map(|of| carver.matrix(of))).collect(),
            factors: places
                .factors
                .iter()
                .map(|of| {
                    let [outputs, inputs, of_outputs, of_inputs, input_sums] =
                        of.each_ref().map(|place| carver.array(place));
                    Factors { means: [outputs, inputs], of_step: [of_outputs, of_inputs], input_sums }
                })
                .collect(),
            vectors: carver.array(&places.vectors),
            part_sums: carver.array(&places.part_sums),
            before: places.before.iter().map(|place| carver.array(place)).collect(),
            slow: carver.array(&places.slow),
            average: carver.array(&places.average),
            partials: places.partials.iter().map(|place| carver.matrix(place)).collect(),
            branch: carver.activations(&places.branch),
            states: places.states.iter().map(|place| carver.matrix(place)).collect(),
            moments: self.moments.iter_mut().map(|moments| Shared::array(moments)).collect(),
            augment_floats: places.augment.iter().map(|place| carver.array(place)).collect(),
            augment_words: {
                let (workers, len) = (places.augment.len(), self.words.len() / places.augment.len().max(1));
                Shared::matrix(&mut self.words, workers, len, len)
            },
            kept: places
                .kept
                .iter()
                .map(|layers| layers.iter().map(|place| carver.array(place)).collect())
                .collect(),
            labels: Shared::array(&mut self.labels),
            others: Shared::array(&mut self.others),
            correct: Shared::array(&mut self.correct),
            squares: Shared::array(&mut self.squares),
            part_squares: Shared::array(&mut self.part_squares),
            norms: Shared::array(&mut self.norms),
        }
    }
}

/// Cuts a slice into the parts at increasing places.
struct Carver<'a> {
    rest: &'a mut [f32],
    position: usize,
}

impl<'a> Carver<'a> {
    fn cut(&mut self, place: &Range<usize>) -> &'a mut [f32] {
        let (_, rest) = std::mem::take(&mut self.rest).split_at_mut(place.start - self.position);
        let (part, rest) = rest.split_at_mut(place.len());
        (self.rest, self.position) = (rest, place.end);
        part
    }

    fn array(&mut self, place: &Range<usize>) -> Shared<'a, f32> {
        Shared::array(self.cut(place))
    }

    fn matrix(&mut self, place: &Matrix) -> Shared<'a, f32> {
        Shared::matrix(self.cut(&place.range), place.rows, place.columns, place.stride)
    }
    fn activations(&mut self, rows: &Rows) -> Activations<'a> {
        Activations::new(rows.matrices.iter().map(|place| self.matrix(place)).collect(), rows.transient)
    }
}
