use super::networks::{Form, Network, POOLED};
use super::trials::gradients;
use super::*;
use crate::kernels::activation::Activation;
use crate::model::Model;

/// The text's claims that one remedy mends what it is meant for, and another does not.
const LEARNT: f64 = 0.7;
const GUESSED: f64 = 0.15;

#[test]
fn what_the_text_says_of_vanishing_gradients_holds() {
    let found = run(&Setting { threads: 2 }).unwrap();
    let of = |name: &str| found.number(name);
    let ratio = |key: &str| of(&format!("{key}_ratio"));
    let accuracy = |key: &str| of(&format!("{key}_accuracy"));
    assert!(ratio("sigmoid") < 1e-6 && of("sigmoid_warned") >= 2.0);
    assert!((0.15..0.25).contains(&of("sigmoid_factor")));
    for helpful in ["larger_weights", "batch_norm", "residual", "tanh", "relu"] {
        assert!(ratio(helpful) > 0.01 && accuracy(helpful) > LEARNT, "{helpful}");
    }
    for useless in ["sigmoid", "large_weights", "clip_norm", "clip_weights", "weight_norm"] {
        assert!(accuracy(useless) < GUESSED, "{useless}");
    }
    assert!(ratio("large_weights") < ratio("larger_weights") && ratio("large_weights") > ratio("sigmoid"));
    for same in ["clip_norm", "clip_weights", "weight_norm"] {
        assert!((ratio(same) / ratio("sigmoid") - 1.0).abs() < 1e-3, "{same}");
    }
    exploding_gradients_are_as_the_text_says(&found);
}

/// Those that end after a few steps, since the others take long.
#[test]
fn outcomes_do_not_depend_on_threads() {
    let short = |trial: &Trial| ["large_relu", "large_relu_weight_norm"].contains(&trial.key);
    let trials: Vec<Trial> = exploding().into_iter().filter(short).collect();
    let digits = digits().unwrap();
    let of = |threads| {
        let all = outcomes(&trials, &digits, threads).unwrap();
        let told = |outcome: &Outcome| match &outcome.end {
            End::Diverged { what, step } => (outcome.gradients.clone(), what.clone(), *step),
            End::Trained { .. } => panic!("it diverges"),
        };
        all.iter().map(told).collect::<Vec<_>>()
    };
    let alone = of(1);
    assert!(alone.len() == 2 && alone[0] != alone[1]);
    assert!([2, 3].into_iter().all(|threads| of(threads) == alone));
}

fn exploding_gradients_are_as_the_text_says(found: &Finding) {
    let of = |name: &str| found.number(name);
    let accuracy = |key: &str| of(&format!("{key}_accuracy"));
    assert!(of("large_tanh_ratio") > 100.0 && of("tanh_explodes_from") < of("sigmoid_explodes_from"));
    assert!((0.5..2.0).contains(&of("large_relu_ratio")) && of("relu_explodes_from").is_nan());
    assert!(of("large_relu_norm") > 100.0 * of("relu_norm"));
    for ended in ["large_relu", "large_relu_weight_norm"] {
        assert!(of(&format!("{ended}_diverged_at")) < 20.0, "{ended}");
    }
    for helpful in
        ["large_relu_clip_norm", "large_relu_both", "large_relu_batch_norm", "large_tanh_batch_norm"]
    {
        assert!(accuracy(helpful) > LEARNT, "{helpful}");
    }
    for late in ["large_relu_clip_weights", "large_relu_max_norm"] {
        assert!(accuracy(late) < 0.4, "{late}");
    }
    assert!(accuracy("large_tanh_clip_norm") < GUESSED && accuracy("large_tanh") < GUESSED);
    assert!((of("large_tanh_clip_norm_ratio") / of("large_tanh_ratio") - 1.0).abs() < 1e-3);
    assert!((0.1..10.0).contains(&of("large_tanh_batch_norm_ratio")));
    assert!(found.text.iter().all(|text| !text.contains("NaN") && !text.contains("step 0")));
}

