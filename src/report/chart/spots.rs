//! Places of a chart that tell their numbers when the mouse or the keyboard's focus comes to them. Pages have
//! them alone: files and pictures show nothing of them.

use std::fmt::Write;

use super::pixels::FINE;
use crate::report::markup::escaped;

/// The form of a place, in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// A disc: centre and radius.
    Disc((f64, f64), f64),
    /// A rectangle: two corners.
    Rectangle((f64, f64), (f64, f64)),
}

/// The least radius of a place: fingers must find it.
const LEAST_RADIUS: f64 = 5.0;

/// The places of a chart as SVG elements.
#[derive(Debug, Default)]
pub(super) struct Spots {
    svg: String,
}

impl Spots {
    /// A place with lines of text, the first of which names it, and values for scripts that check the chart.
    /// `stops`: whether the tabulator stops there; arrows reach the others from it.
    pub fn add(&mut self, place: Place, lines: &[String], values: &[(&str, String)], stops: bool) {
        let shape = match place {
            Place::Disc((x, y), radius) => {
                let [x, y, radius] = [x, y, radius.max(LEAST_RADIUS)].map(fine);
                format!("circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"")
            }
            Place::Rectangle((left, top), (right, bottom)) => {
                let [x, y, width, height] = [left, top, (right - left).max(0.0), bottom - top].map(fine);
                format!("rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
            }
        };
        let texts: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
        let (tip, label) = (texts.join("&#10;"), texts.join(", "));
        let values: String =
            values.iter().map(|(key, value)| format!(" data-{key}=\"{}\"", escaped(value))).collect();
        let order = if stops { 0 } else { -1 };
        let written = writeln!(
            self.svg,
            "<{shape} class=\"spot\" role=\"img\" tabindex=\"{order}\" aria-label=\"{label}\" data-tip=\"{tip}\"{values}/>"
        );
        written.expect("memory takes every letter");
    }

    /// A line that is drawn elsewhere, for scripts that check what lies under it.
    pub fn line(&mut self, name: &str, points: &[(f64, f64)]) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", fine(x), fine(y))).collect();
        let (name, points) = (escaped(name), points.join(" "));
        let written = writeln!(
            self.svg,
            "<polyline class=\"roof\" data-roof=\"{name}\" points=\"{points}\" fill=\"none\"/>"
        );
        written.expect("memory takes every letter");
    }

    pub fn into_svg(self) -> String {
        self.svg
    }
}

fn fine(value: f64) -> i64 {
    (value * f64::from(FINE)).round().clamp(-1e6, 1e6) as i64
}
