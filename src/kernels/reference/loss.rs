//! The losses of one row: value and gradient by the outputs, written down as in `docs/losses.md`. Logits, outputs and
//! values are `[outputs]`, and so is the gradient.

use super::functions::sigmoid;

/// The row of `width` numbers that is 1 at `label` and 0 elsewhere.
pub fn one_hot(label: usize, width: usize) -> Vec<f64> {
    (0..width).map(|i| f64::from(i == label)).collect()
}

/// The softmax of one row of logits.
pub fn softmax(logits: &[f64]) -> Vec<f64> {
    log_softmax(logits).into_iter().map(f64::exp).collect()
}

/// The logarithm of the softmax of one row of logits.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let log_sum = logits.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
    logits.iter().map(|x| x - max - log_sum).collect()
}

/// Softmax cross-entropy with a class.
pub fn softmax_cross_entropy(logits: &[f64], label: usize) -> (f64, Vec<f64>) {
    cross_entropy(logits, &one_hot(label, logits.len()), &vec![1.0; logits.len()], 0.0)
}

/// Softmax cross-entropy with probabilities, with a weight for each class, and `smoothing` of
/// the probabilities spread over all classes.
pub fn cross_entropy(logits: &[f64], targets: &[f64], weights: &[f64], smoothing: f64) -> (f64, Vec<f64>) {
    let spread = smoothing / logits.len() as f64;
    let factors: Vec<f64> =
        targets.iter().zip(weights).map(|(t, w)| w * ((1.0 - smoothing) * t + spread)).collect();
    let logarithms = log_softmax(logits);
    let terms = factors.iter().zip(&logarithms).filter(|(factor, _)| **factor != 0.0);
    let loss = terms.map(|(factor, log_p)| -factor * log_p).sum();
    let total: f64 = factors.iter().sum();
    let gradient = softmax(logits).iter().zip(&factors).map(|(p, factor)| p * total - factor).collect();
    (loss, gradient)
}

/// The Kullback-Leibler divergence of the softmax from the targets.
pub fn kl_divergence(logits: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
    let (loss, gradient) = cross_entropy(logits, targets, &vec![1.0; logits.len()], 0.0);
    let entropy: f64 = targets.iter().filter(|t| **t != 0.0).map(|t| -t * t.ln()).sum();
    (loss - entropy, gradient)
}

/// The mean of a function of output and target over the row, by its value and its derivative.
fn mean_of(y: &[f64], targets: &[f64], function: impl Fn(f64, f64) -> (f64, f64)) -> (f64, Vec<f64>) {
    let width = y.len() as f64;
    let pairs: Vec<(f64, f64)> = y.iter().zip(targets).map(|(&y, &t)| function(y, t)).collect();
    let loss = pairs.iter().map(|pair| pair.0).sum::<f64>() / width;
    (loss, pairs.iter().map(|pair| pair.1 / width).collect())
}

/// Mean squared error.
pub fn mean_squared_error(y: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
    mean_of(y, targets, |y, t| ((y - t).powi(2), 2.0 * (y - t)))
}

/// Mean absolute error.
pub fn mean_absolute_error(y: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
    let sign = |d: f64| if d == 0.0 { 0.0 } else { d.signum() };
    mean_of(y, targets, |y, t| ((y - t).abs(), sign(y - t)))
}

/// Huber's loss.
pub fn huber(y: &[f64], targets: &[f64], delta: f64) -> (f64, Vec<f64>) {
    mean_of(y, targets, |y, t| match y - t {
        d if d.abs() <= delta => (0.5 * d * d, d),
        d => (delta * (d.abs() - 0.5 * delta), delta * d.signum()),
    })
}

/// The logarithm of the hyperbolic cosine of the differences.
pub fn log_cosh(y: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
    mean_of(y, targets, |y, t| ((y - t).cosh().ln(), (y - t).tanh()))
}

/// Binary cross-entropy of the sigmoid, of each output on its own.
pub fn binary_cross_entropy(y: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
    let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    // -ln sigmoid(y) = softplus(-y), -ln(1 - sigmoid(y)) = softplus(y)
    mean_of(y, targets, |y, t| (t * softplus(-y) + (1.0 - t) * softplus(y), sigmoid(y) - t))
}

/// Poisson's loss of the logarithm of a rate.
pub fn poisson(y: &[f64], targets: &[f64]) -> (f64, Vec<f64>) {
    mean_of(y, targets, |y, t| (y.exp() - t * y, y.exp() - t))
}

/// The focal loss of the softmax with a class of weight `alpha`.
pub fn focal(logits: &[f64], label: usize, gamma: f64, alpha: f64) -> (f64, Vec<f64>) {
    let (probabilities, log_p) = (softmax(logits), log_softmax(logits)[label]);
    let p = probabilities[label];
    let others: f64 =
        probabilities.iter().enumerate().filter(|(class, _)| *class != label).map(|(_, p)| p).sum();
    // The derivative by the probability of the class, and of that by each logit.
    let decline = if gamma == 0.0 || others == 0.0 { 0.0 } else { gamma * others.powf(gamma - 1.0) * log_p };
    let by_p = alpha * (decline - others.powf(gamma) / p);
    let gradient = probabilities
        .iter()
        .enumerate()
        .map(|(class, other)| by_p * if class == label { p * others } else { -p * other });
    (-alpha * others.powf(gamma) * log_p, gradient.collect())
}

/// The hinge loss of each output on its own, the shortfalls squared or not.
pub fn binary_hinge(y: &[f64], targets: &[f64], squared: bool) -> (f64, Vec<f64>) {
    mean_of(y, targets, |y, t| {
        let sign = 2.0 * t - 1.0;
        match 1.0 - sign * y {
            lacking if lacking <= 0.0 => (0.0, 0.0),
            lacking if squared => (lacking.powi(2), -2.0 * sign * lacking),
            lacking => (lacking, -sign),
        }
    })
}

/// The hinge loss of several classes, the shortfalls squared or not.
pub fn hinge(y: &[f64], label: usize, margin: f64, squared: bool) -> (f64, Vec<f64>) {
    let width = y.len() as f64;
    let (mut loss, mut gradient) = (0.0, vec![0.0; y.len()]);
    for class in (0..y.len()).filter(|&class| class != label) {
        let shortfall = margin - y[label] + y[class];
        if shortfall > 0.0 {
            let (value, slope) =
                if squared { (shortfall.powi(2), 2.0 * shortfall) } else { (shortfall, 1.0) };
            loss += value / width;
            gradient[class] += slope / width;
            gradient[label] -= slope / width;
        }
    }
    (loss, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        assert_eq!(softmax(&[1e30, 1e30, -1e30]), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_divergence_from_itself_is_nothing() {
        let logits = [0.3, -1.0, 2.0];
        let (divergence, gradient) = kl_divergence(&logits, &softmax(&logits));
        assert!(divergence.abs() < 1e-15 && gradient.iter().all(|d| d.abs() < 1e-15));
        assert!(kl_divergence(&logits, &[0.2, 0.3, 0.5]).0 > 0.1);
    }
}
