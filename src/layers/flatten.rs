//! From images to features, in PyTorch's order: channel by channel, each row by row. So the weights of
//! a dense layer behind it are PyTorch's.

use super::layer::{Backward, Forward, Layer};
use crate::kernels::image::{self, Image};

/// `[height, width, channels]` becomes `[channels * height * width]`.
#[derive(Clone, Debug)]
pub struct Flatten {
    pub input: Image,
}

impl Layer for Flatten {
    fn kind(&self) -> String {
        "flatten".into()
    }

    fn outputs(&self) -> usize {
        self.input.features()
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        for row in 0..y.rows() {
            let (y, padding) = y.row(row).split_at_mut(self.input.features());
            image::flatten(y, x.row(row), self.input);
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            image::unflatten(dx.row(row), dy.row(row), self.input);
        }
    }
}
