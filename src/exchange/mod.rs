//! Models in files of other programs: ONNX, and state dicts of PyTorch.

pub mod onnx;
pub mod weights;
