//! What was learnt from the training rows of a table: how raw rows become what a network reads.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::super::options::{Encoding, TableOptions};
use super::super::plan::MOST_COLUMNS;
use super::feature::Feature;
use super::windows::Windows;
use crate::data::checks::MOST_CLASSES;
use crate::data::unit::Unit;

/// The most features of a row.
pub const MOST_FEATURES: usize = 1 << 20;

/// How rows of a table become samples: fitted to the training rows alone, kept in the file of a model, and applied to
/// raw rows when it is tried and used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    /// The names of all columns of the table that it was fitted to, in their order.
    pub columns: Vec<String>,
    /// How that table was read.
    pub reading: Reading,
    /// The columns that features are made of, in the order of the features.
    pub features: Vec<Feature>,
    pub target: Target,
    /// The column that names the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The column of the weights of rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// How rows become windows, where samples are windows of a series; the features are then those of a row, those of
    /// the target's own past among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
}

/// How a table is read, as far as it was said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The byte between two fields; detected without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<u8>,
    /// Fields that stand for a missing value beside those that always do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    #[serde(default)]
    pub encoding: Encoding,
}

impl Reading {
    /// What is known of how other tables of its kind are read.
    pub fn options(&self) -> TableOptions {
        let Reading { delimiter, ref missing, encoding } = *self;
        TableOptions { delimiter, missing: missing.clone(), encoding, ..TableOptions::default() }
    }
}

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    Classes {
        column: String,
        /// The values that the column has, in the order of the classes.
        values: Vec<String>,
        /// Their names, where a line of counts has other ones.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<String>,
        /// Whether the values are numbers, which may be written in several ways.
        numbers: bool,
    },
    Values {
        columns: Vec<ValueColumn>,
    },
    /// Nothing: all columns are features.
    None,
}

/// A column of numbers that are to be predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueColumn {
    pub column: String,
    #[serde(flatten)]
    pub unit: Unit,
}

impl Target {
    /// The names of the classes, in order; empty where values are predicted.
    pub fn class_names(&self) -> &[String] {
        match self {
            Target::Classes { values, names, .. } if names.is_empty() => values,
            Target::Classes { names, .. } => names,
            Target::Values { .. } | Target::None => &[],
        }
    }

    /// What the values are measured in; empty where classes are predicted.
    pub fn units(&self) -> Vec<Unit> {
        match self {
            Target::Classes { .. } | Target::None => Vec::new(),
            Target::Values { columns } => columns.iter().map(|column| column.unit).collect(),
        }
    }

    /// The columns that are predicted.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Target::Classes { column, .. } => vec![column],
            Target::Values { columns } => columns.iter().map(|column| column.column.as_str()).collect(),
            Target::None => Vec::new(),
        }
    }

    /// Outputs that a network has for it: classes, or values.
    pub fn outputs(&self) -> usize {
        match self {
            Target::Classes { values, .. } => values.len(),
            Target::Values { columns } => columns.len(),
            Target::None => 0,
        }
    }
}

impl Encoder {
    /// Features of a row.
    pub fn width(&self) -> usize {
        self.features.iter().map(Feature::width).sum()
    }

    /// The names of the features, in order.
    pub fn feature_names(&self) -> Vec<String> {
        self.features.iter().flat_map(Feature::names).collect()
    }

    /// The encoder as JSON.
    pub fn to_json(&self) -> String {
        // It is made of texts, numbers and lists alone, none of which can be refused.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Encoder::to_json`] wrote, perhaps elsewhere.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_json(text: &str) -> Result<Encoder, String> {
        let encoder: Encoder = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if encoder.columns.is_empty() || encoder.columns.len() > MOST_COLUMNS {
            return Err(format!("{} columns", encoder.columns.len()));
        }
        let twice = |names: &[&str]| names.iter().collect::<HashSet<_>>().len() < names.len();
        let columns: Vec<&str> = encoder.columns.iter().map(String::as_str).collect();
        if twice(&columns) || twice(&encoder.target.columns()) {
            return Err("a column twice".into());
        }
        let known = |column: &str| encoder.columns.iter().any(|known| known == column);
        for feature in &encoder.features {
            if let Some(fault) = feature.fault() {
                return Err(format!("{fault} in `{}`", feature.column));
            }
        }
        let named = encoder.features.iter().map(|feature| feature.column.as_str());
        let named = named.chain(encoder.target.columns());
        let mut named = named.chain(encoder.id.as_deref()).chain(encoder.weights.as_deref());
        if let Some(column) = named.find(|column| !known(column)) {
            return Err(format!("a column `{column}` that is not among the columns"));
        }
        if !(1..=MOST_FEATURES).contains(&encoder.width()) {
            return Err(format!("{} features", encoder.width()));
        }
        encoder.check_embeddings()?;
        encoder.check_windows()?;
        match &encoder.target {
            Target::Classes { values, names, .. } => {
                let sound = (1..=MOST_CLASSES).contains(&values.len())
                    && (names.is_empty() || names.len() == values.len());
                if !sound {
                    return Err("classes without a name".into());
                }
            }
            Target::Values { columns } => {
                if columns.is_empty() || columns.iter().any(|column| !column.unit.is_sound()) {
                    return Err("a unit that is not finite".into());
                }
            }
            Target::None => {}
        }
        Ok(encoder)
    }
}
