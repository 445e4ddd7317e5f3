//! Attention, which exporters write as products, sums and a softmax between them: its layers are not found in a graph.

/// Operators of which attention consists, or that are it.
const OF_ATTENTION: [&str; 5] = ["Attention", "MultiHeadAttention", "Einsum", "RotaryEmbedding", "Trilu"];

/// What there is to do about an operator of attention.
pub fn hint(operator: &str) -> Option<String> {
    OF_ATTENTION.contains(&operator).then(|| by_recipe("it is part of attention"))
}

/// The same about another node that is only found there.
pub fn by_recipe(why: &str) -> String {
    format!(
        "{why}, which is not found in a graph; `--recipe` with such layers takes the parameters by their names"
    )
}
