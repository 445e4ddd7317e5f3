//! Polynomial and random Fourier features against their naive twins in f64, against scikit-learn's numbers in
//! `tests/golden/features.json`, which `scripts/golden/features.py` made, and against the kernel that they approximate.

use std::path::Path;

use crate::common::compare::{are_gradients, close, each_close, widened};
use crate::common::golden::{self, count, numbers};
use crate::common::splitmix::uniform;
use crate::pass::{Activations, Placed, packed_as};
use fallline::engine::kernels::elementwise::monomials::{self, Monomials};
use fallline::engine::kernels::reference::features::{
    fourier, fourier_backward, monomials as factors_of, products, products_backward,
};
use fallline::engine::kernels::reference::numeric_gradient;
use fallline::engine::layers::{Layer, Polynomial, RandomFourier};
use fallline::{LayerConfig, Loss, Model, Predictor};

const TOLERANCE: f64 = 2e-6;

/// What a layer gives, `[rows, out]`, and the gradient of its input, `[rows, in]`.
#[derive(Clone)]
struct Answer {
    y: Vec<f32>,
    dx: Vec<f32>,
}

fn fast(layer: &dyn Layer, inputs: usize, [x, dy]: [&[f32]; 2], fixed: &[Vec<f32>]) -> Answer {
    let specs = layer.fixed();
    let storage = packed_as(&specs, specs.last().map_or(0, |last| last.range.end), fixed);
    let placed = Placed::new(layer, storage);
    let (x, mut dy) = (Activations::padded(x, inputs), Activations::padded(dy, layer.outputs()));
    let y = placed.forward_at_once(&x);
    let dx = placed.backward(&mut dy, &x, &y, Some(x.columns)).expect("it was asked for");
    Answer { y: y.features(layer.outputs()), dx: dx.features(inputs) }
}

fn agrees(fast: &Answer, [y, dx]: &[Vec<f64>; 2], tolerance: f64) -> bool {
    close(&fast.y, y, tolerance) && close(&fast.dx, dx, tolerance)
}

fn breaks_are_seen(right: &Answer, exact: &[Vec<f64>; 2], tolerance: f64) {
    let parts: [fn(&mut Answer) -> &mut Vec<f32>; 2] = [|a| &mut a.y, |a| &mut a.dx];
    for part in parts {
        let mut wrong = right.clone();
        if let Some(first) = part(&mut wrong).first_mut() {
            *first += 0.1 * first.abs().max(1.0);
            assert!(!agrees(&wrong, exact, tolerance));
        }
    }
}

fn polynomial(inputs: usize, degree: usize, interactions_only: bool) -> Polynomial {
    Polynomial { degree, interactions_only, monomials: Monomials::new(inputs, degree, interactions_only) }
}

#[test]
fn monomials_agree_with_their_twin() {
    for (inputs, degree) in [(1, 1), (1, 7), (2, 4), (3, 3), (5, 1), (17, 2), (20, 3), (33, 2), (6, 5)] {
        for (only, rows) in [(false, 1), (true, 1), (false, 7), (true, 7)] {
            let factors = factors_of(inputs, degree, only);
            let layer = polynomial(inputs, degree, only);
            assert_eq!(layer.outputs(), factors.len());
            assert_eq!(monomials::count(inputs, degree, only), Some(factors.len() as u128));
            let found: Vec<_> = (0..factors.len()).map(|place| layer.monomials.factors(place)).collect();
            assert_eq!(found, factors);
            let [x, dy] =
                [(1, inputs), (2, factors.len())].map(|(seed, of_row)| uniform(seed, rows * of_row));
            let answer = fast(&layer, inputs, [&x, &dy], &[]);
            let mut exact = [Vec::new(), Vec::new()];
            for (x, dy) in widened(&x).chunks(inputs).zip(widened(&dy).chunks(factors.len())) {
                exact[0].extend(products(&factors, x));
                exact[1].extend(products_backward(&factors, dy, x));
            }
            assert!(agrees(&answer, &exact, TOLERANCE), "{inputs} {degree} {only} {rows}");
            breaks_are_seen(&answer, &exact, TOLERANCE);
        }
    }
}

#[test]
fn products_of_the_twin_agree_with_differences() {
    for (inputs, degree, only) in [(4, 3, false), (5, 4, true)] {
        let factors = factors_of(inputs, degree, only);
        let [x, dy] = [(1, inputs), (2, factors.len())].map(|(seed, count)| widened(&uniform(seed, count)));
        let weighted =
            |x: &[f64]| -> f64 { products(&factors, x).iter().zip(&dy).map(|(y, dy)| y * dy).sum() };
        let mut exact = products_backward(&factors, &dy, &x);
        let numeric = numeric_gradient(weighted, &x, 1e-5);
        assert!(are_gradients(&numeric, &exact));
        exact[0] += 1e-3;
        assert!(!are_gradients(&numeric, &exact));
    }
}

