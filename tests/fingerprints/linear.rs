//! Linear fits.

use crate::case::Row;
use crate::data::Data::Digits;

pub const RECIPES: &[Row] = &[
    Row {
        name: "linear",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "linear", outputs = 10 }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "ridge",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "ridge", outputs = 10, penalty = 0.5 }
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "ridge-searched",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "ridge", outputs = 10, penalty = 0.5 }
            optimizer = { name = "lbfgs" }
            train = { epochs = 3 }
        "#,
    },
    Row {
        name: "lasso",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "lasso", outputs = 10, penalty = 0.02 }
            optimizer = { name = "nesterov", learning_rate = 0.01 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "logistic",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "logistic", outputs = 10, penalty = 0.1 }
            optimizer = { name = "sgd", learning_rate = 0.05 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "svm",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "svm", outputs = 10, penalty = 0.1, loss = "hinge" }
            optimizer = { name = "sgd", learning_rate = 0.05 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "svm-squared",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "svm", outputs = 10, penalty = 0.1, loss = "squared-hinge" }
            optimizer = { name = "sgd", learning_rate = 0.02 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "huber-fit",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "huber", outputs = 10, penalty = 0.1, delta = 0.3 }
            optimizer = { name = "momentum", learning_rate = 0.02 }
            train = { epochs = 2, batch = 16 }
        "#,
    },
    Row {
        name: "binary-hinge",
        data: Digits,
        samples: 60,
        text: r#"
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
            [model]
            kind = "network"
            layers = [{ type = "dense", units = 33, activation = "relu" }, { type = "dense", units = 10 }]
            loss = { type = "binary-hinge", squared = true }
        "#,
    },
];
