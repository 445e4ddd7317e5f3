//! The layers in which branches meet against their naive twins, and these against finite differences.

use crate::activations;
use crate::common::compare::{are_gradients, bits, close, widened};
use crate::common::splitmix::uniform;
use crate::pass::Activations;
use fallline::engine::kernels::activation::Activation;
use fallline::engine::kernels::image::Image;
use fallline::engine::kernels::reference::{merge, numeric_gradient};
use fallline::engine::layers::{Add, InputGradient, Merge, Scale};

const TOLERANCE: f64 = 2e-6;
const STEP: f64 = 1e-5;

/// Height, width, channels, rows: one number, parts of vectors of channels, whole ones, and several.
const IMAGES: [([usize; 3], usize); 5] =
    [([1, 1, 1], 1), ([3, 5, 3], 2), ([4, 2, 16], 1), ([1, 3, 33], 3), ([7, 7, 20], 2)];

/// What a gradient is added to, for each feature.
const BEFORE: f32 = 0.25;

fn to_join(matrix: &mut Activations, adds: bool) -> Option<InputGradient<'_>> {
    let columns = matrix.columns;
    Some(InputGradient { rows: matrix.view_mut(0..columns), adds })
}

/// The sum's output and gradients, the first of which is added to [`BEFORE`].
fn fast_sum(layer: &Add, a: &Activations, b: &Activations, dy: &mut Activations) -> [Activations; 3] {
    let columns = dy.columns;
    let mut y = Activations::unwritten(a.rows, columns);
    layer.forward(y.view_mut(0..columns), [a.view(), b.view()]);
    let mut before = y.clone();
    (0..a.rows).for_each(|row| before.view_mut(0..columns).row(row).fill(BEFORE));
    let mut written = Activations::unwritten(a.rows, columns);
    layer.backward(
        [to_join(&mut before, true), to_join(&mut written, false)],
        dy.view_mut(0..columns),
        [a.view(), b.view()],
        y.view(),
    );
    [y, before, written]
}

#[test]
fn sums_agree_with_their_twin() {
    for ([height, width, channels], rows) in IMAGES {
        let image = Image::new(height, width, channels);
        let [a, b, dy] = [1, 2, 3].map(|seed| uniform(seed, rows * image.features()));
        for activation in activations().into_iter().filter(|activation| activation.derivative_from_output()) {
            let exact = merge::sum(activation, &widened(&a), &widened(&b));
            let gradient = merge::sum_backward(activation, &widened(&dy), &widened(&a), &widened(&b));
            let layer = Add { features: channels, activation, image: Some(image) };
            let [x, other] = [&a, &b].map(|values| Activations::images(values, image));
            let [y, sum, written] = fast_sum(&layer, &x, &other, &mut Activations::images(&dy, image));
            assert!(close(&y.channels(image), &exact, TOLERANCE), "{activation:?} {image}");
            let written = written.channels(image);
            assert!(close(&written, &gradient, TOLERANCE), "{activation:?} {image}");
            let last = sum.view().row(rows - 1);
            let expected: Vec<f32> = written.iter().map(|dx| BEFORE + dx).collect();
            let end = expected.len() - image.features();
            assert_eq!(last[0].to_bits(), expected[end].to_bits(), "added to what was there");
            let mut wrong = written.clone();
            wrong[0] += 1e-4;
            assert!(!close(&wrong, &gradient, TOLERANCE));

            // The same of features, and of data, which are not padded.
            let flat = Add { features: image.features(), activation, image: None };
            let [x, other] = [&a, &b].map(|values| Activations::padded(values, image.features()));
            let [flat_y, _, flat_written] =
                fast_sum(&flat, &x, &other, &mut Activations::padded(&dy, image.features()));
            assert_eq!(bits(&flat_y.features(image.features())), bits(&y.channels(image)));
            assert_eq!(bits(&flat_written.features(image.features())), bits(&written));
            let data = Activations::images(&a, Image::data([height, width, channels]));
            let other = Activations::images(&b, image);
            let mut of_data = Activations::unwritten(rows, image.columns());
            layer.forward(of_data.view_mut(0..image.columns()), [other.view(), data.view()]);
            assert_eq!(bits(&of_data.channels(image)), bits(&y.channels(image)));
        }
    }
}

