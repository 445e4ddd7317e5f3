//! From images to features, in PyTorch's order: channel by channel, each row by row. So the weights of
//! a dense layer behind it are PyTorch's.

use super::kind::{Input, LayerKind};
use super::layer::{Backward, Forward, Layer};
use super::shape::Shape;
use crate::kernels::image::{self, Image};

/// What recipes call it.
pub(super) static KIND: LayerKind = LayerKind::new("flatten", |_, input| {
    // The table lets nothing but images in.
    Box::new(Flatten { input: input.image().unwrap_or(Image::data([1, 1, input.features()])) })
})
.formula("the numbers of x as features, channel by channel")
.source("as torch.nn.Flatten")
.input(Input::Image)
.output(|_, input| Ok(Shape::Features(input.features())));

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
