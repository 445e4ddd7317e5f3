//! What flows through a graph: values for each sample, with what each dimension means, and the steps that made them.

use std::rc::Rc;

use super::array::{Array, Fit};
use crate::kernels::activation::Activation;
use crate::model::recipe::LayerConfig;

/// What a dimension of a value is, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    Batch,
    /// Of size 1, without a meaning.
    Unit,
    Features(usize),
    Channels(usize),
    Height(usize),
    Width(usize),
    /// Of a sequence.
    Positions(usize),
    /// The directions of a recurrent layer.
    Directions(usize),
    /// Parts of the channels of which each is normalised with all pixels.
    Groups(usize),
    /// The channels of a group at all pixels.
    OfGroup(usize),
}

impl Axis {
    /// The size, but of the batch.
    pub fn size(self) -> Option<usize> {
        Some(match self {
            Axis::Batch => return None,
            Axis::Unit => 1,
            Axis::Features(size)
            | Axis::Channels(size)
            | Axis::Height(size)
            | Axis::Width(size)
            | Axis::Positions(size)
            | Axis::Directions(size)
            | Axis::Groups(size)
            | Axis::OfGroup(size) => size,
        })
    }

    /// Whether it is one of pixels or positions.
    pub fn is_spatial(self) -> bool {
        matches!(self, Axis::Height(_) | Axis::Width(_) | Axis::Positions(_))
    }

    /// Whether it is one of channels or features.
    pub fn is_channels(self) -> bool {
        matches!(self, Axis::Channels(_) | Axis::Features(_))
    }
}

/// A value that follows from the input.
#[derive(Clone, Debug)]
pub struct Flow {
    /// The last step that made it.
    pub step: usize,
    pub axes: Vec<Axis>,
    /// Positions and channels, if its features come position by position: layers have them channel by channel.
    pub order: Option<[usize; 2]>,
    /// The dimensions that it had before some of them were put together, which it may get back.
    pub whole: Option<Vec<Axis>>,
}

impl Flow {
    /// With these dimensions, behind this step.
    pub fn new(step: usize, axes: Vec<Axis>) -> Flow {
        Flow { step, axes, order: None, whole: None }
    }

    /// The same behind another step.
    pub fn behind(&self, step: usize) -> Flow {
        Flow { step, ..self.clone() }
    }

    /// The index of the dimension of the channels, or features, with their number.
    ///
    /// # Errors
    /// If there is none, or those of two directions or of groups lie in dimensions of their own.
    pub fn channels(&self) -> Fit<(usize, usize)> {
        let is_apart = |axis: &Axis| match *axis {
            Axis::Directions(count) => count > 1,
            Axis::Groups(_) | Axis::OfGroup(_) => true,
            _ => false,
        };
        let found = self.axes.iter().position(|axis| axis.is_channels());
        match found.filter(|_| !self.axes.iter().any(is_apart)) {
            Some(index) => Ok((index, self.axes[index].size().unwrap_or(1))),
            None => {
                Err(format!("expected channels or features in one dimension, found {}", self.described()))
            }
        }
    }

    /// The sizes of the dimensions of pixels or positions.
    pub fn spatial(&self) -> Vec<usize> {
        self.axes.iter().filter(|axis| axis.is_spatial()).filter_map(|axis| axis.size()).collect()
    }

    /// The numbers of a sample, at most as many as can be counted.
    pub fn numbers(&self) -> usize {
        product(self.axes.iter().filter_map(|axis| axis.size()))
    }

    /// The index that an operator means by one that may count from the end.
    pub fn axis(&self, axis: i64) -> Fit<usize> {
        index(axis, self.axes.len())
    }

    /// The dimensions in words.
    pub fn described(&self) -> String {
        let word = |axis: &Axis| match axis {
            Axis::Batch => "batch".to_string(),
            Axis::Unit => "1".into(),
            Axis::Features(size) => format!("{size} features"),
            Axis::Channels(size) => format!("{size} channels"),
            Axis::Height(size) => format!("height {size}"),
            Axis::Width(size) => format!("width {size}"),
            Axis::Positions(size) => format!("{size} positions"),
            Axis::Directions(size) => format!("{size} directions"),
            Axis::Groups(size) => format!("{size} groups"),
            Axis::OfGroup(size) => format!("{size} of a group"),
        };
        format!("[{}]", self.axes.iter().map(word).collect::<Vec<_>>().join(", "))
    }
}

