//! What a training is given of a data set.

use crate::data::{DataSet, Samples};

/// The part of a data set that a training is given. The test samples are not in it, so that nothing can be chosen
/// by looking at them.
pub(in crate::train) struct TrainingSet<'a> {
    pub name: &'a String,
    pub train: &'a Samples,
    /// The validation part of a data set that has one.
    pub validation: Option<&'a Samples>,
}

impl<'a> TrainingSet<'a> {
    pub fn of(data: &'a DataSet) -> TrainingSet<'a> {
        let validation = data.validates.then_some(&data.test);
        TrainingSet { name: &data.name, train: &data.train, validation }
    }
}
