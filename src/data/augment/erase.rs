//! Random erasing: a rectangle of an image is covered.

use rand::Rng;

use super::draw::{FULL, fraction};
use crate::kernels::augmentation::warp::Normalised;
use crate::rng::Stream;

/// Rectangles that are tried until one fits, as the authors do.
const TRIALS: usize = 100;

/// Random erasing (Zhong, Zheng, Kang, Li and Yang 2020).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Erase {
    /// In [0, 1].
    pub probability: f32,
    /// The least and the largest part of the image; in (0, 1].
    pub area: [f32; 2],
    /// The least and the largest height over width; above 0.
    pub aspect: [f32; 2],
    pub fill: Fill,
}

/// What a rectangle is covered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Each number of each pixel is any byte, all of them equally likely.
    Random,
    Zero,
}

impl Default for Erase {
    /// The paper's settings for small images.
    fn default() -> Erase {
        Erase { probability: 0.5, area: [0.02, 0.4], aspect: [0.3, 3.3], fill: Fill::Random }
    }
}

impl Erase {
    /// Covers a rectangle of an image \[height, width, channels\], now and then.
    pub(super) fn apply(&self, row: &mut [f32], size: [usize; 3], stream: &mut Stream, to: Normalised) {
        if fraction(stream) >= f64::from(self.probability) {
            return;
        }
        let [height, width, channels] = size;
        let Some([tall, wide]) = (0..TRIALS).find_map(|_| self.rectangle([height, width], stream)) else {
            return;
        };
        let mut place = |room: usize| (fraction(stream) * (room + 1) as f64) as usize;
        let [top, left] = [place(height - tall), place(width - wide)];
        for line in row.chunks_exact_mut(width * channels).skip(top).take(tall) {
            for value in &mut line[left * channels..(left + wide) * channels] {
                let byte = match self.fill {
                    Fill::Zero => 0.0,
                    // The high bits are the better ones.
                    Fill::Random => (stream.next_u64() >> 56) as f32,
                };
                debug_assert!(byte <= FULL);
                *value = byte.mul_add(to.scale, to.shift);
            }
        }
    }

    /// Height and width of a rectangle, if it fits into the image.
    fn rectangle(&self, [height, width]: [usize; 2], stream: &mut Stream) -> Option<[usize; 2]> {
        let mut between = |[low, high]: [f32; 2]| {
            let (low, high) = (f64::from(low), f64::from(high));
            low + (high - low) * fraction(stream)
        };
        let area = between(self.area) * (height * width) as f64;
        let aspect = between(self.aspect);
        let [tall, wide] = [(area * aspect).sqrt(), (area / aspect).sqrt()].map(|side| side.round() as usize);
        (tall <= height && wide <= width).then_some([tall, wide])
    }
}
