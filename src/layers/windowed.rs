//! Causal convolutions of a sequence, one position after the other (Bai, Kolter, Koltun: An Empirical Evaluation of Generic
//! Convolutional and Recurrent Networks for Sequence Modeling, 2018): what is kept is the input at the positions that the
//! window still reaches.

use super::in_order::{Advance, Along, InOrder};
use super::layer::{Forward, Layer};
use crate::kernels::image::{Image, Window};
use crate::tensor::MatrixRef;

/// A convolution in one of its forms.
pub(super) trait Windowed: Layer + Sized {
    /// The input, and the window that moves over it.
    fn placed(&self) -> (Image, Window);

    /// The convolution with the same parameters of another image, of as many channels, and a window of as many pixels.
    fn over(&self, input: Image, window: Window) -> Self;
}

/// In order if the convolution is causal.
pub(super) fn along<L: Windowed>(layer: &L) -> Along<'_> {
    if layer.placed().1.is_causal() { Along::InOrder(layer) } else { Along::Together }
}

/// The positions that the window sees from one place, as a sequence of just these.
fn seen(layer: &impl Windowed) -> Image {
    let (input, window) = layer.placed();
    Image::new(1, window.area(), input.channels)
}

/// The convolution of these positions, which gives one.
fn over_seen<L: Windowed>(layer: &L) -> L {
    let seen = seen(layer);
    layer.over(seen, Window::line(seen.width, 1, 0, 1))
}

/// How many positions ago the first one is that the window sees.
fn reach(layer: &impl Windowed) -> usize {
    let [_, across] = layer.placed().1.sides();
    across.reach()
}

impl<L: Windowed> InOrder for L {
    /// The inputs at the last positions, `[reach, channels]`, that of position t in place t modulo the reach.
    fn state_len(&self) -> usize {
        reach(self) * seen(self).channels
    }

    /// The positions that the window sees from each, and what the convolution of them wants.
    fn work_len(&self, positions: usize) -> usize {
        positions * seen(self).columns() + over_seen(self).scratch_len()
    }

