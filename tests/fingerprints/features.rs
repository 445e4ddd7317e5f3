//! Fixed features, in networks and in front of linear fits.

use crate::case::Row;
use crate::data::Data::{Digits, Few};

pub const RECIPES: &[Row] = &[
    Row {
        // Of both kinds, with gradients that go through them; and averages, which leave alone what is fixed.
        name: "fixed-features",
        data: Digits,
        samples: 48,
        text: r#"
            model.layers = [
                { type = "dense", units = 6, activation = "tanh" },
                { type = "polynomial-features", degree = 3, interactions_only = true },
                { type = "dense", units = 12 },
                { type = "random-fourier-features", components = 37, gamma = 0.3, seed = 5 },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "adamw", learning_rate = 0.003 }
            average = { method = "ema", decay = 0.8 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "polynomial-ridge",
        data: Few,
        samples: 60,
        text: r#"
            model = { kind = "ridge", outputs = 10, penalty = 0.1, features = "polynomial", degree = 3, interactions_only = true }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "fourier-logistic",
        data: Few,
        samples: 60,
        text: r#"
            model = { kind = "logistic", outputs = 10, penalty = 0.01, features = "random-fourier", components = 40, gamma = 0.5, seed = 7 }
            optimizer = { name = "lbfgs", weight_decay = 0.01 }
            train = { epochs = 3 }
        "#,
    },
    Row {
        name: "features-as-they-are",
        data: Few,
        samples: 60,
        text: r#"
            model = { kind = "svm", outputs = 10, features = "none" }
            optimizer = { name = "sgd", learning_rate = 0.02 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
];
