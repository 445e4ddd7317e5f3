//! Who does what in a step. Which split a layer takes follows from shapes and the batch size alone.

mod merges;
mod per_tensor;
mod rows;
pub mod workspace;

use std::ops::Range;

pub use per_tensor::{MatrixPlan, NORMS_PER_SHARD, PerTensorPlan};
pub use rows::{ROW_BLOCK, RowPlan, rows_at_once, together};

use crate::layers::{Partitioning, Sharding};
use crate::model::{Frozen, Origin, PlacedLayer};
use crate::optim::PerTensor;
use crate::tensor::{LANES, padded};

/// A model of more parameters than this is too large for its gradients to stay in cache between two
/// blocks...
const LARGE: usize = 2 << 20;

/// ...so that each block then has this many times the rows.
const LARGE_FACTOR: usize = 4;

/// Positions of sequences that a worker takes through both passes, as others take [`ROW_BLOCK`] rows: the factors of the
/// gradients of all positions of a batch, which the second pass reads, would be in no cache. Fewer would take the sums of
/// gradients through memory more often.
const POSITIONS_BLOCK: usize = 256;

/// Operations that the gradient of a layer's weights takes for a row, from which on few rows of a block are too few.
const MUCH_WORK: f64 = 256e3;

/// Up to this batch size, the forward pass of a wide layer is split by features.
const FEATURES_BATCH: usize = 128;

/// A layer with fewer outputs is always split by rows.
const FEATURES_OUTPUTS: usize = 64;

/// Up to so many bytes, the parameters and slots of a worker stay in its second-level cache from one
/// step to the next, more or less, and prefetching them costs more than it gains: 7 % of a step at
/// batch 16.
const SETTLED: usize = 2 << 20;

/// Columns that are never cut: a register tile's width.
const TILE_COLUMNS: usize = 2 * LANES;

/// A shard of a layer, in its worker's order.
#[derive(Clone, Copy, Debug)]
pub struct OwnShard {
    pub layer: usize,
    pub shard: usize,
    /// The length of the shard: its parameters, in floats.
    pub len: usize,
    /// The inputs that its gradient reads; a larger number if it reads all.
    pub inputs: usize,
    /// Whether its gradient reads the same inputs as that of the worker's first shard of the layer.
    pub reads_first: bool,
}

/// The shares of all workers.
pub struct Plan {
    /// Rows that go through both passes together. A larger batch takes several blocks, and its
    /// gradient is summed up over them: then samples and activations never leave the cache. Sums
    /// over rows stay in the order of the rows, so no result depends on it.
    pub block: usize,
    /// How the rows of a block are cut.
    pub rows: RowPlan,
    /// How many layers, from the input, could be split by features.
    wide: usize,
    /// For each worker, for each layer: the output columns that are its own.
    pub columns: Vec<Vec<Range<usize>>>,
    /// For each layer: how its parameters are partitioned in this training.
    pub partitions: Vec<Box<dyn Sharding>>,
    /// For each worker, for each layer: the shards of parameters that are its own.
    pub owners: Vec<Vec<Range<usize>>>,
    /// For each worker: these shards in the order in which their gradients are computed.
    pub shard_order: Vec<Vec<OwnShard>>,
    /// For each worker: the features of the data that the gradients of its shards read.
    pub features: Vec<Range<usize>>,
    /// For each layer: where each shard's gradient lies among all gradients, and where the last ends.
    pub gradients: Vec<Vec<usize>>,
    /// For each layer: the number of its first shard among the shards of all layers; last, their total.
    pub numbers: Vec<usize>,
    /// Whether the gradients of all parameters are needed before the first of them is updated.
    pub needs_norm: bool,
    /// Whether the memory that an update touches is prefetched.
    pub fetches_updates: bool,
    /// The layers that the training leaves as they are: nobody owns their parameters.
    pub frozen: Frozen,
    /// Floats of the parameters that are updated, with what lies between them.
    pub updated_len: usize,
    /// An embedding and the layer whose weights its table is, if there is one.
    pub tied: Option<[usize; 2]>,
    /// The layout of whole tensors, for a per-tensor rule.
    pub per_tensor: Option<PerTensorPlan>,
    /// Floats that a shard's gradient, or the rows of a layer, may take of a worker's scratch.
    pub scratch_len: usize,
    /// Whether all workers share one input, of which each makes its own rows; otherwise each has its own copy.
    pub shares_input: bool,
    /// Floats and words that each worker needs for augmentation.
    pub augment_lens: [usize; 2],
    /// The most numbers of a sample that are not 0, if samples come without their zeros.
    pub sparse_entries: Option<usize>,
    /// Whether samples are mixed with others.
    pub mixes: bool,
    /// Whether rows go on with the states that the batch before has left.
    pub carries: bool,
    /// Whether Lookahead's slow parameters are kept.
    pub keeps_slow: bool,
    /// Whether an average of the parameters is kept.
    pub keeps_average: bool,
}

