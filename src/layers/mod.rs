//! Layers: configuration only. A layer knows its shapes and its arithmetic; where its parameters
//! lie, which worker runs it and by which rule it learns is decided elsewhere.

mod affine;
mod batch_norm;
mod convolution;
mod dense;
mod depthwise;
mod dropout;
mod elementwise;
mod flatten;
mod group_norm;
mod grouped;
mod join;
mod layer_norm;
mod narrow;
mod pointwise;
mod pool;
mod weight_norm;

use std::fmt::Debug;
use std::ops::Range;

pub use batch_norm::BatchNorm;
pub use convolution::Convolution;
pub use dense::Dense;
pub use depthwise::Depthwise;
pub use dropout::Dropout;
pub use elementwise::Elementwise;
pub use flatten::Flatten;
pub use group_norm::GroupNorm;
pub use grouped::Grouped;
pub use join::{Add, Scale};
pub use layer_norm::LayerNorm;
pub use narrow::NarrowConvolution;
pub use pointwise::Pointwise;
pub use pool::{GlobalAverage, Pool, Pooling};
pub use weight_norm::WeightNorm;

use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Image;
use crate::kernels::prefetch::Ahead;
use crate::tensor::{MatrixMut, MatrixRef, padded};

/// One parameter of a layer, such as its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSpec {
    /// PyTorch's name: "weight", "bias".
    pub name: &'static str,
    /// PyTorch's shape: `[out, in]`, `[out]`.
    pub shape: Vec<usize>,
    /// Its place in the layer's storage.
    pub range: Range<usize>,
    pub arrangement: Arrangement,
    /// How its initial values are drawn; without it they follow from those of others, by
    /// [`Layer::complete`].
    pub init: Option<Init>,
}

impl ParameterSpec {
    /// Outputs, channels and area of the kernels of a convolution.
    pub fn kernels(&self) -> [usize; 3] {
        [self.shape[0], self.shape[1], self.shape[2..].iter().product()]
    }

    /// The image whose pixels it has, of [`Arrangement::Pixels`].
    pub fn pixels(&self) -> Image {
        Image::new(self.shape[1], self.shape[2], self.shape[0])
    }
}

/// How a parameter lies in storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    /// As its shape says, row-major, padded at the end with zeros.
    Plain,
    /// A matrix in [`panels`](crate::kernels::panels).
    Panels,
    /// The kernels of a convolution, `[out, channels, height, width]`, in panels:
    /// [`pack_kernels`](crate::kernels::panels::pack_kernels).
    Kernels,
    /// The same, the outputs of each of so many groups in panels of their own.
    GroupedKernels { groups: usize },
    /// One number for each of an image, `[channels, height, width]`, as images lie.
    Pixels,
}

/// What a part of a unit is, to what acts on all incoming weights of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A panel `[in][16]`: the weights of 16 outputs, a column each.
    Weights,
    /// A panel of the same form, of whose columns the direction alone counts.
    Directions,
    /// The norm of each output's weights, with a sign.
    Lengths,
    /// The whole bias.
    Bias,
}

/// The most parts of storage that a unit may consist of.
pub const MOST_PARTS: usize = 3;

/// Floating-point operations for one sample, a multiply-add counting as two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flops {
    pub forward: f64,
    /// Of the gradient of the input; the first layer computes none.
    pub backward: f64,
    /// Of the gradient of the parameters.
    pub gradient: f64,
}

/// What some rows that are trained on belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Training {
    /// Of the run.
    pub seed: u64,
    /// The number of the step, from 1.
    pub step: u64,
    /// The layer's number in its model.
    pub layer: usize,
    /// The number of the first row among those of the step.
    pub first: usize,
}

/// What a layer is called that has an activation.
fn with_activation(name: &str, activation: Activation) -> String {
    if activation == Activation::IDENTITY { name.into() } else { format!("{name} + {}", activation.name()) }
}

/// Reads part of a layer's storage.
pub type Reader<'a> = dyn Fn(Range<usize>) -> &'a [f32] + 'a;

/// Where a layer finds what the update after a gradient has changed, and where it keeps what it
/// derives from that.
pub struct Derivation<'a> {
    /// Reads part of the layer's storage.
    pub storage: &'a dyn Fn(Range<usize>) -> &'a [f32],
    /// Writes part of the layer's derived storage.
    pub derived: &'a dyn Fn(Range<usize>) -> &'a mut [f32],
}

/// Where the gradient of an input goes.
pub struct InputGradient<'a> {
    /// `[rows, in]`
    pub rows: MatrixMut<'a>,
    /// Whether it is added to what is there, which other readers of the input gave.
    pub adds: bool,
}

