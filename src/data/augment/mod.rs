//! Augmentation: training images as they might have been drawn as well.
//!
//! What becomes of a sample in an epoch follows from seed, epoch and sample alone ([`stream`]): not from
//! its place in a batch, nor from which worker makes it. Formulas and sources are in
//! `docs/augmentation.md`.

mod draw;
mod erase;
mod mixing;
mod motion;

use draw::FULL;
pub use erase::{Erase, Fill};
pub use mixing::{Mixing, blend};
pub use motion::Motion;

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::samples::{Features, Samples};
use crate::kernels::augmentation::elastic::{self, Axis};
use crate::kernels::augmentation::warp::{self, Field, MOST_SIDE, Normalised};
use crate::kernels::elementwise::convert;
use crate::rng::{self, Purpose, Stream};
use crate::tensor::padded;
use crate::{Error, Result};

/// What is done to training images. The default does nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation {
    pub motion: Motion,
    pub elastic: Option<Elastic>,
    pub erase: Option<Erase>,
    /// The standard deviation of the noise on each number, in parts of the range of a pixel; at least 0.
    pub noise: f32,
    /// Both parameters of the beta distribution that the share of a sample in its mixture with another is
    /// drawn from; above 0.
    pub mixup: Option<f32>,
}

/// Elastic deformation (Simard, Steinkraus and Platt 2003).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elastic {
    /// The deviation of the Gaussian that smooths the field, in pixels; above 0.
    pub sigma: f32,
    /// What the field, of noise on ±1 and a Gaussian whose sum is 1, is multiplied by; above 0.
    pub alpha: f32,
}

impl Augmentation {
    /// Whether nothing is done.
    pub fn is_off(&self) -> bool {
        *self == Augmentation::default()
    }
}

/// The random stream of a sample in an epoch, counted from 0.
pub fn stream(seed: u64, epoch: u64, sample: u32) -> Stream {
    rng::stream(seed, Purpose::Augment, (epoch << 32) | u64::from(sample))
}

/// An augmentation, ready for images of one size.
#[derive(Debug)]
pub struct Augmenter {
    motion: Motion,
    elastic: Option<Smoothing>,
    erase: Option<Erase>,
    noise: f32,
    /// Height, width, channels.
    size: [usize; 3],
}

/// How an elastic field comes about.
#[derive(Debug)]
struct Smoothing {
    rows: Axis,
    columns: Axis,
    /// Of a byte of noise.
    gain: f32,
}

/// What [`Augmenter::make`] works on, of [`Augmenter::scratch_lens`].
#[derive(Debug)]
pub struct Scratch<'a> {
    pub floats: &'a mut [f32],
    pub words: &'a mut [u32],
}

/// The deviation of a byte, all of which are equally likely: of 256 numbers, (256^2 - 1) / 12 squared.
const BYTE_VARIANCE: f64 = 65_535.0 / 12.0;
/// That of a number on ±1.
const UNIFORM_VARIANCE: f64 = 1.0 / 3.0;
/// Bytes of noise that are drawn at once.
const DRAWN: usize = 512;

impl Augmenter {
    /// Nothing if the settings, apart from mixing, are none.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the samples are no images of bytes.
    pub fn new(settings: &Augmentation, samples: &Samples) -> Result<Option<Augmenter>> {
        let [height, width, _] = samples.shape();
        let refuse = |found: String| {
            let expected = format!("images of bytes, from 2x2 to {MOST_SIDE}x{MOST_SIDE} pixels");
            Err(Error::Mismatch { what: "samples to augment".into(), expected, found })
        };
        if settings.is_off() {
            return Ok(None);
        }
        if matches!(samples.features(), Features::Floats(_)) {
            return refuse("samples of floating-point numbers".into());
        }
        if height.min(width) < 2 || height.max(width) > MOST_SIDE {
            return refuse(format!("{height}x{width}"));
        }
        let smoothing = |elastic: Elastic| {
            let [rows, columns] = [height, width].map(|side| Axis::new(side, elastic.sigma.into()));
            let gain = (f64::from(elastic.alpha) * (UNIFORM_VARIANCE / BYTE_VARIANCE).sqrt()) as f32;
            Smoothing { rows, columns, gain }
        };
        Ok(Some(Augmenter {
            motion: settings.motion,
            elastic: settings.elastic.map(smoothing),
            erase: settings.erase,
            noise: settings.noise,
            size: samples.shape(),
        }))
    }

    /// Floats and words of the scratch that [`make`](Augmenter::make) needs.
    pub fn scratch_lens(&self) -> [usize; 2] {
        let [height, width, _] = self.size;
        let floats = self.elastic.as_ref().map_or(0, |Smoothing { rows, columns, .. }| {
            2 * height * padded(width) + elastic::noise_len(rows, columns) + elastic::line_len(columns)
        });
        [floats, if self.moves() { warp::words_len([height, width]) } else { 0 }]
    }

    /// Whether pixels come from other places than their own.
    fn moves(&self) -> bool {
        self.elastic.is_some() || self.motion != Motion::default()
    }

    /// Writes an image of the samples, `bytes` \[height, width, channels\], to `row`, changed as the stream
    /// has it and normalised.
    pub fn make(&self, row: &mut [f32], bytes: &[u8], mut stream: Stream, to: Normalised, scratch: Scratch) {
        let stream = &mut stream;
        if self.moves() {
            self.deform(row, bytes, stream, to, scratch);
        } else {
            convert::bytes_to_floats(row, bytes, to.scale, to.shift);
        }
        if let Some(erase) = self.erase {
            erase.apply(row, self.size, stream, to);
        }
        if self.noise > 0.0 {
            let deviation = self.noise * FULL * to.scale;
            for value in row {
                let noise: f32 = StandardNormal.sample(stream);
                *value = noise.mul_add(deviation, *value);
            }
        }
    }

    fn deform(&self, row: &mut [f32], bytes: &[u8], stream: &mut Stream, to: Normalised, scratch: Scratch) {
        let [height, width, channels] = self.size;
        let Scratch { floats, words } = scratch;
        let words = &mut words[..warp::words_len([height, width])];
        let map = self.motion.draw([height, width], stream);
        let field = match &self.elastic {
            None => None,
            Some(Smoothing { rows, columns, gain }) => {
                let pitch = height * padded(width);
                let (fields, rest) = floats.split_at_mut(2 * pitch);
                let (noise, rest) = rest.split_at_mut(elastic::noise_len(rows, columns));
                fill(noise, stream, *gain);
                elastic::smooth(fields, noise, &mut rest[..elastic::line_len(columns)], rows, columns);
                let (x, y) = fields.split_at(pitch);
                Some(Field { x, y })
            }
        };
        for channel in 0..channels {
            warp::pack(words, bytes, self.size, channel);
            warp::sample(row, words, self.size, channel, &map, field, to);
        }
    }
}

/// White noise: bytes, about their mean, times `gain`. The sums of many that fields are do not tell them
/// from other numbers of the same variance.
fn fill(noise: &mut [f32], stream: &mut Stream, gain: f32) {
    let mut bytes = [0; DRAWN];
    for part in noise.chunks_mut(DRAWN) {
        let drawn = &mut bytes[..part.len().next_multiple_of(8)];
        drawn.as_chunks_mut::<8>().0.iter_mut().for_each(|eight| *eight = stream.next_u64().to_le_bytes());
        convert::bytes_to_floats(part, &bytes[..part.len()], gain, -0.5 * FULL * gain);
    }
}

#[cfg(test)]
mod tests;
