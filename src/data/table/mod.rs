//! Tables of comma-separated values: numbers, categories, dates and texts in columns.
//!
//! [`Table::read`] reads one; what [`TableOptions`] do not say is detected from its beginning: the delimiter, a header, a
//! line of counts, the [`Kind`] of each column. [`TableRecord::of`] describes it.

mod blanks;
mod blocks;
mod category;
mod column;
mod columns;
mod date;
mod describe;
mod dialect;
pub mod encode;
mod join;
mod kind;
mod marks;
mod number;
mod options;
mod plan;
mod read;
mod records;
mod source;
mod splitter;
mod strength;
mod summary;
mod warnings;
mod workers;

pub use category::{Categories, MISSING, MOST_CATEGORIES};
pub use column::{Column, NO_DATE, Unreadable, Values};
pub use date::{DateForm, date as date_of, written as date_text};
pub use describe::{SCHEMA, TableRecord, TargetRecord};
pub use dialect::{Counts, DELIMITERS, delimiter_named};
pub use encode::{
    Encoder, Fill, Forecast, MOST_EMBEDDED, RowReader, Rows, Scaling, Setup, Target, WindowSetup, Windows,
    embedding_width,
};
pub use kind::Kind;
pub use options::{Encoding, TableOptions};
pub use plan::MOST_COLUMNS;
pub use read::Table;
pub use strength::{Measure, Strength};
pub use summary::{ColumnRecord, DateSummary, Frequent, NumberSummary};
pub use warnings::TableWarning;
