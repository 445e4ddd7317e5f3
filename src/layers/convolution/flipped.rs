//! The gradient of a convolution's input as a convolution of the gradient of its output: each pixel of
//! the input gathers what a scatter would bring it, so nothing is written twice. Its kernels are the
//! convolution's, flipped round and with their two sorts of channels exchanged (Dumoulin, Visin: A guide
//! to convolution arithmetic for deep learning, 2016, chapter 4).

use std::ops::Range;

use super::Convolution;
use crate::kernels::image::{Image, Patches, Side, Window};
use crate::kernels::products::panels;
use crate::layers::dense::Shard;
use crate::layers::derived::{Destination, Reader};
use crate::tensor::{LANES, padded};

/// What adding one number of a patch's gradient to its place costs, in multiply-adds: 0.4 to 0.6 ns were
/// measured.
const SCATTERING: usize = 60;

/// Channels that a register tile is wide.
const TILE_COLUMNS: usize = 2 * LANES;

/// Some inputs of one pixel of the window, whose channels lie in one panel.
struct Segment {
    inputs: Range<usize>,
    /// The pixel of the window, counted row by row.
    pixel: usize,
    /// The panel of their channels, and the lanes there; the last ones of a pixel own the padding.
    panel: usize,
    lanes: Range<usize>,
}

impl Convolution {
    /// The convolution that gives the gradient of the input, if there is one and it is less work than a
    /// product of patches that are scattered.
    pub(in crate::layers) fn flipped(&self) -> Option<Patches> {
        let window = self.patches.window;
        let turns = |side: Side| side.stride == 1 && side.before.max(side.after) <= side.reach();
        if !self.patch.input_gradient || !window.sides().into_iter().all(turns) {
            return None;
        }
        let (input, output) = (self.patches.input, self.output());
        // All of dy's channels: what pads them are zeros.
        let image = Image { channels: output.pitch, ..output };
        let padding = window.sides().map(|side| [side.reach() - side.before, side.reach() - side.after]);
        let window = Window { padding, ..window };
        let flipped = Patches { input: image, window };
        let wide = |columns: usize| columns.next_multiple_of(TILE_COLUMNS) as u128;
        let row = (window.kernel[1] * input.width * output.pitch) as u128;
        let gathered = flipped.rows_seen() as u128 * row * wide(input.channels);
        let patches = output.pixels() as u128 * wide(self.patches.inputs());
        (gathered <= patches * (output.pitch + SCATTERING) as u128).then_some(flipped)
    }

    /// Floats of the flipped kernels: panels `[channels in / 16][pixels of the window, channels out][16]`.
    pub(super) fn flipped_len(&self, flipped: &Patches) -> usize {
        panels::packed_len(self.patches.input.channels, flipped.inputs())
    }

    fn segments(&self, inputs: Range<usize>) -> impl Iterator<Item = Segment> {
        let (channels, mut start) = (self.patches.input.channels, inputs.start);
        std::iter::from_fn(move || {
            let [pixel, channel] = [start / channels, start % channels];
            let [panel, lane] = [channel / LANES, channel % LANES];
            let count = (LANES - lane).min(channels - channel).min(inputs.end - start);
            let segment = Segment {
                inputs: start..start + count,
                pixel,
                panel,
                lanes: lane..if channel + count == channels { LANES } else { lane + count },
            };
            start += count;
            (count > 0).then_some(segment)
        })
    }

    /// Hands `each` the panels and the segments of a shard, and where their block `[16 channels out][16
    /// channels in]` begins among the flipped kernels.
    fn flipped_blocks(&self, flipped: &Patches, shard: usize, each: &mut dyn FnMut(usize, &Segment, usize)) {
        if self.patch.is_bias(shard) {
            return;
        }
        let Shard { panels, inputs } = self.patch.shard(shard);
        let (area, outputs) = (flipped.window.area(), padded(self.patch.outputs));
        for panel in panels {
            for segment in self.segments(inputs.clone()) {
                let pixel = area - 1 - segment.pixel;
                let output = (segment.panel * area + pixel) * outputs + panel * LANES;
                each(panel, &segment, output * LANES);
            }
        }
    }

