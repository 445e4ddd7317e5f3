//! Layers of sequences, which came after the other tables: the order of the recorded file stays.

use crate::case::Row;
use crate::data::Data::Digits;

pub const RECIPES: &[Row] = &[
    Row {
        // An image row by row, in both directions.
        name: "recurrent-rows",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "rows" },
                { type = "rnn", units = 16, nonlinearity = "relu", bidirectional = true, returns = "all" },
                { type = "gru", units = 7, returns = "last" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            gradient.clip_norm = 0.5
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        // Patches in an order of their own; and shards that own whole columns.
        name: "recurrent-patches",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "conv", channels = 6, kernel = 4, stride = 4 },
                { type = "permute", seed = 3 },
                { type = "lstm", units = 16, bidirectional = true, returns = "last" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            gradient.clip_adaptive = 0.01
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "recurrent-stack",
        data: Digits,
        samples: 24,
        text: r#"
            model.layers = [
                { type = "rows" },
                { type = "gru", units = 16, bidirectional = true },
                { type = "lstm", units = 5, initial = "zeros" },
                { type = "rnn", units = 5, nonlinearity = "tanh", returns = "last" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "lamb", learning_rate = 0.02 }
            train = { epochs = 1, batch = 8 }
        "#,
    },
    Row {
        name: "attention-heads",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "conv", channels = 20, kernel = 4, stride = 4 },
                { type = "sinusoidal-positions" },
                { type = "attention", heads = 4, kv_heads = 2, head_width = 6, causal = true, rotary = true, rotary_base = 100.0, weight_init = "xavier-normal", bias_init = "uniform" },
                { type = "position-dense", units = 24, activation = "gelu", weight_init = "lecun-normal", bias_init = "uniform" },
                { type = "position-dense", units = 9, activation = "relu", bias = false, part = "all" },
                { type = "global-average-pool" },
                { type = "dense", units = 12 },
                { type = "factor-product" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "transformer-blocks",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "conv", channels = 16, kernel = 4, stride = 4 },
                { type = "position-embedding", weight_init = "uniform" },
                { type = "transformer-block", heads = 4, kv_heads = 2, causal = false, rotary = true, hidden = 20, function = "swiglu", norm = "rms", normalise = "after", bias = false, dropout = 0.1 },
                { type = "transformer-block", heads = 2, causal = false, function = "relu", norm = "layer", normalise = "before" },
                { type = "transformer-block", heads = 1, function = "gelu" },
                { type = "transformer-block", heads = 2, function = "silu" },
                { type = "attention", heads = 2, bias = false },
                { type = "rms-norm", epsilon = 0.01 },
                { type = "layer-norm", by_position = true, epsilon = 0.001 },
                { type = "last-position" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adamw", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16, steps_per_epoch = 2 }
        "#,
    },
    Row {
        // Weights of attention that are dropped, and windows that see nothing later.
        name: "attention-dropout",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "rows" },
                { type = "conv-1d", channels = 12, kernel = 3, dilation = 2, padding = "causal", activation = "relu" },
                { type = "attention", heads = 3, causal = true, dropout = 0.2 },
                { type = "transformer-block", heads = 2, attention_dropout = 0.3, dropout = 0.1 },
                { type = "last-position" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        // An encoder and a decoder over patches: twenty of the source, the others of the target.
        name: "encoder-decoder",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "conv", channels = 16, kernel = 4, stride = 4 },
                { type = "position-embedding", weight_init = "uniform" },
                { type = "residual", layers = [{ type = "attention", heads = 2, source = 20, part = "source" }] },
                { type = "transformer-block", heads = 2, causal = false, source = 20, part = "source" },
                { type = "rms-norm", source = 20, part = "source" },
                { type = "decoder-block", heads = 4, kv_heads = 2, source = 20, rotary = true, hidden = 20, function = "swiglu", norm = "rms", normalise = "after", bias = false, dropout = 0.1, attention_dropout = 0.2 },
                { type = "residual", layers = [{ type = "cross-attention", source = 20, heads = 2, kv_heads = 1, head_width = 6, dropout = 0.1, weight_init = "xavier-normal", bias_init = "uniform" }] },
                { type = "cross-attention", source = 20, heads = 2, bias = false },
                { type = "layer-norm", by_position = true, source = 20, part = "target" },
                { type = "position-dense", units = 9, source = 20, part = "target" },
                { type = "global-average-pool" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        // Stacks, states that are trained, and the largest number of each channel.
        name: "recurrent-states",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "rows" },
                { type = "lstm", units = 16, layers = 2, bidirectional = true, dropout = 0.2, initial = "trained" },
                { type = "gru", units = 7, layers = 2, dropout = 0.1, initial = "trained" },
                { type = "rnn", units = 9, layers = 3, dropout = 0.1, initial = "trained" },
                { type = "global-max-pool" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
];
