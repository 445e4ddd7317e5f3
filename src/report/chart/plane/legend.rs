//! How layers are shown, and what the legend says of them.

use plotters::backend::DrawingBackend;

use super::shapes;
use crate::report::chart::canvas::{Canvas, HEAT, Side, TEXT};
use crate::report::chart::frame::{
    self, ABOVE_GRID, ABOVE_LEGEND, LABEL_SIZE, LEGEND_LINE, LEGEND_MARK, Look,
};
use crate::report::chart::names::cut;
use crate::tour::figure::{Layer, Plane};

/// What the lines of equal height are called in the legend.
pub(super) const HEIGHT_NAME: &str = "equal height, darker is lower";

/// The width of paths and curves.
pub(super) const LINE: f64 = 2.0;

/// How a layer is shown.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    Heights,
    Curve(Look),
    Path(Look),
    Dots(Look),
    /// Marks, of which there are several kinds.
    Marks(usize),
}

/// How each layer is shown. Dots have the colours of the areas of their class, and the lines those that follow.
pub(super) fn shown(plane: &Plane) -> Vec<Option<Shown>> {
    let kinds = plane.layers.iter().filter(|layer| matches!(layer, Layer::Dots(_))).count();
    let (mut dots, mut lines, mut marks) = (0, kinds, 0);
    let next = |counter: &mut usize| {
        *counter += 1;
        *counter - 1
    };
    let of = |layer: &Layer| match layer {
        Layer::Contours(_) => Some(Shown::Heights),
        Layer::Regions(_) => None,
        Layer::Curve(_) => Some(Shown::Curve(frame::look(next(&mut lines)))),
        Layer::Path(_) => Some(Shown::Path(frame::look(next(&mut lines)))),
        Layer::Dots(_) => Some(Shown::Dots(frame::look(next(&mut dots)))),
        Layer::Marks(_) => Some(Shown::Marks(next(&mut marks))),
    };
    plane.layers.iter().map(of).collect()
}

/// The names of the legend.
pub(super) fn entries(plane: &Plane) -> Vec<(String, Shown)> {
    let name = |layer: &Layer| match layer {
        Layer::Contours(_) => HEIGHT_NAME.to_string(),
        Layer::Regions(_) => String::new(),
        Layer::Curve(of) | Layer::Path(of) | Layer::Dots(of) | Layer::Marks(of) => of.name.clone(),
    };
    let named =
        plane.layers.iter().zip(shown(plane)).filter_map(|(layer, shown)| Some((name(layer), shown?)));
    named.filter(|(name, _)| !name.is_empty()).collect()
}

/// The distance down to the window, in a chart of this width.
pub(super) fn top(names: &[String], width: f64) -> f64 {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let places = frame::legend_places(&names, width);
    // One line of the legend is in the distances; without any, it is free.
    let lines = places.last().map_or(-1.0, |&(line, _)| line as f64);
    ABOVE_LEGEND + lines * LEGEND_LINE + ABOVE_GRID
}

pub(super) fn draw<B: DrawingBackend>(canvas: &mut Canvas<B>, entries: &[(String, Shown)]) {
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    let places = frame::legend_places(&names, canvas.width);
    for ((name, shown), (line, x)) in entries.iter().zip(places) {
        let y = ABOVE_LEGEND + line as f64 * LEGEND_LINE;
        let (line, middle) = ([(x, y), (x + 20.0, y)], (x + 10.0, y));
        match *shown {
            Shown::Heights => canvas.faint_line(&line, 1.25, HEAT, 0.6),
            Shown::Curve(look) => frame::draw_line(canvas, &line, LINE, look),
            Shown::Path(look) => {
                frame::draw_line(canvas, &line, LINE, look);
                shapes::end(canvas, (x + 17.0, y), look);
            }
            Shown::Dots(look) => shapes::dot(canvas, middle, look, false),
            Shown::Marks(kind) => shapes::mark(canvas, middle, kind),
        }
        canvas.text(&cut(name), (x + LEGEND_MARK, y), LABEL_SIZE, TEXT, Side::Begin);
    }
}