/// The properties of a training from which its plan follows.
pub struct Requirements<'a> {
    pub layers: &'a [PlacedLayer],
    pub frozen: &'a Frozen,
    /// Features of a sample.
    pub features: usize,
    pub workers: usize,
    /// The most samples of a step.
    pub batch: usize,
    /// The most samples that are normalised together; or, where several parts make a step, the samples of a part.
    pub part: usize,
    /// Whether a shard has to hold all incoming weights of its outputs.
    pub whole_columns: bool,
    /// The most numbers of a sample that are not 0, if samples come without their zeros.
    pub sparse_entries: Option<usize>,
    /// Slots of the update rule: how many numbers it keeps for each parameter.
    pub slots: usize,
    /// Whether each step asks for the norm of the gradient.
    pub needs_norm: bool,
    /// The step of a per-tensor rule between directions and update, if the rule is one.
    pub per_tensor: Option<PerTensor>,
    /// Floats and words that a worker needs to augment a sample, if samples are.
    pub augments: Option<[usize; 2]>,
    /// Whether samples are mixed with others.
    pub mixes: bool,
    /// Whether rows go on with the states that the batch before has left.
    pub carries: bool,
    pub keeps_slow: bool,
    pub keeps_average: bool,
}

impl Plan {
    /// The plan for a training. It does not change after that.
    pub fn new(training: &Requirements) -> Plan {
        let &Requirements { layers, frozen, features, workers, batch, part, .. } = training;
        let is_wide = |placed: &&PlacedLayer| {
            placed.layer.splits_features() && placed.layer.outputs() >= FEATURES_OUTPUTS
        };
        let columns = |worker| layers.iter().map(|placed| columns(placed, worker, workers)).collect();
        let wide = layers.iter().take_while(is_wide).count();
        let partitions = partitions(layers, training);
        let trained: Vec<usize> = trained_shards(&partitions, frozen);
        let owners = owners(&partitions, &trained, workers);
        let rows = RowPlan::new(layers, frozen, wide, features);
        let block = match block(layers, &partitions, workers) {
            // Rows that depend on each other go through both passes together.
            _ if !rows.norms.is_empty() => part,
            block if part < batch => block.min(part),
            block => block,
        };
        let (rows, block) = rows.in_parts(layers, batch, block, workers);
        let mixed = if training.mixes { features } else { 0 };
        let updated_len = frozen.trained_len(layers);
        let updated = updated_len * (1 + training.slots) * size_of::<f32>();
        Plan {
            block,
            wide,
            columns: (0..workers).map(columns).collect(),
            features: owners
                .iter()
                .map(|owned| read_features(layers, &partitions, owned, features))
                .collect(),
            shard_order: owners.iter().map(|owned| shard_order(layers, &partitions, owned)).collect(),
            owners,
            gradients: gradient_places(&partitions, &trained),
            numbers: shard_numbers(&trained),
            needs_norm: training.needs_norm,
            fetches_updates: updated / workers > SETTLED,
            frozen: frozen.clone(),
            updated_len,
            tied: tied(layers),
            per_tensor: training.per_tensor.map(|what| PerTensorPlan::new(what, layers, frozen)),
            scratch_len: scratch_len(layers, &partitions),
            // A transient input is each worker's own, and made once as it is.
            shares_input: training.augments.is_some() && !rows.input_is_transient,
            augment_lens: training.augments.map_or([0; 2], |[floats, words]| [floats + mixed, padded(words)]),
            sparse_entries: training.sparse_entries,
            mixes: training.mixes,
            carries: training.carries,
            keeps_slow: training.keeps_slow,
            keeps_average: training.keeps_average,
            partitions,
            rows,
        }
    }

    /// Whether the gradients of all shards are kept to the end of a step.
    pub fn keeps_gradients(&self) -> bool {
        self.needs_norm || self.per_tensor.is_some()
    }

    /// Whether the gradients of a worker's shards of a layer are computed together.
    pub fn is_together(&self, layer: usize) -> bool {
        self.partitions[layer].together().is_some()
    }

    /// Whether gradients are kept beyond the computation of their shard.
    pub fn stores_gradients(&self) -> bool {
        self.keeps_gradients() || (0..self.partitions.len()).any(|layer| self.is_together(layer))
    }

