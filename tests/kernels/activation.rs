use crate::common::compare::{bits_but_of_nan, each_close};
use crate::{LENGTHS, on_every_isa, spread};
use fallline::engine::kernels::activation::{self, Activation};
use fallline::engine::kernels::reference;
use proptest::prelude::*;

/// All that have no parameter, and the others with usual and unusual ones.
pub fn activations() -> Vec<Activation> {
    let mut all = Vec::new();
    for entry in activation::ALL {
        let parameters = if entry.parameter.is_some() { &[0.7, 0.01, 0.0, -0.5][..] } else { &[0.0] };
        all.extend(parameters.iter().map(|&parameter| Activation::of(entry, parameter)));
    }
    // Both sides of an ELU of 0 look alike in its output and in its input.
    all.retain(|activation| *activation != Activation::elu(0.0));
    all
}

const TOLERANCE: f64 = 5e-7;

fn forward(activation: Activation, x: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; x.len()];
    activation::forward(activation, &mut y, x);
    y
}

fn backward(activation: Activation, dy: &[f32], x: &[f32]) -> Vec<f32> {
    let y = forward(activation, x);
    let saved = if activation.derivative_from_output() { &y } else { x };
    let mut dx = vec![f32::NAN; x.len()];
    activation::backward(activation, &mut dx, dy, saved);
    dx
}

fn exact_forward(activation: Activation, x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| reference::activation(activation, f64::from(x))).collect()
}

fn exact_backward(activation: Activation, dy: &[f32], x: &[f32]) -> Vec<f64> {
    let pairs = dy.iter().zip(x);
    pairs
        .map(|(&dy, &x)| f64::from(dy) * reference::activation_derivative(activation, f64::from(x)))
        .collect()
}

#[test]
fn agree_with_the_reference_at_every_length() {
    for activation in activations() {
        for length in LENGTHS {
            let (x, dy) = (spread(length, 14.0), spread(length, 1.0));
            let y = on_every_isa(|| forward(activation, &x));
            assert!(each_close(&y, &exact_forward(activation, &x), TOLERANCE), "{activation:?} {length}");
            let dx = on_every_isa(|| backward(activation, &dy, &x));
            assert!(
                each_close(&dx, &exact_backward(activation, &dy, &x), TOLERANCE),
                "{activation:?} {length}"
            );
        }
    }
}

#[test]
fn in_place_is_the_same() {
    for activation in activations() {
        for length in LENGTHS {
            let (x, dy) = (spread(length, 14.0), spread(length, 1.0));
            let y = forward(activation, &x);
            let in_place = on_every_isa(|| {
                let mut y = x.clone();
                activation::forward_in_place(activation, &mut y);
                y
            });
            assert_eq!(bits_but_of_nan(&in_place), bits_but_of_nan(&y), "{activation:?} {length}");
            let saved = if activation.derivative_from_output() { &y } else { &x };
            let in_place = on_every_isa(|| {
                let mut dy = dy.clone();
                activation::backward_in_place(activation, &mut dy, saved);
                dy
            });
            assert_eq!(
                bits_but_of_nan(&in_place),
                bits_but_of_nan(&backward(activation, &dy, &x)),
                "{activation:?} {length}"
            );
        }
    }
}

#[test]
fn far_inputs_give_the_limits() {
    let far = |activation| forward(activation, &[-1e30, -100.0, 100.0, 1e30, f32::INFINITY]);
    let inf = f32::INFINITY;
    assert_eq!(far(Activation::RELU), [0.0, 0.0, 100.0, 1e30, inf]);
    assert_eq!(far(Activation::SIGMOID), [0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(far(Activation::TANH), [-1.0, -1.0, 1.0, 1.0, 1.0]);
    assert_eq!(far(Activation::GELU), [0.0, 0.0, 100.0, 1e30, inf]);
    assert_eq!(far(Activation::SILU)[2..], [100.0, 1e30, inf]);
    assert_eq!(far(Activation::SOFTPLUS)[2..], [100.0, 1e30, inf]);
    assert_eq!(far(Activation::MISH)[2..], [100.0, 1e30, inf]);
    assert_eq!(far(Activation::HARD_SWISH), [0.0, 0.0, 100.0, 1e30, inf]);
    assert_eq!(far(Activation::elu(0.5)), [-0.5, -0.5, 100.0, 1e30, inf]);
    for activation in activations() {
        let x = [-1e30, -300.0, -90.0, 90.0, 300.0, 1e30];
        let dx = on_every_isa(|| backward(activation, &[1.0; 6], &x));
        assert!(
            each_close(&dx, &exact_backward(activation, &[1.0; 6], &x), TOLERANCE),
            "{activation:?} {dx:?}"
        );
    }
}

#[test]
fn not_a_number_is_never_hidden() {
    for activation in activations() {
        assert!(forward(activation, &[f32::NAN; 17]).iter().all(|y| y.is_nan()), "{activation:?}");
        assert!(backward(activation, &[f32::NAN; 17], &[0.5; 17]).iter().all(|dx| dx.is_nan()));
    }
}

#[test]
fn a_slightly_wrong_kernel_trips_the_comparison() {
    let (x, dy) = (spread(100, 14.0), spread(100, 1.0));
    let exact = exact_forward(Activation::leaky_relu(0.01), &x);
    assert!(!each_close(&forward(Activation::leaky_relu(0.010_001), &x), &exact, TOLERANCE));
    // The tanh approximation of GELU is off by up to 5e-4.
    let tanh_gelu = |x: f32| 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh());
    let approximate: Vec<f32> = x.iter().map(|&x| tanh_gelu(x)).collect();
    assert!(!each_close(&approximate, &exact_forward(Activation::GELU, &x), TOLERANCE));
    // The derivative of sigmoid taken from the input instead of the output.
    let mut dx = vec![0.0; 100];
    activation::backward(Activation::SIGMOID, &mut dx, &dy, &x);
    assert!(!each_close(&dx, &exact_backward(Activation::SIGMOID, &dy, &x), TOLERANCE));
}

proptest! {
    #[test]
    fn agree_with_the_reference_however_the_slice_is_cut(
        pairs in prop::collection::vec((-60f32..60.0, -3f32..3.0), 0..150),
        cut in 0usize..150,
        which in 0..activations().len(),
    ) {
        let activation = activations()[which];
        let (x, dy): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
        let cut = cut.min(x.len());
        let (y, dx) = (forward(activation, &x), backward(activation, &dy, &x));
        prop_assert!(each_close(&y, &exact_forward(activation, &x), TOLERANCE));
        prop_assert!(each_close(&dx, &exact_backward(activation, &dy, &x), TOLERANCE));
        let pieces = [forward(activation, &x[..cut]), forward(activation, &x[cut..])].concat();
        prop_assert_eq!(bits_but_of_nan(&pieces), bits_but_of_nan(&y));
        let pieces = [
            backward(activation, &dy[..cut], &x[..cut]),
            backward(activation, &dy[cut..], &x[cut..]),
        ];
        prop_assert_eq!(bits_but_of_nan(&pieces.concat()), bits_but_of_nan(&dx));
    }
}
