//! What a rule, a loss or a layer lets one set.

use super::range::{Range, integer_text};
use super::value::HyperValue;
use super::window;
use crate::error::{Error, Result};
use crate::init::Init;
use crate::kernels::activation::Activation;

/// The most characters of a name or a key that a table lists.
pub(crate) const LONGEST_NAME: usize = 40;

/// A number, several integers, a choice, a name, an activation, initial values or a window that a rule, a loss or a layer lets one set.
#[derive(Debug)]
pub struct HyperParameter {
    /// The key in recipes; those of a window are its own.
    pub key: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    pub(crate) allowed: Allowed,
    /// Whether a recipe must say it.
    pub(crate) required: bool,
    /// The key of a choice without which it has no meaning.
    pub(crate) needs: Option<&'static str>,
}

/// The default and what else is possible.
#[derive(Debug)]
pub(crate) enum Allowed {
    Number(f64, Range),
    /// A number that is in the range in single precision, too.
    Single(f32, Range),
    /// With the least and the largest that is possible.
    Integer {
        default: usize,
        low: usize,
        high: usize,
    },
    /// Of height and of width, each with the same bounds.
    Pair {
        default: [usize; 2],
        low: usize,
        high: usize,
    },
    Choice(bool),
    /// One of these names.
    Name(&'static str, &'static [&'static str]),
    /// One for each class, none below 0 and one above; or none, which is 1 for each.
    ClassWeights,
    /// At most so many, each between the least and the largest that is possible; by default none.
    Integers {
        most: usize,
        low: usize,
        high: usize,
    },
    Activation(Activation),
    /// Initial weights, by default those that suit the activation.
    WeightInit,
    /// Initial values that need no number of inputs, by default these.
    OwnInit(Init),
    Window {
        one_dimensional: bool,
        /// Whether it moves by its own size where nothing else is said, and by single pixels otherwise.
        pool: bool,
    },
}

impl HyperParameter {
    const fn new(key: &'static str, about: &'static str, allowed: Allowed) -> HyperParameter {
        HyperParameter { key, about, allowed, required: false, needs: None }
    }

    /// A number in double precision, as update rules have them.
    pub const fn number(
        key: &'static str,
        default: f64,
        range: Range,
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Number(default, range))
    }

    /// A number in single precision, as losses have them.
    pub const fn single(
        key: &'static str,
        default: f32,
        range: Range,
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Single(default, range))
    }

