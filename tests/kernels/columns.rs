//! What acts on the columns of a panel, and weight normalisation of them.

use crate::common::compare::each_close;
use crate::{on_every_isa, spread};
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::normalisation::weight_norm;
use fallline::engine::kernels::reference::{self, WeightNorm};
use fallline::engine::kernels::update::columns;
use fallline::engine::tensor::LANES;

/// Inputs of a panel: none, one, odd ones, more than a unit's.
const INPUTS: [usize; 7] = [0, 1, 2, 3, 17, 112, 785];

/// Of the largest number: norms are exact to f64, the products round to f32.
const TOLERANCE: f64 = 3e-7;

/// A panel `[inputs][16]` whose columns have sizes from tiny to large; the fourth is zero.
fn panel(inputs: usize, reach: f32) -> Vec<f32> {
    let mut values = spread(inputs * LANES, reach);
    for (i, value) in values.iter_mut().enumerate() {
        *value *= if i % LANES == 3 { 0.0 } else { 0.001 * 2f32.powi((i % LANES) as i32) };
    }
    values
}

/// The same numbers in another order.
fn turned(values: &[f32]) -> Vec<f32> {
    let half = values.len() / 2 / LANES * LANES;
    [&values[half..], &values[..half]].concat()
}

/// One column of a panel, widened.
fn column(panel: &[f32], column: usize) -> Vec<f64> {
    panel.iter().skip(column).step_by(LANES).map(|&x| x.into()).collect()
}

/// Whether each column agrees, relative to its own largest number: some are tiny.
fn agree(fast: &[f32], exact: &[Vec<f64>]) -> bool {
    (0..LANES).all(|i| {
        let largest = exact[i].iter().fold(1e-30f64, |largest, x| largest.max(x.abs()));
        let scaled = |x: f64| x / largest;
        let fast: Vec<f32> = column(fast, i).into_iter().map(|x| scaled(x) as f32).collect();
        each_close(&fast, &exact[i].iter().map(|&x| scaled(x)).collect::<Vec<_>>(), TOLERANCE)
    })
}

#[test]
fn products_of_columns_are_summed() {
    for inputs in INPUTS {
        let (a, b) = (panel(inputs, 3.0), turned(&panel(inputs, 1.0)));
        on_every_isa(|| {
            columns::dots(&a, &b).iter().flat_map(|&x| [x as f32, (x - f64::from(x as f32)) as f32]).collect()
        });
        for (i, sum) in columns::dots(&a, &b).into_iter().enumerate() {
            let products = || column(&a, i).into_iter().zip(column(&b, i)).map(|(a, b)| a * b);
            let (exact, size) = (products().sum::<f64>(), products().map(f64::abs).sum::<f64>());
            assert!((sum - exact).abs() <= 1e-14 * size, "{inputs}: {sum} {exact}");
        }
    }
}

#[test]
fn gradients_are_clipped_beside_their_parameters() {
    for inputs in INPUTS {
        let (gradients, parameters) = (panel(inputs, 1.0), turned(&panel(inputs, 2.0)));
        for limit in [1e-3, 0.3, 1e9] {
            let fast = on_every_isa(|| {
                let mut clipped = gradients.clone();
                columns::clip_adaptively(&mut clipped, &parameters, limit);
                clipped
            });
            let exact: Vec<Vec<f64>> = (0..LANES)
                .map(|i| {
                    let mut gradient = column(&gradients, i);
                    reference::clip_adaptively(&mut gradient, &column(&parameters, i), limit.into());
                    gradient
                })
                .collect();
            assert!(agree(&fast, &exact), "{inputs} {limit}");
            assert_eq!(fast == gradients, limit > 1.0 || inputs == 0, "{inputs} {limit}");
            if inputs > 0 && limit < 1.0 {
                let mut wrong = exact.clone();
                wrong[0][inputs / 2] *= 1.0001;
                wrong[1].iter_mut().for_each(|g| *g *= 1.0001);
                assert!(!agree(&fast, &wrong));
            }
        }
    }
}

#[test]
fn vectors_and_single_numbers_are_clipped_beside_theirs() {
    for length in [0, 1, 5, 16, 33, 1000] {
        let (gradients, parameters) = (spread(length, 1.0), spread(length + 1, 0.5)[1..].to_vec());
        for limit in [0.01, 100.0] {
            let wide = |values: &[f32]| values.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
            let mut exact = wide(&gradients);
            reference::clip_adaptively(&mut exact, &wide(&parameters), limit.into());
            let fast = on_every_isa(|| {
                let mut clipped = gradients.clone();
                columns::clip_vector_adaptively(&mut clipped, &parameters, limit);
                clipped
            });
            assert!(each_close(&fast, &exact, TOLERANCE * 0.01), "{length} {limit}");

            let mut each = gradients.clone();
            columns::clip_each_adaptively(&mut each, &parameters, limit);
            let mut exact = wide(&gradients);
            for (g, p) in exact.iter_mut().zip(wide(&parameters)) {
                reference::clip_adaptively(std::slice::from_mut(g), &[p], limit.into());
            }
            assert!(each_close(&each, &exact, TOLERANCE), "{length} {limit}");
            if length > 1 && limit < 1.0 {
                assert!(fast != gradients && each != gradients && each != fast);
            }
        }
    }
}

