//! The shapes of single places in a plane. Rims in the colour of the paper keep them apart from what lies below.

use plotters::backend::DrawingBackend;

use crate::report::chart::canvas::{Canvas, PAPER, TEXT};
use crate::report::chart::frame::{self, Look, Mark};

/// One of many places.
pub(super) fn dot<B: DrawingBackend>(canvas: &mut Canvas<B>, at: (f64, f64), look: Look, is_small: bool) {
    if is_small {
        return canvas.dot(at, 2.0, look.ink, 0.7);
    }
    match look.dash {
        None => {
            canvas.disc(at, 4.0, PAPER);
            canvas.disc(at, 3.25, look.ink);
        }
        // All colours are in use: another shape.
        Some(_) => frame::draw_mark(canvas, at, Look { mark: Mark::Square, ..look }),
    }
}

/// Where a path begins: a ring.
pub(super) fn start<B: DrawingBackend>(canvas: &mut Canvas<B>, at: (f64, f64), look: Look) {
    canvas.disc(at, 5.0, look.ink);
    canvas.disc(at, 3.0, PAPER);
}

/// Where a path ends: the mark of its look.
pub(super) fn end<B: DrawingBackend>(canvas: &mut Canvas<B>, at: (f64, f64), look: Look) {
    canvas.disc(at, 5.75, PAPER);
    frame::draw_mark(canvas, at, look);
}

/// A place that matters: a star, a cross, or a diamond.
pub(super) fn mark<B: DrawingBackend>(canvas: &mut Canvas<B>, at: (f64, f64), kind: usize) {
    let shape = |radius: f64| match kind % 3 {
        0 => around(at, &[radius, 0.45 * radius], 10),
        1 => cross(at, radius),
        _ => around(at, &[radius], 4),
    };
    canvas.fill(&shape(9.5), PAPER, 1.0);
    canvas.fill(&shape(7.25), TEXT, 1.0);
}

/// So many corners around a place, the first one above it, at distances that take turns.
fn around((x, y): (f64, f64), radii: &[f64], count: usize) -> Vec<(f64, f64)> {
    let corner = |index: usize| {
        let (sine, cosine) = (std::f64::consts::TAU * index as f64 / count as f64).sin_cos();
        let radius = radii[index % radii.len()];
        (x + radius * sine, y - radius * cosine)
    };
    (0..count).map(corner).collect()
}

/// Two thick strokes across each other.
fn cross((x, y): (f64, f64), radius: f64) -> Vec<(f64, f64)> {
    let (long, thin) = (0.75 * radius, 0.22 * radius);
    let arm = [(long, long - thin), (long - thin, long), (0.0, thin)];
    let turned = |turn: usize, (dx, dy): (f64, f64)| match turn {
        0 => (dx, dy),
        1 => (-dy, dx),
        2 => (-dx, -dy),
        _ => (dy, -dx),
    };
    (0..4).flat_map(|turn| arm.map(|offset| turned(turn, offset))).map(|(dx, dy)| (x + dx, y + dy)).collect()
}
