//! How the rows of a batch are cut: into the parts whose gradients are added up, into the workers'
//! shares, and into those that a worker takes through all layers together.

use std::ops::Range;

use super::merges::Merges;
use crate::model::{Frozen, Origin, PlacedLayer};
use crate::team::Worker;

/// Rows that a worker takes through all layers together, so that what a layer has written is still
/// in the second-level cache when the next one reads it.
pub const ROW_BLOCK: usize = 128;

/// Where a layer [sums its gradient by rows](crate::layers::Layer::sums_rows), a batch has so many parts,
/// or more of at most [`ROW_BLOCK`] rows. How many does not follow from the number of workers, so that
/// neither does the order of any sum. Parts are whole groups of rows that a layer processes together.
const PARTS: usize = 16;

/// Bytes of activations and their gradients that stay in a second-level cache.
const CACHED: usize = 640 << 10;

/// Rows that are processed together though they do not stay in that cache, if they stay in this many bytes of
/// a third-level cache: weights are then read, and gradients of them written, less often.
const FEW: usize = 4;
const CACHED_FEW: usize = 4 << 20;

/// How rows are cut.
pub struct RowPlan {
    /// Rows that a worker takes through all layers together.
    together: usize,
    /// Rows of a part of the batch; the last part may have fewer. Shares are whole parts.
    part: Option<usize>,
    /// Rows that some layer processes together, such as the 16 samples of a convolution fused with its pool.
    at_once: usize,
    /// Whether the input is transient: only the rows pass needs it.
    pub input_is_transient: bool,
    /// For each layer: whether its output is transient: only the rows pass needs it.
    pub outputs_transient: Vec<bool>,
    /// For each layer: whether the gradient of its output is transient: only the rows pass needs it.
    pub gradients_transient: Vec<bool>,
    /// Where gradients are added up.
    pub merges: Merges,
    /// The layers that normalise by batch, in order: all rows of a block get to one of them before the
    /// first goes on.
    pub norms: Vec<usize>,
}

impl RowPlan {
    /// The plan for samples of so many features, and layers of which some are frozen, and the first `wide` could be split by
    /// features.
    pub fn new(layers: &[PlacedLayer], frozen: &Frozen, wide: usize, features: usize) -> RowPlan {
        // Rows of features are short: all of them are saved, and many processed together.
        let images = layers.iter().any(|placed| placed.layer.image().is_some());
        let sums_later = |index: usize| {
            let PlacedLayer { layer, tied, .. } = &layers[index];
            let sums_own = layer.has_parameters() && !layer.sums_rows() && !frozen.is_frozen(index);
            sums_own || tied.as_ref().is_some_and(|tied| !frozen.is_frozen(tied.owner))
        };
        // Of the data, and of each output: whether the parameters pass of a reader needs it.
        let (mut data_later, mut read_later) = (false, vec![false; layers.len()]);
        for index in (0..layers.len()).filter(|&index| sums_later(index)) {
            match layers[index].inputs.main {
                Origin::Data => data_later = true,
                Origin::Output(before) => read_later[before] = true,
            }
        }
        // One that is frozen goes by its running statistics, row by row.
        let is_norm = |index: usize| {
            let is_one = |placed: &PlacedLayer| placed.layer.as_batch_norm().is_some();
            layers.get(index).is_some_and(is_one) && !frozen.is_frozen(index)
        };
        let norms: Vec<usize> = (0..layers.len()).filter(|&index| is_norm(index)).collect();
        // Until the backward pass gets to a segment again, the rows of all others have been through it. What
        // is cheap to make is made a second time.
        // Where a network branches, rows of one segment are read in another.
        let is_saved = !norms.is_empty() && !is_chain(layers);
        let waits = |index: usize| {
            let more_follow = norms.last().is_some_and(|&last| index < last);
            is_saved || is_norm(index + 1) || (more_follow && layers[index].layer.flops().forward > 0.0)
        };
        let all_but = |saved: &dyn Fn(usize) -> bool| -> Vec<bool> {
            (0..layers.len()).map(|index| images && !saved(index)).collect()
        };
        let plan = RowPlan {
            together: ROW_BLOCK,
            part: None,
            at_once: rows_at_once(layers),
            input_is_transient: images && !data_later,
            // The last output is what the loss is made of.
            outputs_transient: all_but(&|index| {
                index + 1 == layers.len() || index < wide || read_later[index] || waits(index)
            }),
            gradients_transient: all_but(&|index| sums_later(index) || is_norm(index) || is_saved),
            merges: Merges::new(layers, frozen),
            norms,
        };
        let floats = match plan.norms.is_empty() {
            _ if !images => return plan,
            true => plan.transient(layers, features),
            false => plan.longest_segment(layers, features),
        };
        RowPlan { together: together(floats, plan.at_once), ..plan }
    }

