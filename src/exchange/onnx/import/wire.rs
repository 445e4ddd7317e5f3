//! How many parts a file has, before it is decoded: a part of two bytes becomes a structure of some hundred, so that a small file
//! of empty parts would take much memory.

use super::array::Fit;

/// The most nodes, tensors, attributes, names and other parts of a file.
pub const MOST_PARTS: usize = 1 << 20;

/// The kinds of message whose parts count, each with the numbers of its fields that are messages or texts, and what those
/// of the former are.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Leaf,
}

impl Message {
    /// What a field of this number holds.
    fn field(self, number: u64) -> Message {
        match (self, number) {
            (Message::Model, 7) | (Message::Attribute, 6) => Message::Graph,
            (Message::Graph, 1) => Message::Node,
            (Message::Node, 5) => Message::Attribute,
            (Message::Graph | Message::Attribute, 5) => Message::Tensor,
            (Message::Graph, 11..=13) => Message::Value,
            (Message::Value, 2) => Message::Type,
            (Message::Type, 1) => Message::TensorType,
            (Message::TensorType, 2) => Message::Shape,
            _ => Message::Leaf,
        }
    }
}

/// Counts the parts of a file.
///
/// # Errors
/// If there are more than [`MOST_PARTS`], or the fields are not those of a protobuf message.
pub fn count(bytes: &[u8]) -> Fit<usize> {
    let mut parts = 0;
    // What is still to be read: messages within each other are few, but a hostile file may have many.
    let mut open = vec![(Message::Model, bytes)];
    while let Some((message, mut bytes)) = open.pop() {
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            match key & 7 {
                0 => drop(varint(&mut bytes)?),
                1 => drop(taken(&mut bytes, 8)?),
                5 => drop(taken(&mut bytes, 4)?),
                2 => {
                    let length = varint(&mut bytes)?;
                    let part = taken(&mut bytes, length)?;
                    parts += 1;
                    match message.field(key >> 3) {
                        Message::Leaf => {}
                        inner => open.push((inner, part)),
                    }
                }
                other => return Err(format!("a field of wire type {other}")),
            }
            if parts > MOST_PARTS {
                return Err(format!("more than {MOST_PARTS} parts"));
            }
        }
    }
    Ok(parts)
}

/// The next number, seven bits in a byte.
fn varint(bytes: &mut &[u8]) -> Fit<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = *taken(bytes, 1)? else { break };
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number of more than 64 bits".into())
}

fn taken<'a>(bytes: &mut &'a [u8], length: u64) -> Fit<&'a [u8]> {
    let split = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let (part, rest) = split.ok_or("the end of the file within a field")?;
    *bytes = rest;
    Ok(part)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::super::proto::{
        AttributeProto, Dimension, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto,
        TensorShapeProto, TensorType, TypeProto, ValueInfoProto,
    };
    use super::*;

    #[test]
    fn parts_within_parts_are_counted() {
        let attribute = AttributeProto { name: "axis".into(), i: Some(1), ..AttributeProto::default() };
        let node = NodeProto { input: vec!["x".into()], attribute: vec![attribute], ..NodeProto::default() };
        let graph = GraphProto { node: vec![node.clone(), node], ..GraphProto::default() };
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        // The graph, and of each of two nodes itself, its input, its attribute and the name of that.
        assert_eq!(count(&model.encode_to_vec()), Ok(1 + 2 * 4));
    }

    #[test]
    fn parts_of_tensors_and_shapes_are_counted() {
        let outside = StringStringEntryProto::default();
        let tensor = TensorProto { external_data: vec![outside; 3], ..TensorProto::default() };
        let shape = TensorShapeProto { dim: vec![Dimension::default(); 5] };
        let kind = TensorType { shape: Some(shape), ..TensorType::default() };
        let kind = TypeProto { tensor_type: Some(kind) };
        let input = ValueInfoProto { r#type: Some(kind), ..ValueInfoProto::default() };
        let graph = GraphProto { initializer: vec![tensor], input: vec![input], ..GraphProto::default() };
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        // The graph; the tensor and its three entries; the input, its type, that of the tensor, the shape, five sizes.
        assert_eq!(count(&model.encode_to_vec()), Ok(1 + 4 + 4 + 5));
    }

    #[test]
    fn small_files_of_many_parts_are_refused() {
        let graph: Vec<u8> = [0x0a, 0x00].repeat(MOST_PARTS + 1);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut file);
        file.extend(graph);
        assert!(count(&file).unwrap_err().starts_with("more than"));
        assert!(count(&[0x3a, 0x05, 0x00]).is_err());
        assert!(count(&[0xff; 20]).is_err());
        assert!(count(&[0x0f]).unwrap_err().ends_with("wire type 7"));
    }
}
