//! The layers of two inputs, in which branches of a network meet.

use super::node::{InputGradient, Merge};
use crate::kernels::activation::{self, Activation};
use crate::kernels::elementwise::merge;
use crate::kernels::image::Image;
use crate::tensor::{MatrixMut, MatrixRef};

/// What ends a residual block: `y = activation(a + b)` (He, Zhang, Ren, Sun: Deep Residual Learning for
/// Image Recognition, 2016). Either input may be the data, which are not padded.
#[derive(Clone, Debug)]
pub struct Add {
    /// Of a sample, or of a pixel if samples are images.
    pub features: usize,
    /// One whose derivative follows from its output.
    pub activation: Activation,
    /// Both inputs and the output if samples are images.
    pub image: Option<Image>,
}

impl Add {
    fn pixels(&self) -> usize {
        self.image.map_or(1, |image| image.pixels())
    }

    /// The sum of a row of each input.
    fn sum(&self, y: &mut [f32], a: &[f32], b: &[f32]) {
        if a.len() == y.len() && b.len() == y.len() {
            return merge::sum(y, a, b);
        }
        let pixels = self.pixels();
        let pitches = [y.len(), a.len(), b.len()].map(|columns| columns / pixels);
        y.fill(0.0);
        for pixel in 0..pixels {
            let places = pitches.map(|pitch| pixel * pitch..pixel * pitch + self.features);
            let [y_place, a_place, b_place] = places;
            merge::sum(&mut y[y_place], &a[a_place], &b[b_place]);
        }
    }
}

impl Merge for Add {
    fn kind(&self) -> String {
        super::activation::with_activation("add", self.activation)
    }

    fn outputs(&self) -> usize {
        self.image.map_or(self.features, |image| image.features())
    }

    fn image(&self) -> Option<Image> {
        self.image
    }

    fn is_apart(&self) -> bool {
        true
    }

    fn forward(&self, mut y: MatrixMut, [a, b]: [MatrixRef; 2]) {
        for row in 0..y.rows() {
            let y = y.row(row);
            self.sum(y, a.row(row), b.row(row));
            activation::forward_in_place(self.activation, y);
            if self.activation.apply(0.0) != 0.0 {
                // Padding stays zero.
                let pitch = y.len() / self.pixels();
                y.chunks_exact_mut(pitch).for_each(|pixel| pixel[self.features..].fill(0.0));
            }
        }
    }

    fn backward(&self, dx: [Option<InputGradient>; 2], mut dy: MatrixMut, _x: [MatrixRef; 2], y: MatrixRef) {
        // Inverts the activation: dy becomes the gradient of a + b, and so of each.
        if self.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.activation, dy.row(row), y.row(row));
            }
        }
        let dy = dy.as_ref();
        for mut dx in dx.into_iter().flatten() {
            for row in 0..dy.rows() {
                match dx.adds {
                    true => merge::add(dx.rows.row(row), dy.row(row)),
                    false => dx.rows.row(row).copy_from_slice(dy.row(row)),
                }
            }
        }
    }
}

/// What ends a squeeze-excite block: each channel of the first input times the gate that is its place in
/// the second, `[channels]` (Hu, Shen, Sun: Squeeze-and-Excitation Networks, 2018). The first may be the
/// data, which are not padded; nothing else reads the second.
#[derive(Clone, Debug)]
pub struct Scale {
    /// What comes out.
    pub image: Image,
}

impl Merge for Scale {
    fn kind(&self) -> String {
        "scale".into()
    }

    fn outputs(&self) -> usize {
        self.image.features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.image)
    }

    fn forward(&self, mut y: MatrixMut, [x, gate]: [MatrixRef; 2]) {
        let pitch = x.columns() / self.image.pixels();
        for row in 0..y.rows() {
            merge::scale(y.row(row), x.row(row), gate.row(row), pitch);
        }
    }

    fn backward(
        &self,
        [dx, dgate]: [Option<InputGradient>; 2],
        dy: MatrixMut,
        [x, gate]: [MatrixRef; 2],
        _y: MatrixRef,
    ) {
        let (dy, pitch) = (dy.as_ref(), x.columns() / self.image.pixels());
        if let Some(mut dx) = dx {
            for row in 0..dy.rows() {
                merge::scale_backward(dx.rows.row(row), dy.row(row), gate.row(row), dx.adds);
            }
        }
        if let Some(mut dgate) = dgate {
            debug_assert!(!dgate.adds, "nothing else reads the gate");
            for row in 0..dy.rows() {
                merge::gate_backward(dgate.rows.row(row), dy.row(row), x.row(row), pitch);
            }
        }
    }
}
