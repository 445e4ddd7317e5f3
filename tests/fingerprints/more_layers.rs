//! Layers that came after the other tables: the order of the recorded file stays.

use crate::case::Row;
use crate::data::Data::Channels;

pub const RECIPES: &[Row] = &[
    Row {
        // An encoder and a decoder, by transposed convolutions and by patches that are added to their places.
        name: "transposed",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 6, kernel = 3, stride = 2, activation = "relu" },
                { type = "conv-transpose", channels = 24, kernel = 3, stride = 2, padding = 1, output_padding = [1, 0], activation = "relu", weight_init = "kaiming-normal" },
                { type = "conv-transpose", channels = 32, kernel = [2, 3], padding = [1, 0, 0, 2], dilation = [2, 1], activation = "silu", bias_init = "uniform" },
                { type = "conv-transpose", channels = 5, kernel = 3, stride = [1, 2], bias = false },
                { type = "max-pool", kernel = 2 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        // At the front, where data are not padded; and far more weights than numbers of an image.
        name: "transposed-data",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv-transpose", channels = 8, kernel = 2, stride = 2, activation = "tanh" },
                { type = "max-pool", kernel = 8 },
                { type = "conv-transpose", channels = 48, kernel = 3, padding = 1, activation = "relu" },
                { type = "conv-transpose", channels = 64, kernel = 3, padding = 1, activation = "relu" },
                { type = "global-average-pool" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "lamb", learning_rate = 0.01 }
            gradient.clip_adaptive = 0.02
            constraint.max_norm = 1.0
            train = { epochs = 1, batch = 16 }
        "#,
    },
];
