//! Dropout: in training some numbers of a sample, or whole channels of an image, are 0 (Srivastava,
//! Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout: A Simple Way to Prevent Neural Networks from
//! Overfitting, 2014; of channels: Tompson, Goroshin, Jain, LeCun, Bregler: Efficient Object Localization
//! Using Convolutional Networks, 2015), as `torch.nn.Dropout` and `Dropout2d`.

use super::in_order::Along;
use super::kind::{LayerKind, Refusal};
use super::layer::{Backward, Forward, Layer, Training};
use super::shape::Shape;
use crate::hyper::{HyperParameter, HyperValues, unit_open};
use crate::kernels::elementwise::dropout::{self, Dropping};
use crate::kernels::image::Image;
use crate::rng::{self, Purpose};
use crate::tensor::{MatrixMut, MatrixRef};

/// As `torch.nn.Dropout`.
const RATE: f64 = 0.5;

/// What recipes call it.
pub(super) static KIND: LayerKind = LayerKind::new("dropout", make)
    .formula("in training 0 with probability `rate`, else x / (1 - rate); otherwise x")
    .source("Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014")
    .hyper_parameters(&[
        HyperParameter::number("rate", RATE, unit_open(), "the probability"),
        HyperParameter::choice("channels", false, "whether whole channels of an image are dropped"),
    ])
    .behind(|settings| {
        settings.choice("channels").then_some("`channels = true` behind a layer that gives an image")
    })
    .output(output)
    .differs_in_training();

fn output(settings: &HyperValues, input: Shape) -> Result<Shape, Refusal> {
    if settings.choice("channels") && input.image().is_none() {
        return Err("an image".into());
    }
    Ok(input)
}

fn make(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let (rate, channels) = (settings.number("rate"), settings.choice("channels"));
    Box::new(Dropout { features: input.features(), image: input.image(), rate, channels })
}

/// Of each number, or channel, with probability `rate` in [0, 1), in training; else the identity.
#[derive(Clone, Debug)]
pub struct Dropout {
    /// Of a sample.
    pub features: usize,
    /// Input and output if samples are images.
    pub image: Option<Image>,
    pub rate: f64,
    /// Whether whole channels of images are dropped.
    pub channels: bool,
}

/// What the random numbers of a layer follow from in a step.
fn layer_key(training: &Training) -> u64 {
    let step = rng::key(training.seed, Purpose::Dropout, training.step);
    rng::mix(step ^ training.layer as u64)
}

/// What those of one row do, by its number among the rows of a pass.
pub(super) fn row_key(training: &Training, row: usize) -> u64 {
    rng::mix(layer_key(training) ^ (training.first + row) as u64)
}

impl Dropout {
    /// `to` becomes `from`, or 0; backward as forward.
    fn apply(&self, mut to: MatrixMut, from: MatrixRef, scratch: &mut [f32], training: &Training) {
        let key = layer_key(training);
        let dropping = Dropping::new(self.rate);
        for row in 0..to.rows() {
            let key = rng::mix(key ^ (training.first + row) as u64);
            let (to, from) = (to.row(row), from.row(row));
            match self.image {
                Some(image) if self.channels => {
                    dropout::apply_to_channels(to, from, &mut scratch[..image.pitch], key, dropping);
                }
                _ => dropout::apply(to, from, key, dropping),
            }
        }
    }
}

impl Layer for Dropout {
    fn kind(&self) -> String {
        let what = if self.channels { " of channels" } else { "" };
        format!("dropout {}{what}", self.rate)
    }

    fn outputs(&self) -> usize {
        self.features
    }

    fn image(&self) -> Option<Image> {
        self.image
    }

    fn scratch_len(&self) -> usize {
        self.image.filter(|_| self.channels).map_or(0, |image| image.pitch)
    }

    fn forward(&self, Forward { mut y, x, scratch, training, .. }: Forward) {
        if let Some(training) = training {
            return self.apply(y, x, scratch, training);
        }
        for row in 0..y.rows() {
            let (y, padding) = y.row(row).split_at_mut(x.columns());
            y.copy_from_slice(x.row(row));
            padding.fill(0.0);
        }
    }

    fn along(&self) -> Along<'_> {
        Along::Apart
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, scratch, training, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        if let Some(training) = training {
            return self.apply(dx, dy.as_ref(), scratch, training);
        }
        for row in 0..dx.rows() {
            dx.row(row).copy_from_slice(dy.as_ref().row(row));
        }
    }
}
