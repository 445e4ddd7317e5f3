//! Pools of images: the largest number or the mean under each place of a window, or the mean of all.

use super::layer::{Backward, Forward, Layer};
use crate::kernels::image::pool;
use crate::kernels::image::{Image, Window};

/// What a pool makes of the numbers under a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The largest; the first of several equal ones, row by row, takes the gradient.
    Max,
    Average,
}

/// A pool, channel by channel. Pixels at the right and the lower edge that no whole window reaches are
/// left out, as in PyTorch.
#[derive(Clone, Debug)]
pub struct Pool {
    pub input: Image,
    pub pooling: Pooling,
    /// Padding is left out of a maximum, and counts as zeros in a mean, as in PyTorch. Each place must see a
    /// pixel of the image.
    pub window: Window,
}

impl Layer for Pool {
    fn kind(&self) -> String {
        let name = match self.pooling {
            Pooling::Max => "max-pool",
            Pooling::Average => "average-pool",
        };
        format!("{name} {}", self.window)
    }

    fn outputs(&self) -> usize {
        self.window.output(self.input, self.input.channels).features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.window.output(self.input, self.input.channels))
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        let forward = match self.pooling {
            Pooling::Max => pool::max_forward,
            Pooling::Average => pool::average_forward,
        };
        for row in 0..y.rows() {
            forward(y.row(row), x.row(row), self.input, self.window);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, x, y, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            let (dx, dy) = (dx.row(row), dy.row(row));
            match self.pooling {
                Pooling::Max => pool::max_backward(dx, dy, x.row(row), y.row(row), self.input, self.window),
                Pooling::Average => pool::average_backward(dx, dy, self.input, self.window),
            }
        }
    }
}

/// The mean of each channel over all pixels: `[height, width, channels]` becomes `[channels]`.
#[derive(Clone, Debug)]
pub struct GlobalAverage {
    pub input: Image,
}

impl Layer for GlobalAverage {
    fn kind(&self) -> String {
        "global-average-pool".into()
    }

    fn outputs(&self) -> usize {
        self.input.channels
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        for row in 0..y.rows() {
            pool::global_average_forward(y.row(row), x.row(row), self.input);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            pool::global_average_backward(dx.row(row), dy.row(row), self.input);
        }
    }
}
