//! What a model was trained to see of its data.

use std::sync::Arc;

use super::recipe::DataConfig;
use crate::data::idx::ElementType;
use crate::data::table::Encoder;
use crate::data::text::Vocabulary;

/// What a network sees of each value x of its data: (x / scale - mean) / deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normalisation {
    /// Above 0; without it bytes are divided by 255, and other numbers by nothing.
    pub scale: Option<f32>,
    pub mean: f32,
    /// Above 0.
    pub deviation: f32,
}

impl Default for Normalisation {
    /// Nothing is done to numbers, and bytes are divided by 255.
    fn default() -> Normalisation {
        Normalisation { scale: None, mean: 0.0, deviation: 1.0 }
    }
}

impl Normalisation {
    /// That of a recipe's data.
    #[doc(hidden)]
    pub fn of(data: &DataConfig) -> Normalisation {
        Normalisation { scale: data.scale, mean: data.mean, deviation: data.deviation }
    }

    /// A recipe's data with this in the place of what they had.
    #[doc(hidden)]
    pub fn put_into(self, data: &mut DataConfig) {
        (data.scale, data.mean, data.deviation) = (self.scale, self.mean, self.deviation);
    }

    /// The data of a program, with this.
    #[doc(hidden)]
    pub fn data(self) -> DataConfig {
        let mut data = DataConfig::of_program();
        self.put_into(&mut data);
        data
    }
}

/// What a model knows of the data that it was trained on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub normalisation: Normalisation,
    /// None of a model that was not trained, or whose file does not tell.
    pub element_type: Option<ElementType>,
    /// What made its samples of the rows of a table, if it was trained on one.
    pub encoder: Option<Arc<Encoder>>,
    /// What made its samples of a text, if it was trained on one.
    pub vocabulary: Option<Arc<Vocabulary>>,
}
