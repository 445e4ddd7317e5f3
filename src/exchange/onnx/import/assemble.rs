//! From the steps of a graph to the layers of a model, with the names of their parameters.

use std::collections::HashSet;
use std::rc::Rc;

use super::array::Array;
use super::context::Context;
use super::flow::{Axis, DATA, Flow, Made, Pending, Steps, What};
use super::ops::fold::{folded_number, scaled_inputs};
use crate::kernels::activation::Activation;
use crate::model::recipe::{LayerConfig, ResidualConfig};

/// Blocks within each other, as recipes bound them.
const DEEPEST: usize = 8;

/// In what a graph ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In outputs for themselves.
    Values,
    Softmax,
    Sigmoid,
}

/// The layers of a graph.
pub struct Assembled {
    pub layers: Vec<LayerConfig>,
    /// Their parameters by the names that files give them.
    pub tensors: Vec<(String, Rc<Array>)>,
    /// What is left out at the end, for the loss has it.
    pub end: End,
    /// Factor and shift of what the samples go through at first.
    pub seen: [f32; 2],
    /// Whether the samples are codes of an embedding.
    pub takes_codes: bool,
}

/// What does not fit: the number of its node, and why.
pub type Faults = Vec<(usize, String)>;

/// The layers behind the input up to a value; a sigmoid at the end stays if it is `kept`.
pub fn assemble(context: &Context, end: &Flow, keeps_sigmoid: bool) -> Result<Assembled, Faults> {
    let steps = &context.steps;
    let mut list = steps.between(DATA, end.step);
    let last = list.last().map(|&step| steps.what(step));
    let found = match last {
        Some(What::Pending(Pending::Softmax(from_end))) if is_of_outputs(&end.axes, *from_end) => {
            End::Softmax
        }
        Some(What::Activation(last)) if *last == Activation::SIGMOID && !keeps_sigmoid => End::Sigmoid,
        _ => End::Values,
    };
    if found != End::Values {
        list.pop();
    }
    let seen = leading(steps, &mut list);
    let mut assembler = Assembler { steps, taken: HashSet::new(), faults: Vec::new() };
    let placed = assembler.chain(&list, 0);
    let mut faults = assembler.faults;
    if end.order.is_some() {
        let node = list.last().map_or(usize::MAX, |&step| steps.get(step).node);
        faults.push((node, "expected outputs channel by channel, found them position by position".into()));
    }
    if placed.is_empty() && faults.is_empty() {
        faults.push((usize::MAX, "expected at least one layer, found none".into()));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let (layers, tensors) = named(placed);
    Ok(Assembled { layers, tensors, end: found, seen, takes_codes: context.takes_codes })
}

/// Whether a dimension, counted from the end, is that of the outputs.
fn is_of_outputs(axes: &[Axis], from_end: usize) -> bool {
    axes.len().checked_sub(from_end).is_some_and(|index| axes[index].is_channels())
}

/// Takes numbers that the samples are multiplied with, or that are added, off the front.
fn leading(steps: &Steps, list: &mut Vec<usize>) -> [f32; 2] {
    let (mut factor, mut shift, mut count) = (1.0, 0.0, 0);
    for &step in list.iter() {
        match steps.what(step) {
            // Samples are divided by a number above 0.
            What::Pending(Pending::Scale(scale)) if *scale > 0.0 => {
                (factor, shift) = (factor * scale, shift * scale);
            }
            What::Pending(Pending::Shift(more)) => shift += more,
            _ => break,
        }
        count += 1;
    }
    list.drain(..count);
    [factor, shift]
}

/// A layer with its parameters.
struct Placed {
    made: Made,
    /// Those of the layers of a block.
    inner: Vec<(String, Rc<Array>)>,
    /// Whether nothing is between its sums and what comes next.
    is_open: bool,
}

struct Assembler<'a> {
    steps: &'a Steps,
    /// Steps, and nodes with parameters, that stand in the model.
    taken: HashSet<(bool, usize)>,
    faults: Faults,
}

