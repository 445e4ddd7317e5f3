//! A model becomes a state dict.

use std::collections::BTreeMap;
use std::path::Path;

use super::{aliases, order};
use crate::Result;
use crate::model::Model;

/// What the tensors are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As in a saved model: what `torch.nn.Sequential` takes.
    #[default]
    Sequential,
    /// The same, but in blocks of Transformers, and in residual blocks of convolutions with normalisation by batch, as
    /// PyTorch's modules for these have it.
    Torch,
}

/// A tensor that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its name in saved models.
    pub from: String,
    pub to: String,
    pub shape: Vec<usize>,
}

/// The metadata by which other programs know that tensors are as PyTorch has them, and in which order modules have them.
pub fn metadata(exported: &[Exported]) -> BTreeMap<String, String> {
    let names = order::of_modules(exported.iter().map(|tensor| &*tensor.to).collect());
    let order = serde_json::Value::from(names).to_string();
    BTreeMap::from([("format".into(), "pt".into()), (order::KEY.into(), order)])
}

/// The names of a model's tensors, in the order of its layers.
pub fn names(model: &Model, style: Style) -> Vec<Exported> {
    let own = model.shapes();
    let torch = match style {
        Style::Sequential => own.iter().map(|(name, _)| name.clone()).collect(),
        Style::Torch => aliases::of_torch(&own),
    };
    own.into_iter().zip(torch).map(|((from, shape), to)| Exported { from, to, shape }).collect()
}

/// Writes parameters and running statistics to a safetensors file, f32, of PyTorch's shapes, and says what they are called.
/// The file is complete or not there.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io)
pub fn export(path: &Path, model: &Model, style: Style) -> Result<Vec<Exported>> {
    let exported = names(model, style);
    let to: BTreeMap<&str, &str> = exported.iter().map(|tensor| (&*tensor.from, &*tensor.to)).collect();
    model.save_renamed(path, &metadata(&exported), |name| {
        to.get(name).map_or(name.into(), |to| to.to_string())
    })?;
    Ok(exported)
}
