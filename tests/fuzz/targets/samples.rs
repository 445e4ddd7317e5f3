//! Images and labels of a data set: one of the two files is spoilt, the other one sound.

use fallline::data::Samples;
use fallline::data::idx::{Elements, Idx};

use super::idx;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;

pub static TARGET: Target = Target { name: "samples", share: 1, seeds, spoil, read, memory };

/// As for one file, and the values as f32, which may be four times those of the file.
fn memory(input: &[u8]) -> usize {
    8 * input.len() + (256 << 10)
}

/// The first byte says which of the two files the others are.
fn read(input: &Input) -> Result<Accepted, String> {
    let [images_file, labels_file] = ["images", "labels"].map(|ending| input.path.with_extension(ending));
    let (images, labels) = match input.bytes.split_first() {
        Some((0, images)) => {
            let labels = Idx { dimensions: vec![2], elements: Elements::U8(vec![1, 0]) };
            (images.to_vec(), idx::content(&labels))
        }
        other => {
            let pixels = Elements::U8((0..12).collect());
            let labels = other.map_or(Vec::new(), |(_, labels)| labels.to_vec());
            (idx::content(&Idx { dimensions: vec![3, 2, 2], elements: pixels }), labels)
        }
    };
    std::fs::write(&images_file, images).unwrap();
    std::fs::write(&labels_file, labels).unwrap();
    let samples = Samples::from_idx(&images_file, &labels_file, 10).map_err(|error| error.to_string())?;
    Ok(Box::new(move || {
        let is_sound = samples.labels().is_some_and(|labels| labels.iter().all(|&label| label < 10));
        let all = samples.len() * samples.features_per_sample();
        let held = samples.bytes();
        if is_sound && (held == all || held == 4 * all) { Ok(()) } else { Err(format!("{samples:?}")) }
    }))
}

fn seeds() -> Vec<Vec<u8>> {
    let images = idx::seeds().into_iter().filter(|file| file[3] >= 3).map(|file| [vec![0], file].concat());
    let labels = [
        Elements::U8(vec![0, 9, 3]),
        Elements::I8(vec![0, 9, 3]),
        Elements::I16(vec![0, 9, 3]),
        Elements::I32(vec![0, 9, 3]),
    ];
    let labels =
        labels.map(|elements| [vec![1], idx::content(&Idx { dimensions: vec![3], elements })].concat());
    images.chain(labels).collect()
}

fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let (which, file) = random.pick(seeds).split_first().unwrap_or((&0, &[]));
    let file = idx::spoil(random, &[file.to_vec()]);
    [vec![*which], file].concat()
}
