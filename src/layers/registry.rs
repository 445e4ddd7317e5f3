//! The layers that are known by their names: those that are built in, and those that a program adds.

use super::kind::{LayerKind, OTHERS};
use super::{gated, prelu};
use crate::error::Result;
use crate::kernels::activation;
use crate::registry::Registry;

/// The layers that a table entry describes.
static KINDS: Registry<LayerKind> = Registry::new("layer", built_in, taken);

/// Those that are built in. To add one, add its entry here.
fn built_in() -> Vec<&'static LayerKind> {
    vec![&prelu::KIND, &gated::GLU, &gated::SWIGLU]
}

/// The names of all layers that are not of the table, and what every layer has.
fn taken() -> [Vec<&'static str>; 2] {
    [OTHERS.into_iter().chain(activation::ALL.map(|entry| entry.name)).collect(), vec!["type"]]
}

impl LayerKind {
    /// Makes it known by its name to recipes and saved models that this process reads from now on.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if there is another layer of this name, or the name or a key is one that no recipe can have.
    pub fn register(&'static self) -> Result<()> {
        KINDS.register(self)
    }

    /// That recipes could have its name and its keys, and would not take it for another.
    ///
    /// # Errors
    /// Those of [`register`](LayerKind::register).
    pub(crate) fn check(&'static self) -> Result<()> {
        KINDS.check(self)
    }

    /// The kind of this name, built in or registered.
    pub fn named(name: &str) -> Option<&'static LayerKind> {
        KINDS.named(name)
    }

    /// Those that are built in, then those that are registered.
    pub fn all() -> Vec<&'static LayerKind> {
        KINDS.all()
    }
}
