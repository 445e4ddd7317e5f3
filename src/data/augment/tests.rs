use super::draw::fraction;
use super::*;
use crate::kernels::reference::augment as reference;

const PLAIN: Normalised = Normalised { scale: 1.0, shift: 0.0 };
const SIDE: usize = 41;
/// Versions of an image for its statistics.
const DRAWS: u32 = 3000;

fn images(pixels: Vec<u8>, [height, width, channels]: [usize; 3]) -> Samples {
    let count = pixels.len() / (height * width * channels);
    Samples::images(pixels, [height, width, channels], vec![0; count], 1).unwrap()
}

/// A hill with these deviations across and down, its axis rotated by so many degrees.
fn hill(across: f64, down: f64) -> Samples {
    let middle = (SIDE - 1) as f64 / 2.0;
    let value = |i: usize| {
        let (y, x) = ((i / SIDE) as f64 - middle, (i % SIDE) as f64 - middle);
        (255.0 * (-0.5 * ((x / across).powi(2) + (y / down).powi(2))).exp()).round() as u8
    };
    images((0..SIDE * SIDE).map(value).collect(), [SIDE, SIDE, 1])
}

fn moving(motion: Motion) -> Augmentation {
    Augmentation { motion, ..Augmentation::default() }
}

/// The version of sample 0 in the first epoch of a run of this seed.
fn made(settings: &Augmentation, samples: &Samples, seed: u64, to: Normalised) -> Vec<f32> {
    let augmenter = Augmenter::new(settings, samples).unwrap().unwrap();
    let [floats, words] = augmenter.scratch_lens();
    let (mut floats, mut words) = (vec![f32::NAN; floats], vec![u32::MAX; words]);
    let mut row = vec![f32::NAN; samples.features_per_sample()];
    let scratch = Scratch { floats: &mut floats, words: &mut words };
    augmenter.make(&mut row, samples.row_bytes(0).unwrap(), stream(seed, 0, 0), to, scratch);
    row
}

/// Mass, centre `[x, y]` and covariance `[xx, xy, yy]` of an image.
struct Moments {
    centre: [f64; 2],
    covariance: [f64; 3],
}

fn moments(image: &[f32]) -> Moments {
    let pixels =
        || image.iter().enumerate().map(|(i, &v)| ((i % SIDE) as f64, (i / SIDE) as f64, f64::from(v)));
    let mean = |f: &dyn Fn(f64, f64) -> f64| {
        let (sum, mass) = pixels().fold((0.0, 0.0), |(sum, mass), (x, y, v)| (sum + v * f(x, y), mass + v));
        sum / mass
    };
    let centre = [mean(&|x, _| x), mean(&|_, y| y)];
    let around = |f: &dyn Fn(f64, f64) -> f64| mean(&|x, y| f(x - centre[0], y - centre[1]));
    Moments { centre, covariance: [around(&|x, _| x * x), around(&|x, y| x * y), around(&|_, y| y * y)] }
}

/// The mean, standard deviation, and largest magnitude of some values.
fn spread(values: &[f64]) -> [f64; 3] {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    [mean, variance.sqrt(), values.iter().fold(0.0, |most, value| value.abs().max(most))]
}

/// Checks that values are spread as numbers uniform on ±range; `slack`, of the range, for how they are measured.
#[track_caller]
fn assert_uniform(values: &[f64], range: f64, slack: f64) {
    let [mean, deviation, most] = spread(values);
    let expected = range / 3f64.sqrt();
    // Five standard errors of the mean; the deviation's relative one is 0.45 / sqrt(n).
    let error = 5.0 * expected / f64::from(DRAWS).sqrt();
    assert!(mean.abs() < error + slack * range, "mean {mean} of ±{range}");
    assert!((deviation / expected - 1.0).abs() < 0.041 + slack, "deviation {deviation}, not {expected}");
    assert!(most < range * (1.0 + slack) && most > 0.98 * range, "{most} of {range}");
}

