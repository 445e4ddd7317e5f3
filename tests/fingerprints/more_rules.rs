//! Update rules that came after those of `rules.rs`: the order of the recorded file stays.

use crate::case::Row;
use crate::data::Data::Digits;

pub const RECIPES: &[Row] = &[Row {
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
}];
