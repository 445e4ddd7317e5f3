//! `decoder-block`: what a Transformer writes a target with, of a source that it has read (Vaswani et al.: Attention Is All You
//! Need, 2017): causal self-attention of the target, attention of the target to the source, and two dense layers at each
//! position, each with a way past it. The source passes through unchanged.

use super::transformer::{self, ATTENTION_DROPOUT, BIAS, DROPOUT, FUNCTION, HEADS, HIDDEN_UNITS, KV_HEADS};
use super::transformer::{NORM, NORMALISE, ROTARY};
use super::{attention, part};
use crate::hyper::{HyperParameter, HyperValue, HyperValues};
use crate::layers::kind::{Input, LayerKind, LayerSettings};
use crate::layers::shape::Shape;

const ABOUT: &[HyperParameter] = &[
    HEADS,
    KV_HEADS,
    HyperParameter::integer(
        "source",
        1,
        [1, part::MOST_POSITIONS],
        "positions of the source, before those of the target",
    )
    .required(),
    ROTARY,
    HIDDEN_UNITS,
    FUNCTION,
    NORM,
    NORMALISE,
    BIAS,
    DROPOUT,
    ATTENTION_DROPOUT,
];

/// What recipes call it.
pub(in crate::layers) static KIND: LayerKind = LayerKind::of_stack("decoder-block", make)
    .formula(
        "x + attention(norm(x)), x + cross-attention(norm(x)), x + W2 gelu(W1 norm(x)), at each position of the target",
    )
    .source("Vaswani et al. 2017; as torch.nn.TransformerDecoderLayer")
    .input(Input::Image)
    .differs_in_training_where(transformer::drops)
    .hyper_parameters(ABOUT)
    .output(transformer::output)
    .fan_in(|_, input| input.channels());

/// The self-attention with its way past it: no name that a recipe knows.
static ATTENTION: LayerKind = LayerKind::of_branch("decoder-attention", |settings, input| {
    transformer::branch(settings, input, vec![("attention", transformer::attention_of(settings))])
})
.input(Input::Image)
.hyper_parameters(ABOUT)
.output(transformer::output);

/// The attention to the source with its own.
static CROSS: LayerKind = LayerKind::of_branch("decoder-cross-attention", |settings, input| {
    transformer::branch(settings, input, vec![("attention", cross_of(settings))])
})
.input(Input::Image)
.hyper_parameters(ABOUT)
.output(transformer::output);

/// The dense layers with theirs.
static DENSE: LayerKind = LayerKind::of_branch("decoder-dense", |settings, input| {
    transformer::branch(settings, input, transformer::dense_of(settings, input))
})
.input(Input::Image)
.hyper_parameters(ABOUT)
.output(transformer::output);

/// The three; where normalisation comes after the sums, each with its own behind it.
fn make(settings: &HyperValues, _: Shape) -> Vec<(&'static str, LayerSettings)> {
    let values = || settings.iter().map(|(_, value)| value.clone()).collect::<Vec<HyperValue>>();
    let parts = [
        ("attend", "attend_norm", &ATTENTION),
        ("cross", "cross_norm", &CROSS),
        ("compute", "compute_norm", &DENSE),
    ];
    let is_after = transformer::is(settings, "normalise", "after");
    let layers = |(name, norm, kind): (&'static str, &'static str, &'static LayerKind)| {
        let behind = is_after.then(|| (norm, transformer::norm(settings)));
        std::iter::once((name, LayerSettings::with_values(kind, values()))).chain(behind)
    };
    parts.into_iter().flat_map(layers).collect()
}

fn cross_of(settings: &HyperValues) -> LayerSettings {
    LayerSettings::of(&attention::CROSS)
        .having("source", settings.integer("source"))
        .having("heads", settings.integer("heads"))
        .having("kv_heads", settings.integer("kv_heads"))
        .having("dropout", settings.number("attention_dropout"))
        .having("bias", settings.choice("bias"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::image::Image;

    /// Normalised before or after, with or without dropout: which layers stand in which order.
    #[test]
    fn layers_stand_in_their_order() {
        let input = Shape::Image(Image::new(1, 9, 8));
        let block = LayerSettings::of(&KIND).having("source", 4usize).having("heads", 2usize);
        let names = |block: &LayerSettings| -> Vec<&str> {
            make(block.values(), input).iter().map(|(name, _)| *name).collect()
        };
        assert_eq!(names(&block), ["attend", "cross", "compute"]);
        let after = block.clone().having("normalise", "after");
        let all = ["attend", "attend_norm", "cross", "cross_norm", "compute", "compute_norm"];
        assert_eq!(names(&after), all);
        let cross = cross_of(block.having("attention_dropout", 0.25).values());
        assert_eq!((cross.values().number("dropout"), cross.values().integer("source")), (0.25, 4));
    }
}
