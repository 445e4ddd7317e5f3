//! Scatter charts.

use plotters::backend::DrawingBackend;

use super::axis::{Axis, Span};
use super::canvas::{Canvas, PALETTE, QUIET};
use super::charts::{Guide, ScatterChart};
use super::frame::{self, BELOW_GRID};
use super::lines::{draw_x_axis, x_of};
use super::spots::Place;

/// The height of the grid.
const HEIGHT: f64 = 340.0;

/// The radius of a dot, and its opacity: where many lie over each other it is darker.
const RADIUS: f64 = 2.75;
const OPACITY: f64 = 0.4;

/// The most dots that tell their numbers: among more none could be pointed at.
const MOST_TOLD: usize = 200;

pub(super) fn height(width: u32) -> u32 {
    (frame::top(&[], f64::from(width)) + HEIGHT + BELOW_GRID) as u32
}

pub(super) fn draw<B: DrawingBackend>(chart: &ScatterChart, canvas: &mut Canvas<B>) {
    let dots = || chart.dots.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    let (xs, ys): (Vec<f64>, Vec<f64>) = match chart.guide {
        Guide::Diagonal => dots().flat_map(|&(x, y)| [(x, x), (y, y)]).unzip(),
        Guide::Zero => dots().copied().chain(dots().take(1).map(|&(x, _)| (x, 0.0))).unzip(),
    };
    let y = Span::of(&chart.y, ys.iter().copied(), true);
    let x = Span::of(&chart.x, xs.iter().copied(), false);
    let frame = frame::draw(canvas, &chart.title, &[], &chart.y, y);
    draw_x_axis(canvas, &frame, &x);
    frame::draw_x_label(canvas, &frame, &chart.x.caption());
    let are_told = dots().count() <= MOST_TOLD;
    let mut is_first = true;
    for &(at, value) in dots() {
        if let (Some(x), Some(y)) = (x_of(&frame, &x, at), frame.y(value)) {
            canvas.dot((x, y), RADIUS, PALETTE[0], OPACITY);
            if are_told {
                let told = |axis: &Axis, value: f64| format!("{} {}", axis.label, axis.told(value));
                let lines = [chart.title.clone(), told(&chart.x, at), told(&chart.y, value)];
                canvas.spots.add(Place::Disc((x, y), RADIUS), &lines, &[], std::mem::take(&mut is_first));
            }
        }
    }
    let ends = match chart.guide {
        Guide::Zero => frame.y(0.0).map(|y| [(frame.left, y), (frame.right, y)]),
        Guide::Diagonal => {
            let (low, high) = (
                xs.iter().copied().fold(f64::INFINITY, f64::min),
                xs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            );
            let place = |value: f64| Some((x_of(&frame, &x, value)?, frame.y(value)?));
            place(low).zip(place(high)).map(|(low, high)| [low, high])
        }
    };
    if let Some(ends) = ends.filter(|_| !xs.is_empty()) {
        canvas.line(&ends, 1.25, QUIET);
    }
}
