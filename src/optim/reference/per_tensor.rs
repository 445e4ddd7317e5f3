//! The twins of the rules for whole parameters.

use super::elementwise::{Memory, adam};
use crate::optim::adafactor::Adafactor;
use crate::optim::adam::Adam;
use crate::optim::lamb::Lamb;
use crate::optim::muon::Muon;
use crate::optim::per_tensor::Orthogonal;

/// `optax.lamb`, of one parameter: `parameters`, `gradients` and `memories` are `[n]`.
pub fn lamb(
    rule: &Lamb,
    parameters: &mut [f64],
    gradients: &[f64],
    t: i32,
    rate: f64,
    memories: &mut [Memory],
) {
    let direction = |((p, g), memory): ((&f64, &f64), &mut Memory)| {
        memory.mean = rule.beta1 * memory.mean + (1.0 - rule.beta1) * g;
        memory.square = rule.beta2 * memory.square + (1.0 - rule.beta2) * g * g;
        let mean = memory.mean / (1.0 - rule.beta1.powi(t));
        let square = memory.square / (1.0 - rule.beta2.powi(t));
        mean / (square.sqrt() + rule.epsilon) + rule.weight_decay * p
    };
    let directions: Vec<f64> = parameters.iter().zip(gradients).zip(memories).map(direction).collect();
    let (norm, size) = (norm(parameters), norm(&directions));
    let ratio = if norm == 0.0 || size == 0.0 { 1.0 } else { norm / size };
    for (p, direction) in parameters.iter_mut().zip(directions) {
        *p -= rate * ratio * direction;
    }
}

/// `torch.optim.Adafactor`, of a matrix `[outputs, inputs]` or, without a shape, of a vector: `parameters`, `gradients`
/// and `memories` are `[n]`, row-major. The mean square of a row is remembered as that of its first element, that of a
/// column as the largest of its first.
pub fn adafactor(
    rule: &Adafactor,
    parameters: &mut [f64],
    shape: Option<[usize; 2]>,
    gradients: &[f64],
    [t, rate]: [f64; 2],
    memories: &mut [Memory],
) {
    let count = parameters.len() as f64;
    let (new, epsilon) = (t.powf(-rule.power), rule.factored.epsilon);
    let size = (norm(parameters) / count.sqrt()).max(rule.factored.smallest);
    let [outputs, inputs] = shape.unwrap_or([1, 0]);
    for output in 0..outputs {
        let row = (0..inputs).map(|input| gradients[output * inputs + input].powi(2)).sum::<f64>();
        if inputs > 0 {
            let mean = &mut memories[output * inputs].square;
            *mean += new * (row / inputs as f64 - *mean);
        }
    }
    for input in 0..inputs {
        let column = (0..outputs).map(|output| gradients[output * inputs + input].powi(2)).sum::<f64>();
        let mean = &mut memories[input].largest;
        *mean += new * (column / outputs as f64 - *mean);
    }
    let rows = (0..outputs).filter(|_| inputs > 0).map(|output| memories[output * inputs].square);
    let mean = (rows.sum::<f64>() / outputs as f64).max(epsilon);
    let mut directions = Vec::new();
    for (place, g) in gradients.iter().enumerate() {
        let variance = if shape.is_some() {
            memories[place / inputs * inputs].square * memories[place % inputs].largest / mean
        } else {
            let square = &mut memories[place].square;
            *square += new * (g * g - *square);
            *square
        };
        directions.push(g / variance.max(epsilon * epsilon).sqrt());
    }
    let over = (norm(&directions) / count.sqrt() / rule.factored.threshold).max(1.0);
    for (p, direction) in parameters.iter_mut().zip(directions) {
        *p *= 1.0 - rate * rule.weight_decay;
        *p -= rate.min(1.0 / t.sqrt()) * size / over * direction;
    }
}

/// `torch.optim.Muon` in f64, of a matrix `[outputs, inputs]`: `parameters`, `gradients` and
/// `memories` are `[outputs * inputs]`, row-major.
pub fn muon(
    rule: &Muon,
    parameters: &mut [f64],
    [outputs, inputs]: [usize; 2],
    gradients: &[f64],
    rate: f64,
    memories: &mut [Memory],
) {
    let direction = |(g, memory): (&f64, &mut Memory)| {
        memory.past = rule.momentum * memory.past + (1.0 - rule.momentum) * g;
        if rule.nesterov { rule.momentum * memory.past + (1.0 - rule.momentum) * g } else { memory.past }
    };
    let directions: Vec<f64> = gradients.iter().zip(memories).map(direction).collect();
    let directions = orthogonal(&rule.orthogonal, &directions, [outputs, inputs]);
    let factor = rule.orthogonal.adjustment.factor(outputs, inputs);
    for (p, direction) in parameters.iter_mut().zip(directions) {
        *p -= rate * rule.weight_decay * *p;
        *p -= rate * factor * direction;
    }
}

/// Muon's step of one element of what is no matrix: `torch.optim.AdamW`.
pub fn muon_rest(rule: &Muon, p: f64, g: f64, t: i32, rate: f64, memory: &mut Memory) -> f64 {
    let adamw = Adam {
        beta1: rule.adam_beta1,
        beta2: rule.adam_beta2,
        epsilon: rule.adam_epsilon,
        weight_decay: rule.adam_weight_decay,
        decoupled: true,
        amsgrad: false,
    };
    adam(&adamw, p, g, t, rule.adam_factor * rate, memory)
}

/// The matrix `x` `[outputs, inputs]`, row-major, after the Newton-Schulz iteration; not adjusted.
pub fn orthogonal(how: &Orthogonal, x: &[f64], [outputs, inputs]: [usize; 2]) -> Vec<f64> {
    let [a, b, c] = how.coefficients;
    let scale = norm(x).max(how.epsilon);
    let mut x: Vec<f64> = x.iter().map(|x| x / scale).collect();
    for _ in 0..how.steps {
        // [out x in] * [in x out], [out x out] * [out x out], [out x out] * [out x in]
        let gram = product(&x, &transposed(&x, [outputs, inputs]), [outputs, inputs, outputs]);
        let square = product(&gram, &gram, [outputs; 3]);
        let factor: Vec<f64> = gram.iter().zip(square).map(|(gram, square)| b * gram + c * square).collect();
        let change = product(&factor, &x, [outputs, outputs, inputs]);
        x.iter_mut().zip(change).for_each(|(x, change)| *x = a * *x + change);
    }
    x
}

/// `[rows x inner] * [inner x columns] -> [rows x columns]`
fn product(left: &[f64], right: &[f64], [rows, inner, columns]: [usize; 3]) -> Vec<f64> {
    let mut result = vec![0.0; rows * columns];
    for row in 0..rows {
        for i in 0..inner {
            for column in 0..columns {
                result[row * columns + column] += left[row * inner + i] * right[i * columns + column];
            }
        }
    }
    result
}

/// `[rows, columns] -> [columns, rows]`
fn transposed(x: &[f64], [rows, columns]: [usize; 2]) -> Vec<f64> {
    (0..rows * columns).map(|place| x[place % rows * columns + place / rows]).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}
