//! All update rules, on networks of dense layers, and with them all losses, schedules, activations and
//! initial weights.
//!
//! No setting stands here without an effect; a test takes each away and sees the fingerprint change.

use crate::case::Row;
use crate::data::Data::{Digits, Probabilities};

pub const RECIPES: &[Row] = &[
    Row {
        name: "sgd",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10, weight_init = "zeros", bias_init = "normal" }]
            optimizer = { name = "sgd", learning_rate = 0.05, weight_decay = 0.01 }
            schedule = { name = "constant", scale = 0.5 }
            train = { epochs = 2, batch = 16, shuffle = false }
        "#,
    },
    Row {
        name: "momentum",
        data: Digits,
        samples: 60,
        text: r#"
            data = { scale = 200, mean = 0.1, deviation = 0.3 }
            model.layers = [
                { type = "dense", units = 33, activation = "relu", weight_init = { type = "kaiming-normal", gain = 1.2 } },
                { type = "dense", units = 10, bias = false },
            ]
            [model.loss]
            type = "cross-entropy"
            label_smoothing = 0.1
            class_weights = [1, 2, 0.5, 1, 1, 0, 3, 1, 1, 1]
            [optimizer]
            name = "momentum"
            learning_rate = 0.03
            momentum = 0.8
            dampening = 0.1
            weight_decay = 0.001
            [schedule]
            name = "step"
            every_epochs = 1
            gamma = 0.5
            [train]
            epochs = 4
            batch = 16
            seed = 5
        "#,
    },
    Row {
        name: "momentum-ahead",
        data: Digits,
        samples: 50,
        text: r#"
            model.layers = [
                { type = "dense", units = 16, activation = "relu", weight_init = { type = "constant", value = 0.01 } },
                { type = "dense", units = 10, weight_init = { type = "normal", mean = 0.01, deviation = 0.2 } },
            ]
            optimizer = { name = "momentum", nesterov = true, learning_rate = 0.03 }
            schedule = { name = "step", every_steps = 3 }
            train = { epochs = 2, batch = 10 }
        "#,
    },
    Row {
        name: "nesterov",
        data: Digits,
        samples: 60,
        text: r#"
            [[model.layers]]
            type = "dense"
            units = 40
            activation = { type = "leaky-relu", slope = 0.2 }
            weight_init = "lecun-normal"
            bias_init = { type = "uniform", low = -0.1, high = 0.2 }
            [[model.layers]]
            type = "dense"
            units = 10
            [model]
            loss = "binary-cross-entropy"
            [optimizer]
            name = "nesterov"
            learning_rate = 0.04
            momentum = 0.7
            weight_decay = 0.002
            [schedule]
            name = "multi-step"
            milestones_steps = [3, 6]
            gamma = 0.3
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "adagrad",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = "tanh", weight_init = { type = "xavier-normal", gain = 0.5 } },
                { type = "dense", units = 10 },
            ]
            model.loss = "mean-squared-error"
            [optimizer]
            name = "adagrad"
            learning_rate = 0.05
            learning_rate_decay = 0.1
            initial_accumulator = 0.01
            epsilon = 1e-3
            weight_decay = 0.01
            [schedule]
            name = "exponential"
            every_epochs = 1
            gamma = 0.7
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "rmsprop",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 50, activation = "gelu", weight_init = { type = "kaiming-uniform", gain = 1 } },
                { type = "dense", units = 10 },
            ]
            model.loss = "mean-absolute-error"
            [optimizer]
            name = "rmsprop"
            learning_rate = 0.003
            alpha = 0.9
            epsilon = 1e-3
            momentum = 0.5
            centered = true
            weight_decay = 0.01
            [schedule]
            name = "inverse-time"
            every_steps = 2
            rate = 0.5
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "adadelta",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 48, activation = "silu", weight_init = { type = "uniform", low = -0.05, high = 0.06 } },
                { type = "dense", units = 10 },
            ]
            model.loss = { type = "huber", delta = 0.2 }
            optimizer = { name = "adadelta", learning_rate = 0.7, rho = 0.8, epsilon = 1e-4, weight_decay = 0.01 }
            schedule = { name = "polynomial", power = 2, end_factor = 0.1 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "adam",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = "softplus", weight_init = { type = "xavier-uniform", gain = 0.8 } },
                { type = "dense", units = 10 },
            ]
            model.loss = { type = "hinge", margin = 0.5, squared = true }
            optimizer = { name = "adam", learning_rate = 0.004, beta1 = 0.8, beta2 = 0.99, epsilon = 1e-4, weight_decay = 0.01 }
            schedule = { name = "linear", start_factor = 0.5, end_factor = 0.1, length_epochs = 1 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "amsgrad",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = { type = "elu", alpha = 0.5 }, weight_init = { type = "orthogonal", gain = 0.9 } },
                { type = "dense", units = 10 },
            ]
            model.loss = "kl-divergence"
            optimizer = { name = "amsgrad", learning_rate = 0.004, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-4, weight_decay = 0.01 }
            schedule = { name = "cosine", end_factor = 0.1, length_steps = 5 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "adamw",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = "identity", weight_init = "lecun-uniform" },
                { type = "tanh" },
                { type = "dense", units = 10 },
            ]
            model.loss = "poisson"
            [optimizer]
            name = "adamw"
            learning_rate = 0.004
            beta1 = 0.8
            beta2 = 0.9
            epsilon = 1e-4
            weight_decay = 0.5
            amsgrad = true
            [schedule]
            name = "cosine-restarts"
            first_steps = 3
            multiplier = 2
            end_factor = 0.1
            weight_decay = { name = "linear" }
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "adamax",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = "sigmoid" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adamax", learning_rate = 0.02, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-4, weight_decay = 0.01 }
            [[schedule.sequence]]
            name = "constant"
            length_steps = 3
            [[schedule.sequence]]
            name = "one-cycle"
            pct_start = 0.4
            div_factor = 10
            final_div_factor = 100
            anneal = "linear"
            three_phase = true
            base_momentum = 0.8
            max_momentum = 0.9
            [train]
            epochs = 3
            batch = 16
        "#,
    },
    Row {
        name: "nadam",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            [optimizer]
            name = "nadam"
            learning_rate = 0.004
            beta1 = 0.8
            beta2 = 0.99
            epsilon = 1e-4
            weight_decay = 0.01
            momentum_decay = 0.01
            [schedule]
            name = "plateau"
            factor = 0.5
            patience = 0
            threshold = 1.5
            threshold_mode = "abs"
            cooldown = 1
            min_factor = 0.3
            [train]
            epochs = 7
            batch = 16
        "#,
    },
    Row {
        name: "radam",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "radam", learning_rate = 0.01, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-3, weight_decay = 0.01 }
            [schedule]
            warmup_steps = 2
            warmup_factor = 0.2
            [[schedule.sequence]]
            name = "constant"
            length_steps = 4
            scale = 0.8
            [[schedule.sequence]]
            name = "multi-step"
            length_epochs = 1
            milestones_epochs = [0.5]
            [[schedule.sequence]]
            name = "cosine-restarts"
            first_epochs = 1
            [train]
            epochs = 4
            batch = 16
        "#,
    },
    Row {
        name: "lion",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "lion", learning_rate = 0.001, beta1 = 0.7, beta2 = 0.8, weight_decay = 0.1 }
            gradient = { clip_norm = 0.3 }
            schedule = { name = "one-cycle", anneal = "cos", cycle_momentum = false, warmup_epochs = 1, momentum = { name = "linear", end_factor = 0.5 } }
            train = { epochs = 3, batch = 16 }
        "#,
    },
    Row {
        name: "yogi",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            gradient = { clip_value = 0.01, l1 = 0.001 }
            [optimizer]
            name = "yogi"
            learning_rate = 0.005
            beta1 = 0.8
            beta2 = 0.9
            epsilon = 1e-2
            initial_accumulator = 1e-4
            weight_decay = 0.01
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "adabelief",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            constraint = { clip_weights = 0.06 }
            optimizer = { name = "adabelief", learning_rate = 0.004, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-6, weight_decay = 0.01 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "lamb",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = "relu", bias_init = { type = "constant", value = 0.1 } },
                { type = "layer-norm", epsilon = 0.01, activation = "gelu" },
                { type = "dense", units = 10 },
            ]
            gradient = { clip_norm = 0.5 }
            optimizer = { name = "lamb", learning_rate = 0.01, beta1 = 0.8, beta2 = 0.9, epsilon = 1e-3, weight_decay = 0.1 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "muon",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 70, activation = "relu" },
                { type = "dense", units = 33, activation = "relu" },
                { type = "dense", units = 10 },
            ]
            [optimizer]
            name = "muon"
            learning_rate = 0.01
            momentum = 0.9
            nesterov = false
            adjust_learning_rate = "original"
            weight_decay = 0.2
            newton_schulz_steps = 4
            newton_schulz_a = 3.4
            newton_schulz_b = -4.7
            newton_schulz_c = 2.0
            epsilon = 1.0
            adam_factor = 0.3
            adam_beta1 = 0.8
            adam_beta2 = 0.9
            adam_epsilon = 1e-4
            adam_weight_decay = 0.1
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "muon-all-layers",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "muon", learning_rate = 0.01, adjust_learning_rate = "match-rms-adamw", adam_last_layer = false }
            train = { epochs = 1, batch = 16 }
        "#,
    },
    Row {
        name: "muon-spectral",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 70, activation = "relu" },
                { type = "dense", units = 16, activation = "relu" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "muon", learning_rate = 0.01, adjust_learning_rate = "spectral-unclamped" }
            lookahead = { steps = 2, alpha = 0.7 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "rprop",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 16, activation = "tanh" }, { type = "dense", units = 10 }]
            optimizer = { name = "rprop", learning_rate = 0.02, shrink = 0.4, grow = 1.3, smallest = 0.009, largest = 0.03 }
            train.epochs = 5
        "#,
    },
    Row {
        name: "lbfgs",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 16, activation = "tanh" }, { type = "dense", units = 10 }]
            optimizer = { name = "lbfgs", learning_rate = 0.5, history_size = 2, max_eval = 1, weight_decay = 0.01 }
            train.epochs = 6
        "#,
    },
    Row {
        name: "lbfgs-converged",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "lbfgs", tolerance_change = 0.1 }
            train = { epochs = 30, seed = 2 }
        "#,
    },
    Row {
        name: "lbfgs-flat",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "lbfgs", tolerance_grad = 0.05 }
            train = { epochs = 30, seed = 2 }
        "#,
    },
    Row {
        name: "cg-fletcher-reeves",
        data: Probabilities,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 16, activation = "tanh" }, { type = "dense", units = 10 }]
            optimizer = { name = "cg", formula = "fletcher-reeves", learning_rate = 0.3, max_eval = 3, weight_decay = 0.01 }
            train.epochs = 6
        "#,
    },
    Row {
        name: "cg-hestenes-stiefel",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "cg", formula = "hestenes-stiefel", tolerance_change = 0.02 }
            train = { epochs = 30, seed = 2 }
        "#,
    },
    Row {
        name: "cg-polak-ribiere",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 10 }]
            optimizer = { name = "cg", formula = "polak-ribiere", tolerance_grad = 0.05 }
            train = { epochs = 30, seed = 2 }
        "#,
    },
];
