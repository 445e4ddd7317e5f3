//! Networks of dense layers: averages, what is done to gradients and parameters, sizes of batches that take
//! other ways through a step, and what ends a training.
//!
//! No setting stands here without an effect; a test takes each away and sees the fingerprint change.

use crate::case::Row;
use crate::data::Data::{Digits, Probabilities};

pub const RECIPES: &[Row] = &[
    Row {
        name: "moving-average",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "adam", learning_rate = 0.003 }
            average = { method = "ema", decay = 0.7, debias = false, start = 2 }
            train = { epochs = 3, batch = 16 }
        "#,
    },
    Row {
        name: "equal-average",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "adam", learning_rate = 0.003 }
            lookahead = { steps = 3, alpha = 0.6 }
            average = { method = "swa", start = 2 }
            train = { epochs = 4, batch = 16 }
        "#,
    },
    Row {
        name: "whole-columns",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 70, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "momentum", learning_rate = 0.04 }
            gradient = { clip_adaptive = 0.02 }
            constraint = { max_norm = 0.9 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "weight-norm",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 40, activation = "relu", weight_norm = true },
                { type = "dense", units = 10, weight_norm = true, bias = false },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        // Wide enough to be split by features, and weights owned by outputs.
        name: "wide",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 130, activation = "relu" },
                { type = "dense", units = 65, activation = "gelu" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 20 }
        "#,
    },
    Row {
        // Several blocks of rows, and weights of the first layer owned by inputs.
        name: "large-batches",
        data: Digits,
        samples: 700,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "momentum", learning_rate = 0.04 }
            train = { epochs = 2, batch = 300 }
        "#,
    },
    Row {
        // Gradients too large for the caches, which makes the blocks of rows larger.
        name: "large-network",
        data: Digits,
        samples: 600,
        text: r#"
            model.layers = [{ type = "dense", units = 2700, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "momentum", learning_rate = 0.01 }
            train = { epochs = 1, batch = "all" }
        "#,
    },
    Row {
        name: "accumulated",
        data: Digits,
        samples: 100,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "momentum", learning_rate = 0.04 }
            train = { epochs = 2, batch = 16, accumulate = 3 }
        "#,
    },
    Row {
        name: "values",
        data: Probabilities,
        samples: 60,
        text: r#"
            data.mean = 0.2
            model.layers = [{ type = "dense", units = 33, activation = "tanh" }, { type = "dense", units = 10 }]
            model.loss = "mean-squared-error"
            optimizer = { name = "adam", learning_rate = 0.003 }
            schedule = { name = "plateau", patience = 0, threshold = 0.9, threshold_mode = "rel" }
            train = { epochs = 4, batch = 16 }
        "#,
    },
    Row {
        name: "stop-patience",
        data: Digits,
        samples: 80,
        text: r#"
            data = { validation = 0.3, stratified = false }
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "sgd", learning_rate = 0.6 }
            stop = { patience = 1, watch = "accuracy" }
            train = { epochs = 12, batch = 16 }
        "#,
    },
    Row {
        name: "stop-patience-loss",
        data: Digits,
        samples: 80,
        text: r#"
            data.validation = 0.3
            model.layers = [{ type = "dense", units = 40, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "adam", learning_rate = 0.02 }
            stop = { patience = 1, watch = "loss" }
            train = { epochs = 12, batch = 16 }
        "#,
    },
    Row {
        name: "stop-steps",
        data: Digits,
        samples: 60,
        text: r#"
            data.validation = 10
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "sgd", learning_rate = 0.05 }
            stop.steps = 5
            train = { epochs = 3, batch = 16 }
        "#,
    },
    Row {
        name: "stop-accuracy",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "sgd", learning_rate = 0.05 }
            stop.accuracy = 0.5
            train = { epochs = 8, batch = 16 }
        "#,
    },
    Row {
        name: "stop-loss",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "sgd", learning_rate = 0.05 }
            stop.loss = 1.7
            train = { epochs = 8, batch = 16 }
        "#,
    },
    Row {
        name: "stop-gradient-norm",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "sgd", learning_rate = 0.05 }
            stop.gradient_norm = 1.5
            train = { epochs = 8, batch = 16 }
        "#,
    },
    Row {
        name: "stop-tolerance",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "sgd", learning_rate = 0.05 }
            stop = { tolerance = 0.2, tolerance_epochs = 2 }
            train = { epochs = 12, batch = 16 }
        "#,
    },
    Row {
        name: "slopes-and-gates",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 40 },
                { type = "glu", gate = "gelu" },
                { type = "batch-norm" },
                { type = "prelu" },
                { type = "dense", units = 34 },
                { type = "swiglu" },
                { type = "prelu", by_channel = true },
                { type = "dense", units = 80 },
                { type = "glu", gate = "sigmoid" },
                { type = "glu", gate = "relu" },
                { type = "glu", gate = "identity" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "momentum", learning_rate = 0.05 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
];
