//! Grouped bars.

use plotters::backend::DrawingBackend;

use super::axis::{Scale, Span, Unit, short};
use super::canvas::{Canvas, PALETTE, QUIET, Side, TEXT, text_width};
use super::charts::{BarChart, Point};
use super::frame::{self, BELOW_GRID, LABEL_SIZE, Look, WIDER_LETTERS};
use super::spots::Place;

/// The height of the grid.
const HEIGHT: f64 = 268.0;

/// Part of a group's width that its bars fill.
const FILLED: f64 = 0.84;

/// The width of the widest bar.
const WIDEST: f64 = 56.0;

/// The size of the numbers over the bars.
const VALUE_SIZE: f64 = 10.5;

pub(super) fn height(chart: &BarChart, width: u32) -> u32 {
    (frame::top(&names(chart), f64::from(width)) + HEIGHT + BELOW_GRID) as u32
}

fn names(chart: &BarChart) -> Vec<&str> {
    chart.series.iter().map(|series| series.name.as_str()).collect()
}

pub(super) fn draw<B: DrawingBackend>(chart: &BarChart, canvas: &mut Canvas<B>) {
    let values = chart.series.iter().flat_map(|series| &series.values).flatten();
    let axis = chart.y.clone().from_zero();
    let heights: Vec<f64> = values.flat_map(|value| [value.y, value.high]).collect();
    let y = Span::of(&axis, heights.iter().copied().chain(floor(axis.scale, &heights)), true);
    let looks = PALETTE.iter().cycle().map(|&ink| Look::bar(ink));
    let entries: Vec<(&str, Look)> = names(chart).into_iter().zip(looks).collect();
    let frame = frame::draw(canvas, &chart.title, &entries, &chart.y, y);

    let group_width = (frame.right - frame.left) / chart.groups.len().max(1) as f64;
    let bar_width = (group_width * FILLED / chart.series.len().max(1) as f64).min(WIDEST);
    // Bars of negative values hang from 0.
    let foot = frame.y(0.0).unwrap_or(frame.bottom);
    let fits =
        |value: &Point| text_width(&label(value, chart.y.unit), VALUE_SIZE) * WIDER_LETTERS < bar_width;
    let all_fit = chart.series.iter().flat_map(|series| &series.values).flatten().all(fits);
    // The tabulator stops at the first bar of each series, arrows go on from there.
    let mut reached = vec![false; chart.series.len()];
    for (group, name) in chart.groups.iter().enumerate() {
        let middle = frame.left + group_width * (group as f64 + 0.5);
        let room = group_width - 4.0;
        canvas.text_within(name, (middle, frame.bottom + 18.0), LABEL_SIZE, QUIET, Side::Middle, room);
        let first = middle - bar_width * chart.series.len() as f64 / 2.0;
        for (index, (series, (_, look))) in chart.series.iter().zip(&entries).enumerate() {
            let Some(value) = series.values.get(group).copied().flatten() else { continue };
            let Some(top) = frame.y(value.y) else { continue };
            let left = first + bar_width * index as f64;
            // Bars of a group nearly touch.
            let right = left + bar_width - (0.06 * bar_width).min(2.0);
            canvas.rectangle((left, top.min(foot)), (right, top.max(foot)), look.ink, 1.0);
            let ends = (frame.y(value.low), frame.y(value.high));
            frame::draw_whisker(canvas, (left + right) / 2.0, ends, TEXT);
            let first = if series.name.is_empty() { &chart.title } else { &series.name };
            let told = format!("{} {}", chart.y.label, value.told(&chart.y));
            let lines = [first.clone(), format!("{} {name}", chart.x_label), told];
            let place = Place::Rectangle((left, top.min(foot) - 2.0), (right, top.max(foot)));
            canvas.spots.add(place, &lines, &[], !std::mem::replace(&mut reached[index], true));
            if all_fit {
                let above = ends.1.unwrap_or(top).min(top).min(foot) - 9.0;
                let label = label(&value, chart.y.unit);
                canvas.text(&label, ((left + right) / 2.0, above), VALUE_SIZE, QUIET, Side::Middle);
            }
        }
    }
    frame::draw_x_label(canvas, &frame, &chart.x_label);
}

/// Where bars stand on a logarithmic axis, which has no 0: half a decade below the least, so that this one is seen.
fn floor(scale: Scale, heights: &[f64]) -> Option<f64> {
    let least = heights.iter().copied().filter(|height| *height > 0.0).fold(f64::INFINITY, f64::min);
    (scale != Scale::Linear && least.is_finite()).then(|| least / 3.0)
}

fn label(value: &Point, unit: Unit) -> String {
    match unit {
        Unit::Number | Unit::Whole => short(value.y),
        Unit::Percent => format!("{:.0} %", 100.0 * value.y),
    }
}
