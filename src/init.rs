//! Initial weights, drawn from seeded streams.

use crate::error::{Error, Result};
use crate::kernels::activation::Activation;
use crate::rng::Stream;
use rand_distr::{Distribution, Normal, StandardNormal, Uniform};
use std::f32::consts::SQRT_2;

/// How a parameter is filled before training.
///
/// The variances of the scaled ones are `gain`^2 times 2 / (fan_in + fan_out) for Xavier (Glorot and
/// Bengio 2010), 1 / fan_in for Kaiming (He et al. 2015, forward mode, where the gain for ReLU is
/// sqrt(2)) and for LeCun (LeCun et al. 1998); a uniform distribution on ±b has variance b^2 / 3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Zeros,
    Constant(f32),
    /// Uniform on \[low, high).
    Uniform {
        low: f32,
        high: f32,
    },
    Normal {
        mean: f32,
        deviation: f32,
    },
    XavierUniform {
        gain: f32,
    },
    XavierNormal {
        gain: f32,
    },
    KaimingUniform {
        gain: f32,
    },
    KaimingNormal {
        gain: f32,
    },
    LecunUniform,
    LecunNormal,
    /// `gain` times a random matrix with orthonormal rows or columns, whichever are fewer (Saxe,
    /// McClelland and Ganguli 2013).
    Orthogonal {
        gain: f32,
    },
}

/// The scale of `uniform` and `normal` when none is given.
const DEFAULT_SCALE: f32 = 0.05;

impl Init {
    /// What suits weights before this activation: Kaiming's for one that passes about half of its input (He et al.
    /// 2015), Xavier's for the others (Glorot and Bengio 2010).
    pub fn before(activation: Activation) -> Init {
        if activation.entry().is_linear_near_0 {
            Init::XavierUniform { gain: 1.0 }
        } else {
            Init::KaimingUniform { gain: SQRT_2 }
        }
    }

    /// The names that [`Init::from_name`] knows.
    pub const NAMES: &[&str] = &[
        "zeros",
        "constant",
        "uniform",
        "normal",
        "xavier-uniform",
        "xavier-normal",
        "kaiming-uniform",
        "kaiming-normal",
        "lecun-uniform",
        "lecun-normal",
        "orthogonal",
    ];

    /// The initialiser of this name; `place` is where the name stands, for the error.
    ///
    /// `gain` is the gain of the scaled ones (else sqrt(2) for Kaiming, and 1), the value of
    /// `constant` (else 0), the bound of `uniform` and the deviation of `normal` (else 0.05).
    ///
    /// # Errors
    /// An unknown name; a gain that is negative (except for `constant`) or not finite, or that the
    /// initialiser has no use for.
    pub fn from_name(place: &str, name: &str, gain: Option<f32>) -> Result<Init> {
        let refuse = |expected: &str, found: f32| Error::Setting {
            place: place.into(),
            key: format!("gain of {name}"),
            expected: expected.into(),
            found: found.to_string(),
        };
        match (name, gain) {
            ("zeros" | "lecun-uniform" | "lecun-normal", Some(gain)) => return Err(refuse("none", gain)),
            ("constant", Some(value)) if !value.is_finite() => {
                return Err(refuse("a finite number", value));
            }
            ("constant", _) => {}
            (_, Some(gain)) if !(gain.is_finite() && gain >= 0.0) => {
                return Err(refuse("a finite number that is not negative", gain));
            }
            _ => {}
        }
        let gain_or = |default| gain.unwrap_or(default);
        Ok(match name {
            "zeros" => Init::Zeros,
            "constant" => Init::Constant(gain_or(0.0)),
            "uniform" => Init::Uniform { low: -gain_or(DEFAULT_SCALE), high: gain_or(DEFAULT_SCALE) },
            "normal" => Init::Normal { mean: 0.0, deviation: gain_or(DEFAULT_SCALE) },
            "xavier-uniform" => Init::XavierUniform { gain: gain_or(1.0) },
            "xavier-normal" => Init::XavierNormal { gain: gain_or(1.0) },
            "kaiming-uniform" => Init::KaimingUniform { gain: gain_or(SQRT_2) },
            "kaiming-normal" => Init::KaimingNormal { gain: gain_or(SQRT_2) },
            "lecun-uniform" => Init::LecunUniform,
            "lecun-normal" => Init::LecunNormal,
            "orthogonal" => Init::Orthogonal { gain: gain_or(1.0) },
            _ => return Err(Error::unknown(place, "initialiser", name, Init::NAMES.iter().copied())),
        })
    }
}

