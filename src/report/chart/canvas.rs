//! Strokes and letters in CSS pixels, over plotters' backends; the colours of charts.

use std::sync::Once;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, RGBColor, ShapeStyle, TextStyle, register_font};

use super::motion::Motion;
use super::pixels::FINE;
use super::spots::Spots;
use super::strokes::{dashes, turns};
use crate::report::markup::printable;

/// A colour on white paper, and the one that takes its place on a dark page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ink {
    light: RGBColor,
    dark: &'static str,
}

impl Ink {
    /// The colour on paper as SVG elements have it.
    pub fn hex(self) -> String {
        let RGBColor(red, green, blue) = self.light;
        format!("#{red:02X}{green:02X}{blue:02X}")
    }
}

const fn ink(red: u8, green: u8, blue: u8, dark: &'static str) -> Ink {
    Ink { light: RGBColor(red, green, blue), dark }
}

/// The colour of titles and names.
pub(super) const TEXT: Ink = ink(0x1f, 0x23, 0x28, "#e6e9ee");
/// The colour of explanations: labels of axes.
pub(super) const QUIET: Ink = ink(0x5c, 0x65, 0x70, "#a3adb8");
/// The colour of the line on which values stand, and around whiskers.
pub(super) const AXIS: Ink = ink(0x8c, 0x95, 0x9f, "#6b7682");
pub(super) const GRID: Ink = ink(0xe6, 0xe9, 0xec, "#2b323b");
/// The colour of a heat map's cells, at full depth.
pub(super) const HEAT: Ink = ink(0x00, 0x5a, 0x96, "#2f86c6");
/// The colour of letters on a deep shade, in both modes: no rule changes it.
pub(super) const ON_COLOUR: Ink = ink(0xff, 0xff, 0xfe, "#fffffe");

/// The colours of series, told apart also by colour-blind people (Okabe, Ito: Color universal
/// design, 2008). Its orange and its sky blue are darker here, to stand out from white three to one;
/// its yellow cannot.
pub(super) const PALETTE: [Ink; 7] = [
    ink(0x00, 0x72, 0xb2, "#4aa8e8"),
    ink(0xd5, 0x5e, 0x00, "#f08a3c"),
    ink(0x00, 0x9e, 0x73, "#2fc79a"),
    ink(0xcc, 0x79, 0xa7, "#e29cc4"),
    ink(0xc4, 0x82, 0x00, "#f2b83a"),
    ink(0x33, 0x98, 0xd6, "#9ad3f5"),
    ink(0x4d, 0x4d, 0x4d, "#c4c4c4"),
];

/// The colour of what a chart lies on, for rims that keep shapes apart.
pub(super) const PAPER: Ink = ink(0xff, 0xff, 0xff, "#171c22");

/// The colours of areas, each pale beside the series of its number.
pub(super) const PALE: [Ink; 7] = [
    ink(0xd2, 0xe6, 0xf2, "#1d3548"),
    ink(0xf8, 0xe2, 0xd1, "#423122"),
    ink(0xd1, 0xee, 0xe5, "#1b3d38"),
    ink(0xf6, 0xe7, 0xf0, "#3c333f"),
    ink(0xf5, 0xe9, 0xd1, "#413821"),
    ink(0xda, 0xec, 0xf7, "#2e3b45"),
    ink(0xe0, 0xe0, 0xe0, "#33383d"),
];

/// CSS rules that turn the colours of the SVG elements under `scope` dark.
pub fn dark_rules(scope: &str) -> String {
    let inks = [TEXT, QUIET, AXIS, GRID, HEAT, PAPER].into_iter().chain(PALETTE).chain(PALE);
    let rule = |ink: Ink| {
        let light = ink.hex();
        let dark = ink.dark;
        format!(
            "{scope} [fill=\"{light}\"] {{ fill: {dark}; }}\n\
             {scope} [stroke=\"{light}\"] {{ stroke: {dark}; }}\n"
        )
    };
    inks.map(rule).collect()
}

/// The name of the letters: an SVG takes the reader's own, a PNG those below.
const FONT: &str = "sans-serif";

/// Plotters' size of letters is this many em in an SVG...
const SVG_EM: f64 = 1.24;
/// ...and from the top to the bottom of the font in a bitmap: Ubuntu's are 932 and 189 of 1000.
const BITMAP_EM: f64 = 1.121;
/// Part of an em that a bitmap's letters are drawn too high for their middle.
const BITMAP_SINK: f64 = 0.16;

/// The side of a point on which a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The text begins there.
    Begin,
    Middle,
    /// The text ends there.
    End,
}

/// A drawing; all coordinates and sizes are CSS pixels from the upper left corner.
pub(super) struct Canvas<B> {
    backend: B,
    pub width: f64,
    pub height: f64,
    em: f64,
    sink: f64,
    /// Whether lines are drawn anew from each sharp turn: a bitmap's would be thin there.
    cuts_turns: bool,
    /// The places that tell their numbers on a page.
    pub spots: Spots,
    /// The paths that move, where they can.
    pub motion: Option<Motion>,
}

impl<'a> Canvas<SVGBackend<'a>> {
    pub fn of_svg(backend: SVGBackend<'a>, size: (u32, u32)) -> Self {
        Canvas::new(backend, size, SVG_EM, 0.0, false)
    }
}

impl<'a> Canvas<BitMapBackend<'a>> {
    pub fn of_bitmap(backend: BitMapBackend<'a>, size: (u32, u32)) -> Self {
        Canvas::new(backend, size, BITMAP_EM, BITMAP_SINK, true)
    }
}