    /// Floats of a row that are transient: only the rows pass needs them.
    fn transient(&self, layers: &[PlacedLayer], features: usize) -> usize {
        let of = |are_transient: &[bool]| -> usize {
            layers
                .iter()
                .zip(are_transient)
                .filter(|(_, is_transient)| **is_transient)
                .map(|(placed, _)| placed.layer.columns())
                .sum()
        };
        features + of(&self.outputs_transient) + of(&self.gradients_transient) + self.merges.columns
    }

    /// The most floats of a row in a segment between two layers that normalise by batch: input, outputs
    /// and gradients.
    fn longest_segment(&self, layers: &[PlacedLayer], features: usize) -> usize {
        let columns = |index: usize| layers[index].layer.columns();
        let ends = self.norms.iter().copied().chain([layers.len()]);
        let starts = [0].into_iter().chain(self.norms.iter().copied());
        let floats = |(start, end): (usize, usize)| {
            let input = if start == 0 { features } else { columns(start - 1) };
            input + self.merges.columns + (start..end).map(|index| 2 * columns(index)).sum::<usize>()
        };
        starts.zip(ends).map(floats).max().unwrap_or(features)
    }

    /// Whether the input of all rows of a block is saved for the backward pass, by the worker alone that owns the
    /// rows.
    pub fn keeps_input(&self) -> bool {
        self.input_is_transient && !self.norms.is_empty()
    }

    /// The plan with batches of this size cut into parts if a layer sums by rows, and the rows of a block that
    /// has whole parts, of about as many as `block`.
    pub fn in_parts(
        self,
        layers: &[PlacedLayer],
        batch: usize,
        block: usize,
        workers: usize,
    ) -> (RowPlan, usize) {
        if !layers.iter().any(|placed| placed.layer.sums_rows()) {
            return (self, block);
        }
        // A block is a batch by itself where its rows depend on each other.
        let batch = if self.norms.is_empty() { batch } else { block };
        let part = batch.div_ceil(PARTS).clamp(1, ROW_BLOCK).next_multiple_of(self.at_once);
        let block = if self.norms.is_empty() { (block / part).max(workers) * part } else { block };
        (RowPlan { part: Some(part), ..self }, block)
    }

    /// The most rows that are processed together.
    pub fn together(&self) -> usize {
        self.together
    }

    /// Parts of so many rows.
    pub fn parts(&self, rows: usize) -> usize {
        rows.div_ceil(self.part.unwrap_or(1))
    }

    /// The part of a row, and whether it has earlier rows.
    pub fn part_of(&self, row: usize) -> (usize, bool) {
        let part = self.part.unwrap_or(1);
        (row / part, !row.is_multiple_of(part))
    }

    /// Rows of a part.
    pub fn part(&self) -> usize {
        self.part.unwrap_or(1)
    }

    /// The part of a row, and how many rows of that part come before it.
    pub fn place(&self, row: usize) -> (usize, usize) {
        (row / self.part(), row % self.part())
    }

    /// This worker's share of the rows of a block.
    pub fn share(&self, worker: &Worker, rows: usize) -> Range<usize> {
        let part = self.part.unwrap_or(1);
        let parts = worker.share(rows.div_ceil(part));
        (parts.start * part).min(rows)..(parts.end * part).min(rows)
    }

    /// The rows of a share, cut into those that are processed together; none of them lie in two parts.
    pub fn cuts(&self, share: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let (together, part, mut start) = (self.together, self.part, share.start);
        std::iter::from_fn(move || {
            let part_end = part.map_or(share.end, |part| (start / part + 1) * part);
            let rows = start..(start + together).min(part_end).min(share.end);
            start = rows.end;
            (!rows.is_empty()).then_some(rows)
        })
    }
}

/// Whether each layer reads the output of the one before it, and nothing else.
fn is_chain(layers: &[PlacedLayer]) -> bool {
    let reads_last = |(index, placed): (usize, &PlacedLayer)| {
        placed.inputs.other.is_none()
            && placed.inputs.main == index.checked_sub(1).map_or(Origin::Data, Origin::Output)
    };
    layers.iter().enumerate().all(reads_last)
}