/// Fills `out` by `init`, drawing from `stream`.
///
/// A weight is row-major with one row of `fan_in` numbers per output, as PyTorch stores it: for a
/// dense layer `out` is \[fan_out, fan_in\], for a convolution \[channels, fan_in\] with fan_out =
/// channels times kernel area. `fan_in` and `fan_out` are not used by the unscaled initialisers.
pub fn fill(init: &Init, out: &mut [f32], fan_in: usize, fan_out: usize, stream: &mut Stream) {
    // A fan of 0 counts as 1: there is no bound to divide out of nothing.
    let (fan_in, fan_out) = (fan_in.max(1), fan_out.max(1));
    let (inputs, fans) = (fan_in as f32, (fan_in + fan_out) as f32);
    match *init {
        Init::Zeros => out.fill(0.0),
        Init::Constant(value) => out.fill(value),
        Init::Uniform { low, high } => uniform(out, low, high, stream),
        Init::Normal { mean, deviation } => normal(out, mean, deviation, stream),
        Init::XavierUniform { gain } => uniform_within(out, gain * (6.0 / fans).sqrt(), stream),
        Init::XavierNormal { gain } => normal(out, 0.0, gain * (2.0 / fans).sqrt(), stream),
        Init::KaimingUniform { gain } => uniform_within(out, gain * (3.0 / inputs).sqrt(), stream),
        Init::KaimingNormal { gain } => normal(out, 0.0, gain * (1.0 / inputs).sqrt(), stream),
        Init::LecunUniform => uniform_within(out, (3.0 / inputs).sqrt(), stream),
        Init::LecunNormal => normal(out, 0.0, (1.0 / inputs).sqrt(), stream),
        Init::Orthogonal { gain } => orthogonal(out, fan_in, gain, stream),
    }
}

fn uniform_within(out: &mut [f32], bound: f32, stream: &mut Stream) {
    uniform(out, -bound, bound, stream);
}

/// Uniform on \[low, high), or `low` everywhere if there is nothing between.
fn uniform(out: &mut [f32], low: f32, high: f32, stream: &mut Stream) {
    match Uniform::new(low, high) {
        Ok(distribution) => out.fill_with(|| distribution.sample(stream)),
        Err(_) => out.fill(low),
    }
}

/// Normal, or `mean` everywhere if the deviation is not finite.
fn normal(out: &mut [f32], mean: f32, deviation: f32, stream: &mut Stream) {
    match Normal::new(mean, deviation) {
        Ok(distribution) => out.fill_with(|| distribution.sample(stream)),
        Err(_) => out.fill(mean),
    }
}