    /// An integer between two, both included.
    pub const fn integer(
        key: &'static str,
        default: usize,
        [low, high]: [usize; 2],
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Integer { default, low, high })
    }

    /// An integer for the height and one for the width of an image, each between two, both included. In recipes one by
    /// itself is both.
    pub const fn pair(
        key: &'static str,
        default: [usize; 2],
        [low, high]: [usize; 2],
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Pair { default, low, high })
    }

    /// `true` or `false`.
    pub const fn choice(key: &'static str, default: bool, about: &'static str) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Choice(default))
    }

    /// One of some names.
    pub const fn name(
        key: &'static str,
        default: &'static str,
        names: &'static [&'static str],
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Name(default, names))
    }

    /// A number for each class, none below 0 and one above; 1 for each unless it is set.
    pub const fn class_weights(key: &'static str, about: &'static str) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::ClassWeights)
    }

    /// At most `most` integers between two, both included; none unless they are set. In recipes one by itself will do.
    pub const fn integers(
        key: &'static str,
        most: usize,
        [low, high]: [usize; 2],
        about: &'static str,
    ) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Integers { most, low, high })
    }

    /// An activation with its parameter, in recipes a name or a table; by default the identity.
    pub const fn activation(key: &'static str, about: &'static str) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::Activation(Activation::IDENTITY))
    }

    /// Initial weights, in recipes a name or a table; by default Kaiming's or Xavier's, whichever suits the first
    /// activation that stands before it in the list.
    pub const fn weight_init(key: &'static str, about: &'static str) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::WeightInit)
    }

    /// Initial values of a bias, in recipes a name or a table: such as need no number of inputs; by default zeros.
    pub const fn bias_init(key: &'static str, about: &'static str) -> HyperParameter {
        HyperParameter::init(key, Init::Zeros, about)
    }

    /// The same with another default.
    pub const fn init(key: &'static str, default: Init, about: &'static str) -> HyperParameter {
        HyperParameter::new(key, about, Allowed::OwnInit(default))
    }

    /// A window over images, or sequences, which must be set. In recipes it is four keys: `kernel`, and `stride`,
    /// `padding` and `dilation`, which may be missing; that of a `pool` moves by its own size then. Here its key is
    /// `window`.
    pub const fn window(one_dimensional: bool, pool: bool, about: &'static str) -> HyperParameter {
        HyperParameter::new("window", about, Allowed::Window { one_dimensional, pool }).required()
    }

    /// The same without a default: it must be set.
    pub const fn required(self) -> HyperParameter {
        HyperParameter { required: true, ..self }
    }

    /// The same with a meaning only where the choice under this key, which stands before it in the list, is true.
    pub const fn only_with(self, choice: &'static str) -> HyperParameter {
        HyperParameter { needs: Some(choice), ..self }
    }

    /// The keys that it has in a recipe.
    pub(crate) fn keys(&self) -> &[&'static str] {
        match self.allowed {
            Allowed::Window { .. } => &window::KEYS,
            _ => std::slice::from_ref(&self.key),
        }
    }

    /// Its value where a recipe gives none; of what must be set, the least that is possible.
    pub fn default(&self) -> HyperValue {
        match self.allowed {
            Allowed::Number(default, _) => HyperValue::Number(default),
            Allowed::Single(default, _) => HyperValue::Single(default),
            Allowed::Integer { default, .. } => HyperValue::Integer(default),
            Allowed::Pair { default, .. } => HyperValue::Pair(default),
            Allowed::Choice(default) => HyperValue::Choice(default),
            Allowed::Name(default, _) => HyperValue::Name(default),
            Allowed::ClassWeights => HyperValue::ClassWeights(Vec::new()),
            Allowed::Activation(default) => HyperValue::Activation(default),
            Allowed::WeightInit => HyperValue::Init(Init::before(Activation::IDENTITY)),
            Allowed::Integers { .. } => HyperValue::Integers(Vec::new()),
            Allowed::OwnInit(default) => HyperValue::Init(default),
            Allowed::Window { one_dimensional, .. } => HyperValue::Window(window::smallest(one_dimensional)),
        }
    }

    /// [`default`](HyperParameter::default) beside the values of those before it in the list.
    pub(crate) fn default_after(&self, before: &[HyperValue]) -> HyperValue {
        let activation = |value: &HyperValue| match value {
            HyperValue::Activation(activation) => Some(*activation),
            _ => None,
        };
        match self.allowed {
            Allowed::WeightInit => {
                let activation = before.iter().find_map(activation);
                HyperValue::Init(Init::before(activation.unwrap_or(Activation::IDENTITY)))
            }
            _ => self.default(),
        }
    }

    /// The values that it may have, in words.
    pub fn range(&self) -> String {
        match &self.allowed {
            Allowed::Number(_, range) | Allowed::Single(_, range) => range.text().into(),
            Allowed::Integer { low, high, .. } => integer_text(*low, *high),
            Allowed::Pair { low, high, .. } => {
                format!("{}, or [height, width] of such", integer_text(*low, *high))
            }
            Allowed::Choice(_) => "true or false".into(),
            Allowed::Name(_, names) => format!("one of {}", names.join(", ")),
            Allowed::ClassWeights => "a weight for each class, none below 0 and one above".into(),
            Allowed::Activation(_) => "an activation".into(),
            Allowed::WeightInit => "an initialiser".into(),
            Allowed::OwnInit(_) => "zeros, constant, uniform or normal".into(),
            &Allowed::Integers { most, low, high } => {
                format!("at most {most}, each {}", integer_text(low, high))
            }
            &Allowed::Window { one_dimensional, .. } => {
                let of = if one_dimensional { "sequences" } else { "images" };
                format!("a window over {of}, each side of {}", integer_text(1, window::MOST_PIXELS))
            }
        }
    }

    /// Its keys in a recipe, each with its default, its range and its meaning; what must be set has no default.
    pub fn rows(&self) -> Vec<[String; 4]> {
        let row = |key: &str, default: &str, range: &str, about: &str| {
            [key, default, range, about].map(String::from)
        };
        let Allowed::Window { one_dimensional, pool } = self.allowed else {
            let default = match self.allowed {
                _ if self.required => String::new(),
                Allowed::WeightInit => "by the activation".into(),
                _ => self.default().to_string(),
            };
            return vec![row(self.key, &default, &self.range(), self.about)];
        };
        let several = if one_dimensional { "" } else { ", or [height, width]" };
        let from = |low: usize| format!("{}{several}", integer_text(low, window::MOST_PIXELS));
        let causal = if one_dimensional && !pool { ", or \"causal\"" } else { "" };
        let [sizes, padding] = [from(1), from(0) + ", or each end, or \"same\"" + causal];
        let stride = if pool { "as `kernel`" } else { "1" };
        vec![
            row("kernel", "", &sizes, self.about),
            row("stride", stride, &sizes, "from window to window"),
            row("padding", "0", &padding, "pixels on each side"),
            row("dilation", "1", &sizes, "from pixel to pixel of a window"),
        ]
    }

    /// Whether it may have this value. Of class weights, a number that is not one each may weigh is refused where the
    /// number of classes is known.
    pub fn holds(&self, value: &HyperValue) -> bool {
        match (value, &self.allowed) {
            (HyperValue::Number(value), Allowed::Number(_, range)) => range.contains(*value),
            (HyperValue::Single(value), Allowed::Single(_, range)) => range.contains((*value).into()),
            (HyperValue::Integer(value), Allowed::Integer { low, high, .. }) => (low..=high).contains(&value),
            (HyperValue::Pair(pair), Allowed::Pair { low, high, .. }) => {
                pair.iter().all(|side| (low..=high).contains(&side))
            }
            (HyperValue::Integers(values), &Allowed::Integers { most, low, high }) => {
                values.len() <= most && values.iter().all(|value| (low..=high).contains(value))
            }
            (HyperValue::Choice(_), Allowed::Choice(_)) => true,
            (HyperValue::Name(name), Allowed::Name(_, names)) => names.contains(name),
            (HyperValue::ClassWeights(_), Allowed::ClassWeights)
            | (HyperValue::Activation(_), Allowed::Activation(_))
            | (HyperValue::Init(_), Allowed::WeightInit | Allowed::OwnInit(_))
            | (HyperValue::Window(_), Allowed::Window { .. }) => true,
            _ => false,
        }
    }

    /// The value as it is kept, if it is of the right kind: an integer will do for a number, and for both of a pair.
    pub(crate) fn taken(&self, value: HyperValue) -> Option<HyperValue> {
        match (value, &self.allowed) {
            (HyperValue::Integer(value), Allowed::Number(..)) => Some(HyperValue::Number(value as f64)),
            (HyperValue::Integer(value), Allowed::Single(..)) => Some(HyperValue::Single(value as f32)),
            (HyperValue::Integer(value), Allowed::Pair { .. }) => Some(HyperValue::Pair([value; 2])),
            (HyperValue::Integer(value), Allowed::Integers { .. }) => Some(HyperValue::Integers(vec![value])),
            (HyperValue::Number(value), Allowed::Single(..)) => Some(HyperValue::Single(value as f32)),
            (HyperValue::Single(value), Allowed::Number(..)) => Some(HyperValue::Number(value.into())),
            (HyperValue::Name(name), Allowed::Name(_, names)) => {
                names.contains(&name).then_some(HyperValue::Name(name))
            }
            (HyperValue::Window(window), Allowed::Window { one_dimensional, .. }) => {
                (window.one_dimensional == *one_dimensional).then_some(HyperValue::Window(window))
            }
            (value @ HyperValue::Number(_), Allowed::Number(..))
            | (value @ HyperValue::Activation(_), Allowed::Activation(_))
            | (value @ HyperValue::Init(_), Allowed::WeightInit | Allowed::OwnInit(_))
            | (value @ HyperValue::Integers(_), Allowed::Integers { .. })
            | (value @ HyperValue::Single(_), Allowed::Single(..))
            | (value @ HyperValue::Integer(_), Allowed::Integer { .. })
            | (value @ HyperValue::Pair(_), Allowed::Pair { .. })
            | (value @ HyperValue::Choice(_), Allowed::Choice(_))
            | (value @ HyperValue::ClassWeights(_), Allowed::ClassWeights) => Some(value),
            _ => None,
        }
    }
}

