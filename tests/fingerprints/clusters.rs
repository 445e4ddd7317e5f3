//! k-means, and the layer and the loss that it is made of.

use crate::case::Row;
use crate::data::Data::Digits;

pub const RECIPES: &[Row] = &[
    Row {
        name: "k-means",
        data: Digits,
        samples: 60,
        text: r#"
            model = { kind = "k-means", clusters = 7 }
            optimizer = { name = "sgd", learning_rate = 0.5 }
            train = { epochs = 3, batch = 16 }
        "#,
    },
    Row {
        name: "least-distance",
        data: Digits,
        samples: 60,
        text: r#"
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
            [model]
            loss = "minimum"
            layers = [{ type = "squared-distances", centres = 33, weight_init = { type = "normal", deviation = 0.3 } }]
        "#,
    },
    Row {
        name: "radial-basis",
        data: Digits,
        samples: 60,
        text: r#"
            optimizer = { name = "adam", learning_rate = 0.003 }
            train = { epochs = 2, batch = 16 }
            [model]
            layers = [
                { type = "dense", units = 21, activation = "tanh" },
                { type = "squared-distances", centres = 18 },
                { type = "dense", units = 10 },
            ]
        "#,
    },
];
