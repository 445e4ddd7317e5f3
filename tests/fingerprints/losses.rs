//! Losses that the other tables do not have.

use crate::case::Row;
use crate::data::Data::{Digits, Probabilities};

pub const RECIPES: &[Row] = &[
    Row {
        name: "focal",
        data: Digits,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
            [model.loss]
            type = "focal"
            gamma = 1.5
            alpha = [1, 2, 0.5, 1, 3, 1, 1, 0.25, 1, 1]
        "#,
    },
    Row {
        name: "log-cosh",
        data: Probabilities,
        samples: 60,
        text: r#"
            model.layers = [{ type = "dense", units = 33, activation = "tanh" }, { type = "dense", units = 10 }]
            model.loss = "log-cosh"
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
];