#[test]
fn counts_beyond_memory_are_counted_or_refused() {
    assert_eq!(monomials::count(1000, 3, false), Some(167_668_500));
    assert_eq!(monomials::count(3, 16, true), Some(7));
    assert_eq!(monomials::count(1 << 60, 1, false), Some(1 << 60));
    assert_eq!(monomials::count(1 << 60, 16, false), None);
}

fn random_fourier(inputs: usize, components: usize) -> RandomFourier {
    RandomFourier { inputs, components, gamma: 0.5, seed: 0, input_gradient: true }
}

#[test]
fn fourier_features_agree_with_their_twin() {
    for (inputs, components) in [(1, 1), (3, 16), (7, 17), (16, 5), (20, 40), (37, 130)] {
        for rows in [1, 16, 19] {
            let layer = random_fourier(inputs, components);
            let [x, dy, mut w, b] =
                [(1, rows * inputs), (2, rows * components), (3, components * inputs), (4, components)]
                    .map(|(seed, count)| uniform(seed, count));
            // Some angles are large.
            w.iter_mut().step_by(5).for_each(|w| *w *= 40.0);
            let answer = fast(&layer, inputs, [&x, &dy], &[w.clone(), b.clone()]);
            let (w, b) = (widened(&w), widened(&b));
            let mut exact = [Vec::new(), Vec::new()];
            for (x, dy) in widened(&x).chunks(inputs).zip(widened(&dy).chunks(components)) {
                exact[0].extend(fourier(x, &w, &b));
                exact[1].extend(fourier_backward(dy, x, &w, &b));
            }
            // Angles of up to some hundred have that much more of a rounding error.
            let tolerance = 50.0 * TOLERANCE;
            assert!(agrees(&answer, &exact, tolerance), "{inputs} {components} {rows}");
            breaks_are_seen(&answer, &exact, tolerance);
        }
    }
}

#[test]
fn fourier_features_of_the_twin_agree_with_differences() {
    let (inputs, components) = (4, 6);
    let [x, dy, w, b] = [(1, inputs), (2, components), (3, components * inputs), (4, components)]
        .map(|(seed, count)| widened(&uniform(seed, count)));
    let weighted = |x: &[f64]| -> f64 { fourier(x, &w, &b).iter().zip(&dy).map(|(y, dy)| y * dy).sum() };
    let mut exact = fourier_backward(&dy, &x, &w, &b);
    let numeric = numeric_gradient(weighted, &x, 1e-5);
    assert!(are_gradients(&numeric, &exact));
    exact[0] += 1e-3;
    assert!(!are_gradients(&numeric, &exact));
}

/// The data are not padded.
#[test]
fn a_first_layer_takes_data_as_they_lie() {
    let x = uniform(1, 30);
    let (products, waves) = (polynomial(10, 2, false), random_fourier(10, 20));
    let fixed = [uniform(3, 200), uniform(4, 20)];
    let layers: [(&dyn Layer, &[Vec<f32>]); 2] = [(&products, &[]), (&waves, &fixed)];
    for (layer, fixed) in layers {
        let specs = layer.fixed();
        let storage = packed_as(&specs, specs.last().map_or(0, |last| last.range.end), fixed);
        let placed = Placed::new(layer, storage);
        let [data, later] = [Activations::data(&x, 10), Activations::padded(&x, 10)]
            .map(|x| placed.forward_at_once(&x).features(layer.outputs()));
        assert_eq!(data, later);
    }
}

/// A model that is one layer, and what it gives for samples of so many features.
fn given(
    layer: LayerConfig,
    inputs: usize,
    seed: u64,
    x: &[f32],
    tensors: Option<[Vec<f32>; 2]>,
) -> Vec<f32> {
    let builder = Model::sequential(inputs).layer(layer).loss(Loss::MEAN_SQUARED_ERROR).seed(seed);
    let mut model = builder.build().unwrap();
    if let Some(values) = tensors {
        let mut own = model.tensors();
        assert_eq!(own.iter().map(|tensor| &*tensor.name).collect::<Vec<_>>(), ["0.weight", "0.bias"]);
        own.iter_mut().zip(values).for_each(|(own, values)| own.values = values);
        model.load_tensors(Path::new("golden"), own).unwrap();
    }
    let mut answers = vec![0.0; x.len() / inputs * model.outputs()];
    Predictor::new(model).unwrap().predict(x, &mut answers).unwrap();
    answers
}

