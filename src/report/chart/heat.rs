//! Heat maps.

use plotters::backend::DrawingBackend;

use super::canvas::{Canvas, HEAT, ON_COLOUR, QUIET, Side, TEXT, text_width};
use super::charts::HeatMap;
use super::frame::{self, LABEL_SIZE, WIDER_LETTERS};
use super::names::cut;
use super::spots::Place;

const ROW: f64 = 28.0;
const MARGIN: f64 = 16.0;
/// The distance down to the label of the rows, and from there to the first row.
const ABOVE_LABEL: f64 = 52.0;
const BELOW_LABEL: f64 = 16.0;
const BELOW: f64 = 56.0;

/// The width of the widest cell.
const WIDEST: f64 = 96.0;
/// The most of the width that the names of rows take.
const NAMES: f64 = 0.4;

/// The least size of the letters in a narrow cell.
const SMALLEST: f64 = 8.5;

/// The most cells that tell their numbers: a page of more would be long in loading.
const MOST_TOLD: usize = 400;

/// The depth from which on letters are white, on paper as well as on a dark page.
const DEEP: f64 = 0.7;

pub(super) fn height(chart: &HeatMap) -> u32 {
    // 500 rows are as much as a picture can take.
    (above(chart) + ROW * chart.rows.len().min(500) as f64 + BELOW) as u32
}

/// The distance down to the first row.
fn above(chart: &HeatMap) -> f64 {
    if chart.y_label.is_empty() { ABOVE_LABEL - 8.0 } else { ABOVE_LABEL + BELOW_LABEL }
}

pub(super) fn draw<B: DrawingBackend>(chart: &HeatMap, canvas: &mut Canvas<B>) {
    frame::draw_title(canvas, &chart.title);
    let widest = chart.rows.iter().map(|name| text_width(&cut(name), LABEL_SIZE)).fold(0.0, f64::max);
    let left = MARGIN + (widest * 1.12).min(NAMES * canvas.width) + 12.0;
    let room = canvas.width - MARGIN - left;
    let cell = (room / chart.columns.len().max(1) as f64).min(WIDEST);
    let (above, bottom) = (above(chart), canvas.height - BELOW);
    let texts = chart.cells.iter().flatten().flatten().map(|shade| text_width(&shade.text, LABEL_SIZE));
    let widest = texts.fold(1.0, f64::max) * WIDER_LETTERS;
    let size = (LABEL_SIZE * (cell - 2.0) / widest).clamp(SMALLEST, LABEL_SIZE);
    let are_told = chart.rows.len() * chart.columns.len() <= MOST_TOLD;
    let mut is_first = true;

    canvas.text_within(&chart.y_label, (MARGIN, above - BELOW_LABEL), LABEL_SIZE, QUIET, Side::Begin, room);
    for (index, (name, shades)) in chart.rows.iter().zip(&chart.cells).enumerate() {
        let top = above + ROW * index as f64;
        if top >= bottom {
            break;
        }
        let names = left - 12.0 - MARGIN;
        canvas.text_within(name, (left - 12.0, top + ROW / 2.0), LABEL_SIZE, TEXT, Side::End, names);
        for (column, shade) in shades.iter().enumerate().take(chart.columns.len()) {
            let Some(shade) = shade else { continue };
            let from = (left + cell * column as f64, top);
            let to = (from.0 + cell - 1.5, top + ROW - 1.5);
            let depth = if shade.depth.is_finite() { shade.depth.clamp(0.0, 1.0) } else { 0.0 };
            // The palest shade is not quite paper: a cell with a value is seen to be one.
            canvas.rectangle(from, to, HEAT, 0.04 + 0.96 * depth);
            let ink = if depth > DEEP { ON_COLOUR } else { TEXT };
            let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
            canvas.text_within(&shade.text, middle, size, ink, Side::Middle, cell - 2.0);
            if are_told {
                let of = |label: &str, name: &str| format!("{label} {name}").trim().to_string();
                let lines = [
                    format!("{}: {}", chart.title, shade.text),
                    of(&chart.y_label, name),
                    of(&chart.x_label, &chart.columns[column]),
                ];
                canvas.spots.add(Place::Rectangle(from, to), &lines, &[], std::mem::take(&mut is_first));
            }
        }
    }
    for (column, name) in chart.columns.iter().enumerate() {
        let middle = (left + cell * (column as f64 + 0.5), bottom + 16.0);
        canvas.text_within(name, middle, LABEL_SIZE, QUIET, Side::Middle, cell - 2.0);
    }
    let middle = left + cell * chart.columns.len() as f64 / 2.0;
    canvas.text_within(&chart.x_label, (middle, bottom + 38.0), LABEL_SIZE, QUIET, Side::Middle, room);
}
