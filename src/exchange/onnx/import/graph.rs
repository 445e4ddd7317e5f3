//! A graph as it is read: nodes in an order in which each comes after those that it reads, constants, input and output.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::super::proto::{DimensionValue, GraphProto, ModelProto, NodeProto, ValueInfoProto};
use super::array::Array;
use super::context::{Call, Context, Value};
use super::flow::{DATA, Flow};
use super::misfit::{Misfit, format_error, shown};
use super::ops;
use super::reading::Reading;
use crate::error::Result;

/// The most nodes that are read: a model has at most a thousand layers.
const MOST_NODES: usize = 1 << 16;

/// Nodes may make so many times the numbers of a file, and some more, of its constants.
const COPIES: usize = 16;
const FEW_NUMBERS: usize = 1 << 22;

/// The oldest version of the operators that is known: the one from which shapes are those of NumPy.
const OLDEST_OPSET: i64 = 7;

/// The domains of ONNX itself.
const STANDARD: [&str; 2] = ["", "ai.onnx"];

/// A graph of one input and one output.
pub struct Graph {
    nodes: Vec<NodeProto>,
    /// The numbers of those that the output follows from.
    order: Vec<usize>,
    constants: HashMap<String, Rc<Array>>,
    pub input: String,
    /// The sizes of the input, those that are known.
    pub sizes: Vec<Option<usize>>,
    output: String,
    opset: i64,
}

/// What came of reading a graph in one way.
pub struct Walked {
    pub context: Context,
    /// The output, if all nodes fit.
    pub end: Option<Flow>,
    pub misfits: Vec<Misfit>,
}

impl Graph {
    /// The graph of a model, whose tensors become arrays.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) for tensors that contradict themselves, several inputs or outputs, values that
    /// no node gives, nodes that read each other in a circle.
    pub fn of(path: &Path, model: ModelProto) -> Result<Graph> {
        let opset = opset(path, &model)?;
        let GraphProto { node, initializer, input, output, .. } = model.graph.unwrap_or_default();
        let mut constants = HashMap::new();
        for mut tensor in initializer {
            let name = std::mem::take(&mut tensor.name);
            let array = Array::of(tensor);
            let array = array.map_err(|fault| fault_of_tensor(path, &name, &fault))?;
            constants.insert(name, Rc::new(array));
        }
        // Older files list the constants among the inputs.
        let inputs: Vec<&ValueInfoProto> =
            input.iter().filter(|input| !constants.contains_key(&input.name)).collect();
        let input = only(path, "inputs", &inputs)?;
        let (input, sizes) = (input.name.clone(), sizes(path, input)?);
        let output = only(path, "outputs", &output.iter().collect::<Vec<_>>())?.name.clone();
        if node.len() > MOST_NODES {
            let expected = format!("at most {MOST_NODES} nodes");
            return Err(format_error(path, "graph", &expected, node.len().to_string()));
        }
        let order = order(path, &node, &constants, &input, &output)?;
        Ok(Graph { nodes: node, order, constants, input, sizes, output, opset })
    }

    /// Reads the graph, its input taken so.
    pub fn walk(&self, reading: &Reading) -> Walked {
        let mut context = Context::new(reading.input, reading.batch);
        let own: usize = self.constants.values().map(|array| array.len()).sum();
        context.most = own.saturating_mul(COPIES).saturating_add(FEW_NUMBERS);
        let mut values: HashMap<&str, Value> = HashMap::new();
        for (name, array) in &self.constants {
            values.insert(name, Value::Constant(array.clone()));
        }
        values.insert(&self.input, Value::Flow(Flow::new(DATA, reading.axes.clone())));
        let read: HashSet<&str> = self
            .order
            .iter()
            .flat_map(|&number| self.nodes[number].input.iter())
            .map(String::as_str)
            .collect();
        let mut misfits = Vec::new();
        for &number in &self.order {
            let node = &self.nodes[number];
            let value = |name: &String| match name.is_empty() {
                true => Value::Absent,
                false => values.get(&**name).cloned().unwrap_or(Value::Unknown),
            };
            let inputs: Vec<Value> = node.input.iter().map(value).collect();
            let mut given = self.given(&mut context, node, number, inputs).unwrap_or_else(|reason| {
                misfits.extend(reason.map(|reason| misfit(node, number, reason)));
                Vec::new()
            });
            let known = given.len();
            given.resize(node.output.len(), Value::Unknown);
            let is_read = |name: &String| read.contains(&**name) || *name == self.output;
            if known > 0 && node.output.iter().skip(known).any(is_read) {
                misfits.push(misfit(node, number, "layers give its first results only".into()));
            }
            values.extend(node.output.iter().map(String::as_str).zip(given));
        }
        let end = match values.remove(&*self.output) {
            Some(Value::Flow(flow)) => Some(flow),
            Some(Value::Unknown) => None,
            _ => {
                let (name, operator) = (self.output.clone(), "output".to_string());
                let reason = "expected a value that follows from the graph's input, found a constant".into();
                misfits.push(Misfit { node: usize::MAX, name, operator, reason });
                None
            }
        };
        Walked { context, end, misfits }
    }

