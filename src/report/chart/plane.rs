//! Parts of the plane: heights as lines, areas of classes, and what lies in them: dots, curves, paths and marks.

mod clip;
mod contour;
mod legend;
mod shapes;

use plotters::backend::DrawingBackend;

use self::clip::Stop;
use self::legend::{LINE, Shown, entries, shown, top};
use super::axis::{Axis, Span};
use super::canvas::{AXIS, Canvas, GRID, HEAT, PALE, QUIET, Side, text_width};
use super::charts::PlaneChart;
use super::frame::{self, BELOW_GRID, LABEL_SIZE, Look, MARGIN};
use crate::tour::figure::{Grid, Layer, Named, Plane};

/// The width of the picture, narrower than that of other charts: a telephone shows all of it.
pub(super) const WIDTH: u32 = 500;

/// The height of the window, where a unit of y need not be as long as one of x.
const HEIGHT: f64 = 320.0;
/// The most and the least of it, where it must.
const HEIGHTS: [f64; 2] = [180.0, 440.0];

/// Points of a path that lie closer together, in CSS pixels, are drawn as one.
const NEAREST: f64 = 0.3;
/// More dots than this in a plane are small.
const MANY_DOTS: usize = 400;

pub(super) fn height(chart: &PlaneChart) -> u32 {
    let names: Vec<String> = entries(&chart.plane).into_iter().map(|(name, _)| name).collect();
    (top(&names, f64::from(WIDTH)) + size(chart, f64::from(WIDTH)).1 + BELOW_GRID) as u32
}

/// What it shows, as in its legend.
pub(super) fn names(chart: &PlaneChart) -> Vec<String> {
    entries(&chart.plane).into_iter().map(|(name, _)| name).collect()
}

/// Width and height of the window in a chart of this width.
fn size(chart: &PlaneChart, width: f64) -> (f64, f64) {
    let room = width - left_of(&chart.plane) - MARGIN - 8.0;
    if !chart.plane.is_square {
        return (room, HEIGHT);
    }
    let [width, height] = chart.plane.window.map(|[low, high]| high - low);
    let aspect = (height / width).clamp(0.05, 20.0);
    let height = (room * aspect).clamp(HEIGHTS[0], HEIGHTS[1]);
    let width = (height / aspect).min(room);
    (width, width * aspect)
}

/// The room for the labels of the y axis.
fn left_of(plane: &Plane) -> f64 {
    let labels = span(plane.window[1]).ticks;
    let widest = labels.iter().map(|(_, label)| text_width(label, LABEL_SIZE)).fold(0.0, f64::max);
    MARGIN + widest * frame::WIDER_LETTERS + 8.0
}

fn span(ends: [f64; 2]) -> Span {
    Span::of(&Axis::new(""), ends.into_iter(), false)
}

/// The window in the picture.
struct View {
    window: [[f64; 2]; 2],
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl View {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let part = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
        (
            self.left + part(x, self.window[0]) * (self.right - self.left),
            self.bottom - part(y, self.window[1]) * (self.bottom - self.top),
        )
    }

    /// The place of a column and a row of a grid, with fractions.
    fn of_grid(&self, grid: &Grid, (column, row): (f64, f64)) -> (f64, f64) {
        let part = |index: f64, count: usize| index / count.saturating_sub(1).max(1) as f64;
        (
            self.left + part(column, grid.columns) * (self.right - self.left),
            self.bottom - part(row, grid.rows()) * (self.bottom - self.top),
        )
    }

    /// What is seen of a way, in the picture.
    fn pieces(&self, points: &[[f64; 2]]) -> Vec<Vec<Stop>> {
        let mut pieces = clip::pieces(points, self.window);
        for piece in &mut pieces {
            for stop in piece.iter_mut() {
                stop.at = self.place(stop.at.0, stop.at.1);
            }
            thin(piece);
        }
        pieces
    }
}

/// Leaves out stops that lie close to the one before and the one behind.
fn thin(piece: &mut Vec<Stop>) {
    let is_far = |a: Stop, b: Stop| (a.at.0 - b.at.0).hypot(a.at.1 - b.at.1) >= NEAREST;
    let mut thinned: Vec<Stop> = Vec::new();
    for (index, &stop) in piece.iter().enumerate() {
        let is_far_before = thinned.last().is_none_or(|&before| is_far(before, stop));
        if is_far_before || piece.get(index + 1).is_none_or(|&next| is_far(stop, next)) {
            thinned.push(stop);
        }
    }
    *piece = thinned;
}

