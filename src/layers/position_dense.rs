//! A dense layer at each position of a sequence, or each pixel of an image: `y = activation(x · wᵀ + b)` with the same `w`
//! and `b` everywhere.
//!
//! The positions of a row are rows of the product. Unlike a [`Pointwise`](super::Pointwise) convolution, whose few weights
//! have a gradient for each part of a batch, the weights are in shards, and each shard's owner sums its gradient over all
//! positions of all rows: that keeps the many weights of a Transformer from going through memory for every row.
//!
//! It may stand at some positions alone, and give some outputs at these and others at those: what is not computed is 0.

mod parts;

use std::ops::Range;

use super::dense::Dense;
use super::derived::{Derivation, Derived};
use super::in_order::Along;
use super::layer::{Backward, Flops, Forward, Layer, length_of};
use super::parameter::ParameterSpec;
use super::sharding::{MOST_PARTS, Partitioning, Role, Sharding, ShardsTogether};
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::Image;
use crate::kernels::products::chunks::{Chunks, Positions};
use crate::kernels::products::gemm::{self, Epilogue};
use crate::kernels::simd::prefetch::PrefetchQueue;
use crate::tensor::{LANES, MatrixMut, MatrixRef};

/// Bytes of weights that are still in the second-level cache when a worker comes back to the layer, with its next row: between
/// the two it has been through all layers.
const RESIDENT: usize = 96 << 10;

/// Positions of a row of which only some count are computed in groups of so many: of whole tiles of the products.
const TOGETHER: usize = 8;

/// The names of the weight and the bias.
pub type Names = [&'static str; 2];

/// Positions of a sequence, and the outputs that are computed there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    positions: Range<usize>,
    /// Whole panels of 16.
    columns: Range<usize>,
}

/// A dense layer at each position.
#[derive(Clone, Debug)]
pub struct PositionDense {
    /// The pixels of which are the positions.
    input: Image,
    /// The layer at one position: of as many inputs as the input has channels.
    dense: Dense,
    /// Names for equal parts of the outputs, which are whole panels where there are several.
    names: Vec<Names>,
    /// Whether the weights are the table of the embedding at the front, too.
    is_tied: bool,
    /// What is computed, if that is not everything: parts of no position in common, which have all outputs together.
    parts: Vec<Part>,
}

impl PositionDense {
    /// `dense` at each pixel of `input`, whose parameters have these names.
    pub fn new(input: Image, dense: Dense, names: Names) -> PositionDense {
        PositionDense { input, dense, names: vec![names], is_tied: false, parts: Vec::new() }
    }

    /// The same, of whose outputs, a multiple of 32, each half has parameters of its own names.
    pub fn new_pair(input: Image, dense: Dense, names: [Names; 2]) -> PositionDense {
        debug_assert!(dense.outputs.is_multiple_of(2 * LANES));
        PositionDense { input, dense, names: names.into(), is_tied: false, parts: Vec::new() }
    }

    /// The same, whose weights are the table of the embedding at the front, too: only its name is another.
    pub fn tied(self) -> PositionDense {
        PositionDense { is_tied: true, ..self }
    }

    fn output(&self) -> Image {
        Image::new(self.input.height, self.input.width, self.dense.outputs)
    }

    /// The positions of one row of a matrix, `[positions, pitch]`.
    fn positions<'a>(x: MatrixRef<'a>, row: usize, pitch: usize) -> MatrixRef<'a> {
        let row = x.row(row);
        MatrixRef::new(row, row.len() / pitch, pitch, pitch)
    }

    /// The gradient of the input, of some positions and as many of their outputs from the first on.
    fn input_gradient(dx: MatrixMut, dy: MatrixRef, outputs: usize, derived: &[f32]) {
        // [positions x out] * [out x in] -> [positions x in], m = positions, n = channels in, k = out without padding
        let dy = dy.block(0..dy.rows(), 0..outputs);
        gemm::product_beside(dx, dy, derived, None, Epilogue::Plain, RESIDENT);
    }

    /// Whether all positions of all rows count.
    fn are_whole(&self, lengths: &[u32]) -> bool {
        lengths.iter().all(|&length| length as usize >= self.input.pixels())
    }

    /// How many positions of a row count, and how many are computed.
    fn counted(&self, lengths: &[u32], row: usize) -> [usize; 2] {
        let all = self.input.pixels();
        let length = length_of(lengths, row, all);
        [length, length.next_multiple_of(TOGETHER).min(all)]
    }

    /// Calls `each` with the positions of all rows of two matrices, or where gaps lie between the rows, with those of one
    /// row after the other, and whether there were others before; where parts are computed, with those of a shard.
    fn by_positions(
        &self,
        shard: usize,
        dy: MatrixRef,
        x: MatrixRef,
        mut each: impl FnMut(MatrixRef, MatrixRef, bool),
    ) {
        let pitches = [self.output().pitch, self.input.pitch];
        if !self.parts.is_empty() {
            return self.by_parts(shard, dy, x, each);
        }
        if let (Some(dy), Some(x)) = (dy.in_rows_of(pitches[0]), x.in_rows_of(pitches[1])) {
            return each(dy, x, false);
        }
        for row in 0..dy.rows() {
            each(Self::positions(dy, row, pitches[0]), Self::positions(x, row, pitches[1]), row > 0);
        }
    }
}

