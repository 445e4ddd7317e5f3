//! A graph of ONNX under construction: nodes in order, constants, and a name for each value that no other has.

use std::collections::{BTreeMap, BTreeSet};

use super::attribute;
use crate::exchange::onnx::proto::{AttributeProto, DataType, GraphProto, NodeProto, TensorProto};
use crate::model::NamedTensor;

/// Constants of at most so many bytes are kept once each, however often they are used.
const SHARED_LEN: usize = 64;

/// From this version of the operators on, all reductions have their axes as an input and not as an attribute.
const REDUCTION_INPUTS: i64 = 18;

/// Nodes and constants. Values are known by their names.
pub struct Graph {
    /// The version of the operators.
    pub opset: i64,
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// The shape of each parameter of the model, by its name.
    parameters: BTreeMap<String, Vec<usize>>,
    /// The names of nodes.
    taken: BTreeSet<String>,
    /// The names of small constants, by type, shape and bytes.
    shared: BTreeMap<(i32, Vec<i64>, Vec<u8>), String>,
    constants: usize,
    /// What the nodes that come next belong to.
    module: String,
}

impl Graph {
    /// A graph without nodes that has these parameters of a model, by their names.
    pub fn new(opset: i64, parameters: Vec<NamedTensor>) -> Graph {
        let shapes = parameters.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
        let bytes = |values: Vec<f32>| values.into_iter().flat_map(f32::to_le_bytes).collect();
        let initializer = |NamedTensor { name, shape, values }: NamedTensor| {
            tensor(name, DataType::Float, sizes(&shape), bytes(values))
        };
        Graph {
            opset,
            nodes: Vec::new(),
            initializers: parameters.into_iter().map(initializer).collect(),
            parameters: shapes,
            taken: BTreeSet::new(),
            shared: BTreeMap::new(),
            constants: 0,
            module: String::new(),
        }
    }

    /// Names the nodes that come next after this module.
    pub fn enter(&mut self, module: &str) {
        self.module = module.to_string();
    }

    /// Whether the model has a parameter of this name.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    /// Adds a node of one output. Returns its name.
    pub fn one(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        self.several(op, inputs, 1, attributes).swap_remove(0)
    }

