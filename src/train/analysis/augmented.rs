//! What augmentation makes of samples, as pictures.

use super::picture::{Picture, picture_of};
use crate::data::Samples;
use crate::data::augment::{self, Augmenter, Scratch};
use crate::kernels::augmentation::warp::Normalised;
use crate::memory;
use crate::model::Recipe;
use crate::{Error, Result};

/// A sample and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Versions {
    /// Its number among the training samples.
    pub index: usize,
    pub label: Option<u8>,
    pub original: Picture,
    /// In the first epochs, in turn; none without augmentation.
    pub made: Vec<Picture>,
}

/// Each of the first `count` samples, with what a training by the recipe makes of it in its first epochs,
/// except that it is not mixed with others.
///
/// # Errors
/// [`Error::Mismatch`] if the samples are no pictures, or cannot be augmented, or memory is short.
pub fn versions(samples: &Samples, recipe: &Recipe, count: usize, epochs: usize) -> Result<Vec<Versions>> {
    let augmenter = Augmenter::new(&recipe.augment, samples)?;
    let lens = augmenter.as_ref().map_or([0; 2], Augmenter::scratch_lens);
    let bytes = lens[0].saturating_add(lens[1]).saturating_mul(size_of::<f32>());
    memory::check("augmentation", bytes)?;
    let (mut floats, mut words) = (vec![0.0; lens[0]], vec![0; lens[1]]);
    let mut versions = Vec::new();
    for index in 0..count.min(samples.len()) {
        let Some(original) = picture_of(samples, index) else {
            let [height, width, channels] = samples.shape();
            return Err(Error::Mismatch {
                what: "samples to show".into(),
                expected: "pictures of at most 256x256, grey or in three colours".into(),
                found: format!("{height}x{width}x{channels}"),
            });
        };
        let mut made = Vec::new();
        if let (Some(augmenter), Some(bytes)) = (&augmenter, samples.row_bytes(index)) {
            let mut row = vec![0.0; bytes.len()];
            for epoch in 0..epochs as u64 {
                // There are no more samples than fit into 32 bits.
                let stream = augment::stream(recipe.train.seed, epoch, index as u32);
                let scratch = Scratch { floats: &mut floats, words: &mut words };
                augmenter.make(&mut row, bytes, stream, Normalised { scale: 1.0, shift: 0.0 }, scratch);
                // Noise may go beyond what a byte can hold: it saturates.
                let pixels = row.iter().map(|value| value.round() as u8).collect();
                made.push(Picture { pixels, ..original.clone() });
            }
        }
        versions.push(Versions { index, label: samples.label(index), original, made });
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Targets, source};

    fn recipe(settings: &[&str]) -> Recipe {
        let settings: Vec<_> = settings.iter().map(|setting| setting.parse().unwrap()).collect();
        Recipe::load("digits-mlp", &settings).unwrap()
    }

    #[test]
    fn versions_are_those_of_the_training() {
        let samples = source::generate_digits([3, 1], 1).unwrap().train;
        let plain = versions(&samples, &recipe(&[]), 9, 7).unwrap();
        assert_eq!(plain.iter().map(|of| of.index).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(plain.iter().all(|of| of.made.is_empty()));
        assert_eq!(plain[1].original.pixels, samples.row_bytes(1).unwrap());

        let turned = versions(&samples, &recipe(&["augment.rotation=40"]), 2, 3).unwrap();
        assert_eq!((turned.len(), turned[0].made.len()), (2, 3));
        assert_ne!(turned[0].made[0], turned[0].made[1]);
        assert_ne!(turned[0].made[0], turned[0].original);
        assert_eq!(turned, versions(&samples, &recipe(&["augment.rotation=40"]), 2, 3).unwrap());
        // Nothing moves by so little.
        let same = versions(&samples, &recipe(&["augment.shift=0.0001"]), 1, 1).unwrap();
        assert_eq!(same[0].made[0], same[0].original);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let floats = Samples::floats(vec![0.5; 4], [2, 2, 1], Targets::Classes(vec![0]), 1).unwrap();
        assert_eq!(versions(&floats, &recipe(&[]), 1, 1).unwrap().len(), 1);
        let message = versions(&floats, &recipe(&["augment.shift=1"]), 1, 1).unwrap_err().to_string();
        assert!(message.ends_with("found samples of floating-point numbers"), "{message}");
        let line = Samples::images(vec![0; 4], [1, 4, 1], vec![0], 1).unwrap();
        let message = versions(&line, &recipe(&[]), 1, 1).unwrap_err().to_string();
        assert!(message.ends_with("found 1x4x1"), "{message}");
    }
}
