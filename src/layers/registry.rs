//! The layers that are known by their names: those that are built in, and those that a program adds.

use super::entries::{
    attention, convolution, decoder, dense, embedding, features, normalisation, position, recurrent,
    squeeze_excite, tied, transformer, transposed,
};
use super::kind::{Ending, LayerKind};
use super::{dropout, elementwise, factors, flatten, gated, pool, positions, prelu, squared_distances};
use crate::error::Result;
use crate::hyper::{Allowed, HyperParameter};
use crate::kernels::activation::Activation;
use crate::registry::Registry;

/// What recipes have as a layer and the table has not, for it holds lists of layers.
pub const RESIDUAL: &str = "residual";

static KINDS: Registry<LayerKind> = Registry::new("layer", built_in, taken);

/// Those that are built in. To add one, add its entry here.
fn built_in() -> Vec<&'static LayerKind> {
    let before_activations = [
        &dense::KIND,
        &convolution::CONV,
        &convolution::CONV_1D,
        &transposed::KIND,
        &pool::MAX,
        &pool::MAX_1D,
        &pool::AVERAGE,
        &pool::AVERAGE_1D,
        &pool::GLOBAL_AVERAGE,
        &pool::GLOBAL_MAX,
        &flatten::KIND,
        &squeeze_excite::KIND,
        &normalisation::BATCH,
        &normalisation::LAYER,
        &normalisation::GROUP,
        &dropout::KIND,
    ];
    let trained = [&prelu::KIND, &gated::GLU, &gated::SWIGLU, &squared_distances::KIND, &embedding::KIND];
    let fixed = [&features::POLYNOMIAL, &features::FOURIER];
    let of_sequences = [
        &position::DENSE,
        &tied::KIND,
        &normalisation::RMS,
        &positions::LEARNED,
        &positions::SINUSOIDAL,
        &recurrent::RNN,
        &recurrent::LSTM,
        &recurrent::GRU,
        &attention::KIND,
        &transformer::KIND,
        &attention::CROSS,
        &decoder::KIND,
        &positions::ROWS,
        &positions::PERMUTED,
        &positions::LAST,
        &factors::KIND,
    ];
    let others = trained.into_iter().chain(fixed).chain(of_sequences);
    before_activations.into_iter().chain(elementwise::kinds()).chain(others).collect()
}

/// Names that mean something else, and what every layer has.
fn taken() -> [Vec<&'static str>; 2] {
    [vec![RESIDUAL, Activation::IDENTITY.name()], vec!["type"]]
}

impl LayerKind {
    /// Makes it known by its name to recipes and saved models that this process reads from now on.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there is another layer of this name, or the name or a key is one that no recipe can have.
    pub fn register(&'static self) -> Result<()> {
        self.check()?;
        KINDS.register(self)
    }

    /// That recipes could have its name and its keys, and would not take it for another.
    ///
    /// # Errors
    /// Those of [`register`](LayerKind::register).
    pub(crate) fn check(&'static self) -> Result<()> {
        let is_end =
            |own: &HyperParameter| own.key == "activation" && matches!(own.allowed, Allowed::Activation(_));
        if self.ending != Ending::None && !self.about().2.iter().any(is_end) {
            let expected = "an activation, in which the layer ends".into();
            return Err(KINDS.wrong(self, "activation", expected, "none".into()));
        }
        KINDS.check(self)
    }

    /// The kind of this name, built in or registered.
    pub fn named(name: &str) -> Option<&'static LayerKind> {
        KINDS.named(name)
    }

    /// The kind of this name, if it is built in.
    pub fn built_in(name: &str) -> Option<&'static LayerKind> {
        built_in().into_iter().find(|kind| kind.name() == name)
    }

    /// Those that are built in, then those that are registered.
    pub fn all() -> Vec<&'static LayerKind> {
        KINDS.all()
    }
}