#[test]
fn norms_are_limited() {
    for inputs in INPUTS {
        let weights = panel(inputs, 1.0);
        for limit in [1e-3, 0.5, 1e9] {
            let fast = on_every_isa(|| {
                let mut limited = weights.clone();
                columns::limit_norms(&mut limited, limit);
                limited
            });
            let exact: Vec<Vec<f64>> = (0..LANES)
                .map(|i| {
                    let mut column = column(&weights, i);
                    reference::limit_norm(&mut column, limit.into());
                    column
                })
                .collect();
            assert!(agree(&fast, &exact), "{inputs} {limit}");
            let norms = columns::dots(&fast, &fast).map(f64::sqrt);
            assert!(norms.iter().all(|&norm| norm <= f64::from(limit) * 1.000_001), "{norms:?}");
            assert_eq!(fast == weights, limit > 1e3 || inputs == 0);
            if inputs == 785 && limit == 0.5 {
                // Some columns are short enough as they are.
                assert!(fast != weights && column(&fast, 0) == column(&weights, 0));
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_one() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut lost = panel(3, 1.0);
        lost[17] = bad;
        let mut clipped = lost.clone();
        columns::clip_adaptively(&mut clipped, &panel(3, 1.0), 0.01);
        assert!(!clipped[17].is_finite());
        let mut clipped = panel(3, 1.0);
        columns::clip_adaptively(&mut clipped, &lost, 0.01);
        assert_eq!(clipped[1].is_nan(), bad.is_nan());
        columns::limit_norms(&mut lost, 0.01);
        assert!(!lost[17].is_finite());
        let mut vector = [1.0, bad];
        columns::clip_vector_adaptively(&mut vector, &[1.0, 1.0], 0.01);
        assert!(!vector[1].is_finite());
        let mut each = [1.0, bad, 1.0];
        columns::clip_each_adaptively(&mut each, &[1.0, 1.0, bad], 0.01);
        assert!(!each[1].is_finite() && each[2].is_nan() == bad.is_nan() && each[0] == 0.01);
    }
}

#[test]
fn normalised_weights_agree_with_their_twin() {
    for inputs in INPUTS {
        let (mut v, dw) = (panel(inputs, 1.0), turned(&panel(inputs, 2.0)));
        // A direction of zeros has a case of its own.
        v.iter_mut().filter(|v| **v == 0.0).for_each(|v| *v = 0.5);
        let g: Vec<f32> = spread(LANES, 2.0);
        let w = on_every_isa(|| {
            let mut w = vec![f32::NAN; v.len()];
            weight_norm::forward(&mut w, &v, &g);
            w
        });
        let gradient = on_every_isa(|| {
            let (mut dv, mut dg) = (dw.clone(), vec![f32::NAN; LANES]);
            weight_norm::backward(&mut dv, &mut dg, &v, &g);
            [dv, dg].concat()
        });
        if inputs == 0 {
            assert_eq!(gradient, [0.0; LANES]);
            continue;
        }
        let (dv, dg) = gradient.split_at(v.len());
        let (mut exact_w, mut exact_dv, mut exact_dg) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &length) in g.iter().enumerate() {
            let twin = WeightNorm {
                g: vec![length.into()],
                v: column(&v, i),
                bias: vec![0.0],
                activation: Activation::IDENTITY,
            };
            exact_w.push(twin.dense().weight);
            // With one row, the gradient of w is dy x: dw for x, and 1 for dy.
            let gradients = twin.backward(&[1.0], &column(&dw, i));
            exact_dv.push(gradients.v);
            exact_dg.push(gradients.g[0]);
        }
        assert!(agree(&w, &exact_w), "{inputs}");
        // The two terms of dv, each of this size, nearly cancel where there are few inputs.
        let size = |i: usize| {
            let norm = |values: Vec<f64>| values.iter().map(|x| x * x).sum::<f64>().sqrt();
            f64::from(g[i]).abs() * norm(column(&dw, i)) / norm(column(&v, i))
        };
        let near = |exact: &[Vec<f64>]| {
            (0..LANES).all(|i| {
                let pairs = column(dv, i).into_iter().zip(&exact[i]);
                pairs.into_iter().all(|(fast, exact)| (fast - exact).abs() <= TOLERANCE * size(i))
            })
        };
        assert!(near(&exact_dv), "{inputs}");
        exact_dv[7][inputs / 2] += 1e-5 * size(7);
        assert!(!near(&exact_dv), "{inputs}");
        assert!(each_close(dg, &exact_dg, TOLERANCE), "{inputs}");
        exact_dg[5] *= 1.0001;
        exact_w[5][inputs / 2] *= 1.0001;
        assert!(!agree(&w, &exact_w) && !each_close(dg, &exact_dg, TOLERANCE * 0.1), "{inputs}");
    }
}

#[test]
fn a_direction_of_zeros_gives_zeros() {
    let (v, g) = (vec![0.0; 5 * LANES], vec![1.0; LANES]);
    let (mut w, mut dv, mut dg) = (vec![f32::NAN; v.len()], vec![1.0; v.len()], vec![f32::NAN; LANES]);
    weight_norm::forward(&mut w, &v, &g);
    weight_norm::backward(&mut dv, &mut dg, &v, &g);
    assert!(w.iter().chain(&dv).chain(&dg).all(|&x| x == 0.0));
    weight_norm::norms(&mut dg, &[3.0; 4 * LANES]);
    assert_eq!(dg, [6.0; LANES]);
}