/// A layer of a feed-forward network.
///
/// Matrices have one row a sample. Their columns are the features, padded with zeros to a multiple
/// of 16; of an [image](crate::kernels::image), those of each pixel are. The first layer's input alone
/// is not padded. All functions work on the rows they are given, and a row's result does not depend on
/// which other rows these are.
pub trait Layer: Debug + Send + Sync {
    /// The name in tables: "dense + relu".
    fn kind(&self) -> String;

    /// Features of a sample that come out, padding not counted.
    fn outputs(&self) -> usize;

    /// What comes out, if it is an image.
    fn image(&self) -> Option<Image> {
        None
    }

    /// Columns of the output, padding included.
    fn columns(&self) -> usize {
        self.image().map_or(padded(self.outputs()), |image| image.columns())
    }

    /// The parameters, none by default.
    fn parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Tensors that belong to the model and are not trained, in storage behind the parameters.
    fn statistics(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Floats of storage for all parameters.
    fn storage_len(&self) -> usize {
        self.parameters().last().map_or(0, |last| last.range.end)
    }

    /// Sets the parameters whose initial values follow from those of the others.
    fn complete(&self, _storage: &mut [f32]) {}

    /// Floats of a second storage, made from the parameters by [`derive`](Layer::derive).
    fn derived_len(&self) -> usize {
        0
    }

    /// Floats of scratch that the functions on rows want, besides what is [kept](Layer::kept_len).
    fn scratch_len(&self) -> usize {
        0
    }

    /// Floats that [`forward`](Layer::forward) of so many rows leaves behind its scratch, which is then so
    /// much longer, for [`backward`](Layer::backward) of the same rows, and that for
    /// [`gradient_of_rows`](Layer::gradient_of_rows) of these.
    fn kept_len(&self, _rows: usize) -> usize {
        0
    }

    /// Rows that take as long as one of them: a power of two up to 16.
    fn rows_at_once(&self) -> usize {
        1
    }

    /// Work for one sample.
    fn flops(&self) -> Flops;

    /// Whether [`forward`](Layer::forward) can be asked for some of the output columns only.
    fn splits_features(&self) -> bool {
        false
    }

    /// The output `y` `[rows, columns.len()]` of `x` `[rows, in]`. `columns` is a range of whole
    /// panels of 16 if the layer splits features, else all of them. `derived` may be what
    /// [`derive_forward`](Layer::derive_forward) makes; `scratch` is `[scratch_len]`.
    fn forward(
        &self,
        y: MatrixMut,
        x: MatrixRef,
        storage: &[f32],
        derived: &[f32],
        columns: Range<usize>,
        scratch: &mut [f32],
    );

    /// [`forward`](Layer::forward) of rows that are trained on, where that is something else.
    #[allow(clippy::too_many_arguments)] // all are slices of the step's memory
    fn forward_training(
        &self,
        y: MatrixMut,
        x: MatrixRef,
        storage: &[f32],
        derived: &[f32],
        columns: Range<usize>,
        scratch: &mut [f32],
        _training: &Training,
    ) {
        self.forward(y, x, storage, derived, columns, scratch);
    }

    /// Floats of the derived storage, from its start, that [`forward`](Layer::forward) reads.
    fn forward_derived_len(&self) -> usize {
        0
    }

    /// Makes the part of the derived storage that [`forward`](Layer::forward) reads,
    /// `[forward_derived_len]`: for a model that is not in training.
    fn derive_forward(&self, _derived: &mut [f32], _storage: &[f32]) {}

    /// Turns `dy` `[rows, out]`, the gradient of the output, into what [`gradient`](Layer::gradient)
    /// needs, and writes that of the input to `dx` `[rows, in]` unless this is the first layer.
    /// `x` and `y` are those of the forward pass.
    #[allow(clippy::too_many_arguments)] // all are slices of the step's memory
    fn backward(
        &self,
        dx: Option<MatrixMut>,
        dy: MatrixMut,
        x: MatrixRef,
        y: MatrixRef,
        storage: &[f32],
        derived: &[f32],
        scratch: &mut [f32],
    );

    /// [`forward`](Layer::forward) of a layer of two inputs, which has no parameters: `y` `[rows, out]` of
    /// `x`, each `[rows, in]`.
    fn forward_two(&self, _y: MatrixMut, _x: [MatrixRef; 2]) {
        unreachable!("a layer of one input");
    }

    /// [`backward`](Layer::backward) of a layer of two inputs; an input that is the data has no gradient.
    fn backward_two(
        &self,
        _dx: [Option<InputGradient>; 2],
        _dy: MatrixMut,
        _x: [MatrixRef; 2],
        _y: MatrixRef,
    ) {
        unreachable!("a layer of one input");
    }

    /// Inverts [`forward_training`](Layer::forward_training), as [`backward`](Layer::backward).
    #[allow(clippy::too_many_arguments)] // as above
    fn backward_training(
        &self,
        dx: Option<MatrixMut>,
        dy: MatrixMut,
        x: MatrixRef,
        y: MatrixRef,
        storage: &[f32],
        derived: &[f32],
        scratch: &mut [f32],
        _training: &Training,
    ) {
        self.backward(dx, dy, x, y, storage, derived, scratch);
    }

    /// Whether [`backward`](Layer::backward) has work where nobody wants the gradient of the input: it inverts an
    /// activation in `dy`, say.
    fn prepares_gradient(&self) -> bool {
        true
    }

    /// The layer, if its rows in training depend on each other.
    fn as_batch_norm(&self) -> Option<&BatchNorm> {
        None
    }

    /// Lets each unit hold all incoming weights of its outputs, and one of them the whole bias; or lets
    /// units be as small as is fastest. Results do not depend on it.
    fn own_whole_columns(&mut self, _whole: bool) {}

    /// Lets units that read the same inputs follow each other, if the layer owns by inputs at all; or those
    /// of the same outputs. Results do not depend on it.
    fn own_by_inputs(&mut self, _by_inputs: bool) {}

    /// How many pieces the parameters are owned in.
    fn units(&self) -> usize {
        0
    }

    /// Where the parameters of one unit lie in the layer's storage; unused parts are empty.
    fn unit_parts(&self, _unit: usize) -> [Range<usize>; MOST_PARTS] {
        Default::default()
    }

    /// The inputs that the gradient of a unit reads; all, if that depends on nothing.
    fn unit_inputs(&self, _unit: usize) -> Range<usize> {
        0..usize::MAX
    }

    /// What each part of a unit is. Asked only after [`own_whole_columns`](Layer::own_whole_columns).
    fn unit_roles(&self, _unit: usize) -> [Role; MOST_PARTS] {
        [Role::Bias; MOST_PARTS]
    }

    /// Parameters of one unit, padding included.
    fn unit_len(&self, unit: usize) -> usize {
        self.unit_parts(unit).iter().map(Range::len).sum()
    }

    /// Multiply-adds that a unit's gradient takes in the parameters pass, for each row.
    fn unit_work(&self, unit: usize) -> usize {
        self.unit_len(unit)
    }

    /// How many consecutive units read the same output columns, each other inputs.
    fn units_along_inputs(&self) -> usize {
        self.units().max(1)
    }

    /// The gradient of one unit's parameters, summed over rows `x` `[rows, in]` and `dy`
    /// `[rows, out]`, the latter as [`backward`](Layer::backward) left it. `out` `[unit_len]` takes
    /// it in the order of the unit's parts, and carries on from what is there if `resume`. `ahead` is to be
    /// asked for meanwhile.
    fn gradient(
        &self,
        _unit: usize,
        _out: &mut [f32],
        _dy: MatrixRef,
        _x: MatrixRef,
        _resume: bool,
        _ahead: &Ahead,
    ) {
    }

    /// Adds what the gradient of a unit reads, of the same rows, that the gradient of the layer's unit
    /// `before`, if there was one, did not.
    fn await_gradient(
        &self,
        _unit: usize,
        _before: Option<usize>,
        _dy: MatrixRef,
        _x: MatrixRef,
        _ahead: &mut Ahead,
    ) {
    }

    /// Turns what [`gradient`](Layer::gradient) has come to over all rows of a batch, `out` `[unit_len]`,
    /// into the gradient of the unit's parameters, where it is not yet.
    fn finish_gradient(&self, _unit: usize, _out: &mut [f32], _from: &Reader) {}

    /// Whether the gradient of the parameters is computed by [`gradient_of_rows`](Layer::gradient_of_rows),
    /// for a part of the batch each time, and the parts are added up: for few parameters that take
    /// much work for each row.
    fn sums_rows(&self) -> bool {
        false
    }

    /// The gradient of all parameters, summed over rows `x` and `dy` as [`gradient`](Layer::gradient)
    /// gets them. `out` `[storage_len]` takes it as the parameters are stored, and carries on from what
    /// is there if `resume`.
    fn gradient_of_rows(
        &self,
        _out: &mut [f32],
        _dy: MatrixRef,
        _x: MatrixRef,
        _resume: bool,
        _scratch: &mut [f32],
    ) {
    }

    /// Hands `each` all parts of the derived storage that [`derive`](Layer::derive) writes.
    fn derived_parts(&self, _unit: usize, _each: &mut dyn FnMut(Range<usize>)) {}

    /// Brings the derived storage of one unit up to date with its parameters.
    fn derive(&self, _unit: usize, _from: &Derivation) {}
}
