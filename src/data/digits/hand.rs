//! The writing hand: one style of a digit becomes the pen's path on the 28 x 28 grid, with all the
//! ways in which no two people, and no two digits of one person, are alike.

use super::render::Segment;
use super::size::SIDE;
use super::strokes::{Point, Style};
use crate::rng::Stream;
use rand::RngExt;

/// Standard deviation of each control point, in the unit box.
const CONTROL_JITTER: f32 = 0.022;
/// Standard deviation of a whole stroke against the others, in the unit box.
const STROKE_JITTER: f32 = 0.02;
/// How far a stroke may start late or end early, in spans between control points; half as much
/// it may start early or end late.
const TRIM: f32 = 0.25;
/// Nodes of the elastic field in each direction, and the standard deviation of each node.
const ELASTIC_NODES: usize = 4;
const ELASTIC: f32 = 0.11;
/// Standard deviations of slant (the tangent of its angle), rotation (the tangent of half its angle)
/// and relative width, and the width of an average digit over its height.
const SLANT: f32 = 0.3;
const ROTATION: f32 = 0.05;
const WIDTH_SPREAD: f32 = 0.18;
const WIDTH: f32 = 0.88;
/// How much a writer leans to the right on average, as a tangent.
const LEAN: f32 = 0.12;
/// The longer side of a digit, pen included, in pixels, and its relative standard deviation.
const SIZE: f32 = 20.0;
const SIZE_SPREAD: f32 = 0.07;
/// Standard deviation of the position, in pixels.
const SHIFT: f32 = 0.6;
/// Half the width of the pen in pixels: from the first to the sum, and how much it changes along a
/// stroke (relative standard deviation at either end).
const PEN_FINEST: f32 = 0.85;
const PEN_RANGE: f32 = 1.05;
const PRESSURE: f32 = 0.15;
/// Straight segments between two control points.
const STEPS: usize = 6;

/// A number that is uniform on [-1, 1).
fn even(stream: &mut Stream) -> f32 {
    2.0 * stream.random::<f32>() - 1.0
}

/// A number of mean 0 and variance 1 that never leaves [-3, 3): the sum of three even ones. Unlike
/// a normal variate it needs no logarithm, so it is the same on every platform.
fn bell(stream: &mut Stream) -> f32 {
    even(stream) + even(stream) + even(stream)
}

/// The pen's path for one digit in this style, in pixels, centred by its mass.
pub(super) fn write(style: &Style, stream: &mut Stream) -> Vec<Segment> {
    let field = ElasticField::draw(stream);
    let affine = draw_affine(stream);
    let pen = PEN_FINEST + PEN_RANGE * stream.random::<f32>();
    let mut path = Vec::new();
    for stroke in style.strokes {
        let control = jitter(stroke, stream);
        let radius = [0, 1].map(|_| pen * (1.0 + PRESSURE * bell(stream)));
        let start = TRIM * (0.25 + 0.75 * even(stream));
        let end = (control.len() - 1) as f32 - TRIM * (0.25 + 0.75 * even(stream));
        let steps = STEPS * (control.len() - 1);
        let place = |step: usize| {
            let along = step as f32 / steps as f32;
            let point = field.bend(curve(&control, start + (end - start) * along));
            (apply(&affine, point), radius[0] + (radius[1] - radius[0]) * along)
        };
        let mut from = place(0);
        for step in 1..=steps {
            let to = place(step);
            path.push(Segment { from: from.0, to: to.0, radius: [from.1, to.1] });
            from = to;
        }
    }
    let size = SIZE * (1.0 + SIZE_SPREAD * bell(stream)) - 2.0 * pen;
    let shift = (SHIFT * bell(stream), SHIFT * bell(stream));
    fit(&mut path, size, shift);
    path
}

