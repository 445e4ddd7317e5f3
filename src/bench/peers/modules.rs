//! Layers as peers get them: PyTorch's modules.

use serde::Serialize;

use crate::kernels::activation::Activation;
use crate::kernels::image::Window;

/// A layer as PyTorch has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Module {
    Conv {
        inputs: usize,
        outputs: usize,
        #[serde(flatten)]
        window: Sides,
        groups: usize,
        bias: bool,
    },
    ConvTranspose {
        inputs: usize,
        outputs: usize,
        #[serde(flatten)]
        window: Sides,
        output_padding: [usize; 2],
        bias: bool,
    },
    Dense {
        inputs: usize,
        outputs: usize,
        bias: bool,
    },
    MaxPool(Sides),
    /// An average pool, without dilation, which PyTorch's does not have.
    AveragePool(Sides),
    GlobalAveragePool,
    Flatten,
    BatchNorm {
        features: usize,
        /// Whether it normalises images, as `BatchNorm2d` does.
        image: bool,
        epsilon: f64,
        momentum: f64,
    },
    /// Of codes `[samples, positions]`.
    Embedding {
        categories: usize,
        width: usize,
    },
    /// Rows of an image as positions.
    Rows,
    /// A trained vector that is added to each position.
    PositionEmbedding {
        positions: usize,
        channels: usize,
    },
    /// The same of sines and cosines.
    SinusoidalPositions {
        positions: usize,
        channels: usize,
    },
    PositionDense {
        inputs: usize,
        outputs: usize,
        bias: bool,
    },
    /// Of the channels of each position: "layer" or "rms".
    PositionNorm {
        norm: &'static str,
        channels: usize,
        epsilon: f64,
    },
    Recurrent(Recurrent),
    Attention(Attention),
    TransformerBlock(Block),
    Dropout {
        rate: f64,
    },
    /// The mean of all positions, as features.
    MeanPosition,
    /// The last position, as features.
    LastPosition,
    /// All numbers of a sequence, those of a channel together.
    FlattenPositions,
    /// An activation; `parameter` is the slope of leaky-relu, or the alpha of elu.
    Activation {
        name: &'static str,
        parameter: Option<f32>,
    },
}

/// A window, along height and width or along a sequence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sides {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    /// Padding before and after the pixels.
    pub padding: Vec<[usize; 2]>,
    pub dilation: Vec<usize>,
}

impl Sides {
    pub(super) fn of(window: Window) -> Sides {
        let from = usize::from(window.one_dimensional);
        Sides {
            kernel: window.kernel_shape().to_vec(),
            stride: window.stride[from..].to_vec(),
            padding: window.padding[from..].to_vec(),
            dilation: window.dilation[from..].to_vec(),
        }
    }
}

/// A recurrent layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recurrent {
    /// The cell: "lstm", "gru", "rnn".
    pub cell: &'static str,
    pub inputs: usize,
    /// Units of the state, of each direction.
    pub units: usize,
    pub bidirectional: bool,
    /// What comes out: the states at "all" positions, or the "last" one of each direction.
    pub returns: &'static str,
    /// What the sums of the cell "rnn" go through: "tanh", "relu"; absent of the others.
    pub nonlinearity: Option<&'static str>,
}

/// Self-attention with the dense layers before and behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attention {
    pub channels: usize,
    pub heads: usize,
    pub kv_heads: usize,
    /// Numbers of a query.
    pub width: usize,
    pub causal: bool,
    /// The base of the angles by which queries and keys are turned, if they are.
    pub rotary_base: Option<f32>,
    pub bias: bool,
}

/// A Transformer's block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Block {
    #[serde(flatten)]
    pub attention: Attention,
    /// Hidden units of the dense layers.
    pub hidden: usize,
    /// What they go through: "gelu", "relu", "silu", "swiglu".
    pub function: &'static str,
    /// The normalisation of a position: "layer", "rms".
    pub norm: &'static str,
    /// Where it stands: "before" attention and dense layers, or "after" the sums.
    pub normalise: &'static str,
    /// The rate of dropout.
    pub dropout: f64,
}

pub(super) fn activated(activation: Activation) -> Module {
    let parameter = activation.parameter().map(|(_, value)| value);
    Module::Activation { name: activation.name(), parameter }
}
