//! Where a position of a sequence is: a vector that is added to each, trained, or of sines and cosines (Vaswani et al.:
//! Attention Is All You Need, 2017, section 3.5); and layers that turn samples into sequences, and sequences into features.

use super::in_order::{Advance, Along, InOrder};
use super::kind::{Input, LayerKind};
use super::layer::{Backward, Forward, Layer, RowsGradient, length_of};
use super::parameter::{Layout, ParameterSpec};
use super::shape::Shape;
use crate::data::batches;
use crate::hyper::{HyperParameter, HyperValues};
use crate::init::Init;
use crate::kernels::image::Image;
use crate::kernels::simd::vectorise::vectorise;

/// As that of GPT-2's embeddings.
const DEVIATION: f32 = 0.02;

/// The wavelengths of the sines go from 2π to this many times that.
const BASE: f64 = 10_000.0;

/// The largest seed of a layer: what TOML, and any program, holds exactly.
const LARGEST_SEED: usize = u32::MAX as usize;

/// A trained vector for each position.
pub(super) static LEARNED: LayerKind = LayerKind::new("position-embedding", |settings, input| {
    Box::new(Positions { input: image_of(input), trained: Some(settings.init("weight_init")) })
})
.formula("x + W, a vector for each position")
.source("as nanoGPT's wpe: torch.nn.Embedding of the positions")
.input(Input::Image)
.hyper_parameters(&[HyperParameter::init(
    "weight_init",
    Init::Normal { mean: 0.0, deviation: DEVIATION },
    "what W begins as",
)])
.output(|_, input| Ok(Shape::Image(padded_image(input))));

/// Sines and cosines of the position.
pub(super) static SINUSOIDAL: LayerKind = LayerKind::new("sinusoidal-positions", |_, input| {
    Box::new(Positions { input: image_of(input), trained: None })
})
.formula("x + sin(p / 10000^(2i / C)) in channel 2i, and the cosine in 2i + 1, p the position")
.source("Vaswani et al. 2017, section 3.5")
.input(Input::Image)
.output(|_, input| Ok(Shape::Image(padded_image(input))));

/// Rows of an image as positions.
pub(super) static ROWS: LayerKind = LayerKind::new("rows", |_, input| {
    let input = image_of(input);
    Box::new(Reordered {
        output: Image::new(1, input.height, input.width * input.channels),
        order: None,
        input,
    })
})
.formula("the rows of an image as positions of a sequence, each of all numbers of its row")
.source("as x.flatten(2) of images in torch's [N, H, W, C]")
.input(Input::Image)
.output(|_, input| {
    let input = image_of(input);
    Ok(Shape::Image(Image::new(1, input.height, input.width * input.channels)))
});

/// Pixels in an order of their own.
pub(super) static PERMUTED: LayerKind = LayerKind::new("permute", permuted)
    .formula("the pixels of an image in an order drawn once, as a sequence")
    .source("Le, Jaitly, Hinton 2015: permuted sequential MNIST")
    .input(Input::Image)
    .hyper_parameters(&[HyperParameter::integer(
        "seed",
        1,
        [0, LARGEST_SEED],
        "what the order is drawn with",
    )])
    .output(|_, input| {
        let input = image_of(input);
        Ok(Shape::Image(Image::new(1, input.pixels(), input.channels)))
    });

/// The last position alone.
pub(super) static LAST: LayerKind =
    LayerKind::new("last-position", |_, input| Box::new(LastPosition { input: image_of(input) }))
        .formula("the channels of the last position, of those that count, as features")
        .source("as x[:, -1]")
        .input(Input::Image)
        .output(|_, input| Ok(Shape::Features(input.channels())));

fn image_of(input: Shape) -> Image {
    // The table lets nothing but images in.
    input.image().unwrap_or(Image::data([1, 1, input.features()]))
}