    /// Adds a node of so many outputs. Returns their names. An input that is left out is the empty string.
    pub fn several(
        &mut self,
        op: &str,
        inputs: &[&str],
        outputs: usize,
        attributes: Vec<AttributeProto>,
    ) -> Vec<String> {
        let plain = format!("/{}/{op}", self.module);
        let numbered = |number: usize| if number == 0 { plain.clone() } else { format!("{plain}_{number}") };
        let free = (0..=self.taken.len()).map(numbered).find(|name| !self.taken.contains(name));
        let name = free.unwrap_or(plain.clone());
        self.taken.insert(name.clone());
        let outputs: Vec<String> = (0..outputs).map(|output| format!("{name}_output_{output}")).collect();
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: outputs.clone(),
            name,
            op_type: op.to_string(),
            attribute: attributes,
            ..NodeProto::default()
        });
        outputs
    }

    /// A constant of whole numbers, `[values]`.
    pub fn integers(&mut self, values: &[i64]) -> String {
        self.integers_of(&[values.len()], values)
    }

    /// A constant of whole numbers of this shape.
    pub fn integers_of(&mut self, shape: &[usize], values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DataType::Int64, shape, bytes)
    }

    /// A constant of this shape.
    pub fn floats(&mut self, shape: &[usize], values: &[f32]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DataType::Float, shape, bytes)
    }

    /// A constant of this shape in double precision.
    pub fn doubles(&mut self, shape: &[usize], values: &[f64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(DataType::Double, shape, bytes)
    }

    /// One number without a shape.
    pub fn number(&mut self, value: f32) -> String {
        self.floats(&[], &[value])
    }

    fn constant(&mut self, kind: DataType, shape: &[usize], bytes: Vec<u8>) -> String {
        let shape = sizes(shape);
        let key = (kind as i32, shape.clone(), bytes.clone());
        if let Some(name) = self.shared.get(&key) {
            return name.clone();
        }
        // No parameter begins so, nor does the output of a node, which has a module.
        let name = format!("/constant_{}", self.constants);
        self.constants += 1;
        if bytes.len() <= SHARED_LEN {
            self.shared.insert(key, name.clone());
        }
        self.initializers.push(tensor(name.clone(), kind, shape, bytes));
        name
    }

    /// An operator of two inputs and no settings, such as `Add`.
    pub fn binary(&mut self, op: &str, a: &str, b: &str) -> String {
        self.one(op, &[a, b], Vec::new())
    }

    /// An operator of one input and no settings, such as `Tanh`.
    pub fn unary(&mut self, op: &str, x: &str) -> String {
        self.one(op, &[x], Vec::new())
    }

    /// Another shape; 0 is the size that there is.
    pub fn reshape(&mut self, x: &str, shape: &[i64]) -> String {
        let shape = self.integers(shape);
        self.one("Reshape", &[x, &shape], Vec::new())
    }

    pub fn transpose(&mut self, x: &str, order: &[i64]) -> String {
        self.one("Transpose", &[x], vec![attribute::ints("perm", order)])
    }

    /// Some of the places along an axis.
    pub fn slice(&mut self, x: &str, axis: i64, [start, end]: [usize; 2]) -> String {
        let [start, end, axis] = [start as i64, end as i64, axis].map(|number| self.integers(&[number]));
        self.one("Slice", &[x, &start, &end, &axis], Vec::new())
    }

    /// Parts of these sizes along an axis.
    pub fn split(&mut self, x: &str, axis: i64, parts: &[usize]) -> Vec<String> {
        let sizes = self.integers(&sizes(parts));
        self.several("Split", &[x, &sizes], parts.len(), vec![attribute::int("axis", axis)])
    }

    pub fn concat(&mut self, parts: &[String], axis: i64) -> String {
        match parts {
            [only] => only.clone(),
            _ => {
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.one("Concat", &parts, vec![attribute::int("axis", axis)])
            }
        }
    }

    pub fn unsqueeze(&mut self, x: &str, axis: i64) -> String {
        let axes = self.integers(&[axis]);
        self.one("Unsqueeze", &[x, &axes], Vec::new())
    }

    pub fn squeeze(&mut self, x: &str, axis: i64) -> String {
        let axes = self.integers(&[axis]);
        self.one("Squeeze", &[x, &axes], Vec::new())
    }

    pub fn gather(&mut self, x: &str, places: &str, axis: i64) -> String {
        self.one("Gather", &[x, places], vec![attribute::int("axis", axis)])
    }

    pub fn cast(&mut self, x: &str, to: DataType) -> String {
        self.one("Cast", &[x], vec![attribute::int("to", to as i64)])
    }

    pub fn softmax(&mut self, x: &str) -> String {
        self.one("Softmax", &[x], vec![attribute::int("axis", -1)])
    }

    /// A reduction such as `ReduceMean` over these axes, which stay as axes of size 1 if they are `kept`.
    pub fn reduce(&mut self, op: &str, x: &str, axes: &[i64], kept: bool) -> String {
        let keep = attribute::int("keepdims", i64::from(kept));
        // The sum was the first to have them as an input.
        if self.opset >= REDUCTION_INPUTS || op == "ReduceSum" {
            let axes = self.integers(axes);
            return self.one(op, &[x, &axes], vec![keep]);
        }
        self.one(op, &[x], vec![attribute::ints("axes", axes), keep])
    }

    /// A copy of what a name stands for under another that no node has.
    pub fn rename(&mut self, x: &str, name: &str) {
        self.nodes.push(NodeProto {
            input: vec![x.to_string()],
            output: vec![name.to_string()],
            name: format!("/{name}/Identity"),
            op_type: "Identity".to_string(),
            ..NodeProto::default()
        });
    }

    /// Nodes and constants as a message, without inputs and outputs.
    pub fn finish(self, name: &str) -> GraphProto {
        GraphProto {
            node: self.nodes,
            initializer: self.initializers,
            name: name.to_string(),
            ..GraphProto::default()
        }
    }
}

/// Sizes as the format has them.
fn sizes(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&size| size as i64).collect()
}

fn tensor(name: String, kind: DataType, dims: Vec<i64>, raw_data: Vec<u8>) -> TensorProto {
    TensorProto { dims, data_type: kind as i32, name, raw_data, ..TensorProto::default() }
}