impl Layer for PositionDense {
    fn kind(&self) -> String {
        let name = if self.is_tied { "tied-output" } else { "position-dense" };
        let kind = super::activation::with_activation(name, self.dense.activation);
        match &self.parts[..] {
            [] => kind,
            parts => {
                let positions: usize = parts.iter().map(|part| part.positions.len()).sum();
                format!("{kind}, {positions} positions")
            }
        }
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let whole = self.dense.parameters();
        let parts = self.names.len();
        let part = |(part, names): (usize, &Names)| {
            let of = |(spec, name): (&ParameterSpec, &&'static str)| {
                let len = spec.range.len() / parts;
                let start = spec.range.start + part * len;
                let mut shape = spec.shape.clone();
                shape[0] /= parts;
                ParameterSpec { name, shape, range: start..start + len, ..spec.clone() }
            };
            whole.iter().zip(names).map(of).collect::<Vec<_>>()
        };
        let mut specs: Vec<_> = self.names.iter().enumerate().flat_map(part).collect();
        // In the order of storage: all weights, then all biases.
        specs.sort_by_key(|spec| spec.range.start);
        specs
    }

    fn flops(&self) -> Flops {
        let pixels = self.work();
        let Flops { forward, backward, gradient } = self.dense.flops();
        Flops { forward: pixels * forward, backward: pixels * backward, gradient: pixels * gradient }
    }

