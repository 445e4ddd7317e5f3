//! Functions on which methods of descent are tried and shown, with their gradients and lowest points.
//!
//! ```
//! use fallline::engine::optim::functions::HIMMELBLAU;
//!
//! let mut gradient = [0.0; 2];
//! assert_eq!((HIMMELBLAU.evaluate)(&[3.0, 2.0], &mut gradient), 0.0);
//! assert_eq!(gradient, [0.0; 2]);
//! ```

use std::f64::consts::TAU;

/// A function of two numbers, or of any.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub name: &'static str,
    pub formula: &'static str,
    pub source: &'static str,
    /// Writes the gradient at a point, both \[n\], and returns the value. NaN where n is not what the function takes.
    pub evaluate: fn(&[f64], &mut [f64]) -> f64,
    /// Whether it takes other numbers of coordinates than two.
    pub any_count: bool,
    /// The lowest value.
    pub lowest: f64,
    /// The points with this value, for two coordinates.
    pub minima: &'static [[f64; 2]],
    /// A point from which descent is usually shown.
    pub start: [f64; 2],
    /// From where to where a picture of it goes: of x and of y.
    pub window: [[f64; 2]; 2],
}

/// All functions.
pub static FUNCTIONS: [&Function; 6] = [&ROSENBROCK, &BEALE, &HIMMELBLAU, &RASTRIGIN, &SADDLE, &BOWL];

/// A bent, narrow valley with a flat floor.
pub static ROSENBROCK: Function = Function {
    name: "rosenbrock",
    formula: "Σ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)²",
    source: "Rosenbrock: An automatic method for finding the greatest or least value of a function (1960)",
    evaluate: rosenbrock,
    any_count: true,
    lowest: 0.0,
    minima: &[[1.0, 1.0]],
    start: [-1.2, 1.0],
    window: [[-2.0, 2.0], [-1.0, 3.0]],
};

/// A plain with steep walls at its corners.
pub static BEALE: Function = Function {
    name: "beale",
    formula: "(1.5 - x + x y)² + (2.25 - x + x y²)² + (2.625 - x + x y³)²",
    source: "Beale: On an iterative method for finding a local minimum of a function of more than one variable (1958)",
    evaluate: beale,
    any_count: false,
    lowest: 0.0,
    minima: &[[3.0, 0.5]],
    start: [1.0, 1.0],
    window: [[-4.5, 4.5], [-4.5, 4.5]],
};

/// Four valleys of the same depth.
pub static HIMMELBLAU: Function = Function {
    name: "himmelblau",
    formula: "(x² + y - 11)² + (x + y² - 7)²",
    source: "Himmelblau: Applied nonlinear programming (1972)",
    evaluate: himmelblau,
    any_count: false,
    lowest: 0.0,
    minima: &[
        [3.0, 2.0],
        [-2.805_118_086_952_745, 3.131_312_518_250_573],
        [-3.779_310_253_377_747, -3.283_185_991_286_17],
        [3.584_428_340_330_492, -1.848_126_526_964_404],
    ],
    start: [-0.5, -1.0],
    window: [[-5.0, 5.0], [-5.0, 5.0]],
};

/// A valley at every pair of integers, the lower the nearer to 0.
pub static RASTRIGIN: Function = Function {
    name: "rastrigin",
    formula: "Σ 10 + xᵢ² - 10 cos 2π xᵢ",
    source: "Rastrigin: Systems of extremal control (1974); Mühlenbein, Schomisch, Born: The parallel genetic algorithm \
             as function optimizer (1991)",
    evaluate: rastrigin,
    any_count: true,
    lowest: 0.0,
    minima: &[[0.0, 0.0]],
    start: [3.3, -2.7],
    window: [[-5.12, 5.12], [-5.12, 5.12]],
};

/// A saddle, x² - y², that a fourth power closes: two valleys beside the origin, where the gradient is 0.
pub static SADDLE: Function = Function {
    name: "saddle",
    formula: "x² - y² + y⁴ / 4",
    source: "",
    evaluate: saddle,
    any_count: false,
    lowest: -1.0,
    minima: &[[0.0, std::f64::consts::SQRT_2], [0.0, -std::f64::consts::SQRT_2]],
    start: [1.8, 1e-3],
    window: [[-2.0, 2.0], [-2.2, 2.2]],
};

/// A bowl a hundred times as steep in one direction as in the other; [`bowl`] has others.
pub static BOWL: Function = Function {
    name: "bowl",
    formula: "(x² + 100 y²) / 2",
    source: "",
    evaluate: |p, gradient| bowl(100.0, p, gradient),
    any_count: true,
    lowest: 0.0,
    minima: &[[0.0, 0.0]],
    start: [-9.0, 1.5],
    window: [[-10.0, 10.0], [-2.5, 2.5]],
};

/// Σ cᵢ xᵢ² / 2, c rising from 1 to `condition` by the same factor from coordinate to coordinate; `p`, `gradient` \[n\].
pub fn bowl(condition: f64, p: &[f64], gradient: &mut [f64]) -> f64 {
    let steps = p.len().saturating_sub(1).max(1) as f64;
    let mut value = 0.0;
    for (i, (x, g)) in p.iter().zip(gradient).enumerate() {
        let curvature = condition.powf(i as f64 / steps);
        value += curvature * x * x / 2.0;
        *g = curvature * x;
    }
    value
}