/// The orthogonal factor of a Gaussian matrix, with the signs that make the diagonal of the
/// triangular factor positive: only then is it uniformly distributed (Mezzadri 2007).
fn orthogonal(out: &mut [f32], columns: usize, gain: f32, stream: &mut Stream) {
    if out.is_empty() {
        return;
    }
    let rows = out.len() / columns;
    debug_assert_eq!(rows * columns, out.len());
    let (long, short) = (rows.max(columns), rows.min(columns));
    // In f64: the factor of a large matrix is then orthogonal to the last bit of an f32.
    let gaussian = faer::Mat::<f64>::from_fn(long, short, |_, _| StandardNormal.sample(stream));
    let factors = gaussian.qr();
    let (q, r) = (factors.compute_thin_Q(), factors.thin_R());
    for (row, values) in out.chunks_exact_mut(columns).enumerate() {
        for (column, value) in values.iter_mut().enumerate() {
            let (i, j) = if rows >= columns { (row, column) } else { (column, row) };
            *value = (q[(i, j)] * r[(j, j)].signum()) as f32 * gain;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};

    const FAN_IN: usize = 300;
    const FAN_OUT: usize = 200;

    fn filled(init: Init, fan_in: usize, fan_out: usize, index: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; fan_in * fan_out];
        fill(&init, &mut out, fan_in, fan_out, &mut stream(7, Purpose::Test, index));
        out
    }

    /// Mean, variance and largest magnitude.
    fn moments(values: &[f32]) -> (f64, f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
        (mean, variance, values.iter().fold(0.0, |m, &x| m.max(f64::from(x.abs()))))
    }

    /// Whether the values look drawn with this mean and variance: within five standard errors, for
    /// a distribution whose fourth moment is at most that of the normal.
    fn drawn_with(values: &[f32], mean: f64, variance: f64) -> bool {
        let n = values.len() as f64;
        let (found_mean, found_variance, _) = moments(values);
        (found_mean - mean).abs() < 5.0 * (variance / n).sqrt()
            && (found_variance - variance).abs() < 5.0 * variance * (2.0 / n).sqrt()
    }

    fn xavier(gain: f64) -> f64 {
        gain * gain * 2.0 / (FAN_IN + FAN_OUT) as f64
    }

    fn kaiming(gain: f64) -> f64 {
        gain * gain / FAN_IN as f64
    }

    #[test]
    fn means_and_variances_are_the_published_ones() {
        let cases = [
            (Init::Uniform { low: -1.0, high: 3.0 }, 1.0, 16.0 / 12.0),
            (Init::Normal { mean: 2.0, deviation: 0.5 }, 2.0, 0.25),
            (Init::XavierUniform { gain: 1.0 }, 0.0, xavier(1.0)),
            (Init::XavierNormal { gain: 2.0 }, 0.0, xavier(2.0)),
            (Init::KaimingUniform { gain: SQRT_2 }, 0.0, kaiming(2f64.sqrt())),
            (Init::KaimingNormal { gain: SQRT_2 }, 0.0, kaiming(2f64.sqrt())),
            (Init::LecunUniform, 0.0, kaiming(1.0)),
            (Init::LecunNormal, 0.0, kaiming(1.0)),
        ];
        for (index, (init, mean, variance)) in (0..).zip(cases) {
            assert!(drawn_with(&filled(init, FAN_IN, FAN_OUT, index), mean, variance), "{init:?}");
        }
        assert!(filled(Init::Zeros, 3, 5, 0).iter().all(|&x| x == 0.0));
        assert!(filled(Init::Constant(0.3), 3, 5, 0).iter().all(|&x| x == 0.3));
    }

    #[test]
    fn uniform_ones_keep_within_their_bound_and_reach_for_it() {
        let bound = (6.0 / (FAN_IN + FAN_OUT) as f64).sqrt();
        let largest = moments(&filled(Init::XavierUniform { gain: 1.0 }, FAN_IN, FAN_OUT, 0)).2;
        assert!(largest <= bound * 1.000_001 && largest > 0.99 * bound);
    }

    #[test]
    fn a_wrong_fan_trips_the_variance_check() {
        let cases = [
            (Init::XavierUniform { gain: 1.0 }, xavier(1.0)),
            (Init::KaimingNormal { gain: 1.0 }, kaiming(1.0)),
            (Init::LecunUniform, kaiming(1.0)),
        ];
        for (init, variance) in cases {
            let draw = |fan_in| {
                let mut out = vec![0.0; FAN_IN * FAN_OUT];
                fill(&init, &mut out, fan_in, FAN_OUT, &mut stream(7, Purpose::Test, 0));
                drawn_with(&out, 0.0, variance)
            };
            // Right, and a tenth too many.
            assert!(draw(FAN_IN) && !draw(FAN_IN * 11 / 10), "{init:?}");
        }
    }

    /// The largest deviation from orthonormality of the rows or columns, whichever are fewer.
    fn deviation(values: &[f32], rows: usize, columns: usize) -> f64 {
        let at = |i: usize, j: usize| {
            f64::from(if rows >= columns { values[j * columns + i] } else { values[i * columns + j] })
        };
        let (long, short) = (rows.max(columns), rows.min(columns));
        let mut worst = 0.0f64;
        for a in 0..short {
            for b in 0..=a {
                let product: f64 = (0..long).map(|j| at(a, j) * at(b, j)).sum();
                worst = worst.max((product - f64::from(a == b)).abs());
            }
        }
        worst
    }

    #[test]
    fn orthogonal_is_orthogonal() {
        for (rows, columns) in [(1, 1), (1, 7), (7, 1), (16, 16), (10, 128), (128, 100)] {
            let mut values = filled(Init::Orthogonal { gain: 1.0 }, columns, rows, 0);
            assert!(deviation(&values, rows, columns) < 1e-5, "{rows} x {columns}");
            values[0] += 0.1;
            assert!(deviation(&values, rows, columns) > 1e-3, "{rows} x {columns}");
        }
        let (plain, scaled) = (
            filled(Init::Orthogonal { gain: 1.0 }, 9, 9, 0),
            filled(Init::Orthogonal { gain: 3.0 }, 9, 9, 0),
        );
        assert!(plain.iter().zip(&scaled).all(|(a, b)| (3.0 * a - b).abs() < 1e-6));
    }

    #[test]
    fn orthogonal_has_no_preferred_sign() {
        // Without the correction of signs, the diagonal of a Householder factor leans to one side.
        let positive =
            (0..400).filter(|&index| filled(Init::Orthogonal { gain: 1.0 }, 2, 2, index)[0] > 0.0).count();
        assert!((150..250).contains(&positive), "{positive} of 400");
    }

    #[test]
    fn a_stream_gives_the_same_weights_again_and_another_gives_others() {
        for name in Init::NAMES {
            let init = Init::from_name("test", name, None).unwrap();
            let first = filled(init, 12, 8, 3);
            assert_eq!(first, filled(init, 12, 8, 3), "{name}");
            assert!(first.iter().all(|x| x.is_finite()), "{name}");
            let constant = matches!(init, Init::Zeros | Init::Constant(_));
            assert_eq!(first == filled(init, 12, 8, 4), constant, "{name}");
        }
    }

    #[test]
    fn names_and_gains_are_checked() {
        let message = |name, gain| Init::from_name("recipe", name, gain).unwrap_err().to_string();
        assert_eq!(
            message("kaiming-norm", None),
            "recipe: unknown initialiser `kaiming-norm`; did you mean `kaiming-normal`?"
        );
        assert!(message("normal", Some(-1.0)).contains("not negative, found -1"));
        assert!(message("constant", Some(f32::NAN)).contains("found NaN"));
        assert!(message("zeros", Some(1.0)).contains("expected none"));
        assert_eq!(Init::from_name("", "constant", Some(-2.0)).unwrap(), Init::Constant(-2.0));
        let kaiming = Init::from_name("", "kaiming-normal", None).unwrap();
        assert_eq!(kaiming, Init::KaimingNormal { gain: SQRT_2 });
    }
}
