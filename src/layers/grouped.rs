//! The convolution in groups: each of them sees its own part of the input's channels, and gives its own
//! part of the output's (Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional
//! Neural Networks", 2012).
//!
//! A group is a convolution of an image of its channels alone, which are taken out of the input, and
//! whose result is put into the output.

use std::ops::Range;

use super::convolution::Convolution;
use super::dense::Dense;
use super::derived::{Derivation, Derived};
use super::in_order::Along;
use super::layer::{Backward, Flops, Forward, Layer, RowsGradient};
use super::parameter::{Layout, ParameterSpec};
use super::sharding::{MOST_PARTS, Partitioning, Role, Sharding};
use super::windowed::{self, Windowed};
use crate::init::Init;
use crate::kernels::activation::{self, Activation};
use crate::kernels::image::channels;
use crate::kernels::image::{Image, Patches, Window};
use crate::kernels::products::gemm;
use crate::kernels::products::panels::packed_len;
use crate::tensor::{MatrixMut, MatrixRef};

/// A convolution in groups with its activation, which must be one whose derivative follows from its
/// output. Its storage holds the kernels of each group as that group's convolution stores them, then the
/// bias.
#[derive(Clone, Debug)]
pub struct Grouped {
    input: Image,
    groups: usize,
    /// Of each group: without bias and activation.
    group: Convolution,
    bias: bool,
    bias_init: Init,
    activation: Activation,
}

/// The scratch of a group's convolution, and images of one group.
struct Scratch<'a> {
    group: &'a mut [f32],
    input: &'a mut [f32],
    output: &'a mut [f32],
}

impl Grouped {
    /// `groups` of them, which divide the channels of the input and the outputs of `patch`: the layer of
    /// one patch as all groups together have it, with the inputs of one.
    pub fn new(input: Image, groups: usize, window: Window, patch: Dense) -> Grouped {
        let Image { height, width, channels, .. } = input;
        debug_assert!(channels.is_multiple_of(groups) && patch.outputs.is_multiple_of(groups));
        let (bias, bias_init, activation) = (patch.bias, patch.bias_init, patch.activation);
        let patches = Patches { input: Image::new(height, width, channels / groups), window };
        let outputs = patch.outputs / groups;
        let patch = Dense { outputs, bias: false, activation: Activation::IDENTITY, ..patch };
        Grouped { input, groups, group: Convolution { patches, patch }, bias, bias_init, activation }
    }

    fn output(&self) -> Image {
        let Patches { window, .. } = self.group.patches;
        window.output(self.input, self.groups * self.group.patch.outputs)
    }

    /// The channels of the input that a group sees.
    fn seen(&self, group: usize) -> Range<usize> {
        let channels = self.group.patches.input.channels;
        group * channels..(group + 1) * channels
    }

    /// The channels of the output that it gives.
    fn given(&self, group: usize) -> Range<usize> {
        let channels = self.group.patch.outputs;
        group * channels..(group + 1) * channels
    }

    /// A group's part of what lies one group after the other.
    fn part(&self, group: usize, len: usize) -> Range<usize> {
        let len = len / self.groups;
        group * len..(group + 1) * len
    }

    /// Of all groups. `storage_len` would make a list of parameters each time.
    fn weights_len(&self) -> usize {
        self.groups * packed_len(self.group.patch.outputs, self.group.patch.inputs)
    }

    fn bias_range(&self) -> Range<usize> {
        let start = self.weights_len();
        start..start + if self.bias { self.output().pitch } else { 0 }
    }

    /// Group and number there of a shard of weights; none if it is the bias.
    fn of_group(&self, shard: usize) -> Option<[usize; 2]> {
        let shards = self.group.shards();
        (shard < self.groups * shards).then_some([shard / shards, shard % shards])
    }

    fn cut<'a>(&self, scratch: &'a mut [f32]) -> Scratch<'a> {
        let (input, rest) = scratch.split_at_mut(self.group.patches.input.columns());
        let (output, group) = rest.split_at_mut(self.group.output().columns());
        Scratch { group: &mut group[..self.group.scratch_len()], input, output }
    }
}