    /// What a node gives; or why it does not fit, which of one that reads such a node is not known.
    fn given(
        &self,
        context: &mut Context,
        node: &NodeProto,
        number: usize,
        inputs: Vec<Value>,
    ) -> Result<Vec<Value>, Option<String>> {
        if !STANDARD.contains(&&*node.domain) {
            return Err(Some(format!(
                "it is no operator of ONNX itself, but one of {}",
                shown(&node.domain)
            )));
        }
        let operation = ops::named(&node.op_type).ok_or_else(|| Some(ops::unknown(&node.op_type)))?;
        if inputs.iter().any(|input| matches!(input, Value::Unknown)) {
            return Err(None);
        }
        // What has no room is told once.
        if context.made > context.most {
            return Err(None);
        }
        let given = operation(context, &Call { node, number, opset: self.opset, inputs }).map_err(Some)?;
        let new = |value: &Value| match value {
            Value::Constant(array) if Rc::strong_count(array) == 1 => array.len(),
            _ => 0,
        };
        context.room(given.iter().map(new).fold(0, usize::saturating_add)).map_err(Some)?;
        Ok(given)
    }

    /// A misfit of the node of this number.
    pub fn misfit(&self, number: usize, reason: String) -> Misfit {
        match self.nodes.get(number) {
            Some(node) => misfit(node, number, reason),
            None => Misfit { node: number, name: self.output.clone(), operator: "output".into(), reason },
        }
    }
}

fn misfit(node: &NodeProto, number: usize, reason: String) -> Misfit {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    let name = name.cloned().unwrap_or_default();
    Misfit { node: number, name, operator: node.op_type.clone(), reason }
}

/// The error about a tensor of this name.
pub fn fault_of_tensor(path: &Path, name: &str, fault: &str) -> crate::Error {
    let (expected, found) = fault.split_once(", found ").unwrap_or((fault, "another"));
    let expected = expected.strip_prefix("expected ").unwrap_or(expected);
    format_error(path, &format!("tensor {}", shown(name)), expected, found)
}

fn opset(path: &Path, model: &ModelProto) -> Result<i64> {
    let standard = model.opset_import.iter().find(|import| STANDARD.contains(&&*import.domain));
    match standard.map(|import| import.version) {
        Some(version) if version >= OLDEST_OPSET => Ok(version),
        found => {
            let found = found.map_or("none".into(), |version| format!("version {version}"));
            let expected = format!("operators of ONNX of version {OLDEST_OPSET} or later");
            Err(format_error(path, "opset_import", &expected, found))
        }
    }
}

fn only<'a>(path: &Path, what: &str, values: &[&'a ValueInfoProto]) -> Result<&'a ValueInfoProto> {
    match values {
        [value] => Ok(value),
        [] => Err(format_error(path, "graph", &format!("one of {what}"), "none")),
        several => {
            let names: Vec<String> = several.iter().take(20).map(|value| shown(&value.name)).collect();
            let found = format!("{}: {}", several.len(), names.join(", "));
            Err(format_error(path, "graph", &format!("one of {what}"), found))
        }
    }
}

/// The sizes of an input; none of a dimension that has only a name.
pub fn sizes(path: &Path, input: &ValueInfoProto) -> Result<Vec<Option<usize>>> {
    let place = format!("input {}", shown(&input.name));
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_ref()) else {
        return Err(format_error(path, &place, "a tensor with its shape", "none"));
    };
    let size = |dimension: &Option<DimensionValue>| match dimension {
        Some(DimensionValue::Size(size)) => match usize::try_from(*size).ok().filter(|&size| size > 0) {
            Some(size) => Ok(Some(size)),
            None => Err(format_error(path, &place, "sizes of at least 1", size.to_string())),
        },
        _ => Ok(None),
    };
    shape.dim.iter().map(|dimension| size(&dimension.value)).collect()
}

/// The nodes that the output follows from, each after those that it reads.
fn order(
    path: &Path,
    nodes: &[NodeProto],
    constants: &HashMap<String, Rc<Array>>,
    input: &str,
    output: &str,
) -> Result<Vec<usize>> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (number, node) in nodes.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            if makers.insert(name, number).is_some() || constants.contains_key(name) || name == input {
                let found = format!("{} twice", shown(name));
                return Err(format_error(path, "graph", "each value once", found));
            }
        }
    }
    let (mut order, mut begun) = (Vec::new(), HashSet::new());
    let mut done = vec![false; nodes.len()];
    let missing = |name: &str| {
        format_error(path, "graph", "values that a node gives", format!("{} from none", shown(name)))
    };
    let is_given = |name: &str| name.is_empty() || constants.contains_key(name) || name == input;
    let Some(&last) = makers.get(output) else {
        return Err(missing(output));
    };
    // A stack of its own: a hostile graph may be deep.
    let mut open = vec![(last, 0)];
    begun.insert(last);
    while let Some((number, next)) = open.pop() {
        let Some(name) = nodes[number].input.get(next) else {
            done[number] = true;
            order.push(number);
            continue;
        };
        open.push((number, next + 1));
        if is_given(name) {
            continue;
        }
        let &maker = makers.get(&**name).ok_or_else(|| missing(name))?;
        if begun.insert(maker) {
            open.push((maker, 0));
        } else if !done[maker] {
            let found = format!("{} from itself", shown(name));
            return Err(format_error(path, "graph", "nodes that do not read each other in a circle", found));
        }
    }
    Ok(order)
}
