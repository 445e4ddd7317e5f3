//! ONNX files.

use std::path::Path;

use super::super::shared;
use crate::Error;
use crate::exchange::onnx::import::{Contents, Imported, OnnxFile, Wishes};
use crate::losses::{Loss, LossKind};
use crate::model::recipe::Override;
use crate::model::saved;
use crate::report::markup::for_terminal;
use crate::report::numbers::shape;
use crate::report::{summary, terminal};

/// What is to be imported.
pub struct Request<'a> {
    /// None if the file's contents are only listed.
    pub save: Option<&'a Path>,
    pub set: &'a [String],
    pub input: Option<&'a str>,
    pub loss: Option<&'a str>,
    pub quiet: bool,
}

/// Imports an ONNX file by its graph, or lists what is in it.
pub fn run(file: OnnxFile, request: &Request) -> anyhow::Result<()> {
    let Some(path) = request.save else {
        return Ok(terminal::print(&listed(&file.contents()))?);
    };
    let imported = imported(request, file)?;
    imported.save(path)?;
    if request.quiet {
        return Ok(());
    }
    Ok(terminal::print(&told(&imported, path))?)
}

fn imported(request: &Request, file: OnnxFile) -> crate::Result<Imported> {
    let settings: Vec<Override> = shared::settings(request.set)?;
    let loss = request.loss.map(loss).transpose()?;
    let input = request.input.map(sides).transpose()?;
    let is_own = file.has_recipe();
    if is_own && (loss.is_some() || input.is_some()) {
        return Err(refused("neither --loss nor --input for a file that holds its recipe", "one of them"));
    }
    let wishes = Wishes { input, loss, settings };
    if is_own { file.by_own_recipe(&wishes) } else { file.by_graph(&wishes) }
}

fn refused(expected: &str, found: &str) -> Error {
    Error::Mismatch { what: "command line".into(), expected: expected.into(), found: found.into() }
}

/// Height, width and channels.
fn sides(text: &str) -> crate::Result<[usize; 3]> {
    let expected = "height x width x channels such as 28x28x1 as --input";
    saved::parse_input(text).ok_or_else(|| refused(expected, text))
}

fn loss(name: &str) -> crate::Result<Loss> {
    let kinds = || LossKind::all().into_iter();
    let found = kinds().find(|kind| kind.name() == name);
    found
        .map(Loss::of)
        .ok_or_else(|| Error::unknown("command line", "loss", name, kinds().map(LossKind::name)))
}

/// The layers, what the input is to be, and what was decided.
fn told(imported: &Imported, path: &Path) -> String {
    let model = &imported.model;
    let data = &imported.recipe.data;
    let scaled = match data.scale {
        Some(1.0) => "x".to_string(),
        Some(scale) => format!("x / {scale}"),
        None => "x (of bytes x / 255)".into(),
    };
    let seen = match (data.mean, data.deviation) {
        (0.0, 1.0) => scaled,
        (mean, deviation) => format!("({scaled} - {mean}) / {deviation}"),
    };
    let mut text = summary::table(&model.summary(), terminal::columns());
    text += &format!("input: {}, of which the network sees {seen}\n", shape(model.input()));
    text.extend(imported.notes.iter().map(|note| format!("{note}\n")));
    for_terminal(&text) + &terminal::wrote(path)
}

/// What is in a file, a line for each part of it.
fn listed(contents: &Contents) -> String {
    let Contents { producer, opsets, inputs, outputs, operators, tensors } = contents;
    let mut text =
        format!("written by {}\n", if producer.is_empty() { "a program without a name" } else { producer });
    for (domain, version) in opsets {
        let domain = if domain.is_empty() { "ONNX" } else { domain };
        text += &format!("operators of {domain}, version {version}\n");
    }
    for (what, values) in [("input", inputs), ("output", outputs)] {
        text.extend(values.iter().map(|(name, shape)| format!("{what} {name} {shape}\n")));
    }
    text.extend(operators.iter().map(|(name, count)| format!("operator {name}, {count} times\n")));
    text.extend(tensors.iter().map(|(name, kind, shape)| format!("tensor {name} {kind} {shape}\n")));
    for_terminal(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_names_are_read() {
        assert_eq!(sides("28x28x1").unwrap(), [28, 28, 1]);
        assert!(["", "1x2", "0x1x1", "1x1x1x1", "axbxc"].iter().all(|text| sides(text).is_err()));
    }

    #[test]
    fn a_loss_is_found_by_its_name() {
        assert_eq!(loss("huber").unwrap().name(), "huber");
        assert!(loss("hubre").unwrap_err().to_string().contains("did you mean `huber`"));
    }
}
