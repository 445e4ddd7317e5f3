//! Pools of images: the largest number or the mean under each place of a window, or the mean of all.

use super::kind::{Input, LayerKind, Refusal};
use super::layer::{Backward, Forward, Layer, length_of};
use super::shape::Shape;
use super::windows;
use crate::hyper::{HyperParameter, HyperValues};
use crate::kernels::image::pool;
use crate::kernels::image::{Image, Window};

/// The largest number of each channel under each place of a window.
pub(super) static MAX: LayerKind =
    window_of("max-pool", false, |settings, input| pooled(settings, input, Pooling::Max))
        .formula("the largest number of each channel in each window")
        .source("as torch.nn.MaxPool2d");

/// The same of sequences.
pub(super) static MAX_1D: LayerKind =
    window_of("max-pool-1d", true, |settings, input| pooled(settings, input, Pooling::Max))
        .formula("the largest number of each channel in each window")
        .source("as torch.nn.MaxPool1d");

/// The mean instead.
pub(super) static AVERAGE: LayerKind =
    window_of("average-pool", false, |settings, input| pooled(settings, input, Pooling::Average))
        .formula("the mean of each channel in each window")
        .source("as torch.nn.AvgPool2d");

/// The same of sequences.
pub(super) static AVERAGE_1D: LayerKind =
    window_of("average-pool-1d", true, |settings, input| pooled(settings, input, Pooling::Average))
        .formula("the mean of each channel in each window")
        .source("as torch.nn.AvgPool1d");

/// The mean of each channel: an image becomes features. In PyTorch it is `AdaptiveAvgPool2d(1)` and `Flatten`.
pub(super) static GLOBAL_AVERAGE: LayerKind =
    LayerKind::new("global-average-pool", |_, input| Box::new(GlobalAverage { input: image(input) }))
        .formula("the mean of each channel, as features")
        .source("Lin, Chen, Yan 2013")
        .input(Input::Image)
        .output(|_, input| Ok(Shape::Features(input.channels())))
        .modules(2);

/// The largest number of each channel: an image becomes features. In PyTorch it is `AdaptiveMaxPool2d(1)` and `Flatten`.
pub(super) static GLOBAL_MAX: LayerKind =
    LayerKind::new("global-max-pool", |_, input| Box::new(GlobalMax { input: image(input) }))
        .formula("the largest number of each channel, as features")
        .source("as torch.nn.AdaptiveMaxPool2d(1)")
        .input(Input::Image)
        .output(|_, input| Ok(Shape::Features(input.channels())))
        .modules(2);

/// A pool with a window, over images or over sequences.
const fn window_of(
    name: &'static str,
    one_dimensional: bool,
    make: fn(&HyperValues, Shape) -> Box<dyn Layer>,
) -> LayerKind {
    const IMAGES: &[HyperParameter] = &[HyperParameter::window(false, true, "what each number is of")];
    const SEQUENCES: &[HyperParameter] = &[HyperParameter::window(true, true, "what each number is of")];
    let output = |settings: &HyperValues, input: Shape| -> Result<Shape, Refusal> {
        windows::pooled(settings.window("window"), input).map(Shape::Image)
    };
    let (input, parameters) =
        [(Input::Image, IMAGES), (Input::Sequence, SEQUENCES)][one_dimensional as usize];
    LayerKind::new(name, make).input(input).hyper_parameters(parameters).output(output)
}

fn pooled(settings: &HyperValues, input: Shape, pooling: Pooling) -> Box<dyn Layer> {
    Box::new(Pool { input: image(input), pooling, window: settings.window("window") })
}

/// The image that goes in: the table lets nothing else in.
fn image(input: Shape) -> Image {
    input.image().unwrap_or(Image::data([1, 1, input.features()]))
}

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

/// The mean of each channel over all pixels: `[height, width, channels]` becomes `[channels]`. Of a sequence the positions
/// that count.
#[derive(Clone, Debug)]
pub struct GlobalAverage {
    pub input: Image,
}

/// The pixels of a row that count, as a sequence.
fn counted(input: Image, lengths: &[u32], row: usize) -> Image {
    Image { height: 1, width: length_of(lengths, row, input.pixels()), ..input }
}

impl Layer for GlobalAverage {
    fn kind(&self) -> String {
        "global-average-pool".into()
    }

    fn outputs(&self) -> usize {
        self.input.channels
    }

    fn forward(&self, Forward { mut y, x, lengths, .. }: Forward) {
        for row in 0..y.rows() {
            let input = counted(self.input, lengths, row);
            pool::global_average_forward(y.row(row), &x.row(row)[..input.columns()], input);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, lengths, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            let input = counted(self.input, lengths, row);
            let (dx, behind) = dx.row(row).split_at_mut(input.columns());
            pool::global_average_backward(dx, dy.row(row), input);
            behind.fill(0.0);
        }
    }
}

/// The largest number of each channel over all pixels: `[height, width, channels]` becomes `[channels]`. Of a sequence the
/// positions that count.
#[derive(Clone, Debug)]
pub struct GlobalMax {
    pub input: Image,
}

impl GlobalMax {
    /// The pixels of a row that count, and a window over all of them.
    fn seen(&self, lengths: &[u32], row: usize) -> (Image, Window) {
        let input = counted(self.input, lengths, row);
        (input, Window::rectangle([1, input.width], [1, input.width], [0; 2], [1; 2]))
    }
}

impl Layer for GlobalMax {
    fn kind(&self) -> String {
        "global-max-pool".into()
    }

    fn outputs(&self) -> usize {
        self.input.channels
    }

    fn forward(&self, Forward { mut y, x, lengths, .. }: Forward) {
        for row in 0..y.rows() {
            let (input, window) = self.seen(lengths, row);
            pool::max_forward(y.row(row), &x.row(row)[..input.columns()], input, window);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    /// The first of several equal numbers takes the gradient.
    fn backward(&self, Backward { dx, dy, x, y, lengths, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            let (input, window) = self.seen(lengths, row);
            let (dx, behind) = dx.row(row).split_at_mut(input.columns());
            let x = &x.row(row)[..input.columns()];
            pool::max_backward(dx, dy.row(row), x, y.row(row), input, window);
            behind.fill(0.0);
        }
    }
}
