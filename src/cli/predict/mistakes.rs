//! `predict --labels`: how many of the pictures of an IDX file are read rightly, and the worst mistakes.

use std::path::Path;

use anyhow::bail;

use super::super::images::{self, Picture};
use crate::data::{MOST_CLASSES, Samples, files};
use crate::report::mistakes::Shown;
use crate::train::analysis::Mistake;

/// The class of each picture, from an IDX file that has one for each picture of the file that these are
/// from.
///
/// # Errors
/// If it is no file of as many labels, all below `classes`, or the pictures are not from one IDX file.
pub fn labels(path: &Path, pictures: &[Picture], classes: usize) -> anyhow::Result<Vec<usize>> {
    let labels = files::read_labels(path, MOST_CLASSES)?;
    let (path, count) = (path.display(), labels.len());
    let mut file = None;
    let label = |picture: &Picture| {
        let Some(place) = &picture.place else {
            bail!("{}: expected an IDX file with --labels, found a PNG file", picture.label);
        };
        let first = file.get_or_insert_with(|| place.file.clone());
        if *first != place.file {
            bail!(
                "--labels: expected pictures of one IDX file, found {} and {}",
                first.display(),
                place.file.display()
            );
        }
        if place.of != count {
            bail!(
                "{path}: expected a label for each of the {} pictures of {}, found {count}",
                place.of,
                first.display()
            );
        }
        let label = usize::from(labels[place.index]);
        if label >= classes {
            bail!(
                "{path}: label {}: expected one below {classes}, the classes of the model, found {label}",
                place.index
            );
        }
        Ok(label)
    };
    pictures.iter().map(label).collect()
}

/// Of the pictures that are taken for another class than theirs, those whose own class is the least
/// probable, the worst first, at most `most`; and how many there are in all.
pub fn worst(
    pictures: &[Picture],
    samples: &Samples,
    labels: &[usize],
    probabilities: &[Vec<f32>],
    most: usize,
) -> (Vec<Shown<'static>>, usize) {
    let mut mistakes: Vec<Mistake> = Vec::new();
    for (index, (&label, probabilities)) in labels.iter().zip(probabilities).enumerate() {
        let predicted = super::ranked(probabilities)[0];
        if predicted != label {
            let [probability, own] = [predicted, label].map(|class| f64::from(probabilities[class]));
            mistakes.push(Mistake { index, label, predicted, probability, loss: -own.ln(), png: None });
        }
    }
    // Stable: of equal losses the first picture comes first.
    mistakes.sort_by(|a, b| b.loss.total_cmp(&a.loss));
    let count = mistakes.len();
    mistakes.truncate(most);
    let shown = |mistake: Mistake| {
        let Picture { label, place } = &pictures[mistake.index];
        let picture = images::drawn(samples, mistake.index);
        // All are from one file.
        let name = place.as_ref().map_or(label.clone(), |place| format!("picture {}", place.index));
        Shown { mistake, picture, name, class_names: &[] }
    };
    (mistakes.into_iter().map(shown).collect(), count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::images::Place;
    use crate::data::idx::{Elements, Idx};

    fn picture(index: usize, of: usize) -> Picture {
        let place = Some(Place { file: "folder/x.idx".into(), index, of });
        Picture { label: format!("folder/x.idx:{index}"), place }
    }

    fn label_file(folder: &Path, labels: &[u8]) -> std::path::PathBuf {
        let path = folder.join("labels.idx");
        let elements = Elements::U8(labels.to_vec());
        Idx { dimensions: vec![labels.len()], elements }.write(&path, false).unwrap();
        path
    }

    #[test]
    fn labels_are_those_of_the_places_of_the_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let path = label_file(folder.path(), &[3, 1, 2]);
        let of = |pictures: &[Picture]| labels(&path, pictures, 4);
        assert_eq!(of(&[picture(2, 3), picture(0, 3)]).unwrap(), [2, 3]);
        let refusal =
            |pictures: &[Picture], classes| labels(&path, pictures, classes).unwrap_err().to_string();
        assert!(
            refusal(&[picture(0, 3)], 3)
                .ends_with("label 0: expected one below 3, the classes of the model, found 3")
        );
        assert!(refusal(&[picture(0, 4)], 4).ends_with("each of the 4 pictures of folder/x.idx, found 3"));
        let png = Picture { place: None, ..picture(0, 3) };
        assert!(refusal(&[png], 4).contains("expected an IDX file with --labels, found a PNG file"));
        let place = Some(Place { file: "y.idx".into(), index: 0, of: 3 });
        let other = Picture { place, ..picture(0, 3) };
        assert!(
            refusal(&[picture(0, 3), other], 4)
                .contains("pictures of one IDX file, found folder/x.idx and y.idx")
        );

        let pixels = Idx { dimensions: vec![1, 2, 2], elements: Elements::U8(vec![0; 4]) };
        pixels.write(&path, false).unwrap();
        assert!(refusal(&[picture(0, 1)], 4).ends_with("expected one dimension, found 1 x 2 x 2"));
        let write = |elements| Idx { dimensions: vec![1], elements }.write(&path, false).unwrap();
        write(Elements::F32(vec![1.0]));
        assert!(refusal(&[picture(0, 1)], 4).ends_with("expected an integer type, found f32"));
        write(Elements::I16(vec![-1]));
        assert!(refusal(&[picture(0, 1)], 4).ends_with("classes from 0 to 255, found -1 at index 0"));
        // As in data sets, any integer type will do.
        write(Elements::I32(vec![3]));
        assert_eq!(of(&[picture(0, 1)]).unwrap(), [3]);
    }

    #[test]
    fn the_worst_are_those_whose_own_class_is_least_probable() {
        let pictures: Vec<Picture> = (0..4).map(|index| picture(index, 4)).collect();
        let pixels = (0..16).map(|i| i / 4).collect();
        let samples = Samples::images(pixels, [2, 2, 1], vec![0; 4], 1).unwrap();
        let probabilities =
            [vec![0.9, 0.1, 0.0], vec![0.5, 0.3, 0.2], vec![0.2, 0.1, 0.7], vec![0.9, 0.1, 0.0]];
        let (shown, count) = worst(&pictures, &samples, &[0, 1, 1, 2], &probabilities, 2);
        assert_eq!(count, 3, "the first is read rightly");
        let facts: Vec<_> =
            shown.iter().map(|s| (s.name.as_str(), s.mistake.label, s.mistake.predicted)).collect();
        assert_eq!(facts, [("picture 3", 2, 0), ("picture 2", 1, 2)]);
        assert_eq!(shown[1].picture.as_ref().unwrap().pixels, [2; 4]);
        assert!((shown[1].mistake.probability - 0.7).abs() < 1e-6);
    }
}
