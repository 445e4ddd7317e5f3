//! Embeddings, which came after the other tables: the order of the recorded file stays.

use crate::case::Row;
use crate::data::Data::{Digits, Probabilities};

pub const RECIPES: &[Row] = &[
    Row {
        // The bytes of a picture as codes of one table, in a sequence.
        name: "embedding-of-a-sequence",
        data: Digits,
        samples: 40,
        text: r#"
            data.scale = 1.0
            model.layers = [
                { type = "embedding", categories = 256, widths = 5, shared = true, weight_init = "uniform" },
                { type = "conv-1d", channels = 8, kernel = 9, stride = 8, activation = "relu" },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        // Tables of several shards behind numbers, with all that acts on whole parameters.
        name: "embedding-of-columns",
        data: Probabilities,
        samples: 40,
        text: r#"
            model.loss = "mean-squared-error"
            model.layers = [
                { type = "dense", units = 20, activation = "softplus" },
                { type = "embedding", categories = [700, 3], widths = [30, 2], weight_init = { type = "normal", deviation = 0.5 } },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "lamb", learning_rate = 0.01 }
            gradient.clip_adaptive = 0.02
            gradient.clip_norm = 0.001
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "embedding-with-momentum",
        data: Probabilities,
        samples: 40,
        text: r#"
            model.loss = "mean-squared-error"
            model.layers = [
                { type = "dense", units = 9, activation = "relu" },
                { type = "embedding", categories = [5, 900, 3] },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "momentum", learning_rate = 0.1 }
            gradient.clip_norm = 0.1
            train = { epochs = 2, batch = 16 }
        "#,
    },
];