/// The control points of a stroke, each a little off; a corner stays a corner.
fn jitter(stroke: &[Point], stream: &mut Stream) -> Vec<Point> {
    let offset = (STROKE_JITTER * bell(stream), STROKE_JITTER * bell(stream));
    let mut control: Vec<Point> = Vec::with_capacity(stroke.len());
    for (i, &(x, y)) in stroke.iter().enumerate() {
        let corner = i > 0 && stroke[i - 1] == (x, y);
        control.push(if corner {
            control[i - 1]
        } else {
            let (dx, dy) = (CONTROL_JITTER * bell(stream), CONTROL_JITTER * bell(stream));
            (x + offset.0 + dx, y + offset.1 + dy)
        });
    }
    control
}

/// The point at `position` of the Catmull-Rom spline through `control` (at least two points), where
/// position i is control point i; a little beyond either end the spline is continued.
/// (Catmull and Rom, A class of local interpolating splines, 1974.)
fn curve(control: &[Point], position: f32) -> Point {
    let last = control.len() - 2;
    let i = (position as usize).min(last);
    let t = position - i as f32;
    let (b, c) = (control[i], control[i + 1]);
    // At the ends of the stroke and at corners the missing neighbour mirrors the one there is.
    let a = if i > 0 && control[i - 1] != b { control[i - 1] } else { mirror(c, b) };
    let d = if i < last && control[i + 2] != c { control[i + 2] } else { mirror(b, c) };
    let blend = |a: f32, b: f32, c: f32, d: f32| {
        let quadratic = 2.0 * a - 5.0 * b + 4.0 * c - d;
        let cubic = 3.0 * (b - c) + d - a;
        b + 0.5 * t * (c - a + t * (quadratic + t * cubic))
    };
    (blend(a.0, b.0, c.0, d.0), blend(a.1, b.1, c.1, d.1))
}

/// `point` mirrored at `centre`.
fn mirror(point: Point, centre: Point) -> Point {
    (2.0 * centre.0 - point.0, 2.0 * centre.1 - point.1)
}

/// A smooth random displacement of the plane: a quadratic B-spline over a coarse grid of nodes. It
/// bends the pen's path, not the pixels, so it blurs nothing and costs little.
struct ElasticField {
    /// The nodes by `[row, column]`.
    nodes: [[Point; ELASTIC_NODES]; ELASTIC_NODES],
}

impl ElasticField {
    fn draw(stream: &mut Stream) -> Self {
        let mut nodes = [[(0.0, 0.0); ELASTIC_NODES]; ELASTIC_NODES];
        for node in nodes.as_flattened_mut() {
            *node = (ELASTIC * bell(stream), ELASTIC * bell(stream));
        }
        ElasticField { nodes }
    }

    fn bend(&self, (x, y): Point) -> Point {
        let (column, across) = spline_weights(x);
        let (row, down) = spline_weights(y);
        let (mut dx, mut dy) = (0.0, 0.0);
        for (nodes, v) in self.nodes[row..].iter().zip(down) {
            for (node, u) in nodes[column..].iter().zip(across) {
                dx += u * v * node.0;
                dy += u * v * node.1;
            }
        }
        (x + dx, y + dy)
    }
}

/// The first of the three nodes that act at `x` of the unit interval, and their weights.
fn spline_weights(x: f32) -> (usize, [f32; 3]) {
    const CELLS: usize = ELASTIC_NODES - 2;
    let x = x.clamp(0.0, 1.0) * CELLS as f32;
    let cell = (x as usize).min(CELLS - 1);
    let t = x - cell as f32;
    (cell, [0.5 * (1.0 - t) * (1.0 - t), 0.5 + t - t * t, 0.5 * t * t])
}

/// A random linear map, row by row: width, then slant, then rotation.
fn draw_affine(stream: &mut Stream) -> [[f32; 2]; 2] {
    let width = WIDTH * (1.0 + WIDTH_SPREAD * bell(stream));
    let slant = -(LEAN + SLANT * bell(stream));
    // Cosine and sine from the tangent of half the angle: exact arithmetic, the same everywhere.
    let half = ROTATION * bell(stream);
    let (cos, sin) = ((1.0 - half * half) / (1.0 + half * half), 2.0 * half / (1.0 + half * half));
    [[cos * width, cos * slant - sin], [sin * width, sin * slant + cos]]
}

