//! Samples as arrays, as files hold them.

use crate::data::idx::{Elements, Idx};
use crate::data::samples::{Features, Samples, Targets};
use crate::error::{Error, Result};

/// The images and the labels as arrays; images of one channel are `[samples, height, width]`.
pub fn arrays(samples: &Samples) -> Result<[Idx; 2]> {
    let Targets::Classes(labels) = samples.targets() else {
        return Err(Error::Mismatch {
            what: "targets to be written as a file of labels".into(),
            expected: "classes".into(),
            found: if *samples.targets() == Targets::None { "none" } else { "values" }.into(),
        });
    };
    let [height, width, channels] = samples.shape();
    let mut dimensions = vec![samples.len(), height, width];
    if channels > 1 {
        dimensions.push(channels);
    }
    let elements = match samples.features() {
        Features::Bytes(pixels) => Elements::U8(pixels.clone()),
        Features::Floats(values) => Elements::F32(values.clone()),
    };
    let labels = Idx { dimensions: vec![labels.len()], elements: Elements::U8(labels.clone()) };
    Ok([Idx { dimensions, elements }, labels])
}
