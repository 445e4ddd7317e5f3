//! Models as ONNX files.

pub mod export;
pub mod proto;
