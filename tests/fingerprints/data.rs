//! Drawn digits, as the kinds of samples that a network may be trained on.

use std::sync::OnceLock;

use fallline::data::{DataSet, Samples, Targets, source};

/// As many as any recipe takes, and test samples for all.
const DRAWN: [usize; 2] = [2100, 24];
const CLASSES: usize = 10;
const PIXELS: usize = 28 * 28;
const FEW: usize = 8;

/// What becomes of drawn digits.
#[derive(Clone, Copy, Debug)]
pub enum Data {
    /// Images of 28x28x1 bytes, and classes.
    Digits,
    /// The same bytes as images of 14x14x4.
    Channels,
    /// Plain numbers in [0, 1], and as targets ten numbers in [0, 1] with the sum 1.
    Probabilities,
    /// Eight pixels of the digits as features, and classes.
    Few,
}

impl Data {
    /// So many training samples, and the test samples.
    pub fn set(self, samples: usize) -> DataSet {
        static DIGITS: OnceLock<DataSet> = OnceLock::new();
        let digits = DIGITS.get_or_init(|| source::generate_digits(DRAWN, 1).unwrap());
        let first = digits.train.take(&Vec::from_iter(0..samples)).unwrap();
        let (train, test) = (self.of(&first), self.of(&digits.test));
        DataSet::new("digits", CLASSES, train, test, digits.origin.clone()).unwrap()
    }

    fn of(self, digits: &Samples) -> Samples {
        let pixels = || (0..digits.len()).flat_map(|index| digits.row_bytes(index).unwrap()).copied();
        let labels = digits.labels().unwrap();
        match self {
            Data::Digits => digits.clone(),
            Data::Channels => {
                Samples::images(pixels().collect(), [14, 14, 4], labels.to_vec(), CLASSES).unwrap()
            }
            Data::Few => {
                let few = |index: usize| {
                    let row = digits.row_bytes(index).unwrap();
                    (0..FEW).map(move |number| f32::from(row[202 + 53 * number]) / 255.0)
                };
                let features = (0..digits.len()).flat_map(few).collect();
                let targets = Targets::Classes(labels.to_vec());
                Samples::floats(features, [1, 1, FEW], targets, CLASSES).unwrap()
            }
            Data::Probabilities => {
                let features = pixels().map(|pixel| f32::from(pixel) / 255.0).collect();
                let row = |label: u8| {
                    (0..CLASSES).map(move |class| if class == usize::from(label) { 0.55 } else { 0.05 })
                };
                let values = labels.iter().flat_map(|&label| row(label)).collect();
                let targets = Targets::Values { values, width: CLASSES };
                Samples::floats(features, [1, 1, PIXELS], targets, CLASSES).unwrap()
            }
        }
    }
}
