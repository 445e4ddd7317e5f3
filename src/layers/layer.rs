//! What a layer is to its author: its shape, its parameters, and its two passes.

use std::fmt::Debug;
use std::ops::Range;

use super::derived::Derived;
use super::in_order::Along;
use super::parameter::ParameterSpec;
use super::sharding::{Partitioning, Sharding};
use super::sparse::Sparse;
use crate::kernels::image::Image;
use crate::tensor::{MatrixMut, MatrixRef};

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
    /// The seed of the run.
    pub seed: u64,
    /// The number of the step, from 1.
    pub step: u64,
    /// The layer's number in its model.
    pub layer: usize,
    /// The number of the first row among those of the step.
    pub first: usize,
}

/// What a forward pass of some rows reads and writes.
pub struct Forward<'a> {
    /// The output, `[rows, columns.len()]`, all of which is to be written.
    pub y: MatrixMut<'a>,
    /// The input, `[rows, in]`.
    pub x: MatrixRef<'a>,
    /// The layer's parameters, as [`Layer::parameters`] places them, and what is [fixed](Layer::fixed).
    pub storage: &'a [f32],
    /// What the layer [derives](Derived) from them, or at least what [`Derived::derive_forward`] makes.
    pub derived: &'a [f32],
    /// The columns of the output that are asked for: whole panels of 16 if the layer
    /// [splits its output](Layer::splits_features), else all.
    pub columns: Range<usize>,
    /// `[scratch_len]`, of any content; for a layer that saves something for its backward pass,
    /// `[scratch_len + saved_len(rows)]`.
    pub scratch: &'a mut [f32],
    /// What the rows belong to, if they are trained on; none where a model is in use.
    pub training: Option<&'a Training>,
    /// How many positions of each row count, `[rows]`, from 1; empty where all do.
    pub lengths: &'a [u32],
    /// What is [carried](Layer::carried_len) from the sequence before, `[rows, carried_len]`, and on to the next one: read,
    /// then overwritten. None where each row is a sequence by itself.
    pub carried: Option<MatrixMut<'a>>,
}

/// What a backward pass of some rows reads and writes.
pub struct Backward<'a> {
    /// Where the gradient of the input goes, `[rows, in]`; none where nobody wants it.
    pub dx: Option<MatrixMut<'a>>,
    /// The gradient of the output, `[rows, out]`. It is left as [`Layer::gradient`] wants it.
    pub dy: MatrixMut<'a>,
    /// The input and the output of the forward pass, `[rows, in]` and `[rows, out]`.
    pub x: MatrixRef<'a>,
    pub y: MatrixRef<'a>,
    pub storage: &'a [f32],
    pub derived: &'a [f32],
    /// As the forward pass gets it; what that saved of the same rows is still there.
    pub scratch: &'a mut [f32],
    pub training: Option<&'a Training>,
    /// As the forward pass gets them.
    pub lengths: &'a [u32],
}

/// What the gradient of all parameters, summed over some rows, reads and writes.
pub struct RowsGradient<'a> {
    /// Where it goes, as the parameters are stored; that of padding is 0.
    pub out: &'a mut [f32],
    /// The gradient of the output, `[rows, out]`, as [`Layer::backward`] left it.
    pub dy: MatrixRef<'a>,
    /// The input, `[rows, in]`.
    pub x: MatrixRef<'a>,
    /// Whether it is added to what is in `out`, which else is to be overwritten.
    pub accumulate: bool,
    pub storage: &'a [f32],
    /// As the backward pass gets it.
    pub scratch: &'a mut [f32],
}

/// How many positions of a row count, of so many, by the lengths that a layer is told.
pub(super) fn length_of(lengths: &[u32], row: usize, positions: usize) -> usize {
    lengths.get(row).map_or(positions, |&length| (length as usize).clamp(1, positions))
}

