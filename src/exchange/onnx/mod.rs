//! Models as ONNX files.

pub mod export;
pub mod import;
pub mod proto;