    fn advance(&self, Advance { y, x, at, state, storage, derived, scratch }: Advance) {
        let (Image { width, channels, pitch, .. }, reach) = (seen(self), reach(self));
        let [_, dilation] = self.placed().1.dilation;
        let (n, columns) = (x.rows(), width * pitch);
        let (all, scratch) = scratch.split_at_mut(n * columns);
        for (row, to) in all.chunks_exact_mut(columns).enumerate() {
            for (number, to) in to.chunks_exact_mut(pitch).enumerate() {
                let (to, padding) = to.split_at_mut(channels);
                // Counted from the first position that is seen from here, if it were position 0.
                let place = row + number * dilation;
                to.copy_from_slice(match place.checked_sub(reach) {
                    Some(row) => &x.row(row)[..channels],
                    // Before the first position there are the zeros with which the state begins.
                    None => &state[(at + place) % reach * channels..][..channels],
                });
                padding.fill(0.0);
            }
        }
        // In the places of those that are seen no more.
        for row in n.saturating_sub(reach)..n {
            state[(at + row) % reach * channels..][..channels].copy_from_slice(&x.row(row)[..channels]);
        }
        over_seen(self).forward(Forward {
            columns: 0..y.columns(),
            y,
            x: MatrixRef::new(all, n, columns, columns),
            storage,
            derived,
            scratch,
            training: None,
            lengths: &[],
            carried: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LayerConfig;
    use crate::kernels::activation::Activation;
    use crate::kernels::reference::image;
    use crate::layers::{Built, Incoming, Node, ParameterSpec, Shape};
    use crate::tensor::MatrixMut;
    use crate::testing::check_layer;

    /// Of the largest number, or of 1.
    const TOLERANCE: f64 = 1e-5;

    /// Positions, channels that come in and go out, pixels of the window, dilation, groups: one of each, windows that reach
    /// beyond the sequence, and channels of parts of vectors, of whole ones and of several.
    const CASES: [([usize; 3], [usize; 2], usize); 9] = [
        ([1, 2, 1], [1, 1], 1),
        ([1, 3, 16], [3, 2], 1),
        ([9, 16, 5], [2, 1], 1),
        ([14, 20, 33], [3, 4], 1),
        ([23, 7, 12], [4, 2], 1),
        ([11, 6, 9], [3, 2], 3),
        ([8, 32, 32], [2, 3], 2),
        ([10, 20, 20], [3, 3], 20),
        ([7, 5, 10], [1, 1], 5),
    ];

    fn numbers(count: usize, step: f64) -> Vec<f32> {
        (1..=count).map(|i| ((i as f64 * step).fract() * 2.0 - 1.0) as f32).collect()
    }

    fn config([_, _, outputs]: [usize; 3], [kernel, dilation]: [usize; 2], groups: usize) -> LayerConfig {
        let config = LayerConfig::named("conv-1d").unwrap().with("channels", outputs).unwrap();
        let window = Window::line(kernel, 1, 0, dilation).causal();
        config.with("window", window).unwrap().with("groups", groups).unwrap()
    }

    fn node(config: &LayerConfig, shape: Shape) -> Node {
        let Built::Nodes(mut nodes) = config.settings().unwrap().build(Incoming { shape, is_data: false })
        else {
            panic!("a convolution is nodes")
        };
        assert_eq!(nodes.len(), 1);
        nodes.remove(0)
    }

    /// A layer's parameters as they are stored, and as PyTorch has them.
    fn parameters(layer: &dyn Layer) -> (Vec<f32>, Vec<Vec<f32>>) {
        let specs = layer.parameters();
        let mut storage = vec![0.0; specs.last().unwrap().range.end];
        let drawn = |(spec, step): (&ParameterSpec, f64)| numbers(spec.shape.iter().product(), step);
        let values: Vec<Vec<f32>> = specs.iter().zip([0.569_840_291, 0.324_717_957]).map(drawn).collect();
        specs.iter().zip(&values).for_each(|(spec, values)| spec.store(&mut storage, values));
        (storage, values)
    }

    fn placed(x: &[f32], image: Image) -> Vec<f32> {
        let mut row = vec![0.0; image.columns()];
        for (to, from) in row.chunks_exact_mut(image.pitch).zip(x.chunks_exact(image.channels)) {
            to[..image.channels].copy_from_slice(from);
        }
        row
    }

    fn forward(layer: &dyn Layer, x: &[f32], storage: &[f32]) -> Vec<f32> {
        let columns = layer.image().unwrap().columns();
        let (mut y, mut scratch) = (vec![f32::NAN; columns], vec![f32::NAN; layer.scratch_len()]);
        layer.forward(Forward {
            y: MatrixMut::new(&mut y, 1, columns, columns),
            x: MatrixRef::new(x, 1, x.len(), x.len()),
            storage,
            derived: &[],
            columns: 0..columns,
            scratch: &mut scratch,
            training: None,
            lengths: &[],
            carried: None,
        });
        y
    }

    /// All positions, so many at a time.
    fn in_order(layer: &dyn Layer, x: &[f32], storage: &[f32], positions: usize, most: usize) -> Vec<f32> {
        let columns = layer.image().unwrap().columns();
        let mut y = vec![f32::NAN; columns];
        let Along::InOrder(layer) = layer.along() else { panic!("a causal layer goes in order") };
        let (mut state, mut scratch) = (vec![0.0; layer.state_len()], vec![f32::NAN; layer.work_len(most)]);
        let [of_y, of_x] = [columns, x.len()].map(|len| len / positions);
        let each = y.chunks_mut(most * of_y).zip(x.chunks(most * of_x));
        for (number, (y, x)) in each.enumerate() {
            let n = x.len() / of_x;
            layer.advance(Advance {
                y: MatrixMut::new(y, n, of_y, of_y),
                x: MatrixRef::new(x, n, of_x, of_x),
                at: number * most,
                state: &mut state,
                storage,
                derived: &[],
                scratch: &mut scratch,
            });
        }
        y
    }

    fn assert_close(found: &[f32], expected: impl ExactSizeIterator<Item = f64>, what: &str) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let largest = expected.abs().max(1.0);
            assert!(
                (f64::from(*found) - expected).abs() <= TOLERANCE * largest,
                "{what}: {found} {expected}"
            );
        }
    }

    #[test]
    fn one_position_after_the_other_is_the_whole_sequence() {
        for (sizes, window, groups) in CASES {
            let input = Image::new(1, sizes[0], sizes[1]);
            for activation in [Activation::IDENTITY, Activation::RELU, Activation::TANH] {
                let config = config(sizes, window, groups).with("activation", activation).unwrap();
                let node = node(&config, Shape::Image(input));
                let layer = node.as_layer().unwrap();
                let (storage, _) = parameters(layer);
                let x = placed(&numbers(input.features(), 0.618_033_988_7), input);
                let all = forward(layer, &x, &storage);
                if let Along::Apart = layer.along() {
                    assert_eq!(window[0], 1);
                    continue;
                }
                let found = in_order(layer, &x, &storage, sizes[0], 1);
                let what = format!("{sizes:?} {window:?} {groups}");
                assert_close(&found, all.iter().map(|&y| f64::from(y)), &what);
                for most in [2, 3, 7, sizes[0]] {
                    assert_eq!(
                        in_order(layer, &x, &storage, sizes[0], most),
                        found,
                        "{what}, {most} at once"
                    );
                }
            }
        }
    }

    #[test]
    fn causal_convolutions_agree_with_the_twin() {
        for (sizes, window, _) in CASES.into_iter().filter(|case| case.2 == 1) {
            let [positions, channels, outputs] = sizes;
            let input = Image::new(1, positions, channels);
            let node = node(&config(sizes, window, 1), Shape::Image(input));
            let (storage, values) = parameters(node.as_layer().unwrap());
            let [weight, bias] =
                [0, 1].map(|number| values[number].iter().map(|&x| x.into()).collect::<Vec<f64>>());
            let twin = image::Convolution {
                input: [channels, 1, positions],
                window: Window::line(window[0], 1, 0, window[1]).causal(),
                weight,
                bias,
                activation: Activation::IDENTITY,
            };
            let x = numbers(input.features(), 0.618_033_988_7);
            // The twin has channels first.
            let turned: Vec<f64> = (0..channels)
                .flat_map(|channel| x.iter().skip(channel).step_by(channels).map(|&x| f64::from(x)))
                .collect();
            let y = twin.forward(&turned);
            let expected = (0..positions * outputs).map(|at| y[at % outputs * positions + at / outputs]);
            let found = forward(node.as_layer().unwrap(), &placed(&x, input), &storage);
            let pitch = found.len() / positions;
            let found: Vec<f32> = found.chunks_exact(pitch).flat_map(|y| y[..outputs].to_vec()).collect();
            assert_close(&found, expected, &format!("{sizes:?} {window:?}"));
        }
    }

    #[test]
    fn later_positions_change_nothing_before_them() {
        for (sizes, window, groups) in CASES {
            let [positions, channels, _] = sizes;
            let input = Image::new(1, positions, channels);
            let node = node(&config(sizes, window, groups), Shape::Image(input));
            let (layer, mut x) = (node.as_layer().unwrap(), numbers(input.features(), 0.618_033_988_7));
            let (storage, _) = parameters(layer);
            let before = forward(layer, &placed(&x, input), &storage);
            let changed = positions / 2;
            x[changed * channels..(changed + 1) * channels].fill(3.0);
            let after = forward(layer, &placed(&x, input), &storage);
            let same = changed * before.len() / positions;
            assert_eq!(before[..same], after[..same]);
            assert_ne!(before[same..], after[same..]);
        }
    }

    #[test]
    fn causal_convolutions_pass() {
        for (sizes, window, groups) in CASES {
            let input = Shape::Image(Image::new(1, sizes[0], sizes[1]));
            for activation in [Activation::IDENTITY, Activation::TANH, Activation::GELU] {
                let config = config(sizes, window, groups).with("activation", activation).unwrap();
                check_layer(&config, input).unwrap_or_else(|error| panic!("{config:?} {error}"));
            }
        }
    }
}