/// An image as a matrix of one row.
fn one(image: &[f32]) -> MatrixRef<'_> {
    MatrixRef::new(image, 1, image.len(), image.len())
}

/// The same, to be written.
fn one_mut(image: &mut [f32]) -> MatrixMut<'_> {
    let columns = image.len();
    MatrixMut::new(image, 1, columns, columns)
}

impl Layer for Grouped {
    fn kind(&self) -> String {
        let kind = format!("{} in {} groups", self.group.kind(), self.groups);
        super::activation::with_activation(&kind, self.activation)
    }

    fn outputs(&self) -> usize {
        self.output().features()
    }

    fn image(&self) -> Option<Image> {
        Some(self.output())
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let mut parameters = self.group.parameters();
        parameters[0].shape[0] = self.output().channels;
        parameters[0].range = 0..self.weights_len();
        parameters[0].layout = Layout::GroupedKernels { groups: self.groups };
        if self.bias {
            parameters.push(ParameterSpec {
                name: "bias",
                shape: vec![self.output().channels],
                range: self.bias_range(),
                layout: Layout::Plain,
                init: Some(self.bias_init),
            });
        }
        parameters
    }

    fn scratch_len(&self) -> usize {
        self.group.patches.input.columns() + self.group.output().columns() + self.group.scratch_len()
    }

    fn flops(&self) -> Flops {
        let groups = self.groups as f64;
        let Flops { forward, backward, gradient } = self.group.flops();
        Flops { forward: groups * forward, backward: groups * backward, gradient: groups * gradient }
    }

    fn forward(&self, Forward { mut y, x, storage, derived, scratch, training, lengths, .. }: Forward) {
        let Scratch { group: scratch, input, output } = self.cut(scratch);
        let (weights, bias) = (&storage[..self.weights_len()], &storage[self.bias_range()]);
        let image = self.output();
        for row in 0..y.rows() {
            let y = y.row(row);
            for group in 0..self.groups {
                channels::take(input, x.row(row), self.input.pitch, self.seen(group));
                self.group.forward(Forward {
                    columns: 0..output.len(),
                    y: one_mut(output),
                    x: one(input),
                    storage: &weights[self.part(group, weights.len())],
                    derived: &derived[self.part(group, derived.len())],
                    scratch,
                    training,
                    lengths,
                    carried: None,
                });
                channels::put(y, output, image.pitch, self.given(group));
            }
            channels::clear_padding(y, image);
            if self.bias {
                channels::add_bias(y, bias);
            }
            if self.activation != Activation::IDENTITY {
                activation::forward_in_place(self.activation, y);
                channels::clear_padding(y, image);
            }
        }
    }

    fn prepares_gradient(&self) -> bool {
        self.activation != Activation::IDENTITY
    }

