//! Global methods, and restarts of descent.
//!
//! From weights of 0 a descent, or steps of a millionth, come nowhere: there restarts and what they begin with matter.

use crate::case::Row;
use crate::data::Data::Digits;

pub const RECIPES: &[Row] = &[
    Row {
        name: "annealing",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "average-pool", kernel = 14 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            [optimizer]
            name = "annealing"
            learning_rate = 0.05
            initial_temperature = 0.02
            final_temperature = 0.005
            cooling = "linear"
            steps = 25
            shrink = false
            weight_decay = 0.002
            [train]
            epochs = 5
            seed = 3
        "#,
    },
    Row {
        name: "annealing-descent",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "dense", units = 8, activation = "tanh", weight_init = "zeros" },
                { type = "dense", units = 10, weight_init = "zeros" },
            ]
            [optimizer]
            name = "annealing"
            learning_rate = 1e-6
            cooling = "exponential"
            steps = 3
            local = "lbfgs"
            local_iterations = 6
            restarts = 1
            spread = 0.1
            [train]
            epochs = 4
            seed = 3
        "#,
    },
    Row {
        name: "genetic",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "average-pool", kernel = 14 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            [optimizer]
            name = "genetic"
            learning_rate = 0.2
            population = 12
            tournament = 2
            crossover_rate = 0.7
            blend = 0.3
            mutation_rate = 0.3
            elite = 1
            local = "cg"
            local_iterations = 1
            restarts = 1
            spread = 0.6
            weight_decay = 0.002
            [train]
            epochs = 8
            seed = 3
        "#,
    },
    Row {
        name: "genetic-converged",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "average-pool", kernel = 14 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "genetic", local = "none", tolerance_change = 100 }
            train = { epochs = 4, seed = 3 }
        "#,
    },
    Row {
        name: "cma-es",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "average-pool", kernel = 14 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "cma-es", covariance = "full", learning_rate = 0.3, population = 9, weight_decay = 0.001 }
            train = { epochs = 12, seed = 3 }
        "#,
    },
    Row {
        name: "cma-es-descent",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "dense", units = 8, activation = "tanh", weight_init = "zeros" },
                { type = "dense", units = 10, weight_init = "zeros" },
            ]
            [optimizer]
            name = "cma-es"
            learning_rate = 1e-6
            covariance = "diagonal"
            population = 4
            local = "lbfgs"
            local_iterations = 6
            restarts = 1
            spread = 0.1
            [train]
            epochs = 4
            seed = 3
        "#,
    },
    Row {
        name: "cma-es-converged",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "average-pool", kernel = 14 },
                { type = "flatten" },
                { type = "dense", units = 10 },
            ]
            optimizer = { name = "cma-es", tolerance_change = 5 }
            train = { epochs = 6, seed = 3 }
        "#,
    },
    Row {
        name: "lbfgs-restarts",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "dense", units = 8, activation = "tanh", weight_init = "zeros" },
                { type = "dense", units = 10, weight_init = "zeros" },
            ]
            optimizer = { name = "lbfgs", restarts = 1, spread = 0.1 }
            train.epochs = 12
        "#,
    },
    Row {
        name: "cg-restarts",
        data: Digits,
        samples: 40,
        text: r#"
            model.layers = [
                { type = "dense", units = 8, activation = "tanh", weight_init = "zeros" },
                { type = "dense", units = 10, weight_init = "zeros" },
            ]
            optimizer = { name = "cg", restarts = 1, spread = 0.1 }
            train.epochs = 12
        "#,
    },
];
