//! The worst mistakes, as pictures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::mistakes::caption;
use crate::report::numbers::{loss, percent};
use crate::report::page::{Cell, Column, Image, Part, Table};
use crate::train::analysis::{Analysis, Mistake};

/// The width of a picture, in CSS pixels.
const WIDTH: u32 = 112;

/// Pictures of the mistakes, and a table of those without one.
pub fn parts(analysis: &Analysis) -> Vec<Part> {
    if analysis.mistakes.is_empty() {
        return vec![Part::Text("Every test sample was read rightly.".into())];
    }
    let mut images = Vec::new();
    let mut others = Vec::new();
    for mistake in &analysis.mistakes {
        match mistake.png.as_ref().and_then(|text| STANDARD.decode(text).ok()) {
            Some(png) => images.push(image(analysis, mistake, png)),
            None => others.push(row(analysis, mistake)),
        }
    }
    let explanation = "The test samples with the largest losses, the largest first, and how sure the \
                       network was of its answer.";
    let mut parts = vec![Part::Text(explanation.into())];
    if !images.is_empty() {
        parts.push(Part::Images(images));
    }
    if !others.is_empty() {
        let columns = ["test sample", "class", "read as", "probability", "loss"];
        parts.push(Part::Table(Table {
            caption: "Mistakes without a picture".into(),
            columns: columns.map(|title| Column::new(title, "")).to_vec(),
            rows: others,
        }));
    }
    parts
}

fn image(analysis: &Analysis, mistake: &Mistake, png: Vec<u8>) -> Image {
    let [label, predicted] = [mistake.label, mistake.predicted].map(|class| analysis.class_name(class));
    let index = mistake.index;
    Image {
        png,
        width: WIDTH,
        caption: caption(mistake, &analysis.class_names),
        description: format!("Test sample {index}, of class {label}, read as {predicted}"),
    }
}

fn row(analysis: &Analysis, mistake: &Mistake) -> Vec<Cell> {
    let number = |number: usize| Cell::number(number.to_string(), number as f64);
    let class = |class: usize| analysis.class_names.get(class).map_or(number(class), |name| Cell::text(name));
    vec![
        number(mistake.index),
        class(mistake.label),
        class(mistake.predicted),
        Cell::number(percent(mistake.probability), mistake.probability),
        Cell::number(loss(mistake.loss), mistake.loss),
    ]
}
