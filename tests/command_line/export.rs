//! `fallline export`: files that other programs read.

use std::fs;

use fallline::exchange::onnx::proto::ModelProto;
use fallline::{Activation, Model};
use prost::Message;

use crate::common::program::{fails, fallline, succeeds};

fn saved() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::sequential(4).dense(3, Activation::TANH).dense(2, Activation::IDENTITY);
    model.build().unwrap().save(folder.path().join("m.safetensors")).unwrap();
    folder
}

#[test]
fn a_model_becomes_an_onnx_file() {
    let folder = saved();
    let said = succeeds(folder.path(), &["export", "m.safetensors", "--onnx", "m.onnx"]);
    assert_eq!(said, "wrote m.onnx with operators of version 17\n");
    let file = fs::read(folder.path().join("m.onnx")).unwrap();
    let graph = ModelProto::decode(&file[..]).unwrap().graph.unwrap();
    let operators: Vec<&str> = graph.node.iter().map(|node| &*node.op_type).collect();
    assert_eq!(operators, ["Gemm", "Tanh", "Gemm", "Identity"]);
    assert_eq!(graph.node[0].name, "/0/Gemm");
    assert_eq!(graph.node[0].input, ["input", "0.weight", "0.bias"]);

    let newer = ["export", "m.safetensors", "--onnx", "m.onnx", "--opset", "21", "--with-preprocessing"];
    let said = succeeds(folder.path(), &newer);
    assert_eq!(said, "wrote m.onnx with operators of version 21, with preprocessing\n");
    let file = fs::read(folder.path().join("m.onnx")).unwrap();
    let read = ModelProto::decode(&file[..]).unwrap();
    assert_eq!((read.opset_import[0].version, read.ir_version), (21, 10));
    assert_eq!(read.graph.unwrap().output[0].name, "probabilities");
    succeeds(folder.path(), &["import", "m.onnx", "--save", "back.safetensors", "--quiet"]);
    let [own, back] =
        ["m.safetensors", "back.safetensors"].map(|name| fs::read(folder.path().join(name)).unwrap());
    assert!(own == back, "the file of the model that was exported");
}

#[test]
fn what_cannot_be_exported_is_refused_and_nothing_is_left() {
    let folder = saved();
    let old = ["export", "m.safetensors", "--onnx", "m.onnx", "--opset", "12"];
    fails(folder.path(), &old, "expected an integer from 13 to 21, found 12");
    fails(folder.path(), &["export", "m.safetensors", "--onnx", "m.safetensors"], "which is read");
    fs::write(folder.path().join("other.safetensors"), "no model").unwrap();
    fails(folder.path(), &["export", "other.safetensors", "--onnx", "m.onnx"], "other.safetensors");
    let without = fallline(folder.path(), &["export", "m.safetensors"]);
    assert_eq!(without.status.code(), Some(2));
    assert!(!folder.path().join("m.onnx").exists());
}