impl Forward<'_> {
    /// Calls `each` with the numbers of each row, `y` `[outputs]` and `x` `[inputs]`, and with the parameters; pads the
    /// output. For layers of features.
    pub fn by_row(mut self, [outputs, inputs]: [usize; 2], mut each: impl FnMut(&mut [f32], &[f32], &[f32])) {
        for row in 0..self.y.rows() {
            let (y, padding) = self.y.row(row).split_at_mut(outputs);
            each(y, &self.x.row(row)[..inputs], self.storage);
            padding.fill(0.0);
        }
    }
}

impl Backward<'_> {
    /// Calls `each` with the numbers of each row, `dx` `[inputs]`, `dy` `[outputs]` and `x` `[inputs]`, and with the
    /// parameters, if the gradient of the input is wanted; pads that. For layers of features.
    pub fn by_row(
        self,
        [outputs, inputs]: [usize; 2],
        mut each: impl FnMut(&mut [f32], &[f32], &[f32], &[f32]),
    ) {
        let (Some(mut dx), dy) = (self.dx, self.dy.as_ref()) else { return };
        for row in 0..dx.rows() {
            let (dx, padding) = dx.row(row).split_at_mut(inputs);
            each(dx, &dy.row(row)[..outputs], &self.x.row(row)[..inputs], self.storage);
            padding.fill(0.0);
        }
    }
}

impl RowsGradient<'_> {
    /// Calls `each` with where the gradient is added up, `[storage_len]`, the numbers of each row, `dy` `[outputs]` and `x`
    /// `[inputs]`, and the parameters. For layers of features.
    pub fn by_row(
        self,
        [outputs, inputs]: [usize; 2],
        mut each: impl FnMut(&mut [f32], &[f32], &[f32], &[f32]),
    ) {
        if !self.accumulate {
            self.out.fill(0.0);
        }
        for row in 0..self.dy.rows() {
            each(self.out, &self.dy.row(row)[..outputs], &self.x.row(row)[..inputs], self.storage);
        }
    }
}

/// A layer of a feed-forward network that reads one input, and each row of a batch by itself.
///
/// Matrices have one row a sample. Their columns are the features, padded with zeros to a multiple of 16; of an
/// [image](crate::kernels::image), those of each pixel are. The first layer's input alone is not padded. A layer
/// writes the zeros that pad its output and the gradient of its input.
///
/// All functions work on the rows they are given, and a row's result depends neither on which other rows these are
/// nor on anything but the arguments: so results are the same for any number of threads.
///
/// ```
/// use fallline::extend::{
///     Backward, Forward, HyperParameter, Input, Layer, LayerKind, ParameterSpec, RowsGradient, Shape, finite,
/// };
/// use fallline::{Init, LayerConfig};
///
/// /// y = w x, with a trained w for each feature.
/// #[derive(Debug)]
/// struct Scaled {
///     features: usize,
///     initial: f32,
/// }
///
/// static SCALED: LayerKind = LayerKind::new("scaled", |settings, input| {
///     Box::new(Scaled { features: input.features(), initial: settings.single("initial") })
/// })
/// .input(Input::Features)
/// .hyper_parameters(&[HyperParameter::single("initial", 1.0, finite(), "what each w begins as")]);
///
/// impl Layer for Scaled {
///     fn outputs(&self) -> usize {
///         self.features
///     }
///     fn parameters(&self) -> Vec<ParameterSpec> {
///         ParameterSpec::in_order([("w", vec![self.features], Init::Constant(self.initial))])
///     }
///     fn forward(&self, pass: Forward) {
///         pass.by_row([self.features; 2], |y, x, w| (0..x.len()).for_each(|i| y[i] = w[i] * x[i]));
///     }
///     fn backward(&self, pass: Backward) {
///         pass.by_row([self.features; 2], |dx, dy, _, w| (0..dy.len()).for_each(|i| dx[i] = w[i] * dy[i]));
///     }
///     fn gradient(&self, pass: RowsGradient) {
///         pass.by_row([self.features; 2], |dw, dy, x, _| (0..dy.len()).for_each(|i| dw[i] += dy[i] * x[i]));
///     }
/// }
///
/// let layer = LayerConfig::of(&SCALED).with("initial", 0.5)?;
/// fallline::testing::check_layer(&layer, Shape::Features(5))?;
/// # Ok::<(), fallline::Error>(())
/// ```
pub trait Layer: Debug + Send + Sync {
    /// The name in tables: "dense + relu". That of the type, unless it says more.
    fn kind(&self) -> String {
        let name = std::any::type_name::<Self>();
        name.rsplit("::").next().unwrap_or(name).to_lowercase()
    }