fn rosenbrock(p: &[f64], gradient: &mut [f64]) -> f64 {
    if p.len() < 2 {
        return nowhere(gradient);
    }
    gradient.fill(0.0);
    let mut value = 0.0;
    for i in 0..p.len() - 1 {
        let (bend, rest) = (p[i + 1] - p[i] * p[i], 1.0 - p[i]);
        value += 100.0 * bend * bend + rest * rest;
        gradient[i] -= 400.0 * bend * p[i] + 2.0 * rest;
        gradient[i + 1] += 200.0 * bend;
    }
    value
}

fn beale(p: &[f64], gradient: &mut [f64]) -> f64 {
    let &[x, y] = p else { return nowhere(gradient) };
    gradient.fill(0.0);
    let mut value = 0.0;
    for (power, target) in [(1, 1.5), (2, 2.25), (3, 2.625)] {
        let off = target - x + x * y.powi(power);
        value += off * off;
        gradient[0] += 2.0 * off * (y.powi(power) - 1.0);
        gradient[1] += 2.0 * off * x * f64::from(power) * y.powi(power - 1);
    }
    value
}

fn himmelblau(p: &[f64], gradient: &mut [f64]) -> f64 {
    let &[x, y] = p else { return nowhere(gradient) };
    let (first, second) = (x * x + y - 11.0, x + y * y - 7.0);
    gradient.copy_from_slice(&[4.0 * x * first + 2.0 * second, 2.0 * first + 4.0 * y * second]);
    first * first + second * second
}

fn rastrigin(p: &[f64], gradient: &mut [f64]) -> f64 {
    let mut value = 0.0;
    for (x, g) in p.iter().zip(gradient) {
        value += 10.0 + x * x - 10.0 * (TAU * x).cos();
        *g = 2.0 * x + 10.0 * TAU * (TAU * x).sin();
    }
    value
}

fn saddle(p: &[f64], gradient: &mut [f64]) -> f64 {
    let &[x, y] = p else { return nowhere(gradient) };
    gradient.copy_from_slice(&[2.0 * x, y * (y * y - 2.0)]);
    x * x - y * y + y.powi(4) / 4.0
}

fn nowhere(gradient: &mut [f64]) -> f64 {
    gradient.fill(f64::NAN);
    f64::NAN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest difference between the gradient and central differences, at many points of the window.
    fn off(function: &Function, evaluate: impl Fn(&[f64], &mut [f64]) -> f64, count: usize) -> f64 {
        let mut largest = 0.0f64;
        for turn in 0..50 {
            let at = |i: usize| {
                let [low, high] = function.window[i % 2];
                low + (high - low) * ((turn * 7 + i * 13 + 3) as f64 * 0.618).fract()
            };
            let p: Vec<f64> = (0..count).map(at).collect();
            let mut gradient = vec![0.0; count];
            evaluate(&p, &mut gradient);
            for (i, &found) in gradient.iter().enumerate() {
                let value = |shift: f64| {
                    let mut moved = p.clone();
                    moved[i] += shift;
                    (function.evaluate)(&moved, &mut vec![0.0; count])
                };
                let step = 1e-5;
                let slope = (value(step) - value(-step)) / (2.0 * step);
                largest = largest.max((found - slope).abs() / (1.0 + slope.abs()));
            }
        }
        largest
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        for function in FUNCTIONS {
            for count in if function.any_count { [2, 3, 7].as_slice() } else { &[2] } {
                let found = off(function, function.evaluate, *count);
                assert!(found < 1e-6, "{} of {count}: {found:e}", function.name);
                // A gradient that is off by a thousandth is seen.
                let wrong = |p: &[f64], gradient: &mut [f64]| {
                    let value = (function.evaluate)(p, gradient);
                    gradient.iter_mut().for_each(|g| *g *= 1.001);
                    value
                };
                assert!(off(function, wrong, *count) > 1e-4, "{} of {count}", function.name);
            }
        }
    }

    #[test]
    fn minima_are_lowest_and_flat() {
        for function in FUNCTIONS {
            let lowest = |p: &[f64]| (function.evaluate)(p, &mut vec![0.0; p.len()]);
            for minimum in function.minima {
                let mut gradient = [0.0; 2];
                let value = (function.evaluate)(minimum, &mut gradient);
                assert!((value - function.lowest).abs() < 1e-12, "{}: {value}", function.name);
                assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{}: {gradient:?}", function.name);
            }
            // Nowhere in its window is it lower, and it starts elsewhere.
            let [x, y] = function.window;
            for i in 0..=100 {
                for j in 0..=100 {
                    let at = |[low, high]: [f64; 2], part: i32| low + (high - low) * f64::from(part) / 100.0;
                    assert!(lowest(&[at(x, i), at(y, j)]) >= function.lowest - 1e-12, "{}", function.name);
                }
            }
            assert!(lowest(&function.start) > function.lowest + 0.01);
            // Of other numbers of coordinates it says so.
            let (three, few) = (lowest(&[0.3, 0.2, 0.1]), (function.evaluate)(&[], &mut []));
            assert_eq!(three.is_nan(), !function.any_count, "{}", function.name);
            assert!(few.is_nan() || few == 0.0, "{}", function.name);
        }
    }
}
