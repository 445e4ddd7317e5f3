//! The request for a profile.

use std::ops::Range;

use crate::model::Recipe;

/// The request for a profile: everything that [`measure`](super::measure()) needs to know.
#[derive(Clone, Debug)]
pub struct Request {
    pub recipe: Recipe,
    pub threads: usize,
    pub length: Length,
    /// The module of a layer, such as "2" or "3.layers.0": the trace then holds it and the layers inside it,
    /// and nothing else. The record always holds all layers.
    pub layer: Option<String>,
    /// Whether the forward pass alone is measured, as in inference, not training.
    pub predict: bool,
    /// Whether the calls of all measured steps are kept, not only their sums.
    pub trace: bool,
    /// Whether hardware counters are read where the system allows it.
    pub counters: bool,
    /// The command line, for the record.
    pub command: String,
}

/// The length of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Length {
    /// Seconds of probed and plain steps together.
    Seconds(f64),
    /// The steps with these numbers, from 0; those before them are run without measuring.
    Steps(Range<u64>),
}

/// Whether a call site of `layer` belongs to the layer with this module, or to one inside it.
pub fn is_part_of(layer: Option<&str>, module: &str) -> bool {
    layer
        .and_then(|layer| layer.strip_prefix(module))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':']))
}

#[cfg(test)]
mod tests {
    use super::is_part_of;

    #[test]
    fn a_layer_has_itself_and_its_parts() {
        for (layer, module, expected) in [
            (Some("3"), "3", true),
            (Some("3.layers.0"), "3", true),
            (Some("3.attend:2"), "3.attend", true),
            (Some("3.attend:2"), "3.attend:1", false),
            (Some("3.layers.0"), "3.layers.0", true),
            (Some("31"), "3", false),
            (Some("3"), "3.layers", false),
            (None, "3", false),
        ] {
            assert_eq!(is_part_of(layer, module), expected, "{layer:?} of {module}");
        }
    }
}