/// The place in the list of a value under this key, and the value as it is kept. `current` tells what was set before.
/// A key of a window changes a part of it, on all sides alike. `place` is what errors call whose parameters these are.
///
/// # Errors
/// [`Error::Unknown`] with the nearest key if there is none of this one; [`Error::Setting`] if its value is of another
/// type.
pub(super) fn placed(
    parameters: &[HyperParameter],
    place: &str,
    (key, value): (&str, HyperValue),
    current: impl Fn(usize) -> Option<HyperValue>,
) -> Result<(usize, HyperValue)> {
    let listed = parameters.iter().position(|parameter| parameter.key == key);
    let Some(index) = listed.or_else(|| parameters.iter().position(|own| own.keys().contains(&key))) else {
        // No key that a table lists is longer.
        let short: String = key.chars().take(LONGEST_NAME).collect();
        let known = parameters.iter().flat_map(|parameter| parameter.keys().iter().copied());
        return Err(Error::unknown(place, "hyper-parameter", &short, known));
    };
    let (parameter, found) = (&parameters[index], value.to_string());
    let refused = |key: &str, expected: String, found: String| {
        Err(Error::Setting { place: place.into(), key: key.into(), expected, found })
    };
    let taken = match (&parameter.allowed, value) {
        (Allowed::Window { one_dimensional, pool }, HyperValue::Integer(pixels)) if listed.is_none() => {
            let window = match current(index) {
                Some(HyperValue::Window(window)) => window,
                _ if key == "kernel" => window::smallest(*one_dimensional),
                _ => return refused("kernel", format!("one before `{key}`"), "nothing".into()),
            };
            Some(HyperValue::Window(window::with_part(window, *pool, key, pixels)))
        }
        (Allowed::Window { .. }, _) if listed.is_none() => {
            return refused(key, "an integer, or all of it as `window`".into(), found);
        }
        (_, value) => parameter.taken(value),
    };
    match taken {
        Some(value) => Ok((index, value)),
        None => refused(key, parameter.range(), found),
    }
}