/// A measurement of many versions of an image.
fn measured(settings: &Augmentation, samples: &Samples, measure: impl Fn(&Moments) -> f64) -> Vec<f64> {
    (0..DRAWS.into()).map(|seed| measure(&moments(&made(settings, samples, seed, PLAIN)))).collect()
}

#[test]
fn shifts_are_uniform_both_ways() {
    let settings = moving(Motion { shift: 3.0, ..Motion::default() });
    let image = hill(4.0, 4.0);
    let middle = (SIDE - 1) as f64 / 2.0;
    let across = measured(&settings, &image, |moments| moments.centre[0] - middle);
    let down = measured(&settings, &image, |moments| moments.centre[1] - middle);
    assert_uniform(&across, 3.0, 0.01);
    assert_uniform(&down, 3.0, 0.01);
    let product: f64 = across.iter().zip(&down).map(|(a, b)| a * b).sum::<f64>() / f64::from(DRAWS);
    assert!(product.abs() < 5.0 * 3.0 / f64::from(DRAWS).sqrt(), "they go together: {product}");
}

#[test]
fn turns_are_uniform() {
    let settings = moving(Motion { rotation: 30.0, ..Motion::default() });
    let angle = |moments: &Moments| {
        let [xx, xy, yy] = moments.covariance;
        (0.5 * (2.0 * xy).atan2(xx - yy)).to_degrees()
    };
    assert_uniform(&measured(&settings, &hill(6.0, 2.0), angle), 30.0, 0.01);
}

#[test]
fn zoom_is_of_both_sides_and_stretch_of_each() {
    let image = hill(4.0, 4.0);
    // Interpolation makes a hill a little wider, here by 0.3 %.
    let side = |place: usize| move |moments: &Moments| (moments.covariance[place] / 16.05).sqrt() - 1.0;
    let both = |motion| {
        let settings = moving(motion);
        [0, 2].map(|place| measured(&settings, &image, side(place)))
    };
    let [across, down] = both(Motion { zoom: 0.2, ..Motion::default() });
    assert_uniform(&across, 0.2, 0.03);
    assert!(across.iter().zip(&down).all(|(a, b)| (a - b).abs() < 0.01));
    let [across, down] = both(Motion { stretch: 0.2, ..Motion::default() });
    assert_uniform(&across, 0.2, 0.03);
    assert_uniform(&down, 0.2, 0.03);
    let apart = across.iter().zip(&down).filter(|(a, b)| (*a - *b).abs() > 0.05).count();
    assert!(apart > DRAWS as usize / 2, "{apart}");
}

#[test]
fn shear_moves_rows_across() {
    let settings = moving(Motion { shear: 0.3, ..Motion::default() });
    let slope = |moments: &Moments| moments.covariance[1] / moments.covariance[2];
    let image = hill(4.0, 4.0);
    assert_uniform(&measured(&settings, &image, slope), 0.3, 0.02);
    let heights = measured(&settings, &image, |moments| moments.covariance[2]);
    assert!(spread(&heights)[1] < 0.1, "rows stay where they are");
}

/// The map is the inverse of the reference's motion with the numbers that were drawn.
#[test]
fn the_parts_of_a_motion_come_in_their_order() {
    let motion = Motion { shift: 2.0, rotation: 40.0, zoom: 0.3, stretch: 0.2, shear: 0.4 };
    for seed in 0..20 {
        let map = motion.draw([20, 30], &mut stream(seed, 0, 0));
        let mut numbers = stream(seed, 0, 0);
        let mut around = |range: f64| range * (2.0 * fraction(&mut numbers) - 1.0);
        let [degrees, shear, zoom] =
            [around(40.0), around(f64::from(0.4f32)), 1.0 + around(f64::from(0.3f32))];
        let zoom = [(); 2].map(|()| zoom * (1.0 + around(f64::from(0.2f32))));
        let exact = reference::Motion { shift: [(); 2].map(|()| around(2.0)), degrees, shear, zoom };
        for place in [[0.0, 0.0], [29.0, 0.0], [3.0, 19.0]] {
            let found = [map.x, map.y]
                .map(|row| f64::from(row[0]) * place[0] + f64::from(row[1]) * place[1] + f64::from(row[2]));
            let [x, y] = exact.backward([20, 30], place);
            assert!((found[0] - x).abs() < 1e-4 && (found[1] - y).abs() < 1e-4, "{found:?} {x} {y}");
        }
    }
}

