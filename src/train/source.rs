//! The source of samples, and how their numbers are normalised.

use std::ops::Range;

use crate::data::{FeaturesRef, Samples};
use crate::kernels::elementwise::convert;
use crate::kernels::loss::Targets;
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::model::recipe::DataConfig;
use crate::probe::Cost;
use crate::tensor::MatrixMut;

/// The source of batches: the samples, and how their numbers are normalised.
pub struct Source<'a> {
    pub features: FeaturesRef<'a>,
    pub targets: Targets<'a>,
    /// What each sample counts, `[samples]`; empty where all count alike.
    pub weights: &'a [f32],
    /// Features of a sample.
    pub width: usize,
    pub scale: f32,
    pub shift: f32,
}

impl<'a> Source<'a> {
    /// Samples with these targets, normalised as the recipe says: divided by the scale, then less the mean
    /// and divided by the deviation.
    pub fn new(samples: &'a Samples, targets: Targets<'a>, config: &DataConfig) -> Self {
        let (features, width) = (samples.features().view(), samples.features_per_sample());
        Source::of(features, width, targets, config.factor_and_shift(samples.element_type()))
            .with_weights(samples.weights())
    }

    /// A source of samples of `width` features each, which are multiplied by a factor and then shifted.
    pub fn of(
        features: FeaturesRef<'a>,
        width: usize,
        targets: Targets<'a>,
        [scale, shift]: [f32; 2],
    ) -> Self {
        Source { features, targets, weights: &[], width, scale, shift }
    }

    /// The source with weights of its samples, `[samples]` or empty.
    pub fn with_weights(self, weights: &'a [f32]) -> Self {
        Source { weights, ..self }
    }

    /// Adds one sample's features to the queue of prefetches before [`gather`](Source::gather).
    pub fn prefetch_row(&self, sample: usize, ahead: &mut PrefetchQueue) {
        let part = sample * self.width..(sample + 1) * self.width;
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
        let part = sample * self.width + features.start..sample * self.width + features.end;
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
