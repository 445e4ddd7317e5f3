//! The layers of sequences that a program writes: what they give, against loops over the positions; that they learn; and
//! the bits of the same windows over images of one row.

use crate::common::compare::{bits_of, each_close, widened};
use crate::common::splitmix::uniform;
use fallline::data::Targets;
use fallline::{Activation, LayerConfig, Model, Optimizer, Predictor, Samples, Trainer, Window};

const LENGTH: usize = 32;
const CHANNELS: usize = 3;
const CLASSES: usize = 3;

/// Kernel, stride, padding and dilation.
type Line = [usize; 4];

/// The windows of a convolution, a pool of largest numbers, another convolution, and a pool of means.
type Windows = [Line; 4];

/// As the constructors make them: one position apart, pools side by side, with positions left over.
const PLAIN: Windows = [[5, 1, 0, 1], [3, 3, 0, 1], [3, 1, 0, 1], [2, 2, 0, 1]];

/// With all of it set.
const SET: Windows = [[4, 2, 3, 2], [3, 2, 1, 2], [2, 1, 1, 3], [3, 1, 1, 1]];

/// A layer of sequences with the rest of its window, where that is not as it is by default.
fn line(layer: LayerConfig, [kernel, stride, padding, dilation]: Line, is_pool: bool) -> LayerConfig {
    let usual = [if is_pool { kernel } else { 1 }, 0, 1];
    let settings = ["stride", "padding", "dilation"].into_iter().zip([stride, padding, dilation]);
    let others = settings.zip(usual).filter(|((_, value), usual)| value != usual);
    others.fold(layer, |layer, ((key, value), _)| layer.with(key, value).unwrap())
}

/// The same over images of one row.
fn row(layer: LayerConfig, [kernel, stride, padding, dilation]: Line) -> LayerConfig {
    let window = Window::rectangle([1, kernel], [1, stride], [0, padding], [1, dilation]);
    layer.with("window", window).unwrap()
}

fn network(layers: [LayerConfig; 4]) -> Model {
    let model =
        layers.into_iter().fold(Model::of_sequences(LENGTH, CHANNELS), |model, layer| model.layer(layer));
    model.flatten().dense(CLASSES, Activation::IDENTITY).seed(5).build().unwrap()
}

fn of_sequences(windows: &Windows) -> Model {
    let kernel = |layer: usize| windows[layer][0];
    network([
        line(LayerConfig::convolution_1d(8, kernel(0), Activation::RELU), windows[0], false),
        line(LayerConfig::max_pool_1d(kernel(1)), windows[1], true),
        line(LayerConfig::convolution_1d(6, kernel(2), Activation::TANH), windows[2], false),
        line(LayerConfig::average_pool_1d(kernel(3)), windows[3], true),
    ])
}

fn of_images(windows: &Windows) -> Model {
    network([
        row(LayerConfig::convolution(8, 1, Activation::RELU), windows[0]),
        row(LayerConfig::max_pool(1), windows[1]),
        row(LayerConfig::convolution(6, 1, Activation::TANH), windows[2]),
        row(LayerConfig::average_pool(1), windows[3]),
    ])
}

/// Channels of positions.
type Sequence = Vec<Vec<f64>>;

/// What a window sees at each of its places, all of a channel's; None beyond the ends.
fn seen(channel: &[f64], [kernel, stride, padding, dilation]: Line) -> Vec<Vec<Option<f64>>> {
    let places = (channel.len() + 2 * padding - (kernel - 1) * dilation - 1) / stride + 1;
    let at = |place: usize, i: usize| (place * stride + i * dilation).checked_sub(padding);
    let of_place =
        |place| (0..kernel).map(|i| at(place, i).and_then(|at| channel.get(at).copied())).collect();
    (0..places).map(of_place).collect()
}

/// `weight`: `[out, channels, kernel]`.
fn convolved(
    x: &[Vec<f64>],
    weight: &[f64],
    bias: &[f64],
    window: Line,
    activation: fn(f64) -> f64,
) -> Sequence {
    let under: Vec<_> = x.iter().map(|channel| seen(channel, window)).collect();
    let out = |(weight, bias): (&[f64], &f64)| -> Vec<f64> {
        let sum = |place: usize| -> f64 {
            let numbers = under.iter().flat_map(|channel| &channel[place]);
            numbers.zip(weight).map(|(x, w)| w * x.unwrap_or(0.0)).sum()
        };
        (0..under[0].len()).map(|place| activation(bias + sum(place))).collect()
    };
    weight.chunks_exact(x.len() * window[0]).zip(bias).map(out).collect()
}

fn pooled(x: &[Vec<f64>], window: Line, of: fn(&[Option<f64>]) -> f64) -> Sequence {
    x.iter().map(|channel| seen(channel, window).iter().map(|numbers| of(numbers)).collect()).collect()
}