    /// As [`derived_parts`](crate::layers::Layer::derived_parts).
    pub(super) fn flipped_parts(&self, flipped: &Patches, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        self.flipped_blocks(flipped, shard, &mut |_, segment, block| {
            segment.parts(block).for_each(&mut *each);
        });
    }

    /// The part of the flipped kernels that belongs to a shard; `storage` reads the layer's.
    pub(super) fn turn(
        &self,
        flipped: &Patches,
        shard: usize,
        storage: &Reader,
        derived: &mut impl Destination,
    ) {
        self.flipped_blocks(flipped, shard, &mut |panel, segment, block| {
            let weights = storage(self.patch.weights(panel, &segment.inputs));
            if segment.is_whole() {
                for part in segment.parts(block) {
                    panels::transpose_block(derived.part(part), weights);
                }
                return;
            }
            for (output, part) in segment.parts(block).enumerate() {
                let (row, padding) = derived.part(part).split_at_mut(segment.inputs.len());
                for (weight, of_input) in row.iter_mut().zip(weights.chunks_exact(LANES)) {
                    *weight = of_input[output];
                }
                padding.fill(0.0);
            }
        });
    }
}

impl Segment {
    /// Whether it owns whole rows of its block.
    fn is_whole(&self) -> bool {
        self.lanes == (0..LANES)
    }

    /// The parts of a block that are its own: all of it, or some lanes of each row.
    fn parts(&self, block: usize) -> impl Iterator<Item = Range<usize>> {
        let (lanes, whole) = (self.lanes.clone(), self.is_whole());
        let row = move |row: usize| block + row * LANES + lanes.start..block + row * LANES + lanes.end;
        let all = whole.then_some(block..block + LANES * LANES);
        let rows = if whole { 0 } else { LANES };
        all.into_iter().chain((0..rows).map(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Init;
    use crate::kernels::activation::Activation;
    use crate::layers::Dense;

    fn flipped(
        [side, channels, outputs]: [usize; 3],
        window: Window,
        input_gradient: bool,
    ) -> Option<Patches> {
        let patches = Patches { input: Image::new(side, side, channels), window };
        let patch = Dense {
            inputs: patches.inputs(),
            outputs,
            bias: true,
            activation: Activation::IDENTITY,
            weight_init: Init::Zeros,
            bias_init: Init::Zeros,
            input_gradient,
            whole_columns: false,
            by_inputs: false,
            sparse_input: false,
        };
        Convolution { patches, patch }.flipped()
    }

    #[test]
    fn wide_convolutions_turn_and_give_an_image_of_the_size_of_the_input() {
        let padded = |kernel, padding, dilation| Window::square(kernel, 1, padding, dilation);
        let cases = [
            ([28, 32, 32], padded(3, 1, 1)),
            ([7, 128, 100], padded(3, 1, 1)),
            ([12, 24, 32], padded(3, 0, 1)),
            ([9, 40, 16], padded(5, 3, 2)),
            ([6, 5, 20], padded(1, 0, 1)),
            ([9, 40, 16], Window::rectangle([3, 5], [1, 1], [2, 0], [2, 1])),
            ([11, 32, 32], Window { padding: [[0, 2], [3, 1]], ..padded(4, 0, 1) }),
        ];
        for (shape, window) in cases {
            let flipped = flipped(shape, window, true).unwrap();
            let gradient = flipped.window.output(flipped.input, shape[1]);
            assert_eq!(gradient, Image::new(shape[0], shape[0], shape[1]), "{window:?}");
        }
        // No gradient is wanted; a stride; a frame wider than the window reaches; few channels.
        assert!(flipped([28, 32, 32], padded(3, 1, 1), false).is_none());
        assert!(flipped([28, 32, 32], Window { stride: [1, 2], ..padded(3, 1, 1) }, true).is_none());
        assert!(flipped([28, 32, 32], padded(3, 3, 1), true).is_none());
        let below = Window { padding: [[1, 3], [1, 1]], ..padded(3, 1, 1) };
        assert!(flipped([28, 32, 32], below, true).is_none());
        assert!(flipped([12, 6, 16], padded(5, 0, 1), true).is_none());
    }
}
