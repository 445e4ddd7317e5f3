//! Mixup: each sample of a batch is blended with another one of it, and so is its target.

use rand_distr::{Beta, Distribution};

use crate::data::batches;
use crate::kernels::simd::vectorise::vectorise;
use crate::rng::{self, Purpose};
use crate::{Error, Result};

/// What is mixed with what in an epoch (Zhang, Cisse, Dauphin and Lopez-Paz 2018). As in the authors'
/// code, a batch is mixed with a permutation of itself, all of it in one proportion.
#[derive(Debug)]
pub struct Mixing {
    shares: Beta<f64>,
    partners: Vec<u32>,
    of_batches: Vec<f32>,
    batch: usize,
}

impl Mixing {
    /// For epochs of so many samples in batches of `batch`, at least 1.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if `alpha` is not above 0.
    pub fn new(alpha: f32, samples: usize, batch: usize) -> Result<Mixing> {
        let shares = Beta::new(f64::from(alpha), f64::from(alpha)).map_err(|_| Error::Mismatch {
            what: "`augment.mixup`".into(),
            expected: "a number above 0".into(),
            found: alpha.to_string(),
        })?;
        let of_batches = Vec::with_capacity(batches::count(samples, batch));
        Ok(Mixing { shares, partners: Vec::with_capacity(samples), of_batches, batch })
    }

    /// Draws those of an epoch whose samples are visited in this order.
    pub fn draw(&mut self, order: &[u32], seed: u64, epoch: u64) {
        let mut stream = rng::stream(seed, Purpose::Mixup, epoch);
        self.partners.clear();
        self.of_batches.clear();
        for samples in batches::batches(order, self.batch) {
            self.of_batches.push(self.shares.sample(&mut stream) as f32);
            let start = self.partners.len();
            self.partners.extend(samples);
            batches::mix(&mut self.partners[start..], &mut stream);
        }
    }

    /// Of each place in the order, the sample that the sample there is mixed with.
    pub fn partners(&self) -> &[u32] {
        &self.partners
    }

    /// The share of the sample itself in the batch that begins at this place of the order, in [0, 1].
    pub fn share(&self, start: usize) -> f32 {
        self.of_batches[start / self.batch]
    }
}

/// row = share * row + (1 - share) * other, elementwise over slices of equal length.
pub fn blend(row: &mut [f32], other: &[f32], share: f32) {
    debug_assert_eq!(row.len(), other.len());
    vectorise(
        #[inline(always)]
        || {
            for (value, other) in row.iter_mut().zip(other) {
                *value = other.mul_add(1.0 - share, share * *value);
            }
        },
    )
}
