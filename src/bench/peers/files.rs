//! The files in which a peer finds its training samples.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::data::idx::{Elements, Idx};
use crate::data::{Features, Samples, Targets, folder};
use crate::{Error, Result};

/// The training samples as files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataFiles {
    /// The file of images: IDX, bytes or floats, `[samples, height, width]` or `[samples, height, width, channels]`; of
    /// samples that are [`Windows`], `[numbers]`.
    pub images: PathBuf,
    /// The file of labels: IDX, bytes, `[samples]`; of tokens integers, `[tokens]`, below 0 where one does not count.
    pub labels: PathBuf,
}

/// Samples that lie in their files as windows, which may overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Windows {
    pub samples: usize,
    /// Numbers of a sample, and from the beginning of one sample to that of the next.
    pub features: [usize; 2],
    /// The same of their targets, a token for each position; absent if each sample has a class.
    pub targets: Option<[usize; 2]>,
}

impl Windows {
    /// None of samples that lie one behind the other and have a class each.
    pub fn of(samples: &Samples) -> Option<Windows> {
        let features = [samples.features_per_sample(), samples.step()];
        let targets = match samples.targets() {
            Targets::Tokens(tokens) => Some([tokens.positions, tokens.step]),
            _ => None,
        };
        let is_needed = targets.is_some() || features[0] != features[1];
        is_needed.then_some(Windows { samples: samples.len(), features, targets })
    }
}

/// Writes training samples as IDX files into a folder, where peers find them.
///
/// # Errors
/// [`Error::Io`] if they cannot be written; [`Error::Mismatch`] if the targets are not classes, of samples or positions.
pub fn write_data(samples: &Samples, folder: &Path) -> Result<DataFiles> {
    let [images, labels] = arrays(samples)?;
    let absolute = std::path::absolute(folder).map_err(Error::io(folder, "find"))?;
    let files = DataFiles { images: absolute.join("images.idx"), labels: absolute.join("labels.idx") };
    images.write(&files.images, false)?;
    labels.write(&files.labels, false)?;
    Ok(files)
}

/// The features and the targets as arrays; those of windows as they lie in memory.
fn arrays(samples: &Samples) -> Result<[Idx; 2]> {
    if Windows::of(samples).is_none() {
        return folder::arrays(samples);
    }
    let features = match samples.features() {
        Features::Bytes(bytes) => Elements::U8(bytes.clone()),
        Features::Floats(floats) => Elements::F32(floats.clone()),
    };
    let targets = match samples.targets() {
        // What does not count is the largest of all: -1.
        Targets::Tokens(tokens) => Elements::I32(tokens.ids.iter().map(|&id| id as i32).collect()),
        _ => Elements::U8(samples.labels().unwrap_or_default().to_vec()),
    };
    Ok([features, targets].map(|elements| Idx { dimensions: vec![elements.len()], elements }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::text::{self, Vocabulary};
    use crate::data::{Tokens, source};
    use std::sync::Arc;

    /// Overlapping windows are written once, and lines with what does not count as -1.
    #[test]
    fn tokens_are_written_as_they_lie() {
        let tokens = Tokens { ids: vec![1, 2, 0, 2, 1], positions: 3, step: 1, vocabulary: 3 };
        let features = Features::Bytes(vec![0, 1, 2, 0, 2]);
        let overlapping = Samples::windows(features, 3, 1, Targets::Tokens(tokens), 3).unwrap();
        let [images, labels] = arrays(&overlapping).unwrap();
        assert_eq!((images.dimensions, labels.dimensions), (vec![5], vec![5]));
        assert_eq!(labels.elements, Elements::I32(vec![1, 2, 0, 2, 1]));
        let expected = Windows { samples: 3, features: [3, 1], targets: Some([3, 1]) };
        assert_eq!(Windows::of(&overlapping), Some(expected));
        let (text, vocabulary) = ("some\nlines of\ntext\n", Vocabulary::bytes(true));
        let lines = text::samples_of(&Arc::new(vocabulary), text.as_bytes(), 10).unwrap();
        let windows = Windows::of(&lines).unwrap();
        let [_, labels] = arrays(&lines).unwrap();
        let Elements::I32(ids) = labels.elements else { panic!("tokens are integers") };
        assert_eq!(ids.len(), windows.samples * windows.features[0]);
        assert!(ids.contains(&-1) && ids.iter().all(|&id| id >= -1));
    }

    #[test]
    fn written_samples_are_those_that_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let samples = source::generate_digits([30, 10], 1).unwrap().train;
        let files = write_data(&samples, folder.path()).unwrap();
        assert!(files.images.is_absolute());
        assert_eq!(Samples::from_idx(&files.images, &files.labels, 10).unwrap(), samples);
        assert!(write_data(&samples, &folder.path().join("none")).is_err());
    }
}
