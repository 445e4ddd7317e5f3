//! The source of samples, and how their numbers are normalised.

use std::ops::Range;

use crate::data::{FeaturesRef, Samples};
use crate::kernels::elementwise::convert;
use crate::kernels::loss::Targets;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::model::recipe::DataConfig;
use crate::model::{Origin, PlacedLayer};
use crate::probe::Cost;
use crate::tensor::{MatrixMut, SparseMatrix};
use crate::{Result, memory};

/// The source of batches: the samples, and how their numbers are normalised.
pub struct Source<'a> {
    pub features: FeaturesRef<'a>,
    pub targets: Targets<'a>,
    /// What each sample counts, `[samples]`; empty where all count alike.
    pub weights: &'a [f32],
    /// How many positions of each sample count, `[samples]`, of so many; empty where all do.
    pub lengths: &'a [u32],
    pub positions: usize,
    /// Features of a sample.
    pub width: usize,
    /// Features from the beginning of one sample to that of the next: fewer where samples overlap.
    pub step: usize,
    pub scale: f32,
    pub shift: f32,
    /// The samples without their zeros, normalised, if the first layer takes them so.
    pub sparse: Option<&'a SparseMatrix>,
}

/// The most numbers of a sample that are not 0, as a part of all, for which it pays to leave the zeros out.
const SPARSE: f64 = 0.2;

/// Samples by which it is judged.
const JUDGED: usize = 1000;

/// Samples of fewer numbers are multiplied with their zeros.
const FEWEST: usize = 32;

impl<'a> Source<'a> {
    /// Samples with these targets, normalised as the recipe says: divided by the scale, then less the mean
    /// and divided by the deviation.
    pub fn new(samples: &'a Samples, targets: Targets<'a>, config: &DataConfig) -> Self {
        let (features, width) = (samples.features().view(), samples.features_per_sample());
        let source = Source::of(features, width, targets, config.factor_and_shift(samples.element_type()));
        let source = source.with_lengths(samples.lengths(), samples.positions());
        Source { step: samples.step(), ..source }.with_weights(samples.weights())
    }

    /// A source of samples of `width` features each, which are multiplied by a factor and then shifted.
    pub fn of(
        features: FeaturesRef<'a>,
        width: usize,
        targets: Targets<'a>,
        [scale, shift]: [f32; 2],
    ) -> Self {
        let (weights, lengths, positions) = (&[], &[], 0);
        Source {
            features,
            targets,
            weights,
            lengths,
            positions,
            width,
            step: width,
            scale,
            shift,
            sparse: None,
        }
    }

    /// The source with weights of its samples, `[samples]` or empty.
    pub fn with_weights(self, weights: &'a [f32]) -> Self {
        Source { weights, ..self }
    }

    /// The source with the lengths of its samples, `[samples]` or empty, of so many positions each.
    pub fn with_lengths(self, lengths: &'a [u32], positions: usize) -> Self {
        Source { lengths, positions, ..self }
    }

    /// Whether a layer is told the lengths: what it reads has the positions of the data, in their order. Behind a layer that
    /// gives fewer or more positions, or others, all of them count.
    pub fn has_lengths_of(&self, layers: &[PlacedLayer], index: usize) -> bool {
        if self.lengths.is_empty() {
            return false;
        }
        match layers[index].inputs.main {
            Origin::Data => true,
            Origin::Output(before) => {
                let layer = &layers[before].layer;
                layer.image().is_some_and(|image| image.pixels() == self.positions)
                    && layer.as_layer().is_none_or(|layer| layer.keeps_positions())
                    && self.has_lengths_of(layers, before)
            }
        }
    }

    /// The source with its samples without their zeros, as [`without_zeros`](Source::without_zeros) makes them.
    pub fn with_sparse(self, sparse: Option<&'a SparseMatrix>) -> Self {
        Source { sparse, ..self }
    }