    fn along(&self) -> Along<'_> {
        windowed::along(self)
    }

    fn backward(
        &self,
        Backward { dx, mut dy, y, storage, derived, scratch, training, lengths, .. }: Backward,
    ) {
        // Inverts the activation.
        if self.activation != Activation::IDENTITY {
            for row in 0..dy.rows() {
                activation::backward_in_place(self.activation, dy.row(row), y.row(row));
            }
        }
        let Some(mut dx) = dx else { return };
        let Scratch { group: scratch, input, output } = self.cut(scratch);
        // Neither is read without an activation.
        let unread = MatrixRef::new(&[], 0, 0, 0);
        for row in 0..dx.rows() {
            for group in 0..self.groups {
                channels::take(output, dy.row(row), self.output().pitch, self.given(group));
                self.group.backward(Backward {
                    dx: Some(one_mut(input)),
                    dy: one_mut(output),
                    x: unread,
                    y: unread,
                    storage: &storage[self.part(group, self.weights_len())],
                    derived: &derived[self.part(group, derived.len())],
                    scratch,
                    training,
                    lengths,
                });
                channels::put(dx.row(row), input, self.input.pitch, self.seen(group));
            }
            channels::clear_padding(dx.row(row), self.input);
        }
    }

    fn gradient(&self, RowsGradient { out, dy, x, accumulate, storage, scratch }: RowsGradient) {
        let Scratch { group: scratch, input, output } = self.cut(scratch);
        let Image { pitch, .. } = self.output();
        let (dw, db) = out.split_at_mut(self.weights_len());
        for row in 0..dy.rows() {
            let (accumulate, dy) = (accumulate || row > 0, dy.row(row));
            for group in 0..self.groups {
                channels::take(input, x.row(row), self.input.pitch, self.seen(group));
                channels::take(output, dy, pitch, self.given(group));
                let out = &mut dw[self.part(group, self.weights_len())];
                let (dy, x) = (one(output), one(input));
                let storage = &storage[self.part(group, self.weights_len())];
                self.group.gradient(RowsGradient { out, dy, x, accumulate, storage, scratch });
            }
            if self.bias {
                let pixels = MatrixRef::new(dy, self.output().pixels(), pitch, pitch);
                gemm::column_sums(db, pixels, accumulate);
            }
        }
    }

    fn sharding(&self) -> Option<&dyn Sharding> {
        Some(self)
    }

    fn partition(&self, wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        Some(Box::new(Grouped { group: self.group.partitioned(wanted), ..self.clone() }))
    }

    fn derived(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Windowed for Grouped {
    fn placed(&self) -> (Image, Window) {
        (self.input, self.group.patches.window)
    }

    fn over(&self, input: Image, window: Window) -> Grouped {
        let of_group = input.with_channels(self.group.patches.input.channels);
        Grouped { input, group: self.group.over(of_group, window), ..self.clone() }
    }
}

impl Sharding for Grouped {
    fn shards(&self) -> usize {
        self.groups * self.group.shards() + usize::from(self.bias)
    }

    fn shard_parts(&self, shard: usize) -> [Range<usize>; MOST_PARTS] {
        let mut parts: [Range<usize>; MOST_PARTS] = Default::default();
        match self.of_group(shard) {
            None => parts[0] = self.bias_range(),
            Some([group, shard]) => {
                let start = self.part(group, self.weights_len()).start;
                parts = self.group.shard_parts(shard);
                parts.iter_mut().for_each(|part| *part = start + part.start..start + part.end);
            }
        }
        parts
    }

    fn shard_roles(&self, shard: usize) -> [Role; MOST_PARTS] {
        self.of_group(shard).map_or([Role::Bias; MOST_PARTS], |[_, shard]| self.group.shard_roles(shard))
    }

    fn shards_along_inputs(&self) -> usize {
        self.group.shards_along_inputs()
    }

    fn derives(&self) -> Option<&dyn Derived> {
        Some(self)
    }
}

impl Derived for Grouped {
    fn derived_len(&self) -> usize {
        self.groups * self.group.derived_len()
    }

    fn forward_derived_len(&self) -> usize {
        self.groups * self.group.forward_derived_len()
    }

    fn derive_forward(&self, derived: &mut [f32], storage: &[f32]) {
        for group in 0..self.groups {
            let weights = &storage[self.part(group, self.weights_len())];
            let part = self.part(group, derived.len());
            self.group.derive_forward(&mut derived[part], weights);
        }
    }

    fn derived_parts(&self, shard: usize, each: &mut dyn FnMut(Range<usize>)) {
        if let Some([group, shard]) = self.of_group(shard) {
            let start = group * self.group.derived_len();
            self.group.derived_parts(shard, &mut |part| each(start + part.start..start + part.end));
        }
    }

    fn derive(&self, shard: usize, from: &Derivation) {
        let Some([group, shard]) = self.of_group(shard) else { return };
        let weights = self.part(group, self.weights_len()).start;
        let derived = group * self.group.derived_len();
        let of_group = Derivation {
            storage: &|part| (from.storage)(weights + part.start..weights + part.end),
            derived: &|part| (from.derived)(derived + part.start..derived + part.end),
        };
        self.group.derive(shard, &of_group);
    }
}
