//! The naive twins of the layers that map samples to fixed features.

/// The factors of all monomials of degree 1 to `degree` of so many numbers, in scikit-learn's order: by degree, then by the
/// list of factors, which ascends; strictly so with `interactions_only`.
pub fn monomials(inputs: usize, degree: usize, interactions_only: bool) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    let mut last: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..degree {
        let longer = |factors: &Vec<usize>| -> Vec<Vec<usize>> {
            let first = factors.last().map_or(0, |&last| last + usize::from(interactions_only));
            (first..inputs).map(|next| [&factors[..], &[next]].concat()).collect()
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// The products of the numbers `x` that each list of factors names.
pub fn products(factors: &[Vec<usize>], x: &[f64]) -> Vec<f64> {
    factors.iter().map(|factors| factors.iter().map(|&input| x[input]).product()).collect()
}

/// The gradient of `x` of [`products`], given `dy`, that of its output: for each place of a factor the product of all
/// others.
pub fn products_backward(factors: &[Vec<usize>], dy: &[f64], x: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; x.len()];
    for (factors, dy) in factors.iter().zip(dy) {
        for (place, &input) in factors.iter().enumerate() {
            let others = factors.iter().enumerate().filter(|(other, _)| *other != place);
            dx[input] += dy * others.map(|(_, &input)| x[input]).product::<f64>();
        }
    }
    dx
}

/// Random Fourier features of `x` `[in]`: √(2 / out) cos(w x + b), for `w` `[out, in]` and `b` `[out]`.
pub fn fourier(x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let scale = (2.0 / b.len() as f64).sqrt();
    angles(x, w, b).into_iter().map(|z| scale * z.cos()).collect()
}

/// The gradient of `x` of [`fourier`], given `dy` `[out]`, that of its output.
pub fn fourier_backward(dy: &[f64], x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let scale = (2.0 / b.len() as f64).sqrt();
    let mut dx = vec![0.0; x.len()];
    for ((z, dy), w) in angles(x, w, b).into_iter().zip(dy).zip(w.chunks_exact(x.len())) {
        for (dx, w) in dx.iter_mut().zip(w) {
            *dx -= scale * z.sin() * dy * w;
        }
    }
    dx
}

fn angles(x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let dot = |w: &[f64]| -> f64 { w.iter().zip(x).map(|(w, x)| w * x).sum() };
    w.chunks_exact(x.len()).zip(b).map(|(w, b)| dot(w) + b).collect()
}
