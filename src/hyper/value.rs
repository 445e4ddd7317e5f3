//! The value of a hyper-parameter.

use std::fmt;

use super::window;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// The value of a hyper-parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum HyperValue {
    Number(f64),
    Single(f32),
    Integer(usize),
    /// Height and width.
    Pair([usize; 2]),
    Choice(bool),
    Name(&'static str),
    /// \[classes\], or none, which is 1 for each class.
    ClassWeights(Vec<f32>),
    Integers(Vec<usize>),
    Activation(Activation),
    Init(Init),
    Window(Window),
}

/// The shortest text that reads back as the value.
impl fmt::Display for HyperValue {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            HyperValue::Choice(choice) => write!(formatter, "{choice}"),
            HyperValue::Integer(integer) => write!(formatter, "{integer}"),
            HyperValue::Pair(pair) => write!(formatter, "{}", window::sides_text(*pair)),
            HyperValue::Name(name) => write!(formatter, "{name}"),
            HyperValue::Number(number) if *number != 0.0 && number.abs() < 1e-3 => {
                write!(formatter, "{number:e}")
            }
            HyperValue::Number(number) => write!(formatter, "{number}"),
            HyperValue::Single(number) if *number != 0.0 && number.abs() < 1e-3 => {
                write!(formatter, "{number:e}")
            }
            HyperValue::Single(number) => write!(formatter, "{number}"),
            HyperValue::ClassWeights(weights) if weights.is_empty() => write!(formatter, "all 1"),
            HyperValue::ClassWeights(weights) => write!(formatter, "{weights:?}"),
            HyperValue::Integers(integers) if integers.is_empty() => write!(formatter, "none"),
            HyperValue::Integers(integers) => write!(formatter, "{integers:?}"),
            HyperValue::Activation(activation) => write!(formatter, "{activation:?}"),
            HyperValue::Init(Init::Zeros) => write!(formatter, "zeros"),
            HyperValue::Init(Init::Normal { mean, deviation }) => {
                write!(formatter, "normal of mean {mean} and deviation {deviation}")
            }
            HyperValue::Init(init) => write!(formatter, "{init:?}"),
            HyperValue::Window(window) => write!(formatter, "{window}"),
        }
    }
}

macro_rules! values {
    ($($type:ty => $variant:ident,)*) => {$(
        impl From<$type> for HyperValue {
            fn from(value: $type) -> HyperValue {
                HyperValue::$variant(value)
            }
        }
    )*};
}

values! {
    f64 => Number,
    f32 => Single,
    usize => Integer,
    [usize; 2] => Pair,
    bool => Choice,
    &'static str => Name,
    Vec<f32> => ClassWeights,
    Vec<usize> => Integers,
    Activation => Activation,
    Init => Init,
    Window => Window,
}