#[test]
fn elastic_fields_have_their_deviation_and_length() {
    let (sigma, alpha) = (4.0f32, 34.0f32);
    let elastic = Some(Elastic { sigma, alpha });
    let settings = Augmentation { elastic, ..Augmentation::default() };
    let samples = images(vec![0; 28 * 28], [28, 28, 1]);
    let augmenter = Augmenter::new(&settings, &samples).unwrap().unwrap();
    let Smoothing { rows, columns, gain } = augmenter.elastic.unwrap();
    let pitch = padded(28);
    let mut noise = vec![0.0; elastic::noise_len(&rows, &columns)];
    let mut line = vec![0.0; elastic::line_len(&columns)];
    let mut fields = vec![0.0; 2 * 28 * pitch];
    let lags = [[0, 0], [0, 4], [6, 0], [5, 5], [0, 20]];
    let (mut products, mut counts, mut fourth) = ([0.0; 5], [0.0; 5], 0.0);
    let mut between = 0.0;
    for seed in 0..1500 {
        fill(&mut noise, &mut stream(seed, 0, 0), gain);
        elastic::smooth(&mut fields, &noise, &mut line, &rows, &columns);
        for field in fields.chunks_exact(28 * pitch) {
            let at = |y: usize, x: usize| f64::from(field[y * pitch + x]);
            for (index, [down, across]) in lags.into_iter().enumerate() {
                for (y, x) in (0..28 - down).flat_map(|y| (0..28 - across).map(move |x| (y, x))) {
                    products[index] += at(y, x) * at(y + down, x + across);
                    counts[index] += 1.0;
                }
            }
            fourth += at(9, 9).powi(4) + at(20, 20).powi(4);
        }
        between += f64::from(fields[10 * pitch + 10]) * f64::from(fields[28 * pitch + 10 * pitch + 10]);
    }
    let variance = reference::elastic_covariance(4.0, 34.0, [0, 0]);
    assert!((variance.sqrt() - 1.384).abs() < 0.001, "α / (sqrt(3) 2 sqrt(π) σ)");
    for ((lag, product), count) in lags.into_iter().zip(products).zip(counts) {
        let exact = reference::elastic_covariance(4.0, 34.0, lag);
        let error = (product / count - exact) / variance;
        assert!(error.abs() < 0.03, "{lag:?}: {} {exact}", product / count);
    }
    // The two directions are independent, and the sums as good as normal: a fourth moment of 3.
    assert!((between / 1500.0 / variance).abs() < 0.13, "{between}");
    let kurtosis = fourth / (1500.0 * 4.0) / variance.powi(2);
    assert!((kurtosis - 3.0).abs() < 0.4, "{kurtosis}");
}

#[test]
fn noise_has_its_deviation() {
    let samples = images(vec![100; 100 * 100], [100, 100, 1]);
    let settings = Augmentation { noise: 0.1, ..Augmentation::default() };
    let to = Normalised { scale: 1.0 / (255.0 * 0.3), shift: -2.0 };
    let values: Vec<f64> = made(&settings, &samples, 1, to).iter().map(|&v| v.into()).collect();
    let [mean, deviation, most] = spread(&values);
    let plain = f64::from(100.0 * to.scale + to.shift);
    assert!(
        (mean - plain).abs() < 0.02 && (deviation / (0.1 / 0.3) - 1.0).abs() < 0.03,
        "{mean} {deviation}"
    );
    assert!(most > 2.0, "tails: {most}");
}