/// The image between two layers, whose channels are padded.
fn padded_image(input: Shape) -> Image {
    let Image { height, width, channels, .. } = image_of(input);
    Image::new(height, width, channels)
}

fn permuted(settings: &HyperValues, input: Shape) -> Box<dyn Layer> {
    let input = image_of(input);
    let order = Some(permutation(settings, input.pixels()));
    Box::new(Reordered { output: Image::new(1, input.pixels(), input.channels), order, input })
}

/// The pixel, of so many, that each position has behind a `permute` layer with these settings.
pub fn permutation(settings: &HyperValues, pixels: usize) -> Vec<u32> {
    let mut order = Vec::new();
    batches::order(pixels, settings.integer("seed") as u64, 0, true, &mut order);
    order
}

/// A vector that is added to each position.
#[derive(Clone, Debug)]
pub struct Positions {
    input: Image,
    /// What trained vectors begin as; without it they are sines and cosines.
    trained: Option<Init>,
}

impl Positions {
    /// Of the input, and of the output, whose channels are padded.
    fn output(&self) -> Image {
        let Image { height, width, channels, .. } = self.input;
        Image::new(height, width, channels)
    }

    fn spec(&self) -> ParameterSpec {
        let output = self.output();
        ParameterSpec {
            name: "weight",
            shape: vec![output.pixels(), output.channels],
            range: 0..output.columns(),
            layout: Layout::Rows { pitch: output.pitch },
            init: self.trained,
        }
    }
}

impl Layer for Positions {
    fn kind(&self) -> String {
        if self.trained.is_some() { "position-embedding".into() } else { "sinusoidal-positions".into() }
    }

    fn outputs(&self) -> usize {
        self.input.features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        self.trained.map(|_| self.spec()).into_iter().collect()
    }

    fn fixed(&self) -> Vec<ParameterSpec> {
        if self.trained.is_some() { Vec::new() } else { vec![self.spec()] }
    }

    fn complete(&self, storage: &mut [f32]) {
        if self.trained.is_some() {
            return;
        }
        let Image { channels, pitch, .. } = self.output();
        for (position, row) in storage.chunks_exact_mut(pitch).enumerate() {
            for (channel, number) in row[..channels].iter_mut().enumerate() {
                let wave = BASE.powf((channel / 2 * 2) as f64 / channels as f64);
                let angle = position as f64 / wave;
                *number = (if channel % 2 == 0 { angle.sin() } else { angle.cos() }) as f32;
            }
        }
    }

    fn forward(&self, Forward { mut y, x, storage, .. }: Forward) {
        let (output, from) = (self.output(), self.input.pitch);
        for row in 0..y.rows() {
            let (y, padding) = y.row(row).split_at_mut(output.columns());
            let x = x.row(row);
            vectorise(
                #[inline(always)]
                || {
                    let positions = y.chunks_exact_mut(output.pitch).zip(x.chunks_exact(from));
                    for ((y, x), vector) in positions.zip(storage.chunks_exact(output.pitch)) {
                        let (y, padding) = y.split_at_mut(output.channels);
                        for ((y, x), vector) in y.iter_mut().zip(x).zip(vector) {
                            *y = x + vector;
                        }
                        padding.fill(0.0);
                    }
                },
            );
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        Along::InOrder(self)
    }

    /// Inverts the sum: the gradient passes through.
    fn backward(&self, Backward { dx, dy, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            let to = dx.row(row);
            let len = to.len().min(self.output().columns());
            to[..len].copy_from_slice(&dy.row(row)[..len]);
            to[len..].fill(0.0);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, accumulate, .. }: RowsGradient) {
        let columns = self.output().columns();
        if self.trained.is_none() {
            return;
        }
        if !accumulate {
            out.fill(0.0);
        }
        for row in 0..dy.rows() {
            let dy = &dy.row(row)[..columns];
            vectorise(
                #[inline(always)]
                || out.iter_mut().zip(dy).for_each(|(out, dy)| *out += dy),
            );
        }
    }
}

impl InOrder for Positions {
    fn state_len(&self) -> usize {
        0
    }