impl Assembler<'_> {
    /// The layers of steps one behind the other.
    fn chain(&mut self, list: &[usize], depth: usize) -> Vec<Placed> {
        let mut placed: Vec<Placed> = Vec::new();
        // A factor that goes into the weights behind it.
        let mut factor: Option<(f32, usize)> = None;
        for &number in list {
            let step = self.steps.get(number);
            let node = step.node;
            if !self.take(number) {
                continue;
            }
            match &step.what {
                What::Data => {}
                What::Layer(made) => placed.extend(self.layer(made, node, &mut factor)),
                What::Activation(_) | What::Sum(_) if factor.is_some() => self.lost(factor.take()),
                What::Activation(activation) => activate(&mut placed, *activation),
                What::Sum(branches) => placed.extend(self.block(branches, node, depth)),
                What::Pending(pending) => {
                    if !self.absorb(&mut placed, *pending, node, &mut factor) {
                        self.faults.push((node, reason(*pending)));
                    }
                }
            }
        }
        self.lost(factor);
        placed
    }

    /// Whether a step stands in the model for the first time. Its parameters twice would be trained apart.
    fn take(&mut self, number: usize) -> bool {
        let step = self.steps.get(number);
        let has_parameters = matches!(&step.what, What::Layer(made) if !made.tensors.is_empty());
        let is_first =
            self.taken.insert((false, number)) && (!has_parameters || self.taken.insert((true, step.node)));
        if !is_first {
            let reason = "two branches read it that do not meet in one sum behind it";
            self.faults.push((step.node, reason.into()));
        }
        is_first
    }

    fn lost(&mut self, factor: Option<(f32, usize)>) {
        self.faults.extend(factor.map(|(factor, node)| (node, reason(Pending::Scale(factor)))));
    }

    /// A layer, with the factor of what comes in in its weights; where it has none, the factor goes on.
    fn layer(&mut self, made: &Made, node: usize, factor: &mut Option<(f32, usize)>) -> Option<Placed> {
        let placed = |made| Some(Placed { made, inner: Vec::new(), is_open: true });
        let Some((scale, of)) = *factor else { return placed(made.clone()) };
        if let Some(scaled) = scaled_inputs(made, scale) {
            *factor = None;
            return placed(scaled);
        }
        if scale > 0.0 && made.tensors.is_empty() && made.config.kind() != "dropout" {
            return placed(made.clone());
        }
        *factor = None;
        self.faults.push((of, format!("{} (node number {node})", reason(Pending::Scale(scale)))));
        None
    }

    /// Makes a number a part of the layer before it, or keeps it for the one behind it.
    fn absorb(
        &mut self,
        placed: &mut [Placed],
        pending: Pending,
        node: usize,
        factor: &mut Option<(f32, usize)>,
    ) -> bool {
        let (scale, shift) = match pending {
            Pending::Scale(scale) => (Some(scale), None),
            Pending::Shift(shift) => (None, Some(shift)),
            _ => return false,
        };
        let last = placed.last_mut().filter(|last| last.is_open && factor.is_none());
        if let Some(last) = last
            && let Some(folded) = folded_number(&last.made, scale, shift)
        {
            last.made = folded;
            return true;
        }
        let Some(scale) = scale else { return false };
        *factor = Some((factor.map_or(1.0, |(before, _)| before) * scale, node));
        true
    }

    /// A residual block of two branches.
    fn block(&mut self, branches: &[Vec<usize>; 2], node: usize, depth: usize) -> Option<Placed> {
        if depth == DEEPEST {
            self.faults.push((node, format!("expected blocks up to {DEEPEST} in each other")));
            return None;
        }
        let [main, other] = [&branches[0], &branches[1]].map(|branch| named(self.chain(branch, depth + 1)));
        let prefixed = |list: &'static str, tensors: Vec<(String, Rc<Array>)>| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{list}.{name}"), tensor))
        };
        let inner = prefixed("layers", main.1).chain(prefixed("shortcut", other.1)).collect();
        let block = ResidualConfig { layers: main.0, shortcut: other.0, activation: Activation::IDENTITY };
        let made = Made { config: LayerConfig::Residual(block), tensors: Vec::new() };
        Some(Placed { made, inner, is_open: true })
    }
}

/// Puts an activation at the end of the last layer, if it ends in one, or behind it.
fn activate(placed: &mut Vec<Placed>, activation: Activation) {
    let fused = placed.last().filter(|last| last.is_open).and_then(|last| {
        let config = &last.made.config;
        let ends = config.settings().is_none_or(|settings| {
            let is_each = settings.values().get("by_position") == Some(&true.into());
            settings.values().get("activation").is_some() && !is_each && activation.derivative_from_output()
        });
        ends.then(|| config.clone().with("activation", activation).ok()).flatten()
    });
    match (fused, placed.last_mut()) {
        (Some(config), Some(last)) => (last.made.config, last.is_open) = (config, false),
        _ => {
            let made = Made { config: LayerConfig::activation(activation), tensors: Vec::new() };
            placed.push(Placed { made, inner: Vec::new(), is_open: false });
        }
    }
}

/// Why something has no place in a model.
fn reason(pending: Pending) -> String {
    match pending {
        Pending::Scale(factor) => format!("no layer beside it takes the factor {factor} into its weights"),
        Pending::Shift(shift) => format!("no layer before it takes {shift} into its bias"),
        Pending::Clip([low, high]) => format!("no activation of fallline has the bounds {low} and {high}"),
        Pending::Softmax(_) => "a softmax that is not the end of the network is part of attention, which is not \
                                found in a graph; `--recipe` with such layers takes the parameters by their names"
            .into(),
        Pending::HardSigmoid(_) => "no activation of fallline is it; times x it would be `hard-swish`".into(),
        Pending::Erf | Pending::TwiceGelu => "it is no part of a `gelu` here".into(),
        Pending::SixfoldHardSwish => "it is no part of a `hard-swish` here: that is a sixth of it".into(),
    }
}

/// The layers, and their parameters by the numbers of the modules, as saved models have them.
fn named(placed: Vec<Placed>) -> (Vec<LayerConfig>, Vec<(String, Rc<Array>)>) {
    let (mut layers, mut tensors, mut module) = (Vec::new(), Vec::new(), 0);
    for Placed { made, inner, .. } in placed {
        let own = made.tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor));
        tensors.extend(own.chain(inner).map(|(name, tensor)| (format!("{module}.{name}"), tensor)));
        module += made.config.settings().map_or(1, |settings| settings.modules());
        layers.push(made.config);
    }
    (layers, tensors)
}
