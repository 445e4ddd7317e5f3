//! Parallel coordinates: an axis for each variable, side by side, and a line through all of them for each thing that has one
//! value of each.

use plotters::backend::DrawingBackend;

use super::axis::{Scale, Span};
use super::canvas::{AXIS, Canvas, GRID, Ink, PALETTE, QUIET, Side, TEXT, text_width};
use super::charts::{Coordinate, ParallelChart};
use super::frame::{self, LABEL_SIZE, Look};
use super::pixels::{WIDE, WIDTH};

/// The height of the axes.
const HEIGHT: f64 = 320.0;
/// The room below them, for their names.
const BELOW: f64 = 44.0;
/// The room on both sides, for the labels of the outermost axes.
const SIDE: f64 = 64.0;
/// More axes than this take the width of a page.
const MOST_NARROW: usize = 5;

/// The look of each series, the most important first: colour and width of its lines.
const LOOKS: [(Ink, f64); 3] = [(PALETTE[1], 2.25), (PALETTE[0], 1.25), (AXIS, 0.75)];

pub(super) fn width(chart: &ParallelChart) -> u32 {
    if chart.axes.len() > MOST_NARROW { WIDE } else { WIDTH }
}

pub(super) fn height(chart: &ParallelChart) -> u32 {
    (frame::top(&names(chart), f64::from(width(chart))) + HEIGHT + BELOW) as u32
}

fn names(chart: &ParallelChart) -> Vec<&str> {
    chart.series.iter().map(String::as_str).collect()
}

/// The places of an axis, from 0 at its foot to 1, and its labels.
enum Places {
    Numbers(Span),
    Names(Vec<String>),
}

impl Places {
    fn of(chart: &ParallelChart, index: usize) -> Places {
        match &chart.axes[index] {
            Coordinate::Names { names, .. } => Places::Names(names.clone()),
            Coordinate::Numbers(axis) => {
                let values = chart.lines.iter().filter_map(|line| line.values.get(index).copied());
                Places::Numbers(Span::of(axis, values, axis.scale == Scale::Linear && axis.from_zero))
            }
        }
    }

    fn place(&self, value: f64) -> Option<f64> {
        match self {
            Places::Numbers(span) => span.place(value).filter(|place| (-0.01..=1.01).contains(place)),
            Places::Names(names) => {
                let is_one = value.is_finite() && value >= 0.0 && value < names.len() as f64;
                is_one.then(|| (value + 0.5) / names.len() as f64)
            }
        }
    }

    fn labels(&self) -> Vec<(f64, String)> {
        match self {
            Places::Numbers(span) => {
                let place = |(value, label): &(f64, String)| Some((self.place(*value)?, label.clone()));
                span.ticks.iter().filter_map(place).collect()
            }
            Places::Names(names) => {
                let place = |index: usize| (index as f64 + 0.5) / names.len() as f64;
                names.iter().enumerate().map(|(index, name)| (place(index), name.clone())).collect()
            }
        }
    }
}

pub(super) fn draw<B: DrawingBackend>(chart: &ParallelChart, canvas: &mut Canvas<B>) {
    frame::draw_title(canvas, &chart.title);
    let look = |index: usize| LOOKS[index.min(LOOKS.len() - 1)];
    let looks = (0..chart.series.len()).map(|index| Look::bar(look(index).0));
    let entries: Vec<(&str, Look)> = names(chart).into_iter().zip(looks).collect();
    frame::draw_legend(canvas, &entries);
    let top = frame::top(&names(chart), canvas.width) - 22.0;
    let bottom = top + HEIGHT;
    let count = chart.axes.len();
    let step = (canvas.width - 2.0 * SIDE) / count.saturating_sub(1).max(1) as f64;
    let x = |index: usize| SIDE + step * index as f64;
    let y = |place: f64| bottom - place * HEIGHT;
    let places: Vec<Places> = (0..count).map(|index| Places::of(chart, index)).collect();
    for index in 0..count {
        canvas.line(&[(x(index), top), (x(index), bottom)], 1.0, GRID);
    }
    // Those that matter most are drawn last, over the others.
    for series in (0..chart.series.len()).rev() {
        let (ink, width) = look(series);
        for line in chart.lines.iter().filter(|line| line.series == series) {
            let mut run: Vec<(f64, f64)> = Vec::new();
            for (index, place) in places.iter().enumerate() {
                match line.values.get(index).and_then(|&value| place.place(value)) {
                    Some(place) => run.push((x(index), y(place))),
                    None => draw_run(canvas, &std::mem::take(&mut run), width, ink),
                }
            }
            draw_run(canvas, &run, width, ink);
        }
    }
    for (index, place) in places.iter().enumerate() {
        let mut free_below = f64::INFINITY;
        for (place, label) in place.labels() {
            let height = y(place);
            canvas.line(&[(x(index) - 4.0, height), (x(index), height)], 1.0, AXIS);
            // Labels that would touch the one below are left out.
            if height < free_below {
                let (side, at, room) = match index + 1 == count && count > 1 {
                    true => (Side::Begin, x(index) + 7.0, SIDE - 9.0),
                    false => (Side::End, x(index) - 7.0, if index == 0 { SIDE - 9.0 } else { step - 12.0 }),
                };
                canvas.text_within(&label, (at, height), LABEL_SIZE, TEXT, side, room);
                free_below = height - LABEL_SIZE;
            }
        }
        let name = chart.axes[index].caption();
        let half = text_width(&name, LABEL_SIZE) / 2.0;
        // Names at the sides stay within the picture.
        let middle = x(index).max(half + 8.0).min((canvas.width - half - 8.0).max(x(index) - half));
        let below = bottom + if index % 2 == 0 { 16.0 } else { 32.0 };
        canvas.text_within(
            &name,
            (middle, below),
            LABEL_SIZE,
            QUIET,
            Side::Middle,
            (2.0 * step - 8.0).max(120.0),
        );
    }
}

fn draw_run<B: DrawingBackend>(canvas: &mut Canvas<B>, run: &[(f64, f64)], width: f64, ink: Ink) {
    if run.len() > 1 {
        canvas.line(run, width, ink);
    }
}
