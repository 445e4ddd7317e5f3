//! Models as ONNX files.

pub mod import;
pub mod proto;
