//! The convolution under a window of one pixel: a dense layer applied to each pixel, or to each of those
//! that a stride leaves (Lin, Chen, Yan, "Network in Network", 2013).

use super::dense::Dense;
use super::derived::Derived;
use super::in_order::Along;
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{Partitioning, Sharding};
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::{Image, Window};
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::{MatrixMut, MatrixRef};

/// Floats of the input that a gradient goes through together: they stay near while each of its tiles
/// reads them.
const TOGETHER: usize = 16 << 10;

/// A convolution with a kernel of one pixel and without padding, with its activation, which must be one
/// whose derivative follows from its output.
#[derive(Clone, Debug)]
pub struct Pointwise {
    pub input: Image,
    pub window: Window,
    /// The layer of one pixel.
    pub patch: Dense,
}

impl Pointwise {
    fn output(&self) -> Image {
        self.window.output(self.input, self.patch.outputs)
    }

    /// Whether the stride leaves all pixels.
    fn is_whole(&self) -> bool {
        self.window.stride == [1, 1]
    }

    /// The first float of each pixel that the stride leaves, in order.
    fn places(&self) -> impl Iterator<Item = usize> {
        let (Image { width, pitch, .. }, [below, right]) = (self.input, self.window.stride);
        let Image { height: down, width: across, .. } = self.output();
        let place = move |y, x| (y * below * width + x * right) * pitch;
        (0..down).flat_map(move |y| (0..across).map(move |x| place(y, x)))
    }

    /// The pixels of a sample that the stride leaves, `[pixels, channels]`.
    fn pixels<'a>(&self, x: &'a [f32], scratch: &'a mut [f32]) -> MatrixRef<'a> {
        let (pixels, Image { channels, pitch, .. }) = (self.output().pixels(), self.input);
        if self.is_whole() {
            return MatrixRef::new(x, pixels, channels, pitch);
        }
        for (to, place) in scratch.chunks_exact_mut(pitch).zip(self.places()) {
            to.copy_from_slice(&x[place..place + pitch]);
        }
        MatrixRef::new(scratch, pixels, channels, pitch)
    }

    /// The pixels of all rows, if they lie one after the other: `[rows * pixels, channels]`.
    fn all_pixels<'a>(&self, x: MatrixRef<'a>) -> Option<MatrixRef<'a>> {
        let pixels = x.in_rows_of(self.input.pitch).filter(|_| self.is_whole())?;
        Some(pixels.block(0..pixels.rows(), 0..self.input.channels))
    }
}

impl Layer for Pointwise {
    fn kind(&self) -> String {
        super::activation::with_activation(&format!("conv {}", self.window), self.patch.activation)
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.patch.parameters();
        let channels = [self.patch.outputs, self.input.channels];
        parameters[0].shape = [&channels, self.window.kernel_shape()].concat();
        parameters[0].layout = Layout::Kernels;
        parameters
    }

    fn scratch_len(&self) -> usize {
        if self.is_whole() { 0 } else { self.output().pixels() * self.input.pitch }
    }

    fn flops(&self) -> Flops {
        let pixels = self.output().pixels() as f64;
        let Flops { forward, backward, gradient } = self.patch.flops();
        Flops { forward: pixels * forward, backward: pixels * backward, gradient: pixels * gradient }
    }

    fn forward(&self, Forward { mut y, x, storage, scratch, .. }: Forward) {
        let Image { pitch, .. } = self.output();
        if let Some(x) = self.all_pixels(x)
            && let Some(y) = y.in_rows_of(pitch)
        {
            // Small images fill whole tiles together, which each by itself would leave half empty.
            return self.patch.apply(y, x, storage, 0..pitch);
        }
        for row in 0..y.rows() {
            let x = self.pixels(x.row(row), scratch);
            let y = MatrixMut::new(y.row(row), x.rows(), pitch, pitch);
            self.patch.apply(y, x, storage, 0..pitch);
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.patch.activation != Activation::IDENTITY
    }

    /// With another stride an output stands for several positions.
    fn along(&self) -> Along<'_> {
        if self.is_whole() { Along::Apart } else { Along::Together }
    }

    fn backward(&self, Backward { dx, mut dy, y, derived, scratch, .. }: Backward) {
        // Inverts the activation.
        if self.patch.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.patch.activation, dy.row(row), y.row(row));
            }
        }
        let Some(mut dx) = dx else { return };
        let (dy, input, Image { pitch, .. }) = (dy.as_ref(), self.input, self.output());
        if self.is_whole()
            && let Some(dy) = dy.in_rows_of(pitch)
            && let Some(dx) = dx.in_rows_of(input.pitch)
        {
            // [pixels x out] * [out x in] -> [pixels x in], m = all pixels, n = channels in, k = out
            return gemm::product(dx, dy, derived, None, Epilogue::Plain);
        }
        let pixels = self.output().pixels();
        for row in 0..dx.rows() {
            let (dx, dy) = (dx.row(row), MatrixRef::new(dy.row(row), pixels, pitch, pitch));
            if self.is_whole() {
                let dx = MatrixMut::new(dx, pixels, input.pitch, input.pitch);
                gemm::product(dx, dy, derived, None, Epilogue::Plain);
                continue;
            }
            let seen = MatrixMut::new(scratch, pixels, input.pitch, input.pitch);
            gemm::product(seen, dy, derived, None, Epilogue::Plain);
            dx.fill(0.0);
            for (from, place) in scratch.chunks_exact(input.pitch).zip(self.places()) {
                dx[place..place + input.pitch].copy_from_slice(from);
            }
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, scratch, .. }: RowsGradient) {
        let Image { pitch, .. } = self.output();
        let (dw, db) = out.split_at_mut(pitch * self.input.channels);
        let mut of_pixels = |dy: MatrixRef, x: MatrixRef, accumulate: bool| {
            // [out x pixels] * [pixels x in] -> [out x in], m = channels out, n = channels in, k = pixels
            gemm::gradient(dw, dy, x, accumulate, &PrefetchQueue::default());
            if !db.is_empty() {
                gemm::column_sums(db, dy, accumulate);
            }
        };
        let together = (TOGETHER / self.input.columns()).max(1);
        for start in (0..dy.rows()).step_by(together) {
            let rows = start..(start + together).min(dy.rows());
            let here = [dy.block(rows.clone(), 0..dy.columns()), x.block(rows.clone(), 0..x.columns())];
            if let (Some(dy), Some(x)) = (here[0].in_rows_of(pitch), self.all_pixels(here[1])) {
                of_pixels(dy, x, accumulate || start > 0);
                continue;
            }
            for row in rows {
                let x = self.pixels(x.row(row), scratch);
                let dy = MatrixRef::new(dy.row(row), x.rows(), pitch, pitch);
                of_pixels(dy, x, accumulate || row > 0);
            }
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(&self.patch)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(self.patch.partitioned(wanted)))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(&self.patch)
    }
}