#[test]
fn the_features_are_those_of_scikit_learn() {
    let file = golden::read("features.json");
    let (rows, seed) = (count(&file["rows"]), file["seed"].as_u64().unwrap());
    for case in file["polynomials"].as_array().unwrap() {
        let (inputs, degree) = (count(&case["inputs"]), count(&case["degree"]));
        let only = case["interactions_only"].as_bool().unwrap();
        let layer = LayerConfig::polynomial_features(degree).with("interactions_only", only).unwrap();
        let y = given(layer, inputs, 1, &uniform(seed, rows * inputs), None);
        assert!(each_close(&y, &numbers(&case["y"]), 1e-6), "{inputs} {degree} {only}");
        let mut wrong = y.clone();
        wrong.swap(0, y.len() - 1);
        assert!(inputs * degree == 1 || !each_close(&wrong, &numbers(&case["y"]), 1e-6));
        let monomials = Monomials::new(inputs, degree, only);
        for (place, powers) in case["powers"].as_array().unwrap().iter().enumerate() {
            let mut found = vec![0.0; inputs];
            monomials.factors(place).into_iter().for_each(|factor| found[factor] += 1.0);
            assert_eq!(found, numbers(powers));
        }
    }
    for case in file["fourier"].as_array().unwrap() {
        let (inputs, components) = (count(&case["inputs"]), count(&case["components"]));
        let single =
            |key: &str| numbers(&case[key]).into_iter().map(|value| value as f32).collect::<Vec<_>>();
        let x: Vec<f32> = uniform(seed, rows * inputs).into_iter().map(|value| 4.0 * value).collect();
        let layer = LayerConfig::random_fourier_features(components, 1.0);
        let mut tensors = [single("weight"), single("bias")];
        let y = given(layer.clone(), inputs, 1, &x, Some(tensors.clone()));
        assert!(each_close(&y, &numbers(&case["y"]), 2e-6), "{inputs} {components}");
        tensors[1][0] += 1e-3;
        assert!(!each_close(&given(layer, inputs, 1, &x, Some(tensors)), &numbers(&case["y"]), 2e-6));
    }
}

/// Of D features with Δ = x - x' the product of those of two samples has the mean k(Δ) = exp(-γ ‖Δ‖²) and the variance
/// ((1 + k(2 Δ)) / 2 - k(Δ)² + 1 / 2) / D.
#[test]
fn products_of_fourier_features_approximate_the_kernel() {
    const SEEDS: u64 = 300;
    const COMPONENTS: usize = 50;
    const INPUTS: usize = 4;
    let x: Vec<f32> = uniform(1, 2 * INPUTS).iter().map(|value| 6.0 * value).collect();
    let distance: f64 = x[..INPUTS].iter().zip(&x[INPUTS..]).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    // The mean and the mean square of the errors, in units of the deviation that is expected.
    let errors = |drawn: f32, gamma: f64, own: bool| {
        let (kernel, of_double) = ((-gamma * distance).exp(), (-4.0 * gamma * distance).exp());
        let variance = ((1.0 + of_double) / 2.0 - kernel * kernel + 0.5) / COMPONENTS as f64;
        let error = |seed: u64| {
            let layer = LayerConfig::random_fourier_features(COMPONENTS, drawn);
            let layer = if own { layer.with("seed", seed as usize).unwrap() } else { layer };
            let y = given(layer, INPUTS, if own { 1 } else { seed }, &x, None);
            let (one, other) = y.split_at(COMPONENTS);
            let product: f64 = one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            (product - kernel) / variance.sqrt()
        };
        let errors: Vec<f64> = (1..=SEEDS).map(error).collect();
        let mean = |of: fn(&f64) -> f64| errors.iter().map(of).sum::<f64>() / SEEDS as f64;
        [mean(|error| *error), mean(|error| error * error)]
    };
    let is_right = |[mean, square]: [f64; 2]| {
        let deviation = 4.0 / (SEEDS as f64).sqrt();
        mean.abs() < deviation && (square - 1.0).abs() < 2f64.sqrt() * deviation
    };
    for own in [false, true] {
        assert!(is_right(errors(0.1, 0.1, own)), "{:?}", errors(0.1, 0.1, own));
        // By default it is one over the features.
        assert!(is_right(errors(0.0, 0.25, own)), "{:?}", errors(0.0, 0.25, own));
        // Another kernel would be seen.
        assert!(!is_right(errors(0.1, 0.2, own)) && !is_right(errors(0.1, 0.05, own)));
    }
}

#[test]
fn a_seed_of_its_own_draws_the_same_whatever_that_of_the_model() {
    let x = uniform(1, 12);
    let drawn = |own: usize, seed| {
        let layer = LayerConfig::random_fourier_features(20, 0.5).with("seed", own).unwrap();
        given(layer, 4, seed, &x, None)
    };
    assert_eq!(drawn(3, 1), drawn(3, 2));
    assert_eq!(drawn(0, 1), drawn(0, 1));
    assert!(drawn(0, 1) != drawn(0, 2) && drawn(3, 1) != drawn(4, 1) && drawn(1, 1) != drawn(0, 1));
}
