//! A state dict becomes a model of a recipe.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::pairing::{Options, Pairing, Source, Targets, pair};
use crate::Result;
use crate::model::checkpoint::STATE;
use crate::model::{Model, ModelFile, NamedTensor, saved};

/// Takes all parameters of a model, and its running statistics, from a safetensors file of a state dict. Types other than
/// f32 become the nearest f32. Counts of batches, which normalisations of PyTorch keep, are left out, and so is what an optimizer keeps.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) with all tensors that do not fit, if the file is damaged, or a number is not
/// finite; [`Error::Setting`](crate::Error::Setting) if an option fits nothing. In the two middle cases some parameters may
/// have been taken.
pub fn import(path: &Path, model: &mut Model, options: &Options) -> Result<Pairing> {
    let file = ModelFile::open_any(path)?;
    let sources: Vec<Source> = file
        .tensors()
        .filter(|tensor| !tensor.name.starts_with(STATE))
        .map(|tensor| Source {
            name: tensor.name.into(),
            shape: tensor.shape.into(),
            kind: tensor.kind,
            is_read: tensor.is_read,
        })
        .collect();
    let pairing = paired(path, &sources, model, options, file.metadata())?;
    let names: BTreeMap<&str, &str> = pairing.pairs.iter().map(|pair| (&*pair.from, &*pair.to)).collect();
    let file = file.renamed(|name| names.get(name).map(|to| to.to_string()));
    model.load_file(path, file, |tensor| saved::check_values(path, tensor))?;
    Ok(pairing)
}

/// [`import`] of tensors that are in memory already, of the file `path`.
///
/// # Errors
/// As [`import`].
pub fn import_tensors(
    path: &Path,
    tensors: Vec<NamedTensor>,
    model: &mut Model,
    options: &Options,
) -> Result<Pairing> {
    let source = |tensor: &NamedTensor| {
        let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
        Source { name, shape, kind: "F32".into(), is_read: true }
    };
    let sources: Vec<Source> = tensors.iter().map(source).collect();
    let pairing = paired(path, &sources, model, options, &BTreeMap::new())?;
    let names: BTreeMap<&str, &str> = pairing.pairs.iter().map(|pair| (&*pair.from, &*pair.to)).collect();
    let renamed = |tensor: NamedTensor| {
        let name = names.get(&*tensor.name)?.to_string();
        Some(NamedTensor { name, ..tensor })
    };
    let tensors: Vec<NamedTensor> = tensors.into_iter().filter_map(renamed).collect();
    tensors.iter().try_for_each(|tensor| saved::check_values(path, tensor))?;
    model.load_tensors(path, tensors)?;
    Ok(pairing)
}

/// A tensor for each of a model's.
fn paired(
    path: &Path,
    sources: &[Source],
    model: &Model,
    options: &Options,
    metadata: &BTreeMap<String, String>,
) -> Result<Pairing> {
    let shapes = model.shapes();
    let targets = Targets { wanted: &shapes, all: &shapes, optional: &BTreeSet::new() };
    pair(path, sources, targets, options, metadata)
}