fn apply(map: &[[f32; 2]; 2], (x, y): Point) -> Point {
    (map[0][0] * x + map[0][1] * y, map[1][0] * x + map[1][1] * y)
}

/// Scales the path so that its longer side is `size` pixels and moves its centre of mass (length by
/// pen width) to the middle of the image, as MNIST does, plus `shift`.
fn fit(path: &mut [Segment], size: f32, shift: Point) {
    let (mut low, mut high) = ((f32::MAX, f32::MAX), (f32::MIN, f32::MIN));
    let (mut mass, mut moment) = (0.0, (0.0, 0.0));
    for Segment { from, to, radius } in path.iter() {
        for point in [from, to] {
            low = (low.0.min(point.0), low.1.min(point.1));
            high = (high.0.max(point.0), high.1.max(point.1));
        }
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let ink = (dx * dx + dy * dy).sqrt() * (radius[0] + radius[1]);
        mass += ink;
        moment.0 += ink * 0.5 * (from.0 + to.0);
        moment.1 += ink * 0.5 * (from.1 + to.1);
    }
    let scale = size / (high.0 - low.0).max(high.1 - low.1);
    let middle = 0.5 * SIDE as f32;
    let place = |(x, y): Point| {
        let (dx, dy) = (x - moment.0 / mass, y - moment.1 / mass);
        (middle + shift.0 + scale * dx, middle + shift.1 + scale * dy)
    };
    for segment in path {
        segment.from = place(segment.from);
        segment.to = place(segment.to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    #[test]
    fn the_curve_passes_through_its_control_points() {
        let control = [(0.0, 0.0), (1.0, 0.5), (1.0, 0.5), (0.25, 1.0), (0.0, 0.25)];
        for (i, &point) in control.iter().enumerate() {
            assert_eq!(curve(&control, i as f32), point);
        }
        // Towards the corner it runs straight, as there is nothing before or after to bend it.
        assert_eq!(curve(&control, 0.5), (0.5, 0.25));
        assert_ne!(curve(&control, 2.5), (0.625, 0.75));
    }

    #[test]
    fn a_corner_stays_a_corner_when_jittered() {
        let stroke = [(0.0, 0.0), (1.0, 0.0), (1.0, 0.0), (1.0, 1.0)];
        let control = jitter(&stroke, &mut stream(1, Purpose::Test, 0));
        assert_eq!(control[1], control[2]);
        assert_ne!(control[1], stroke[1]);
    }

    #[test]
    fn the_elastic_field_is_continuous_and_its_weights_sum_to_one() {
        let field = ElasticField::draw(&mut stream(1, Purpose::Test, 0));
        let (mut before, mut moved) = (field.bend((0.0, 0.3)), 0.0f32);
        for i in 0..=1000 {
            let x = i as f32 / 1000.0;
            assert!((spline_weights(x).1.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            let after = field.bend((x, 0.3));
            assert!((after.0 - before.0).abs() + (after.1 - before.1).abs() < 0.01);
            moved = moved.max((after.0 - x).abs());
            before = after;
        }
        assert!(moved > 0.01);
    }

    #[test]
    fn a_fitted_path_has_its_size_and_its_mass_in_the_middle() {
        let segment = |from, to| Segment { from, to, radius: [1.0, 1.0] };
        let mut path = [segment((0.0, 0.0), (3.0, 0.0)), segment((3.0, 0.0), (3.0, 1.0))];
        fit(&mut path, 18.0, (0.0, 0.0));
        // The centre of mass was at (1.875, 0.125), and one unit becomes six pixels.
        assert_eq!(path[0].from, (14.0 - 11.25, 14.0 - 0.75));
        assert_eq!(path[1].to, (14.0 + 6.75, 14.0 + 5.25));
    }
}