#[test]
fn rectangles_are_erased_as_often_and_as_large_as_asked_for() {
    let samples = images(vec![100; SIDE * SIDE], [SIDE, SIDE, 1]);
    // Squares of these areas always fit.
    let erase = Erase { probability: 0.3, area: [0.1, 0.3], aspect: [1.0, 1.0], fill: Fill::Zero };
    let of = |erase| Augmentation { erase: Some(erase), ..Augmentation::default() };
    let (mut areas, mut middles) = (Vec::new(), [0.0; 2]);
    for seed in 0..DRAWS.into() {
        let image = made(&of(erase), &samples, seed, PLAIN);
        let erased: Vec<usize> = (0..image.len()).filter(|&i| image[i] == 0.0).collect();
        assert!(image.iter().all(|value| [0.0, 100.0].contains(value)));
        let (Some(first), Some(last)) = (erased.first(), erased.last()) else { continue };
        let [tall, wide] = [last / SIDE - first / SIDE + 1, last % SIDE - first % SIDE + 1];
        assert_eq!((tall * wide, tall), (erased.len(), wide), "a square");
        areas.push(erased.len() as f64 / (SIDE * SIDE) as f64);
        middles[0] += (first / SIDE + last / SIDE) as f64 / 2.0;
        middles[1] += (first % SIDE + last % SIDE) as f64 / 2.0;
    }
    let part = areas.len() as f64 / f64::from(DRAWS);
    assert!((part - 0.3).abs() < 0.04, "{part}");
    let [mean, deviation, most] = spread(&areas);
    assert!(
        (mean - 0.2).abs() < 0.01 && (deviation - 0.2 / 12f64.sqrt()).abs() < 0.006,
        "{mean} {deviation}"
    );
    assert!(most < 0.32 && areas.iter().all(|area| *area > 0.08));
    for middle in middles {
        let mean = middle / areas.len() as f64;
        assert!((mean - (SIDE - 1) as f64 / 2.0).abs() < 1.5, "{mean}");
    }

    // Aspects, and random bytes.
    let tall = Erase { probability: 1.0, area: [0.1, 0.1], aspect: [4.0, 4.0], fill: Fill::Random };
    let image = made(&of(tall), &samples, 1, PLAIN);
    let changed: Vec<usize> = (0..image.len()).filter(|&i| image[i] != 100.0).collect();
    let rows = changed[changed.len() - 1] / SIDE - changed[0] / SIDE + 1;
    assert_eq!(rows, 26, "sqrt(0.1 * 41 * 41 * 4)");
    let values: Vec<f64> = changed.iter().map(|&i| image[i].into()).collect();
    let [mean, deviation, _] = spread(&values);
    assert!((mean - 127.5).abs() < 20.0 && (deviation - 74.0).abs() < 12.0, "{mean} {deviation}");
    // A rectangle that never fits is never erased.
    let huge = Erase { area: [1.0, 1.0], ..tall };
    assert!(made(&of(huge), &samples, 1, PLAIN).iter().all(|value| *value == 100.0));
}

#[test]
fn batches_are_mixed_with_themselves_in_beta_proportions() {
    let order: Vec<u32> = (0..4005).map(|i| (i * 7) % 4005).collect();
    for alpha in [0.001, 0.2, 1.0, 8.0] {
        let mut mixing = Mixing::new(alpha, order.len(), 10).unwrap();
        let mut shares = Vec::new();
        for epoch in 0..10 {
            mixing.draw(&order, 3, epoch);
            shares.extend((0..order.len()).step_by(10).map(|start| f64::from(mixing.share(start))));
            for (own, partners) in order.chunks(10).zip(mixing.partners().chunks(10)) {
                let sorted = |samples: &[u32]| {
                    let mut samples = samples.to_vec();
                    samples.sort_unstable();
                    samples
                };
                assert_eq!(sorted(own), sorted(partners));
            }
        }
        let same = order.iter().zip(mixing.partners()).filter(|(a, b)| a == b).count();
        // One of a permutation stays where it is, on average.
        assert!((300..520).contains(&same), "{same}");
        assert_eq!(shares.len(), 10 * 401);
        let [mean, deviation, most] = spread(&shares);
        // The variance of Beta(a, a) is 1 / (4 (2 a + 1)).
        let expected = 0.5 / (2.0 * f64::from(alpha) + 1.0).sqrt();
        assert!((mean - 0.5).abs() < 0.04, "{alpha}: {mean}");
        assert!((deviation / expected - 1.0).abs() < 0.05, "{alpha}: {deviation} {expected}");
        assert!(most <= 1.0 && shares.iter().all(|share| *share >= 0.0));
    }
    assert!(Mixing::new(0.0, 5, 5).is_err() && Mixing::new(f32::NAN, 5, 5).is_err());

    let mut row = [1.0, 2.0, -3.5];
    blend(&mut row, &[5.0, 0.0, 0.5], 1.0);
    assert_eq!(row, [1.0, 2.0, -3.5]);
    blend(&mut row, &[5.0, 0.0, 0.5], 0.25);
    assert_eq!(row, [4.0, 0.5, -0.5]);
}