    /// Of a sequence that ends before the last position, what comes out behind its length is zeros, unless parts are computed.
    fn forward(&self, Forward { mut y, x, storage, lengths, .. }: Forward) {
        let (pitch, of_x) = (self.output().pitch, self.input.pitch);
        if !self.parts.is_empty() {
            return self.forward_parts(y, x, storage);
        }
        if self.are_whole(lengths)
            && let Some(x) = x.in_rows_of(of_x)
            && let Some(y) = y.in_rows_of(pitch)
        {
            return self.dense.apply_beside(y, x, storage, 0..pitch, RESIDENT);
        }
        for row in 0..y.rows() {
            let [length, computed] = self.counted(lengths, row);
            let x = Self::positions(x, row, of_x).block(0..computed, 0..of_x);
            let y = y.row(row);
            self.dense.apply_beside(
                MatrixMut::new(y, computed, pitch, pitch),
                x,
                storage,
                0..pitch,
                RESIDENT,
            );
            y[length * pitch..].fill(0.0);
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.dense.activation != Activation::IDENTITY || self.splits_outputs()
    }

    /// What does not count has no gradient, whatever reads its zeros.
    fn backward(&self, Backward { dx, mut dy, y, derived, lengths, .. }: Backward) {
        let output = self.output();
        for row in 0..lengths.len() {
            dy.row(row)[self.counted(lengths, row)[0] * output.pitch..output.columns()].fill(0.0);
        }
        // Inverts the activation.
        if self.dense.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                let len = self.counted(lengths, row)[0] * output.pitch;
                let (dy, y) = (&mut dy.row(row)[..len], &y.row(row)[..len]);
                activation::backward_in_place(self.dense.activation, dy, y);
            }
        }
        if self.splits_outputs() {
            self.clear_uncomputed(&mut dy);
        }
        let Some(mut dx) = dx else { return };
        let (dy, of_x, pitch) = (dy.as_ref(), self.input.pitch, output.pitch);
        if !self.parts.is_empty() {
            return self.backward_parts(dx, dy, derived);
        }
        let product =
            |dx: MatrixMut, dy: MatrixRef| Self::input_gradient(dx, dy, self.dense.outputs, derived);
        if self.are_whole(lengths)
            && let Some(dy) = dy.in_rows_of(pitch)
            && let Some(dx) = dx.in_rows_of(of_x)
        {
            return product(dx, dy);
        }
        for row in 0..dx.rows() {
            let [_, computed] = self.counted(lengths, row);
            let dx = dx.row(row);
            let dy = Self::positions(dy, row, pitch).block(0..computed, 0..pitch);
            product(MatrixMut::new(dx, computed, of_x, of_x), dy);
            dx[computed * of_x..].fill(0.0);
        }
    }

    fn sums_rows(&self) -> bool {
        false
    }

    fn along(&self) -> Along<'_> {
        if self.parts.is_empty() { Along::Apart } else { Along::Together }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        // Positions are never without their zeros, and all of a row's inputs are needed at each of them.
        let wanted = Partitioning { sparse_input: false, by_inputs: false, ..wanted };
        Some(Box::new(PositionDense { dense: self.dense.partitioned(wanted), ..self.clone() }))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Sharding for PositionDense {
    fn shards(&self) -> usize {
        self.dense.shards()
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        self.dense.shard_parts(shard)
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        self.dense.shard_roles(shard)
    }

    fn shards_along_inputs(&self) -> usize {
        self.dense.shards_along_inputs()
    }

    fn shard_work(&self, shard: usize) -> usize {
        self.shard_len(shard) * self.positions_of(shard)
    }

    fn shard_gradient(
        &self,
        shard: usize,
        out: &mut [f32],
        dy: MatrixRef,
        x: MatrixRef,
        accumulate: bool,
        ahead: &PrefetchQueue,
    ) {
        self.by_positions(shard, dy, x, |dy, x, has_earlier| {
            self.dense.shard_gradient(shard, out, dy, x, accumulate || has_earlier, ahead);
        });
    }

    fn together(&self) -> Option<&dyn ShardsTogether> {
        Some(self)
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

/// Few positions at a time for all of a worker's shards: these stay in the second-level cache meanwhile, and what is
/// longer, all positions of a batch, is read once.
impl ShardsTogether for PositionDense {
    fn positions(&self) -> usize {
        self.input.pixels()
    }

    fn scratch_len(&self) -> usize {
        Chunks::scratch_len([self.output().pitch, self.input.pitch])
    }

    fn gradients(
        &self,
        shards: Range<usize>,
        out: &mut [f32],
        [dy, x]: [MatrixRef; 2],
        lengths: &[u32],
        accumulate: bool,
        scratch: &mut [f32],
    ) {
        if !self.parts.is_empty() {
            return self.parts_together(shards, out, [dy, x], accumulate, scratch);
        }
        let pitches = [self.output().pitch, self.input.pitch];
        let columns = self.dense.columns_of_shards(shards.clone());
        let [dy, x] = [Positions::new(dy, pitches[0]), Positions::new(x, pitches[1])];
        let nothing_ahead = PrefetchQueue::default();
        Chunks::new(scratch, pitches).each([dy, x], lengths, columns, |dy, x, has_earlier| {
            let mut rest = &mut *out;
            for shard in shards.clone() {
                let (out, after) = rest.split_at_mut(self.shard_len(shard));
                rest = after;
                self.dense.shard_gradient(shard, out, dy, x, accumulate || has_earlier, &nothing_ahead);
            }
        });
    }
}

impl Derived for PositionDense {
    fn derived_len(&self) -> usize {
        self.dense.derived_len()
    }

    fn derived_parts(&self, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        self.dense.derived_parts(shard, each);
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        self.dense.derive(shard, from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Init;

    fn numbers(count: usize, step: f64) -> Vec<f32> {
        (1..=count).map(|i| ((i as f64 * step).fract() * 2.0 - 1.0) as f32).collect()
    }

    fn layer(positions: usize, [inputs, outputs]: [usize; 2], whole_columns: bool) -> PositionDense {
        let init = Init::Constant(0.0);
        let dense = Dense {
            inputs,
            outputs,
            bias: true,
            activation: Activation::IDENTITY,
            weight_init: init,
            bias_init: init,
            input_gradient: true,
            whole_columns,
            by_inputs: false,
            sparse_input: false,
        };
        PositionDense::new(Image::new(1, positions, inputs), dense, ["weight", "bias"])
    }

    /// Sizes, and the parts that are computed: everything, some positions, and outputs of which some share a panel.
    fn cases() -> Vec<(usize, PositionDense, usize)> {
        let mut cases = Vec::new();
        for (rows, positions, sizes, gap) in
            [(1, 1, [3, 5], 0), (3, 30, [20, 40], 16), (2, 64, [128, 64], 0), (2, 150, [130, 70], 16)]
        {
            for whole_columns in [false, true] {
                let layer = || layer(positions, sizes, whole_columns);
                cases.push((rows, layer(), gap));
                if positions > 1 {
                    let (source, third) = (positions / 2 - 3, sizes[1] / 3);
                    cases.push((rows, layer().within(source..positions), gap));
                    let parts = [(source..positions, 0..third), (0..source, third..sizes[1])];
                    cases.push((rows, layer().in_parts(parts), gap));
                }
            }
        }
        cases
    }

    /// More and fewer positions than a chunk has, rows with gaps between them and without, shards of some inputs and of all,
    /// those of one worker of several, and sums that go on.
    #[test]
    fn shards_together_have_the_bits_of_each() {
        for (rows, layer, gap) in cases() {
            let of = |image: Image, step: f64| {
                let stride = image.columns() + gap;
                let mut data = numbers(rows * stride, step);
                let each = data.chunks_exact_mut(stride).flat_map(|row| row.chunks_exact_mut(image.pitch));
                each.filter(|pixel| pixel.len() == image.pitch)
                    .for_each(|pixel| pixel[image.channels..].fill(0.0));
                data
            };
            let (x, dy) = (of(layer.input, 0.618_033_988_7), of(layer.output(), 0.754_877_666_2));
            let matrix =
                |data, image: Image| MatrixRef::new(data, rows, image.columns(), image.columns() + gap);
            let factors = [matrix(&dy[..], layer.output()), matrix(&x[..], layer.input)];
            let count = layer.shards();
            for shards in [0..count, 0..count / 2, count / 2..count] {
                for accumulate in [false, true] {
                    let len = shards.clone().map(|shard| layer.shard_len(shard)).sum();
                    let mut together = numbers(len, 0.569_840_291);
                    let mut apart = together.clone();
                    let mut scratch = vec![f32::NAN; ShardsTogether::scratch_len(&layer)];
                    layer.gradients(shards.clone(), &mut together, factors, &[], accumulate, &mut scratch);
                    let mut rest = &mut apart[..];
                    for shard in shards.clone() {
                        let (out, after) = rest.split_at_mut(layer.shard_len(shard));
                        rest = after;
                        let [dy, x] = factors;
                        layer.shard_gradient(shard, out, dy, x, accumulate, &PrefetchQueue::default());
                    }
                    assert_eq!(together, apart, "{layer:?} {shards:?}");
                    assert!(len == 0 || together.iter().any(|&x| x != 0.0));
                }
            }
        }
    }

    /// What is computed of a part is what a layer of all positions has there, and its gradients are those of a batch without
    /// the other positions.
    #[test]
    fn parts_are_those_of_the_whole() {
        let (positions, [inputs, outputs]) = (30, [20, 40]);
        let (whole, part) = (layer(positions, [inputs, outputs], false), 7..22);
        let within = whole.clone().within(part.clone());
        let alone = layer(part.len(), [inputs, outputs], false);
        let [of_x, of_y] = [whole.input, whole.output()].map(|image| image.pitch);
        let numbers_of = |pitch: usize, channels: usize, step: f64| {
            let mut data = numbers(2 * positions * pitch, step);
            data.chunks_exact_mut(pitch).for_each(|pixel| pixel[channels..].fill(0.0));
            data
        };
        let x = numbers_of(of_x, inputs, 0.618_033_988_7);
        let dy = numbers_of(of_y, outputs, 0.754_877_666_2);
        let storage =
            numbers(whole.dense.parameters().iter().map(|spec| spec.range.end).max().unwrap(), 0.57);
        let cut = |data: &[f32], pitch: usize| -> Vec<f32> {
            let rows = data.chunks_exact(positions * pitch);
            rows.flat_map(|row| row[part.start * pitch..part.end * pitch].to_vec()).collect()
        };
        let forward = |layer: &PositionDense, x: &[f32]| {
            let len = layer.input.pixels();
            let mut y = vec![f32::NAN; 2 * len * of_y];
            layer.forward(Forward {
                y: MatrixMut::new(&mut y, 2, len * of_y, len * of_y),
                x: MatrixRef::new(x, 2, len * of_x, len * of_x),
                storage: &storage,
                derived: &[],
                columns: 0..len * of_y,
                scratch: &mut [],
                training: None,
                lengths: &[],
                carried: None,
            });
            y
        };
        let y = forward(&within, &x);
        assert_eq!(cut(&y, of_y), forward(&alone, &cut(&x, of_x)));
        let outside =
            |row: &[f32]| row[..part.start * of_y].iter().chain(&row[part.end * of_y..]).all(|&y| y == 0.0);
        assert!(y.chunks_exact(positions * of_y).all(outside));
        let gradient = |layer: &PositionDense, shard: usize, dy: &[f32], x: &[f32]| {
            let len = layer.input.pixels();
            let mut out = vec![f32::NAN; layer.shard_len(shard)];
            let [dy, x] = [(dy, of_y), (x, of_x)]
                .map(|(data, pitch)| MatrixRef::new(data, 2, len * pitch, len * pitch));
            layer.shard_gradient(shard, &mut out, dy, x, false, &PrefetchQueue::default());
            out
        };
        for shard in 0..whole.shards() {
            let found = gradient(&within, shard, &dy, &x);
            assert_eq!(found, gradient(&alone, shard, &cut(&dy, of_y), &cut(&x, of_x)));
            assert_ne!(found, gradient(&whole, shard, &dy, &x));
        }
    }
}
