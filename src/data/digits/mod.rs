//! `digits`: the embedded data set, handwritten-looking digits drawn from stroke outlines.
//!
//! For each sample: choose a digit and one of its styles (`strokes`), let a hand write it with
//! random control points, elastic bending, slant, size and pen (`hand`), and put ink on paper
//! (`render`).
//!
//! The arithmetic is additions, multiplications, divisions and square roots alone, all of which
//! IEEE 754 defines to the last bit. So a seed gives the same bytes on every platform.

mod hand;
mod render;
mod size;
mod strokes;

use crate::rng::{Purpose, Stream, stream};
use crate::{Error, Result, memory, team};
use rand::{Rng, RngExt};
use rayon::prelude::*;
pub use size::{PIXELS, SIDE};
use strokes::{STYLES, Style};

/// The number of classes: the digits 0 to 9.
pub const CLASSES: usize = 10;
/// The most samples that one call makes (7.8 GB).
pub const MOST_SAMPLES: usize = 10_000_000;

/// Width of the soft edge of the ink in pixels: from the first to the sum.
const EDGE_SHARPEST: f32 = 0.8;
const EDGE_RANGE: f32 = 0.7;
/// The least darkness of the ink; the darkest is 1.
const FAINTEST: f32 = 0.94;
/// The part of its darkness that a pixel may lose to the grain of the paper.
const GRAIN: f32 = 0.12;

/// Generated samples.
#[derive(Debug)]
pub struct Digits {
    /// The images, `[count, 28, 28]`, 0 = paper, 255 = ink.
    pub images: Vec<u8>,
    /// The class of each image, `[count]`, 0 to 9.
    pub labels: Vec<u8>,
}

/// The samples `first` to `first + count` of the data set that belongs to `seed`.
///
/// Sample i depends on the seed and i alone, so parts of a data set may be generated apart; the
/// result does not depend on the number of threads. Runs on the current rayon pool, if there is one.
///
/// # Errors
/// [`Error::Setting`] when there are more than [`MOST_SAMPLES`], when the memory for them cannot be
/// had, or when `first + count` exceeds 64 bits; an error if the system refuses to start threads.
pub fn generate(count: usize, seed: u64, first: u64) -> Result<Digits> {
    let refuse = |key: &str, expected: String, found: String| Error::Setting {
        place: "digits".into(),
        key: key.into(),
        expected,
        found,
    };
    if count > MOST_SAMPLES {
        return Err(refuse("count", format!("at most {MOST_SAMPLES} samples"), count.to_string()));
    }
    if first.checked_add(count as u64).is_none() {
        return Err(refuse("first", format!("at most 2^64 - 1 - {count}"), first.to_string()));
    }
    let no_memory = |_| {
        let expected = format!("samples that fit in memory ({PIXELS} bytes each)");
        refuse("count", expected, count.to_string())
    };
    let mut images = memory::filled("digits", 0, count * PIXELS).map_err(no_memory)?;
    let mut labels = memory::filled("digits", 0, count).map_err(no_memory)?;
    team::in_parallel(|| {
        images.par_chunks_exact_mut(PIXELS).zip(&mut labels).enumerate().for_each(|(i, (image, label))| {
            let mut stream = stream(seed, Purpose::Digits, first + i as u64);
            *label = draw(image, &mut stream);
        });
    })?;
    Ok(Digits { images, labels })
}

/// Draws one sample into `image` `[28, 28]`, all paper, and returns its class.
fn draw(image: &mut [u8], stream: &mut Stream) -> u8 {
    // The high half of the product is even enough over so few classes: off by 10 in 2^64.
    let class = ((stream.next_u64() as u128 * CLASSES as u128) >> 64) as usize;
    let path = hand::write(choose(STYLES[class], stream), stream);
    let edge = EDGE_SHARPEST + EDGE_RANGE * stream.random::<f32>();
    let darkness = 255.0 * (FAINTEST + (1.0 - FAINTEST) * stream.random::<f32>());
    let depths = render::depths(&path, 0.5 * edge);
    for (pixel, depth) in image.iter_mut().zip(depths) {
        let ink = (0.5 + depth / edge).min(1.0);
        if ink > 0.0 {
            let grain = 1.0 - GRAIN * stream.random::<f32>();
            *pixel = (darkness * ink * grain + 0.5) as u8;
        }
    }
    class as u8
}

/// Chooses one of the styles, each as likely as its weight says.
fn choose(styles: &'static [Style], stream: &mut Stream) -> &'static Style {
    let total: f32 = styles.iter().map(|style| style.weight).sum();
    let mut left = total * stream.random::<f32>();
    for style in styles {
        left -= style.weight;
        if left < 0.0 {
            return style;
        }
    }
    // Only rounding leads here.
    &styles[styles.len() - 1]
}
