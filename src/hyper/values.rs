//! The hyper-parameters of a kind with the values that they have.

use std::fmt;

use super::parameter::{HyperParameter, placed};
use super::value::HyperValue;
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// What a kind of rule, loss or layer lets one set, with the values that are set: of them it makes what it is the kind of.
/// The same mistakes are met alike by all: a key that the kind does not list with a value of this type, asked for by its
/// own author, is a panic.
#[derive(Clone)]
pub struct HyperValues {
    /// The name of the kind.
    kind: &'static str,
    parameters: &'static [HyperParameter],
    /// In the order of the parameters. Where nothing is set, the default beside the values before.
    values: Vec<HyperValue>,
    /// Whether each was set.
    is_set: Vec<bool>,
}

/// A default is as good as the same value. Whose values they are is not compared.
impl PartialEq for HyperValues {
    fn eq(&self, other: &HyperValues) -> bool {
        self.values == other.values
    }
}

impl fmt::Debug for HyperValues {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.debug_map().entries(self.iter().map(|(parameter, value)| (parameter.key, value))).finish()
    }
}

impl HyperValues {
    /// Those of a kind that lets one set nothing.
    pub(crate) const fn none(kind: &'static str) -> HyperValues {
        HyperValues { kind, parameters: &[], values: Vec::new(), is_set: Vec::new() }
    }

    /// All defaults; of what must be set, the least that is possible.
    pub(crate) fn of(kind: &'static str, parameters: &'static [HyperParameter]) -> HyperValues {
        let values = parameters.iter().map(HyperParameter::default).collect();
        let mut all = HyperValues { kind, parameters, values, is_set: vec![false; parameters.len()] };
        all.follow();
        all
    }

    /// With all of them set to these values, as many as there are parameters, and of their types.
    pub(crate) fn all_set(self, values: Vec<HyperValue>) -> HyperValues {
        debug_assert_eq!(values.len(), self.parameters.len());
        HyperValues { is_set: vec![true; values.len()], values, ..self }
    }

    /// Sets the value of this key. Whether it is in its range is found when it is used; `place` is what errors call
    /// whose hyper-parameters these are.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) with the nearest key if there is none of this one;
    /// [`Error::Setting`](crate::Error::Setting) if its value is of another type.
    pub(crate) fn set(&mut self, place: &str, key: &str, value: HyperValue) -> Result<()> {
        let current = |index: usize| self.is_set[index].then(|| self.values[index].clone());
        let (index, value) = placed(self.parameters, place, (key, value), current)?;
        self.put(index, value);
        Ok(())
    }

    /// Sets the value of this number, which is of its type.
    pub(crate) fn put(&mut self, index: usize, value: HyperValue) {
        (self.values[index], self.is_set[index]) = (value, true);
        self.follow();
    }

    /// The number of a key in the list.
    pub(crate) fn index(&self, key: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.key == key)
    }

    /// The same with each of them set: no default follows from other values any more.
    pub(crate) fn resolved(&self) -> HyperValues {
        HyperValues { is_set: vec![true; self.values.len()], ..self.clone() }
    }

    /// The first that must be set and is not.
    pub(crate) fn missing(&self) -> Option<&'static HyperParameter> {
        let mut all = self.parameters.iter().zip(&self.is_set);
        all.find(|(parameter, is_set)| parameter.required && !**is_set).map(|(parameter, _)| parameter)
    }

    /// Those that have a value: of what must be set, only what is.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&'static HyperParameter, &HyperValue)> {
        let all = self.iter().zip(&self.is_set);
        all.filter(|((parameter, _), is_set)| !parameter.required || **is_set).map(|(known, _)| known)
    }

    /// The name of the kind that lists them.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// All of them in their order, each with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'static HyperParameter, &HyperValue)> {
        self.parameters.iter().zip(&self.values)
    }

    /// The value under a key; none if the kind lists no such key.
    pub fn get(&self, key: &str) -> Option<&HyperValue> {
        self.index(key).map(|index| &self.values[index])
    }

    /// The class weights under a key, \[classes\]; or none, if all are 1.
    ///
    /// # Panics
    /// If the kind lists none under this key.
    pub fn class_weights(&self, key: &str) -> &[f32] {
        match self.get(key) {
            Some(HyperValue::ClassWeights(weights)) => weights,
            other => unreachable!("{} has no class weights {key}, but {other:?}", self.kind),
        }
    }

    /// The integers under a key, perhaps none.
    ///
    /// # Panics
    /// If the kind lists none under this key.
    pub fn integers(&self, key: &str) -> &[usize] {
        match self.get(key) {
            Some(HyperValue::Integers(integers)) => integers,
            other => unreachable!("{} has no integers {key}, but {other:?}", self.kind),
        }
    }

    /// Brings the defaults that follow from other values up to date.
    fn follow(&mut self) {
        for index in 0..self.values.len() {
            if !self.is_set[index] {
                self.values[index] = self.parameters[index].default_after(&self.values[..index]);
            }
        }
    }
}

macro_rules! typed {
    ($($what:literal $name:ident $variant:ident $type:ty;)*) => {
        impl HyperValues {$(
            #[doc = concat!("The ", $what, " under a key.")]
            ///
            /// # Panics
            /// If the kind lists none under this key.
            pub fn $name(&self, key: &str) -> $type {
                match self.get(key) {
                    Some(HyperValue::$variant(value)) => *value,
                    other => unreachable!(concat!("{} has no ", $what, " {}, but {:?}"), self.kind, key, other),
                }
            }
        )*}
    };
}

typed! {
    "number" number Number f64;
    "number in single precision" single Single f32;
    "integer" integer Integer usize;
    "choice" choice Choice bool;
    "name" name_of Name &'static str;
    "activation" activation Activation Activation;
    "initialiser" init Init Init;
    "pair of integers" pair Pair [usize; 2];
    "window" window Window Window;
}