#[test]
fn versions_follow_from_seed_epoch_and_sample() {
    use rand::Rng;
    let first = |seed, epoch, sample| stream(seed, epoch, sample).next_u64();
    assert_eq!(first(1, 2, 3), first(1, 2, 3));
    let mut seen = std::collections::HashSet::new();
    for (seed, epoch, sample) in (0..4).flat_map(|a| (0..4).flat_map(move |b| (0..4).map(move |c| (a, b, c))))
    {
        assert!(seen.insert(first(seed, epoch, sample)));
    }
}

#[test]
fn colours_move_together() {
    let grey: Vec<u8> = hill(5.0, 2.0).row_bytes(0).unwrap().to_vec();
    let three: Vec<u8> = grey.iter().flat_map(|&byte| [byte, byte / 2, byte]).collect();
    let settings = Augmentation {
        motion: Motion { shift: 2.0, rotation: 20.0, zoom: 0.1, stretch: 0.1, shear: 0.1 },
        elastic: Some(Elastic { sigma: 4.0, alpha: 34.0 }),
        ..Augmentation::default()
    };
    let one = made(&settings, &images(grey, [SIDE, SIDE, 1]), 5, PLAIN);
    let all = made(&settings, &images(three, [SIDE, SIDE, 3]), 5, PLAIN);
    for (pixel, of_one) in all.chunks_exact(3).zip(&one) {
        assert_eq!((pixel[0], pixel[2]), (*of_one, *of_one));
        assert!((pixel[1] - 0.5 * of_one).abs() < 0.501);
    }
}

#[test]
fn nothing_to_do_is_nothing_and_mixing_alone_moves_nothing() {
    let samples = hill(5.0, 3.0);
    assert!(Augmenter::new(&Augmentation::default(), &samples).unwrap().is_none());
    let to = Normalised { scale: 0.0127, shift: -0.42 };
    let mixed = Augmentation { mixup: Some(0.3), ..Augmentation::default() };
    let mut plain = vec![0.0; SIDE * SIDE];
    convert::bytes_to_floats(&mut plain, samples.row_bytes(0).unwrap(), to.scale, to.shift);
    assert_eq!(made(&mixed, &samples, 1, to), plain);
}

#[test]
fn what_is_no_image_is_refused() {
    let settings = Augmentation { noise: 0.1, ..Augmentation::default() };
    let message = |samples: Samples| Augmenter::new(&settings, &samples).unwrap_err().to_string();
    let expected = "samples to augment: expected images of bytes, from 2x2 to 16384x16384 pixels, found";
    assert_eq!(message(images(vec![0; 9], [1, 9, 1])), format!("{expected} 1x9"));
    assert_eq!(message(images(vec![0; 40_000], [2, 20_000, 1])), format!("{expected} 2x20000"));
    let targets = super::super::Targets::Classes(vec![0]);
    let floats = Samples::floats(vec![0.0; 9], [3, 3, 1], targets, 1).unwrap();
    assert_eq!(message(floats), format!("{expected} samples of floating-point numbers"));
}
