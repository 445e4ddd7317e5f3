//! What a model consists of, layer by layer; `report` makes a table of it.

/// One layer of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    /// The layer's module, which its tensors' names start with.
    pub name: String,
    /// Such as "dense + relu".
    pub kind: String,
    /// The shape of its output for one sample, such as "128".
    pub output: String,
    /// Trained numbers.
    pub parameters: usize,
    /// Floating-point operations of a training step, per sample.
    pub flops: f64,
}
