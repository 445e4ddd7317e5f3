//! Update rules that came after those of `rules.rs`: the order of the recorded file stays.

use crate::case::Row;
use crate::data::Data::Digits;

pub const RECIPES: &[Row] = &[
    Row {
        name: "adan",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            [optimizer]
            name = "adan"
            learning_rate = 0.004
            beta1 = 0.9
            beta2 = 0.8
            beta3 = 0.95
            epsilon = 1e-4
            weight_decay = 0.1
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "schedule-free-adamw",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "dense", units = 33, activation = "relu" },
                { type = "batch-norm" },
                { type = "dense", units = 10 },
            ]
            [optimizer]
            name = "schedule-free-adamw"
            learning_rate = 0.01
            beta1 = 0.8
            beta2 = 0.9
            epsilon = 1e-4
            weight_decay = 0.1
            warmup_steps = 3
            [train]
            epochs = 2
            batch = 16
        "#,
    },
    Row {
        name: "adafactor",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [
                { type = "conv", channels = 5, kernel = 5 },
                { type = "flatten" },
                { type = "dense", units = 37, activation = "relu" },
                { type = "dense", units = 10 },
            ]
            [optimizer]
            name = "adafactor"
            learning_rate = 0.3
            power = 0.7
            epsilon1 = 1e-3
            epsilon2 = 0.02
            threshold = 1.2
            weight_decay = 0.1
            [train]
            epochs = 2
            batch = 16
        "#,
    },
];