    /// Floats of all gradients.
    pub fn gradients_len(&self) -> usize {
        self.gradients.last().and_then(|places| places.last()).copied().unwrap_or(0)
    }

    /// Floats of the gradients of the layer whose weights are the table of an embedding, too.
    pub fn tied_len(&self) -> usize {
        let places = self.tied.map_or(&[][..], |[_, owner]| &self.gradients[owner]);
        places.first().zip(places.last()).map_or(0, |(start, end)| end - start)
    }

    /// The shards of a layer that are trained: none of one that stays as it is.
    pub fn trained_shards(&self, layer: usize) -> Range<usize> {
        0..self.numbers[layer + 1] - self.numbers[layer]
    }

    /// The shards of all layers that are trained.
    pub fn shards(&self) -> usize {
        self.numbers.last().copied().unwrap_or(0)
    }

    /// How many layers, from the input, compute their forward pass by output features: each worker
    /// its own, for all rows. It spares moving weights between cores, which at small batches costs
    /// more than moving the activations.
    pub fn feature_layers(&self, batch: usize) -> usize {
        if batch <= FEATURES_BATCH { self.wide } else { 0 }
    }
}

/// A worker's output columns of a layer: whole tiles.
fn columns(placed: &PlacedLayer, worker: usize, workers: usize) -> Range<usize> {
    let columns = placed.layer.columns();
    let tiles = columns.div_ceil(TILE_COLUMNS);
    let cut = |worker: usize| (tiles * worker / workers * TILE_COLUMNS).min(columns);
    cut(worker)..cut(worker + 1)
}

/// Partitions the parameters of each layer. In large batches workers own the weights of the first layer by inputs: each
/// then converts no more of other workers' rows than its own inputs. In smaller ones workers need all outputs of the
/// weights that they own.
fn partitions(layers: &[PlacedLayer], training: &Requirements) -> Vec<Box<dyn Sharding>> {
    let partition = |(index, placed): (usize, &PlacedLayer)| {
        let by_inputs = training.part > FEATURES_BATCH && index == 0 && !placed.layer.sums_rows();
        // Sums of squares over shards have other bits with other shards.
        let is_free = !training.needs_norm && training.per_tensor.is_none();
        let sparse_input = training.sparse_entries.is_some() && is_free && reads_data(placed);
        let whole_columns = training.whole_columns;
        placed.layer.partition(Partitioning { whole_columns, by_inputs, sparse_input })
    };
    layers.iter().enumerate().map(partition).collect()
}

/// The inputs that the gradient of a shard of a layer reads in the parameters pass. A gradient that is summed by rows
/// reads none then, and all before.
fn shard_inputs(placed: &PlacedLayer, partition: &dyn Sharding, shard: usize) -> Range<usize> {
    if placed.layer.sums_rows() { 0..usize::MAX } else { partition.shard_inputs(shard) }
}

fn reads_data(placed: &PlacedLayer) -> bool {
    placed.inputs.main == Origin::Data || placed.inputs.other == Some(Origin::Data)
}

/// Whether each layer that reads the data takes them without their zeros.
pub fn takes_sparse(layers: &[PlacedLayer]) -> bool {
    let takes = |placed: &PlacedLayer| placed.layer.as_layer().is_some_and(|layer| layer.sparse().is_some());
    layers.iter().all(|placed| !reads_data(placed) || takes(placed))
}

/// The shards of each layer that are trained: all, or none of a layer that stays as it is.
fn trained_shards(partitions: &[Box<dyn Sharding>], frozen: &Frozen) -> Vec<usize> {
    let all = partitions.iter().enumerate();
    all.map(|(index, partition)| if frozen.is_frozen(index) { 0 } else { partition.shards() }).collect()
}

/// Cuts the shards of all layers, so many of each, into consecutive runs of about equal work, one a worker.
fn owners(partitions: &[Box<dyn Sharding>], shards: &[usize], workers: usize) -> Vec<Vec<Range<usize>>> {
    let shards = || {
        let all = shards.iter().enumerate();
        all.flat_map(|(index, &shards)| (0..shards).map(move |shard| (index, shard)))
    };
    let work = |(index, shard): (usize, usize)| partitions[index].shard_work(shard) as u128;
    let total: u128 = shards().map(work).sum();
    let mut owners = vec![vec![0..0; partitions.len()]; workers];
    let mut before = 0;
    for (index, shard) in shards() {
        let work = work((index, shard));
        // The worker in whose share the middle of the shard falls.
        let worker = ((2 * before + work) * workers as u128 / (2 * total).max(1)) as usize;
        let own: &mut Range<usize> = &mut owners[worker.min(workers - 1)][index];
        *own = if own.start == own.end { shard..shard + 1 } else { own.start..shard + 1 };
        before += work;
    }
    owners
}