    /// Features of a sample that come out, padding not counted.
    fn outputs(&self) -> usize;

    /// What comes out, if it is an image.
    fn image(&self) -> Option<Image> {
        None
    }

    /// The parameters, none by default.
    fn parameters(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Tensors that belong to the model and are never trained, behind the parameters in storage: no rule, penalty or
    /// average changes them, and files hold them. None by default.
    fn fixed(&self) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Sets the parameters, and what is fixed, whose initial values follow from those of the others.
    fn complete(&self, _storage: &mut [f32]) {}

    /// Work for one sample; by convention only products count.
    fn flops(&self) -> Flops {
        Flops::default()
    }

    /// Floats of scratch that the functions on rows want, besides what is [saved](Layer::saved_len).
    fn scratch_len(&self) -> usize {
        0
    }

    /// Floats that [`forward`](Layer::forward) of so many rows leaves behind its scratch, which is then so much
    /// longer, for [`backward`](Layer::backward) of the same rows, and that for [`gradient`](Layer::gradient). A network
    /// in which a normalisation by batch follows such a layer is refused when it is built.
    fn saved_len(&self, _rows: usize) -> usize {
        0
    }

    /// Whether a position of the output stands for that of the input, where both have as many: not where their order
    /// changes.
    fn keeps_positions(&self) -> bool {
        true
    }

    /// Floats of a row's state that goes on from one sequence to the next, where a training carries states; none by
    /// default.
    fn carried_len(&self) -> usize {
        0
    }

    /// Rows that take as long as one of them: a power of two up to 16.
    fn rows_at_once(&self) -> usize {
        1
    }

    /// Whether [`forward`](Layer::forward) can be asked for some of the output columns only.
    fn splits_features(&self) -> bool {
        false
    }

    /// Computes the output of some rows.
    fn forward(&self, pass: Forward);

    /// Inverts [`forward`](Layer::forward): computes the gradient of the input, if it is wanted.
    fn backward(&self, pass: Backward);

    /// Whether [`backward`](Layer::backward) has work where nobody wants the gradient of the input: it inverts an
    /// activation in `dy`, say.
    fn prepares_gradient(&self) -> bool {
        true
    }

    /// Sums the gradient of the parameters over some rows.
    fn gradient(&self, _pass: RowsGradient) {}

    /// Whether the gradient of the parameters is computed by [`gradient`](Layer::gradient), for a part of the batch
    /// each time, and the parts are added up: the right way for few parameters that take much work for each row.
    /// Otherwise each shard's owner computes its own over all rows, by [`Sharding::shard_gradient`].
    fn sums_rows(&self) -> bool {
        true
    }

    /// How the parameters are partitioned if nothing is wanted of that; without it one worker updates them all.
    fn sharding(&self) -> Option<&dyn Sharding> {
        None
    }

    /// The partition of one training, which wants this of it: of all layers that have a
    /// [`sharding`](Layer::sharding), and of no other.
    fn partition(&self, _wanted: Partitioning) -> Option<Box<dyn Sharding>> {
        None
    }

    /// What is made of the parameters after each update, such as a transposed copy.
    fn derived(&self) -> Option<&dyn Derived> {
        None
    }

    /// How the output at a position of a sequence follows from the input: so that text can be generated token by token.
    fn along(&self) -> Along<'_> {
        Along::Together
    }

    /// How the layer takes its input without the zeros, if it can and the [partition](Layer::partition) can, too.
    fn sparse(&self) -> Option<&dyn Sparse> {
        None
    }
}
