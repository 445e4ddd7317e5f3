//! From raw rows of a table to samples and back: what is learnt from the training rows, and applied to all.
//!
//! [`Encoder::fit`] looks at the training rows of a [`Table`](super::Table), [`Encoder::samples`] makes samples of rows in
//! memory, and [`RowReader`] of the rows of a file, some at a time.

mod classes;
mod embedding;
pub(in crate::data) mod encoder;
mod feature;
mod fit;
mod fit_target;
mod fit_windows;
mod forecast;
mod layout;
mod readable;
mod rows;
mod samples;
mod scales;
mod series;
mod setup;
mod windows;

pub use embedding::{MOST_EMBEDDED, embedding_width};
pub use encoder::{Encoder, MOST_FEATURES, Reading, Target, ValueColumn};
pub use feature::{Category, Feature, How, MOST_WIDTH, Scale};
pub use fit::Fitted;
pub use forecast::Forecast;
pub use rows::{RowReader, Rows};
pub use setup::{Fill, Scaling, Setup, WindowSetup};
pub use windows::{Dates, MOST_ROWS, Spacing, Windows};