/// The outputs of a network with these parameters for `x`, `[samples, positions, channels]`.
fn naive(model: &Model, windows: &Windows, x: &[f32]) -> Vec<f64> {
    let tensors: Vec<Vec<f64>> = model.tensors().iter().map(|tensor| widened(&tensor.values)).collect();
    let [weight, bias, second_weight, second_bias, last_weight, last_bias] = &tensors[..] else {
        panic!("{} tensors", tensors.len())
    };
    let largest: fn(&[Option<f64>]) -> f64 =
        |numbers| numbers.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let mean: fn(&[Option<f64>]) -> f64 =
        |numbers| numbers.iter().flatten().sum::<f64>() / numbers.len() as f64;
    let of_sample = |x: &[f32]| -> Vec<f64> {
        let channel = |channel: usize| x.iter().skip(channel).step_by(CHANNELS).map(|&x| x.into()).collect();
        let x: Sequence = (0..CHANNELS).map(channel).collect();
        let x = convolved(&x, weight, bias, windows[0], |z| z.max(0.0));
        let x = pooled(&x, windows[1], largest);
        let x = convolved(&x, second_weight, second_bias, windows[2], f64::tanh);
        let x = pooled(&x, windows[3], mean).concat();
        let output = |(weight, bias): (&[f64], &f64)| {
            bias + weight.iter().zip(&x).map(|(weight, x)| weight * x).sum::<f64>()
        };
        last_weight.chunks_exact(x.len()).zip(last_bias).map(output).collect()
    };
    x.chunks_exact(LENGTH * CHANNELS).flat_map(of_sample).collect()
}

/// Noise, `[count, LENGTH, CHANNELS]`, with a rise somewhere in the first channel, a fall, or neither.
fn sequences(count: usize, seed: u64) -> (Vec<f32>, Vec<u8>) {
    let mut x: Vec<f32> = uniform(seed, count * LENGTH * CHANNELS).iter().map(|x| 0.5 * x).collect();
    let classes: Vec<u8> = (0..count).map(|sample| (sample % CLASSES) as u8).collect();
    for (sample, (x, &class)) in x.chunks_mut(LENGTH * CHANNELS).zip(&classes).enumerate() {
        let size = [1.5, -1.5, 0.0][usize::from(class)];
        let start = sample * 7 % (LENGTH - 4);
        for (i, step) in [-1.0, -1.0, 1.0, 1.0].into_iter().enumerate() {
            x[(start + i) * CHANNELS] += size * step;
        }
    }
    (x, classes)
}

fn samples((x, classes): (Vec<f32>, Vec<u8>)) -> Samples {
    Samples::floats(x, [1, LENGTH, CHANNELS], Targets::Classes(classes), CLASSES).unwrap()
}

fn trained(mut model: Model, threads: usize) -> Model {
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).batch(20).epochs(15).threads(threads);
    trainer.fit(&mut model, &samples(sequences(600, 1))).unwrap();
    model
}

#[test]
fn sequences_are_learnt_and_give_what_loops_over_the_positions_give() {
    let (x, classes) = sequences(150, 2);
    // Pools that see a position less, or see it elsewhere.
    let wrong = [[[2, 3, 0, 1], [3, 2, 0, 1]], [[2, 2, 0, 3], [1, 1, 0, 1]]];
    for (windows, [wrong_max, wrong_mean]) in [PLAIN, SET].into_iter().zip(wrong) {
        let untrained = of_sequences(&windows);
        let model = trained(of_sequences(&windows), 2);
        let accuracy = |model: &Model| {
            let seen = Trainer::new().evaluate(model, &samples((x.clone(), classes.clone()))).unwrap();
            seen.accuracy.unwrap()
        };
        let (before, after) = (accuracy(&untrained), accuracy(&model));
        println!("{windows:?}: {before} untrained, {after} trained");
        assert!(before < 0.6 && after > 0.9, "{windows:?}: {before} {after}");
        for model in [untrained, model] {
            let predictor = Predictor::new(model).unwrap();
            let mut outputs = vec![0.0; classes.len() * CLASSES];
            predictor.predict(&x, &mut outputs).unwrap();
            let agrees =
                |windows: &Windows| each_close(&outputs, &naive(predictor.model(), windows, &x), 1e-5);
            assert!(agrees(&windows), "{windows:?}");
            let [convolution, max, second, mean] = windows;
            assert!(!agrees(&[convolution, wrong_max, second, mean]));
            assert!(!agrees(&[convolution, max, second, wrong_mean]));
        }
    }
}

#[test]
fn a_window_over_a_sequence_is_one_over_an_image_of_one_row() {
    for windows in [PLAIN, SET] {
        let expected = bits_of(&trained(of_images(&windows), 2));
        for threads in [1, 2, 3] {
            let found = bits_of(&trained(of_sequences(&windows), threads));
            assert!(found == expected, "{windows:?} on {threads} threads");
        }
    }
    // Any window does not do.
    let [convolution, [_, stride, padding, dilation], second, mean] = PLAIN;
    let other = [convolution, [2, stride, padding, dilation], second, mean];
    assert!(bits_of(&trained(of_sequences(&other), 2)) != bits_of(&trained(of_images(&PLAIN), 2)));
}