pub(super) fn draw<B: DrawingBackend>(chart: &PlaneChart, canvas: &mut Canvas<B>) {
    let plane = &chart.plane;
    frame::draw_title(canvas, &chart.title);
    legend::draw(canvas, &entries(plane));
    let names: Vec<String> = names(chart);
    let (width, height) = size(chart, canvas.width);
    let (top, first) = (top(&names, f64::from(WIDTH)), left_of(plane));
    // A narrow window stands in the middle.
    let left = first + (canvas.width - MARGIN - 8.0 - first - width) / 2.0;
    let view = View { window: plane.window, left, right: left + width, top, bottom: top + height };
    draw_axes(canvas, plane, &view);
    let dots: usize =
        plane.layers.iter().map(|layer| if let Layer::Dots(of) = layer { of.points.len() } else { 0 }).sum();
    let mut ends = Vec::new();
    for (layer, shown) in plane.layers.iter().zip(shown(plane)) {
        match (layer, shown) {
            (Layer::Regions(grid), _) => draw_areas(canvas, grid, &view),
            (Layer::Contours(grid), _) => draw_heights(canvas, grid, &view),
            (Layer::Curve(of), Some(Shown::Curve(look))) => {
                for piece in view.pieces(&of.points) {
                    frame::draw_line(canvas, &places(&piece), LINE, look);
                }
            }
            (Layer::Path(of), Some(Shown::Path(look))) => draw_path(canvas, of, look, &view, &mut ends),
            (Layer::Dots(of), Some(Shown::Dots(look))) => {
                for (x, y) in seen(&of.points, &view) {
                    shapes::dot(canvas, (x, y), look, dots > MANY_DOTS);
                }
            }
            (Layer::Marks(of), Some(Shown::Marks(kind))) => {
                seen(&of.points, &view).for_each(|at| shapes::mark(canvas, at, kind));
            }
            _ => {}
        }
    }
    // No path covers where another one ends.
    ends.into_iter().for_each(|(at, look)| shapes::end(canvas, at, look));
    let [left, right, bottom] = [view.left, view.right, view.bottom];
    let border = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    canvas.line(&border, 1.0, AXIS);
}

fn places(piece: &[Stop]) -> Vec<(f64, f64)> {
    piece.iter().map(|stop| stop.at).collect()
}

/// The places of the points that lie in the window.
fn seen(points: &[[f64; 2]], view: &View) -> impl Iterator<Item = (f64, f64)> {
    points.iter().filter(|point| clip::holds(view.window, **point)).map(|&[x, y]| view.place(x, y))
}

fn draw_path<B: DrawingBackend>(
    canvas: &mut Canvas<B>,
    path: &Named,
    look: Look,
    view: &View,
    ends: &mut Vec<((f64, f64), Look)>,
) {
    let pieces = view.pieces(&path.points);
    if let Some(motion) = &mut canvas.motion {
        let timed = |piece: &Vec<Stop>| piece.iter().map(|stop| (stop.at, stop.time)).collect();
        motion.add(pieces.iter().map(timed).collect(), LINE, look.ink.hex());
    } else {
        for piece in &pieces {
            frame::draw_line(canvas, &places(piece), LINE, look);
        }
        ends.extend(path.points.last().and_then(|last| seen(&[*last], view).next()).map(|at| (at, look)));
    }
    if let Some(at) = path.points.first().and_then(|first| seen(&[*first], view).next()) {
        shapes::start(canvas, at, look);
    }
}

fn draw_areas<B: DrawingBackend>(canvas: &mut Canvas<B>, grid: &Grid, view: &View) {
    for (class, shape) in contour::areas(grid) {
        let corners: Vec<(f64, f64)> = shape.into_iter().map(|place| view.of_grid(grid, place)).collect();
        canvas.fill(&corners, PALE[class % PALE.len()], 1.0);
    }
    for line in contour::borders(grid) {
        let places: Vec<(f64, f64)> = line.into_iter().map(|place| view.of_grid(grid, place)).collect();
        canvas.line(&places, 1.25, QUIET);
    }
}

/// Darker lines are lower.
fn draw_heights<B: DrawingBackend>(canvas: &mut Canvas<B>, grid: &Grid, view: &View) {
    let levels = contour::levels(grid);
    for (index, level) in levels.iter().enumerate() {
        let opacity = 0.8 - 0.6 * index as f64 / levels.len() as f64;
        for line in contour::lines(grid, *level) {
            let places: Vec<(f64, f64)> = line.into_iter().map(|place| view.of_grid(grid, place)).collect();
            canvas.faint_line(&places, 1.0, HEAT, opacity);
        }
    }
}

/// Ticks, labels, and a grid where nothing covers the plane.
fn draw_axes<B: DrawingBackend>(canvas: &mut Canvas<B>, plane: &Plane, view: &View) {
    let is_covered = plane.layers.iter().any(|layer| matches!(layer, Layer::Contours(_) | Layer::Regions(_)));
    let [x, y] = plane.window.map(span);
    let mut free_from = f64::NEG_INFINITY;
    for (value, label) in &x.ticks {
        let (at, _) = view.place(*value, view.window[1][0]);
        if !is_covered {
            canvas.line(&[(at, view.top), (at, view.bottom)], 1.0, GRID);
        }
        canvas.line(&[(at, view.bottom), (at, view.bottom + 5.0)], 1.0, AXIS);
        let half = text_width(label, LABEL_SIZE) / 2.0;
        if at - half > free_from {
            canvas.text(label, (at, view.bottom + 18.0), LABEL_SIZE, QUIET, Side::Middle);
            free_from = at + half + 8.0;
        }
    }
    for (value, label) in &y.ticks {
        let (_, at) = view.place(view.window[0][0], *value);
        if !is_covered {
            canvas.line(&[(view.left, at), (view.right, at)], 1.0, GRID);
        }
        canvas.line(&[(view.left - 4.0, at), (view.left, at)], 1.0, AXIS);
        canvas.text(label, (view.left - 8.0, at), LABEL_SIZE, QUIET, Side::End);
    }
    let room = canvas.width - 2.0 * MARGIN;
    let middle = (view.left + view.right) / 2.0;
    canvas.text_within(&plane.x_label, (middle, view.bottom + 40.0), LABEL_SIZE, QUIET, Side::Middle, room);
    canvas.text_within(&plane.y_label, (view.left, view.top - 20.0), LABEL_SIZE, QUIET, Side::Begin, room);
}

#[cfg(test)]
mod tests;