#[test]
fn products_agree_with_their_twin() {
    for ([height, width, channels], rows) in IMAGES {
        let (image, data) = (Image::new(height, width, channels), Image::data([height, width, channels]));
        let [x, dy] = [1, 2].map(|seed| uniform(seed, rows * image.features()));
        let gate = uniform(3, rows * channels);
        let layer = Scale { image };
        let exact = merge::scale(&widened(&x), &widened(&gate), image.pixels());
        let gradients = merge::scale_backward(&widened(&dy), &widened(&x), &widened(&gate), image.pixels());
        let gates = Activations::padded(&gate, channels);
        for (image_in, is_data, adds) in [(image, false, false), (image, false, true), (data, true, false)] {
            let images = Activations::images(&x, image_in);
            let mut y = Activations::unwritten(rows, image.columns());
            layer.forward(y.view_mut(0..image.columns()), [images.view(), gates.view()]);
            let mut dx = Activations::unwritten(rows, image.columns());
            // Nothing, so that padding is seen to stay.
            (0..rows).for_each(|row| dx.view_mut(0..image.columns()).row(row).fill(0.0));
            if adds {
                dx = Activations::images(&vec![BEFORE; x.len()], image);
            }
            let mut dgate = Activations::unwritten(rows, channels);
            let given = if is_data { None } else { to_join(&mut dx, adds) };
            layer.backward(
                [given, to_join(&mut dgate, false)],
                Activations::images(&dy, image).view_mut(0..image.columns()),
                [images.view(), gates.view()],
                y.view(),
            );
            assert!(close(&y.channels(image), &exact, TOLERANCE), "{image}");
            let dgate = dgate.features(channels);
            assert!(close(&dgate, &gradients[1], TOLERANCE), "{image}");
            let before = if adds { f64::from(BEFORE) } else { 0.0 };
            let expected: Vec<f64> = gradients[0].iter().map(|dx| before + dx).collect();
            let dx = dx.channels(image);
            assert_eq!(close(&dx, &expected, TOLERANCE), !is_data, "{image}");
            let mut wrong = dgate.clone();
            wrong[0] += 1e-4;
            assert!(!close(&wrong, &gradients[1], TOLERANCE));
        }
    }
}

#[test]
fn the_twins_have_the_gradients_of_their_output() {
    let [a, b, dy] = [1, 2, 3].map(|seed| widened(&uniform(seed, 24)));
    let weighted = |y: &[f64]| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>();
    for activation in activations() {
        let gradient = merge::sum_backward(activation, &dy, &a, &b);
        let by_a = numeric_gradient(|a| weighted(&merge::sum(activation, a, &b)), &a, STEP);
        let by_b = numeric_gradient(|b| weighted(&merge::sum(activation, &a, b)), &b, STEP);
        assert!(are_gradients(&by_a, &gradient) && are_gradients(&by_b, &gradient), "{activation:?}");
        if activation == Activation::TANH {
            assert!(!are_gradients(&by_a, &dy));
        }
    }
    for pixels in [1, 4] {
        let gate = widened(&uniform(4, 24 / pixels));
        let [dx, dgate] = merge::scale_backward(&dy, &a, &gate, pixels);
        let by_x = numeric_gradient(|x| weighted(&merge::scale(x, &gate, pixels)), &a, STEP);
        let by_gate = numeric_gradient(|gate| weighted(&merge::scale(&a, gate, pixels)), &gate, STEP);
        assert!(are_gradients(&by_x, &dx) && are_gradients(&by_gate, &dgate));
        assert!(!are_gradients(&by_x, &dy));
    }
}