impl<B: DrawingBackend> Canvas<B> {
    fn new(backend: B, size: (u32, u32), em: f64, sink: f64, cuts_turns: bool) -> Canvas<B> {
        register();
        let pixels = |units: u32| f64::from(units) / f64::from(FINE);
        let (width, height) = (pixels(size.0), pixels(size.1));
        Canvas { backend, width, height, em, sink, cuts_turns, spots: Spots::default(), motion: None }
    }

    /// A line through some points.
    pub fn line(&mut self, points: &[(f64, f64)], width: f64, ink: Ink) {
        let style = ShapeStyle { color: ink.light.to_rgba(), filled: false, stroke_width: fine_width(width) };
        let parts = if self.cuts_turns { turns(points) } else { vec![points] };
        for part in parts {
            done(self.backend.draw_path(part.iter().map(fine), &style));
        }
    }

    /// A line through which others are seen.
    pub fn faint_line(&mut self, points: &[(f64, f64)], width: f64, ink: Ink, opacity: f64) {
        let color = ink.light.mix(opacity);
        let style = ShapeStyle { color, filled: false, stroke_width: fine_width(width) };
        done(self.backend.draw_path(points.iter().map(fine), &style));
    }

    /// A line in dashes of these lengths, with gaps as long.
    pub fn dashed(&mut self, points: &[(f64, f64)], width: f64, ink: Ink, dash: f64) {
        for part in dashes(points, dash) {
            self.line(&part, width, ink);
        }
    }

    /// A filled shape with these corners.
    pub fn fill(&mut self, corners: &[(f64, f64)], ink: Ink, opacity: f64) {
        let colour = ink.light.mix(opacity);
        done(self.backend.fill_polygon(corners.iter().map(fine), &colour.filled()));
    }

    /// A filled rectangle between two corners.
    pub fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink, opacity: f64) {
        let colour = ink.light.mix(opacity);
        done(self.backend.draw_rect(fine(&from), fine(&to), &colour.filled(), true));
    }

    /// A disc.
    pub fn disc(&mut self, centre: (f64, f64), radius: f64, ink: Ink) {
        done(self.backend.draw_circle(fine(&centre), fine_width(radius), &ink.light.filled(), true));
    }

    /// A disc through which others are seen.
    pub fn dot(&mut self, centre: (f64, f64), radius: f64, ink: Ink, opacity: f64) {
        let colour = ink.light.mix(opacity);
        done(self.backend.draw_circle(fine(&centre), fine_width(radius), &colour.filled(), true));
    }

    /// A pale disc with a rim: others shine through.
    pub fn bubble(&mut self, centre: (f64, f64), radius: f64, ink: Ink) {
        let (at, radius) = (fine(&centre), fine_width(radius));
        done(self.backend.draw_circle(at, radius, &ink.light.mix(0.45).filled(), true));
        let rim = ShapeStyle { color: ink.light.to_rgba(), filled: false, stroke_width: fine_width(1.25) };
        done(self.backend.draw_circle(at, radius, &rim, false));
    }

    /// Draws one line of text, its letters' middle at the height of `at`.
    pub fn text(&mut self, text: &str, at: (f64, f64), size: f64, ink: Ink, side: Side) {
        let horizontal = match side {
            Side::Begin => HPos::Left,
            Side::Middle => HPos::Center,
            Side::End => HPos::Right,
        };
        let style = TextStyle::from((FONT, size * self.em * f64::from(FINE)))
            .color(&ink.light)
            .pos(Pos::new(horizontal, VPos::Center));
        let at = (at.0, at.1 + self.sink * size);
        done(self.backend.draw_text(&printable(text), &style, fine(&at)));
    }

    /// A text that is cut with an ellipsis so that it fits in `room`.
    pub fn text_within(&mut self, text: &str, at: (f64, f64), size: f64, ink: Ink, side: Side, room: f64) {
        let mut shown = super::names::cut(text);
        while text_width(&shown, size) > room && shown.chars().count() > 1 {
            let kept = shown.chars().count().saturating_sub(2);
            shown = shown.chars().take(kept).chain(['…']).collect();
        }
        self.text(&shown, at, size, ink, side);
    }
}

/// The width of a text in letters of this size. A reader's own letters may be somewhat wider.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    register();
    // Text is measured at a large size, since plotters gives whole pixels.
    let style = TextStyle::from((FONT, 100.0 * BITMAP_EM));
    let ((left, _), (right, _)) = style.font.layout_box(text).expect("the font was registered");
    f64::from(right - left) / 100.0 * size
}

/// Registers the font with plotters, which then needs none of the system's.
fn register() {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        let registered = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
        assert!(registered.is_ok(), "the font is part of the program and was drawn with in tests");
    });
}

/// Coordinates as plotters takes them. Points far outside are brought near enough to be an i32.
fn fine(&(x, y): &(f64, f64)) -> (i32, i32) {
    let fine = |value: f64| (value * f64::from(FINE)).round().clamp(-1e6, 1e6) as i32;
    (fine(x), fine(y))
}

fn fine_width(width: f64) -> u32 {
    (width * f64::from(FINE)).round().max(1.0) as u32
}

/// Drawing in memory fails only where a file or a font is missing, and neither is used.
fn done<E: std::fmt::Debug>(result: Result<(), E>) {
    result.expect("nothing but memory is drawn on");
}