/// The norms are those of back-propagation as it is written down, in 64 bits.
#[test]
fn gradients_are_those_of_plain_back_propagation() {
    let samples = digits().unwrap().train.first(100).unwrap();
    let larger = Network::plain(Activation::RELU).scaled(RELU_GAIN);
    for network in [Network::plain(Activation::SIGMOID), Network::plain(Activation::TANH), larger] {
        let found = gradients(network, |trainer| trainer, &samples).unwrap();
        let expected = naive(network, &samples);
        assert_eq!((found.len(), expected.len()), (LAYERS, LAYERS));
        for (layer, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!((found / expected - 1.0).abs() < 1e-3, "layer {layer}: {found} {expected}");
        }
    }
    // Weight normalisation begins with the same norms: the part of the gradient along v, and the rest of it.
    let sigmoid = Network::plain(Activation::SIGMOID);
    let found = gradients(sigmoid.with(Form::WeightNorm), |trainer| trainer, &samples).unwrap();
    for (found, expected) in found.iter().zip(naive(sigmoid, &samples)) {
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
    }
}

/// A dense layer: weights `[outputs][inputs]`, and biases.
struct Dense {
    weights: Vec<Vec<f64>>,
    biases: Vec<f64>,
}

fn layers_of(model: &Model) -> Vec<Dense> {
    let tensors = model.tensors();
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let of = |pair: &[crate::model::NamedTensor]| Dense {
        weights: pair[0].values.chunks(pair[0].shape[1]).map(wide).collect(),
        biases: wide(&pair[1].values),
    };
    tensors.chunks(2).map(of).collect()
}

/// A digit's means of squares of pixels, from 0 to 1.
fn pooled(pixels: &[u8]) -> Vec<f64> {
    let side = 28 / POOLED;
    let mean = |place: usize| {
        let (row, column) = (place / side * POOLED, place % side * POOLED);
        let pixel = |inner: usize| pixels[(row + inner / POOLED) * 28 + column + inner % POOLED];
        (0..POOLED * POOLED).map(|inner| f64::from(pixel(inner)) / 255.0).sum::<f64>()
            / (POOLED * POOLED) as f64
    };
    (0..side * side).map(mean).collect()
}

/// The value of an activation, and its slope.
fn activated(activation: Activation, z: f64) -> (f64, f64) {
    if activation == Activation::SIGMOID {
        let value = 1.0 / (1.0 + (-z).exp());
        (value, value * (1.0 - value))
    } else if activation == Activation::TANH {
        (z.tanh(), 1.0 - z.tanh().powi(2))
    } else {
        (z.max(0.0), f64::from(u8::from(z > 0.0)))
    }
}

/// The norm of the gradient of each layer: of the mean cross-entropy over all samples.
fn naive(network: Network, samples: &crate::data::Samples) -> Vec<f64> {
    let layers = layers_of(&network.build().unwrap());
    let zeros = |layer: &Dense| vec![vec![0.0; layer.weights[0].len() + 1]; layer.weights.len()];
    let mut sums: Vec<Vec<Vec<f64>>> = layers.iter().map(zeros).collect();
    for sample in 0..samples.len() {
        let mut inputs = vec![pooled(samples.row_bytes(sample).unwrap())];
        let mut slopes = Vec::new();
        for (index, layer) in layers.iter().enumerate() {
            let input = &inputs[index];
            let dot = |weights: &Vec<f64>| weights.iter().zip(input).map(|(w, x)| w * x).sum::<f64>();
            let z = layer.weights.iter().zip(&layer.biases).map(|(weights, bias)| dot(weights) + bias);
            let of = |z| if index + 1 < LAYERS { activated(network.activation, z) } else { (z, 1.0) };
            let (outputs, own): (Vec<f64>, Vec<f64>) = z.map(of).unzip();
            inputs.push(outputs);
            slopes.push(own);
        }
        let logits = &inputs[LAYERS];
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = logits.iter().map(|z| (z - most).exp()).sum();
        let mut back: Vec<f64> = logits.iter().map(|z| (z - most).exp() / total).collect();
        back[usize::from(samples.label(sample).unwrap())] -= 1.0;
        for index in (0..LAYERS).rev() {
            back.iter_mut().zip(&slopes[index]).for_each(|(back, slope)| *back *= slope);
            for (row, &error) in sums[index].iter_mut().zip(&back) {
                // The bias's input is 1.
                let of = inputs[index].iter().chain(&[1.0]);
                row.iter_mut().zip(of).for_each(|(sum, input)| *sum += error * input);
            }
            let weights = &layers[index].weights;
            let to =
                |input: usize| weights.iter().zip(&back).map(|(row, error)| row[input] * error).sum::<f64>();
            back = (0..inputs[index].len()).map(to).collect();
        }
    }
    let norm = |rows: &Vec<Vec<f64>>| rows.iter().flatten().map(|sum| sum * sum).sum::<f64>().sqrt();
    sums.iter().map(|rows| norm(rows) / samples.len() as f64).collect()
}