    fn most(&self) -> Option<usize> {
        Some(self.input.pixels())
    }

    fn advance(&self, Advance { mut y, x, at, storage, .. }: Advance) {
        let Image { channels, pitch, .. } = self.output();
        let vectors = storage[at * pitch..].chunks_exact(pitch);
        for (row, vector) in (0..x.rows()).zip(vectors) {
            let (y, padding) = y.row(row).split_at_mut(channels);
            for ((y, x), vector) in y.iter_mut().zip(x.row(row)).zip(vector) {
                *y = x + vector;
            }
            padding.fill(0.0);
        }
    }
}

/// The numbers of an image as those of a sequence: its rows as positions, or its pixels in another order.
#[derive(Clone, Debug)]
pub struct Reordered {
    input: Image,
    output: Image,
    /// The pixel of the input that each position takes; without it a position is a row.
    order: Option<Vec<u32>>,
}

impl Reordered {
    /// Calls `each` with the places of runs of numbers of the output and of the input, and their length.
    fn runs(&self, mut each: impl FnMut(usize, usize, usize)) {
        let (Image { width, channels, pitch, .. }, to) = (self.input, self.output.pitch);
        match &self.order {
            Some(order) => {
                for (position, &pixel) in order.iter().enumerate() {
                    each(position * to, pixel as usize * pitch, channels);
                }
            }
            None => {
                for pixel in 0..self.input.pixels() {
                    each(pixel / width * to + pixel % width * channels, pixel * pitch, channels);
                }
            }
        }
    }
}

impl Layer for Reordered {
    fn keeps_positions(&self) -> bool {
        self.order.is_none()
    }

    fn kind(&self) -> String {
        if self.order.is_some() { "permute".into() } else { "rows".into() }
    }

    fn outputs(&self) -> usize {
        self.output.features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output)
    }

    fn forward(&self, Forward { mut y, x, .. }: Forward) {
        for row in 0..y.rows() {
            let (y, x) = (y.row(row), x.row(row));
            y.fill(0.0);
            self.runs(|to, from, len| y[to..to + len].copy_from_slice(&x[from..from + len]));
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let dy = dy.as_ref();
        for row in 0..dx.rows() {
            let (dx, dy) = (dx.row(row), dy.row(row));
            dx.fill(0.0);
            self.runs(|from, to, len| dx[to..to + len].copy_from_slice(&dy[from..from + len]));
        }
    }
}

/// The last position of a sequence.
#[derive(Clone, Debug)]
pub struct LastPosition {
    input: Image,
}

impl LastPosition {
    /// Where the channels of the last position of a row that counts begin.
    fn place(&self, lengths: &[u32], row: usize) -> usize {
        (length_of(lengths, row, self.input.pixels()) - 1) * self.input.pitch
    }
}

impl Layer for LastPosition {
    fn kind(&self) -> String {
        "last-position".into()
    }

    fn outputs(&self) -> usize {
        self.input.channels
    }

    fn forward(&self, Forward { mut y, x, lengths, .. }: Forward) {
        let channels = self.input.channels;
        for row in 0..y.rows() {
            let place = self.place(lengths, row);
            let (y, padding) = y.row(row).split_at_mut(channels);
            y.copy_from_slice(&x.row(row)[place..place + channels]);
            padding.fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        false
    }

    fn backward(&self, Backward { dx, dy, lengths, .. }: Backward) {
        let Some(mut dx) = dx else { return };
        let (dy, channels) = (dy.as_ref(), self.input.channels);
        for row in 0..dx.rows() {
            let place = self.place(lengths, row);
            let dx = dx.row(row);
            dx.fill(0.0);
            dx[place..place + channels].copy_from_slice(&dy.row(row)[..channels]);
        }
    }
}
