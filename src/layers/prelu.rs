//! ReLU with a slope below 0 that is trained (He, Zhang, Ren, Sun: Delving Deep into Rectifiers, 2015), as
//! `torch.nn.PReLU`.

use super::in_order::Along;
use super::kind::LayerKind;
use super::layer::{Backward, Forward, Layer, RowsGradient};
use super::parameter::ParameterSpec;
use super::shape::Shape;
use crate::hyper::{HyperParameter, HyperValues, finite};
use crate::init::Init;
use crate::kernels::elementwise::prelu;
use crate::kernels::image::Image;

/// What a recipe calls it.
pub(super) static KIND: LayerKind = LayerKind::new("prelu", make)
    .formula("x if x > 0, else w x, with w trained")
    .source("He, Zhang, Ren, Sun 2015; as torch.nn.PReLU")
    .hyper_parameters(&[
        HyperParameter::choice(
            "by_channel",
            false,
            "whether each channel, or feature, has a slope of its own",
        ),
        HyperParameter::single("slope", 0.25, finite(), "the slope below 0 that training begins with"),
    ]);

fn make(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (by_channel, initial) = (settings.choice("by_channel"), settings.single("slope"));
    Box::new(Prelu { input, by_channel, initial })
}

/// `y = x` where x is above 0, else `w x`.
#[derive(Clone, Debug)]
pub struct Prelu {
    /// Input and output.
    pub input: Shape,
    /// Whether there is a w for each channel, or feature; else there is one.
    pub by_channel: bool,
    /// What each w begins as.
    pub initial: f32,
}

impl Prelu {
    fn slopes(&self) -> usize {
        if self.by_channel { self.input.channels() } else { 1 }
    }

    /// Floats of a row that hold numbers, or the pixels of an image.
    fn used(&self) -> usize {
        self.input.image().map_or(self.input.features(), |image| image.columns())
    }

    /// Floats from one pixel to the next; features are one pixel.
    fn pixel(&self) -> usize {
        self.input.image().map_or(self.input.features(), |image| image.pitch)
    }
}

impl Layer for Prelu {
    fn kind(&self) -> String {
        if self.by_channel { "prelu by channel".into() } else { "prelu".into() }
    }

    fn outputs(&self) -> usize {
        self.input.features()
    }

    fn image(&self) -> Option<Image> {
        self.input.image()
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        ParameterSpec::in_order([("weight", vec![self.slopes()], Init::Constant(self.initial))])
    }

    fn forward(&self, Forward { mut y, x, storage, .. }: Forward) {
        let used = self.used();
        for row in 0..y.rows() {
            let (y, padding) = y.row(row).split_at_mut(used);
            let x = &x.row(row)[..used];
            if self.by_channel {
                prelu::forward_by_channel(y, x, &storage[..self.pixel()]);
            } else {
                prelu::forward(y, x, storage[0]);
            }
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    /// Of features, which are no sequence, each may have a slope of its own.
    fn along(&self) -> Along<'_> {
        if self.by_channel && self.input.image().is_none() { Along::Together } else { Along::Apart }
    }

    /// Inverts the forward pass.
    fn backward(&self, Backward { dx, dy, x, storage, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (dy, used) = (dy.as_ref(), self.used());
        for row in 0..dx.rows() {
            let (dx, padding) = dx.row(row).split_at_mut(used);
            let (dy, x) = (&dy.row(row)[..used], &x.row(row)[..used]);
            if self.by_channel {
                prelu::backward_by_channel(dx, dy, x, &storage[..self.pixel()]);
            } else {
                prelu::backward(dx, dy, x, storage[0]);
            }
            padding.fill(0.0);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, .. }: RowsGradient) {
        if !accumulate {
            out.fill(0.0);
        }
        let (used, pixel) = (self.used(), self.pixel());
        for row in 0..dy.rows() {
            let (dy, x) = (&dy.row(row)[..used], &x.row(row)[..used]);
            if self.by_channel {
                prelu::add_gradient_by_channel(&mut out[..pixel], dy, x);
            } else {
                out[0] += prelu::gradient(dy, x);
            }
        }
    }
}
