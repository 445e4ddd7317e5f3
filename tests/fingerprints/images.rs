//! Networks of images: convolutions of all kinds, pools, normalisations, blocks, dropout, augmentation.
//!
//! No setting stands here without an effect; a test takes each away and sees the fingerprint change.

use crate::case::Row;
use crate::data::Data::{Channels, Digits};

pub const RECIPES: &[Row] = &[
    Row {
        // 16 samples in the lanes of a vector: few channels, a pool of 2 x 2 pixels behind.
        name: "lanes",
        data: Digits,
        samples: 52,
        text: r#"
            model.layers = [
                { type = "conv", channels = 6, kernel = 5, activation = "relu" },
                { type = "max-pool", kernel = 2 },
                { type = "conv", channels = 9, kernel = 3, padding = 1 },
                { type = "max-pool", kernel = 2 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "momentum", learning_rate = 0.02 }
            train = { epochs = 1, batch = 20 }
        "#,
    },
    Row {
        name: "windows",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 17, kernel = 3, stride = 2, padding = 5, dilation = 2, activation = "silu" },
                { type = "conv", channels = 20, kernel = 3, padding = 1, activation = { type = "leaky-relu", slope = 0.1 }, bias_init = "uniform" },
                { type = "max-pool", kernel = 3, stride = 2 },
                { type = "conv", channels = 8, kernel = 2, bias = false, weight_init = "orthogonal" },
                { type = "average-pool", kernel = 2, stride = 1 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "separable",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 32, kernel = 1, activation = "relu" },
                { type = "conv", channels = 32, kernel = 3, padding = 1, groups = 32, activation = "relu" },
                { type = "conv", channels = 40, kernel = 1, stride = 2, activation = "gelu" },
                { type = "conv", channels = 80, kernel = 5, stride = 2, padding = 2, groups = 40 },
                { type = "global-average-pool" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "nesterov", learning_rate = 0.02 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "groups",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 12, kernel = 3, groups = 2, activation = "relu" },
                { type = "conv", channels = 18, kernel = 3, groups = 3, activation = "tanh" },
                { type = "average-pool", kernel = 2 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "lamb", learning_rate = 0.01 }
            gradient.clip_adaptive = 0.02
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        // Far more weights than numbers of an image, whose gradient is summed by their owners.
        name: "heavy-kernels",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "max-pool", kernel = 4 },
                { type = "conv", channels = 48, kernel = 3, padding = 1, activation = "relu" },
                { type = "conv", channels = 64, kernel = 3, padding = 1, activation = "relu" },
                { type = "global-average-pool" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "muon", learning_rate = 0.005 }
            constraint.max_norm = 1.5
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        // More parts of a batch than the usual ones.
        name: "large-batch-of-images",
        data: Digits,
        samples: 2100,
        text: r#"
            model.layers = [
                { type = "conv", channels = 4, kernel = 5, stride = 5, activation = "relu" },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 2, batch = "all" }
        "#,
    },
    Row {
        name: "batch-norm",
        data: Channels,
        samples: 50,
        text: r#"
            model.layers = [
                { type = "conv", channels = 12, kernel = 3, bias = false },
                { type = "batch-norm", momentum = 0.3, epsilon = 0.01, activation = "relu" },
                { type = "max-pool", kernel = 2 },
                { type = "conv", channels = 16, kernel = 3, padding = 1, bias = false },
                { type = "batch-norm", activation = "gelu" },
                { type = "flatten" },
                { type = "dense", units = 20 },
                { type = "batch-norm", activation = "tanh" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adamw", learning_rate = 0.003 }
            average = { method = "ema", decay = 0.8 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "batch-norm-first",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "batch-norm", epsilon = 0.1 },
                { type = "dense", units = 33, activation = "relu" },
                { type = "dropout", rate = 0.2 },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "lion", learning_rate = 0.001 }
            train = { epochs = 2, batch = 20, accumulate = 2 }
        "#,
    },
    Row {
        name: "group-norm",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 12, kernel = 3, stride = 2 },
                { type = "group-norm", groups = 3, epsilon = 0.01, activation = "silu" },
                { type = "conv", channels = 18, kernel = 3 },
                { type = "layer-norm", epsilon = 0.01, activation = "relu" },
                { type = "flatten" },
                { type = "dense", units = 24 },
                { type = "group-norm", groups = 4, activation = "elu" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "newer-activations",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 12, kernel = 3, stride = 2, activation = "hard-swish" },
                { type = "flatten" },
                { type = "hard-swish" },
                { type = "dense", units = 30, activation = "mish" },
                { type = "dense", units = 20 },
                { type = "mish" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "activations",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "silu" },
                { type = "dense", units = 40 },
                { type = "leaky-relu", slope = 0.3 },
                { type = "dense", units = 30 },
                { type = "softplus" },
                { type = "dense", units = 30 },
                { type = "elu", alpha = 0.7 },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "activations-of-images",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 9, kernel = 3 },
                { type = "relu" },
                { type = "conv", channels = 10, kernel = 3, stride = 2 },
                { type = "gelu" },
                { type = "sigmoid" },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "residual",
        data: Channels,
        samples: 48,
        text: r#"
            optimizer = { name = "momentum", learning_rate = 0.01 }
            train = { epochs = 1, batch = 16 }
            [[model.layers]]
            type = "residual"
            activation = "relu"
            layers = [
                { type = "conv", channels = 16, kernel = 3, stride = 2, padding = 1, activation = "relu" },
                { type = "conv", channels = 16, kernel = 3, padding = 1 },
                { type = "squeeze-excite", reduction = 4 },
            ]
            shortcut = [{ type = "conv", channels = 16, kernel = 1, stride = 2 }]
            [[model.layers]]
            type = "residual"
            layers = [
                { type = "residual", layers = [{ type = "conv", channels = 16, kernel = 3, padding = 1 }], activation = "tanh" },
                { type = "squeeze-excite", reduction = 8 },
            ]
            [[model.layers]]
            type = "global-average-pool"
            [[model.layers]]
            type = "dense"
            units = 10
        "#,
    },
    Row {
        name: "residual-batch-norm",
        data: Channels,
        samples: 48,
        text: r#"
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
            [[model.layers]]
            type = "conv"
            channels = 12
            kernel = 3
            padding = 1
            [[model.layers]]
            type = "residual"
            activation = "gelu"
            layers = [
                { type = "batch-norm", activation = "relu" },
                { type = "conv", channels = 12, kernel = 3, padding = 1, bias = false },
                { type = "batch-norm", activation = "relu" },
                { type = "conv", channels = 12, kernel = 3, padding = 1 },
            ]
            [[model.layers]]
            type = "average-pool"
            kernel = 7
            [[model.layers]]
            type = "flatten"
            [[model.layers]]
            type = "residual"
            layers = [{ type = "dense", units = 30, activation = "tanh" }, { type = "dense", units = 48 }]
            [[model.layers]]
            type = "dense"
            units = 10
        "#,
    },
    Row {
        name: "dropout",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "dropout", rate = 0.1 },
                { type = "dense", units = 33, activation = "relu" },
                { type = "dropout" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "dropout-of-channels",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 20, kernel = 3, activation = "relu" },
                { type = "dropout", rate = 0.3, channels = true },
                { type = "conv", channels = 8, kernel = 3, stride = 2, activation = "relu" },
                { type = "dropout", rate = 0.3 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "moved",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            augment = { shift = 2.5, rotation = 15, zoom = 0.1, stretch = 0.2, shear = 0.15 }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "elastic",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "conv", channels = 6, kernel = 5, stride = 2, activation = "relu" },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            augment = { elastic = { sigma = 5, alpha = 30 }, noise = 0.1 }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "erased",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            augment = { erase = { probability = 0.8, area = [0.1, 0.3], aspect = [0.5, 2], fill = "random" } }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "erased-and-mixed",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 8, kernel = 3, activation = "relu" },
                { type = "max-pool", kernel = 2 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            model.loss = { type = "cross-entropy", label_smoothing = 0.1 }
            augment = { shift = 1, erase = { fill = "zero" }, mixup = 0.4 }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "mixed",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 70, activation = "relu" }, { type = "dense", units = 10 }]
            model.loss = "binary-cross-entropy"
            augment.mixup = 2.0
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "lanes-of-large-batches",
        data: Digits,
        samples: 330,
        text: r#"
            model.layers = [
                { type = "conv", channels = 4, kernel = 5, stride = 2, activation = "relu" },
                { type = "max-pool", kernel = 2 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 1, batch = 300 }
        "#,
    },
    Row {
        name: "searched-images",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 6, kernel = 3, activation = "tanh" },
                { type = "average-pool", kernel = 2 },
                { type = "layer-norm" },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "lbfgs", weight_decay = 0.001 }
            average = { method = "ema", decay = 0.5 }
            train = { epochs = 4, batch = 16, accumulate = 3 }
        "#,
    },
    Row {
        name: "all-at-once",
        data: Channels,
        samples: 72,
        text: r#"
            augment = { shift = 1, erase = { probability = 0.6 }, mixup = 0.4 }
            gradient = { l1 = 0.001, clip_value = 0.05, clip_adaptive = 0.05, clip_norm = 0.2 }
            constraint = { clip_weights = 0.3, max_norm = 0.9 }
            lookahead = { steps = 3 }
            average = { method = "swa", start = 2 }
            optimizer = { name = "momentum", learning_rate = 0.05, weight_decay = 0.01 }
            train = { epochs = 4, batch = 12, accumulate = 2 }
            [data]
            validation = 12
            mean = 0.1
            [schedule]
            name = "cosine"
            warmup_steps = 2
            momentum = { name = "linear", end_factor = 0.5 }
            weight_decay = { name = "step" }
            [[model.layers]]
            type = "residual"
            activation = "relu"
            layers = [
                { type = "conv", channels = 12, kernel = 3, padding = 1, bias = false },
                { type = "batch-norm", activation = "relu" },
                { type = "squeeze-excite", reduction = 3 },
            ]
            shortcut = [{ type = "conv", channels = 12, kernel = 1, bias = false }, { type = "batch-norm" }]
            [[model.layers]]
            type = "conv"
            channels = 12
            kernel = 3
            stride = 2
            groups = 12
            [[model.layers]]
            type = "dropout"
            rate = 0.1
            [[model.layers]]
            type = "flatten"
            [[model.layers]]
            type = "dense"
            units = 20
            weight_norm = true
            activation = "gelu"
            [[model.layers]]
            type = "dense"
            units = 10
            weight_norm = true
        "#,
    },
    Row {
        name: "whole-parameters-at-once",
        data: Channels,
        samples: 60,
        text: r#"
            augment = { rotation = 10 }
            gradient = { clip_adaptive = 0.05, clip_norm = 0.5 }
            constraint = { max_norm = 1.0 }
            lookahead = { steps = 2 }
            average = { method = "ema", decay = 0.7 }
            optimizer = { name = "muon", learning_rate = 0.02 }
            schedule = { name = "linear" }
            train = { epochs = 2, batch = 10, accumulate = 2 }
            [[model.layers]]
            type = "conv"
            channels = 16
            kernel = 3
            stride = 2
            bias = false
            [[model.layers]]
            type = "group-norm"
            groups = 4
            activation = "relu"
            [[model.layers]]
            type = "flatten"
            [[model.layers]]
            type = "dense"
            units = 70
            weight_norm = true
            activation = "relu"
            [[model.layers]]
            type = "residual"
            layers = [{ type = "dense", units = 70, activation = "relu" }, { type = "dropout", rate = 0.2 }]
            [[model.layers]]
            type = "dense"
            units = 10
        "#,
    },
    Row {
        name: "slopes-and-gates-of-images",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "conv", channels = 6, kernel = 5, stride = 2 },
                { type = "prelu", by_channel = true, slope = 0.1 },
                { type = "conv", channels = 20, kernel = 3, stride = 2 },
                { type = "glu" },
                { type = "conv", channels = 12, kernel = 3 },
                { type = "swiglu" },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.01 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "sides-that-differ",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv", channels = 9, kernel = [5, 3], stride = [1, 2], padding = [2, 0, 1, 1], activation = "relu" },
                { type = "max-pool", kernel = 2 },
                { type = "conv", channels = 24, kernel = [1, 3], dilation = [1, 2], padding = "same", activation = "silu" },
                { type = "max-pool", kernel = [3, 2], stride = 1, padding = [1, 0], dilation = [2, 1] },
                { type = "conv", channels = 24, kernel = [3, 2], padding = [2, 1, 0, 1], groups = 24, activation = "relu" },
                { type = "average-pool", kernel = 3, stride = [2, 1], padding = [1, 1], dilation = [2, 1] },
                { type = "conv", channels = 12, kernel = [2, 1], stride = [1, 2], groups = 3 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "sequences",
        data: Channels,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "conv-1d", channels = 8, kernel = 7, stride = 2, padding = 3, activation = "relu", weight_init = "kaiming-normal" },
                { type = "max-pool-1d", kernel = 3, stride = 2, padding = [1, 0], dilation = 2 },
                { type = "conv-1d", channels = 24, kernel = 3, dilation = 2, padding = "same", bias = false },
                { type = "batch-norm", activation = "relu" },
                { type = "conv-1d", channels = 24, kernel = 5, padding = 2, groups = 24, bias_init = "uniform" },
                { type = "conv-1d", channels = 16, kernel = 1, activation = "gelu" },
                { type = "average-pool-1d", kernel = 4, stride = 3, padding = 1, dilation = 2 },
                { type = "conv-1d", channels = 12, kernel = 3, groups = 4, activation = "tanh" },
                { type = "max-pool-1d", kernel = 2 },
                { type = "average-pool-1d", kernel = 2 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "momentum", learning_rate = 0.02 }
            train = { epochs = 1, batch = 16 }
        "#,
    },
];
