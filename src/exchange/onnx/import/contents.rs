//! What is in a file, for those who want to see it before they take it.

use std::collections::{BTreeMap, HashSet};

use super::super::proto::{DataType, DimensionValue, ModelProto, TensorProto, ValueInfoProto};
use super::misfit::shown;

/// An overview of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The program that wrote it, with its version, as it says.
    pub producer: String,
    /// The domains of its operators with their versions; that of ONNX itself is the empty text.
    pub opsets: Vec<(String, i64)>,
    /// Name and shape of each input that is no constant.
    pub inputs: Vec<(String, String)>,
    pub outputs: Vec<(String, String)>,
    /// How many nodes there are of each operator.
    pub operators: Vec<(String, usize)>,
    /// Name, type and shape of each constant of the graph.
    pub tensors: Vec<(String, String, String)>,
}

impl Contents {
    pub(super) fn of(model: &ModelProto) -> Contents {
        let Some(graph) = &model.graph else { return Contents::default() };
        let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| &*tensor.name).collect();
        let mut operators: BTreeMap<String, usize> = BTreeMap::new();
        for node in &graph.node {
            let name = match node.domain.is_empty() {
                true => shown(&node.op_type),
                false => format!("{}.{}", shown(&node.domain), shown(&node.op_type)),
            };
            *operators.entry(name).or_default() += 1;
        }
        let named = |value: &ValueInfoProto| (shown(&value.name), shape_of_value(value));
        let inputs = graph.input.iter().filter(|input| !constants.contains(&*input.name));
        let producer = format!("{} {}", shown(&model.producer_name), shown(&model.producer_version));
        Contents {
            producer: producer.trim().into(),
            opsets: model.opset_import.iter().map(|opset| (shown(&opset.domain), opset.version)).collect(),
            inputs: inputs.map(named).collect(),
            outputs: graph.output.iter().map(named).collect(),
            operators: operators.into_iter().collect(),
            tensors: graph.initializer.iter().map(tensor).collect(),
        }
    }
}

fn tensor(tensor: &TensorProto) -> (String, String, String) {
    let kind = DataType::try_from(tensor.data_type)
        .map_or("another type".into(), |kind| format!("{kind:?}").to_lowercase());
    (shown(&tensor.name), kind, format!("{:?}", tensor.dims))
}

/// The sizes, and the names of those that are not known, in brackets.
fn shape_of_value(value: &ValueInfoProto) -> String {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_ref()) else { return "?".into() };
    let size = |value: &Option<DimensionValue>| match value {
        Some(DimensionValue::Size(size)) => size.to_string(),
        Some(DimensionValue::Name(name)) => shown(name),
        None => "?".into(),
    };
    let sizes: Vec<String> = shape.dim.iter().map(|dimension| size(&dimension.value)).collect();
    format!("[{}]", sizes.join(", "))
}