    /// All samples without their zeros, if most of their numbers are 0. Whether they are follows from the samples
    /// alone.
    ///
    /// # Errors
    /// If memory is short.
    pub fn without_zeros(&self) -> Result<Option<SparseMatrix>> {
        let samples = self.samples();
        if self.width < FEWEST || self.step < self.width || u32::try_from(self.width).is_err() {
            return Ok(None);
        }
        let mut row = memory::filled("a sample", 0.0, self.width)?;
        let judged = (0..samples).step_by(samples.div_ceil(JUDGED).max(1));
        let (mut not_zero, mut all) = (0, 0);
        for sample in judged {
            self.gather(&mut row, sample, 0..self.width);
            not_zero += row.iter().filter(|&&value| value != 0.0).count();
            all += self.width;
        }
        if all == 0 || not_zero as f64 > SPARSE * all as f64 {
            return Ok(None);
        }
        let gather = |sample: usize, row: &mut [f32]| self.gather(row, sample, 0..self.width);
        SparseMatrix::from_rows([samples, self.width], gather).map(Some)
    }

    fn samples(&self) -> usize {
        let numbers = match self.features {
            FeaturesRef::Bytes(bytes) => bytes.len(),
            FeaturesRef::Floats(floats) => floats.len(),
        };
        numbers / self.width.max(1)
    }

    /// Adds one sample's features to the queue of prefetches before [`gather`](Source::gather).
    pub fn prefetch_row(&self, sample: usize, ahead: &mut PrefetchQueue) {
        if let Some(sparse) = self.sparse {
            return ahead.add(sparse.row(sample));
        }
        let part = sample * self.step..sample * self.step + self.width;
        match self.features {
            FeaturesRef::Bytes(bytes) => ahead.add(&bytes[part]),
            FeaturesRef::Floats(floats) => ahead.add(&floats[part]),
        }
    }

    /// Writes these features of samples, normalised, to the rows of `input` `[samples, features.len()]`.
    pub fn gather_rows(
        &self,
        input: &mut MatrixMut,
        samples: impl Iterator<Item = usize>,
        features: Range<usize>,
    ) {
        for (row, sample) in samples.enumerate() {
            self.gather(input.row(row), sample, features.clone());
        }
    }

    /// Writes these features of one sample, normalised, to `row` `[features.len()]`.
    pub fn gather(&self, row: &mut [f32], sample: usize, features: Range<usize>) {
        let part = sample * self.step + features.start..sample * self.step + features.end;
        match self.features {
            FeaturesRef::Bytes(bytes) => convert::bytes_to_floats(row, &bytes[part], self.scale, self.shift),
            FeaturesRef::Floats(floats) => {
                convert::scale_and_shift(row, &floats[part], self.scale, self.shift)
            }
        }
    }

    /// The cost of a gather. Samples come from the whole data set, in a shuffled order; the rows written stay in cache.
    pub fn gather_cost(&self, rows: usize, features: usize) -> Cost {
        let (size, all) = match self.features {
            FeaturesRef::Bytes(bytes) => (1, bytes.len()),
            FeaturesRef::Floats(floats) => (size_of::<f32>(), size_of_val(floats)),
        };
        let written = rows * features * size_of::<f32>();
        Cost::NONE.and(0, rows * features * size, all).and(1, written, written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of 40 numbers, of which so many are not 0.
    fn without_zeros(numbers: usize, shift: f32) -> Option<SparseMatrix> {
        let row = |sample: usize| (0..40).map(move |i| if (i + sample) % 40 < numbers { 1.5 } else { 0.0 });
        let floats: Vec<f32> = (0..2100).flat_map(row).collect();
        let source = Source::of(FeaturesRef::Floats(&floats), 40, Targets::Classes(&[]), [2.0, shift]);
        source.without_zeros().unwrap()
    }

    #[test]
    fn zeros_are_left_out_where_most_numbers_are_zeros() {
        let found = without_zeros(3, 0.0).unwrap();
        // Of sample 39 the numbers 1 to 3 are not 0.
        let entries: Vec<_> = found.row(39).iter().map(|entry| (entry.column, entry.value)).collect();
        assert_eq!(entries, [(1, 3.0), (2, 3.0), (3, 3.0)]);
        assert!(without_zeros(20, 0.0).is_none());
        // A shift makes numbers of zeros.
        assert!(without_zeros(3, 0.5).is_none());
    }

    #[test]
    fn few_features_are_left_as_they_are() {
        let floats = [0.0; 31 * 4];
        let source = Source::of(FeaturesRef::Floats(&floats), 31, Targets::Classes(&[]), [1.0, 0.0]);
        assert!(source.without_zeros().unwrap().is_none());
    }
}
