//! The gradients of a layer against finite differences of its output.

use super::pass::{Answer, Pass, ROWS, columns, is_number};
use super::wrong::wrong;
use crate::error::Result;

/// Steps of differences: powers of two, so that most of them are exact.
const STEPS: [f32; 3] = [0.062_5, 0.015_625, 0.003_906_25];

/// The error that a gradient may have, relative to the largest.
const TOLERANCE: f64 = 2e-3;

/// The rounding error of each number of the output, relative to it.
const ROUNDING: f64 = 2.4e-7;

/// The most numbers of the input, and of the parameters, that are tried.
const MOST: usize = 400;

/// Checks that the gradients of Σ dy · y agree with its differences, or lie between those of both sides at a kink.
pub(super) fn check(pass: &Pass, all: &Answer) -> Result<()> {
    let width = columns(pass.input);
    let numbers: Vec<usize> = (0..ROWS * width).filter(|at| is_number(pass.input, at % width)).collect();
    let largest = largest(&all.dx);
    for &at in some_of(&numbers) {
        let row = at / width;
        let value = |moved: f32| {
            let mut x = pass.x.clone();
            x[at] += moved;
            let exact = f64::from(x[at]) - f64::from(pass.x[at]);
            let moved = Pass { x, ..pass.clone() };
            (weighted(&moved, row..row + 1), exact)
        };
        let what = || format!("gradient of the input, row {row}, column {}", at % width);
        agree(what, value, f64::from(all.dx[at]), largest)?;
    }
    let specs = pass.layer.parameters();
    let places = specs.iter().flat_map(|spec| {
        let places = spec.range.clone().filter(|&place| pass.is_parameter[place]);
        places.map(move |place| (spec.name, place, spec.range.start))
    });
    let places: Vec<_> = places.collect();
    let largest = self::largest(&all.gradient);
    for &(name, at, start) in some_of(&places) {
        let value = |moved: f32| {
            let mut storage = pass.storage.clone();
            storage[at] += moved;
            let exact = f64::from(storage[at]) - f64::from(pass.storage[at]);
            let moved = Pass { storage, ..pass.clone() };
            (weighted(&moved, 0..ROWS), exact)
        };
        let what = || format!("gradient of \"{name}\", float {}", at - start);
        agree(what, value, f64::from(all.gradient[at]), largest)?;
    }
    Ok(())
}

fn largest(gradient: &[f32]) -> f64 {
    gradient.iter().fold(0.0, |largest, &value| largest.max(f64::from(value).abs()))
}

/// Evenly chosen elements, if there are too many.
fn some_of<T>(all: &[T]) -> impl Iterator<Item = &T> {
    // An odd stride meets all channels of an image.
    all.iter().step_by(if all.len() > MOST { all.len().div_ceil(MOST) | 1 } else { 1 })
}

/// The sum Σ dy · y over some rows, in f64, and the same of the absolute values.
fn weighted(pass: &Pass, rows: std::ops::Range<usize>) -> [f64; 2] {
    let width = columns(pass.output);
    let y = pass.output_of(rows.clone(), 0..width);
    let dy = &pass.dy[rows.start * width..rows.end * width];
    let terms = y.iter().zip(dy).map(|(y, dy)| f64::from(*y) * f64::from(*dy));
    terms.fold([0.0; 2], |[sum, size], term| [sum + term, size + term.abs()])
}

/// Checks that a gradient is the slope of `value`, which takes the shift of a number, and tells the exact shift.
fn agree(
    what: impl Fn() -> String,
    value: impl Fn(f32) -> ([f64; 2], f64),
    gradient: f64,
    largest: f64,
) -> Result<()> {
    let ([here, _], _) = value(0.0);
    let mut best = f64::INFINITY;
    let mut slope = 0.0;
    for step in STEPS {
        let ([above, size], up) = value(step);
        let ([below, _], down) = value(-step);
        let central = (above - below) / (up - down);
        let allowed = TOLERANCE * largest + ROUNDING * size / f64::from(step);
        let sides = [(above - here) / up, (here - below) / -down];
        let [low, high] = [sides[0].min(sides[1]), sides[0].max(sides[1])];
        // The slope changes within a step: a kink, or a bend that a smaller step resolves.
        let bends = high - low > 8.0 * allowed;
        if (gradient - central).abs() <= allowed
            || (bends && step == STEPS[2] && (low - allowed..=high + allowed).contains(&gradient))
        {
            return Ok(());
        }
        if (gradient - central).abs() < best {
            (best, slope) = ((gradient - central).abs(), central);
        }
    }
    Err(wrong(&what(), format!("about {slope:.6}, by finite differences"), format!("{gradient:.6}")))
}