/// The most rows that a layer processes together.
pub fn rows_at_once(layers: &[PlacedLayer]) -> usize {
    layers.iter().map(|placed| placed.layer.rows_at_once()).max().unwrap_or(1)
}

/// How many rows of so many floats go through all layers together: at most [`ROW_BLOCK`], and a multiple of the rows
/// that a layer processes `at_once`.
pub fn together(floats: usize, at_once: usize) -> usize {
    let fitting = |bytes: usize| bytes / size_of::<f32>() / floats.max(1);
    let rows = fitting(CACHED).max(fitting(CACHED_FEW).min(FEW)).clamp(1, ROW_BLOCK);
    if at_once > 1 {
        return rows.max(at_once) / at_once * at_once;
    }
    // Dense layers take rows four by four.
    if rows < 4 { rows } else { rows / 4 * 4 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::team::Team;

    fn plan(together: usize, part: Option<usize>) -> RowPlan {
        let (outputs_transient, gradients_transient, norms) = (vec![], vec![], vec![]);
        let (merges, at_once) = (Merges::default(), 1);
        RowPlan {
            together,
            part,
            at_once,
            input_is_transient: false,
            outputs_transient,
            gradients_transient,
            merges,
            norms,
        }
    }

    #[test]
    fn cuts_cover_a_share_and_keep_to_parts() {
        let cuts = |plan: &RowPlan, share| plan.cuts(share).collect::<Vec<_>>();
        assert_eq!(cuts(&plan(4, Some(6)), 6..15), [6..10, 10..12, 12..15]);
        assert_eq!(cuts(&plan(4, None), 3..12), [3..7, 7..11, 11..12]);
        assert!(cuts(&plan(4, None), 3..3).is_empty());
        assert_eq!([5, 6, 7].map(|row| plan(4, Some(6)).part_of(row)), [(0, true), (1, false), (1, true)]);
    }

    /// Where 16 rows take as long as one, they are not cut.
    #[test]
    fn rows_that_are_taken_at_once_stay_together() {
        let recipe = crate::model::Recipe::built_in("mnist-lenet5").unwrap();
        let model = crate::model::Model::build(&recipe.model, [28, 28, 1], 10, 1).unwrap();
        let layers = model.layers();
        assert_eq!(rows_at_once(layers), 16);
        let whole = || RowPlan::new(layers, &Frozen::default(), 0, 784);
        let plan = whole();
        assert!(plan.together().is_multiple_of(16), "{}", plan.together());
        for (batch, part, parts) in [(128, 16, 8), (3, 16, 1), (256, 16, 16), (300, 32, 10), (5000, 128, 40)]
        {
            let (plan, block) = whole().in_parts(layers, batch, 256, 2);
            assert_eq!((plan.part, plan.parts(batch)), (Some(part), parts), "batch {batch}");
            assert!(block.is_multiple_of(part));
        }
        // However large the rows are.
        assert_eq!([together(1 << 30, 16), together(1, 16), together(1 << 30, 1)], [16, 128, 1]);
    }

    #[test]
    fn rows_taken_together_fit_a_cache() {
        assert_eq!([1, 2000, 17_000, 35_000].map(|floats| together(floats, 1)), [128, 80, 8, 4]);
        // A few where they fit the next cache, and one at a time where none do.
        assert_eq!([160_000, 262_144, 400_000, 2_000_000].map(|floats| together(floats, 1)), [4, 4, 2, 1]);
    }

    #[test]
    fn shares_are_whole_parts() {
        for (rows, part) in [(1, 8), (100, 7), (128, 8), (5, 1)] {
            let plan = plan(4, Some(part));
            for threads in [1, 2, 3, 8] {
                let ends = std::sync::Mutex::new(Vec::new());
                Team::new(threads).unwrap().run(
                    |worker| {
                        let share = plan.share(worker, rows);
                        assert!(share.start.is_multiple_of(part) || share.is_empty());
                        ends.lock().unwrap().push((share.start, share.end));
                    },
                    None,
                );
                let mut ends = ends.into_inner().unwrap();
                ends.sort_unstable();
                assert_eq!((ends[0].0, ends[threads - 1].1), (0, rows));
                assert!(ends.windows(2).all(|pair| pair[0].1 == pair[1].0));
            }
        }
    }
}