/// The embedding whose table is the weights of another layer, and that layer.
fn tied(layers: &[PlacedLayer]) -> Option<[usize; 2]> {
    layers.iter().enumerate().find_map(|(index, placed)| Some([index, placed.tied.as_ref()?.owner]))
}

/// A worker's shards of each layer, those of the same inputs in turn: so these inputs stay in cache meanwhile.
fn shard_order(
    layers: &[PlacedLayer],
    partitions: &[Box<dyn Sharding>],
    owned: &[Range<usize>],
) -> Vec<OwnShard> {
    let mut shard_order = Vec::new();
    for (index, ((placed, partition), owned)) in layers.iter().zip(partitions).zip(owned).enumerate() {
        let along = partition.shards_along_inputs();
        let inputs = |shard| shard_inputs(placed, partition.as_ref(), shard);
        let mut shards: Vec<usize> = owned.clone().collect();
        shards.sort_by_key(|shard| shard % along);
        let first = shards.first().map(|&shard| inputs(shard));
        shard_order.extend(shards.into_iter().map(|shard| OwnShard {
            layer: index,
            shard,
            len: partition.shard_len(shard),
            inputs: inputs(shard).len(),
            reads_first: first.as_ref() == Some(&inputs(shard)),
        }));
    }
    shard_order
}

/// Which of the data's features these shards of each layer read: from the first to the last of them.
fn read_features(
    layers: &[PlacedLayer],
    partitions: &[Box<dyn Sharding>],
    owned: &[Range<usize>],
    features: usize,
) -> Range<usize> {
    let all = layers.iter().zip(partitions).zip(owned);
    let readers = all.filter(|((placed, _), _)| placed.inputs.main == Origin::Data);
    let inputs = readers.flat_map(|((placed, partition), shards)| {
        shards.clone().map(|shard| shard_inputs(placed, partition.as_ref(), shard))
    });
    // Codes tell which rows of a tied table they add to.
    let reads_codes = tied(layers).is_some_and(|[_, owner]| !owned[owner].is_empty());
    let inputs = inputs.chain(reads_codes.then_some(0..features));
    let ends = inputs.filter(|inputs| !inputs.is_empty()).map(|range| (range.start, range.end.min(features)));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).map_or(0..0, |(start, end)| start..end)
}

/// The rows of a block. Of sequences each position is as good as a row, unless another layer has so much work for a row
/// that the gradient of its weights wants many.
fn block(layers: &[PlacedLayer], partitions: &[Box<dyn Sharding>], workers: usize) -> usize {
    let parameters = layers.last().map_or(0, |placed| placed.storage.end);
    let positions = partitions.iter().filter_map(|partition| Some(partition.together()?.positions())).max();
    let wants_rows = layers.iter().zip(partitions).any(|(placed, partition)| {
        let is_other = partition.together().is_none() && !placed.layer.sums_rows();
        is_other && placed.layer.flops().gradient > MUCH_WORK
    });
    let rows = match positions {
        Some(positions) if !wants_rows => (POSITIONS_BLOCK / positions).clamp(1, ROW_BLOCK),
        _ => ROW_BLOCK,
    };
    rows * workers * if parameters > LARGE { LARGE_FACTOR } else { 1 }
}

fn shard_numbers(shards: &[usize]) -> Vec<usize> {
    let mut numbers = vec![0];
    for (index, shards) in shards.iter().enumerate() {
        numbers.push(numbers[index] + shards);
    }
    numbers
}

fn scratch_len(layers: &[PlacedLayer], partitions: &[Box<dyn Sharding>]) -> usize {
    let shards = partitions
        .iter()
        .flat_map(|partition| (0..partition.shards()).map(|shard| partition.shard_len(shard)));
    let together = partitions.iter().filter_map(|partition| Some(partition.together()?.scratch_len()));
    shards.chain(layers.iter().map(|placed| placed.layer.scratch_len())).chain(together).max().unwrap_or(0)
}

fn gradient_places(partitions: &[Box<dyn Sharding>], shards: &[usize]) -> Vec<Vec<usize>> {
    let mut end = 0;
    let mut next = |len: usize| {
        end += padded(len);
        end
    };
    let mut places = Vec::new();
    for (partition, &shards) in partitions.iter().zip(shards) {
        let mut starts = vec![next(0)];
        starts.extend((0..shards).map(|shard| next(partition.shard_len(shard))));
        places.push(starts);
    }
    places
}