/// The product of sizes, at most what can be counted: paddings and windows of a hostile file may make any.
pub fn product(sizes: impl IntoIterator<Item = usize>) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// The index among so many that a number means which may count from the end.
pub fn index(number: i64, count: usize) -> Fit<usize> {
    let from_end = i64::try_from(count).map(|count| number.saturating_add(count));
    let found = if number < 0 { from_end.unwrap_or(-1) } else { number };
    let found = usize::try_from(found).ok().filter(|&found| found < count);
    found.ok_or_else(|| format!("expected one of {count} dimensions, found number {number}"))
}

/// A layer with its parameters by their names in its module.
#[derive(Clone, Debug)]
pub struct Made {
    pub config: LayerConfig,
    pub tensors: Vec<(&'static str, Rc<Array>)>,
}

/// Something that is a part of a layer, or nothing that a layer does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pending {
    /// Times a number.
    Scale(f32),
    /// And a number.
    Shift(f32),
    Clip([f32; 2]),
    Erf,
    /// Slope and shift.
    HardSigmoid([f32; 2]),
    /// Over this dimension, counted from the end, 1 the last.
    Softmax(usize),
    /// Twice the Gaussian error linear unit.
    TwiceGelu,
    /// Six times the hard swish.
    SixfoldHardSwish,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum What {
    /// The input.
    Data,
    Layer(Rc<Made>),
    Activation(Activation),
    /// The sum of what two lists of steps make of the step before.
    Sum([Vec<usize>; 2]),
    Pending(Pending),
}

/// Something that is done to what another step gives.
#[derive(Clone, Debug)]
pub struct Step {
    pub before: usize,
    /// Steps from the input on.
    pub depth: usize,
    /// The number of the node that it is for.
    pub node: usize,
    pub what: What,
}

/// The number of the input among the steps.
pub const DATA: usize = 0;

/// The most steps of a branch: more than a model has layers.
const LONGEST_BRANCH: usize = 4096;

/// All steps, each of which comes after the one before it.
#[derive(Debug)]
pub struct Steps(Vec<Step>);

impl Default for Steps {
    fn default() -> Steps {
        Steps(vec![Step { before: DATA, depth: 0, node: usize::MAX, what: What::Data }])
    }
}

impl Steps {
    /// Adds a step; returns its number.
    pub fn push(&mut self, before: usize, node: usize, what: What) -> usize {
        let depth = self.0[before].depth + 1;
        self.0.push(Step { before, depth, node, what });
        self.0.len() - 1
    }

    pub fn get(&self, step: usize) -> &Step {
        &self.0[step]
    }

    pub fn what(&self, step: usize) -> &What {
        &self.0[step].what
    }

    /// The steps behind `from` up to `to`, which follows from it.
    pub fn between(&self, from: usize, to: usize) -> Vec<usize> {
        let mut steps = Vec::new();
        let mut step = to;
        while step != from {
            steps.push(step);
            step = self.0[step].before;
        }
        steps.reverse();
        steps
    }

    /// The last step that both follow from, and the steps from there to each.
    ///
    /// # Errors
    /// If there are too many.
    pub fn branches(&self, [a, b]: [usize; 2]) -> Fit<(usize, [Vec<usize>; 2])> {
        let (mut left, mut right, mut walked) = (a, b, 0);
        while left != right {
            match self.0[left].depth >= self.0[right].depth {
                true => left = self.0[left].before,
                false => right = self.0[right].before,
            }
            walked += 1;
            if walked > LONGEST_BRANCH {
                return Err(format!("expected branches of at most {LONGEST_BRANCH} operators, found more"));
            }
        }
        Ok((left, [self.between(left, a), self.between(left, b)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_meet_where_they_parted() {
        let mut steps = Steps::default();
        let first = steps.push(DATA, 0, What::Activation(Activation::RELU));
        let left = steps.push(first, 1, What::Activation(Activation::TANH));
        let right = steps.push(first, 2, What::Activation(Activation::SIGMOID));
        let end = steps.push(right, 3, What::Activation(Activation::RELU));
        assert_eq!(steps.branches([left, end]), Ok((first, [vec![left], vec![right, end]])));
        assert_eq!(steps.branches([first, end]), Ok((first, [vec![], vec![right, end]])));
        assert_eq!(steps.branches([DATA, DATA]), Ok((DATA, [vec![], vec![]])));
    }

    #[test]
    fn dimensions_count_from_the_end_too() {
        assert_eq!((index(-1, 3), index(2, 3), index(0, 1)), (Ok(2), Ok(2), Ok(0)));
        assert!(index(3, 3).is_err() && index(-4, 3).is_err() && index(i64::MIN, 3).is_err());
    }
}
