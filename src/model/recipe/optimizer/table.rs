//! Every update rule that a recipe may name. To add one, add an entry: recipes are read and written by
//! it, and the command line and docs/optimizers.md show it.

use super::config::OptimizerKind;
use super::full_batch::{CG, LBFGS};
use super::global::{ANNEALING, CMA_ES, GENETIC};
use super::shared::{BETA1, BETA2, MOMENTUM, PENALTY, SMALL, epsilon, shrinkage};
// By the short name an entry's hyper-parameter is a line.
use crate::hyper::{
    HyperParameter as Key, HyperValues, above_one, at_least_one, finite, non_negative, positive, unit_inner,
    unit_open,
};
use crate::optim::{
    Adabelief, Adadelta, Adafactor, Adagrad, Adam, Adamax, Adan, Adjustment, Factored, Lamb, Lion, Muon,
    Nadam, Orthogonal, Radam, Rmsprop, Rprop, ScheduleFree, Sgd, Yogi,
};

/// All update rules, simple ones first.
pub static OPTIMIZERS: [OptimizerKind; 26] = [
    OptimizerKind::new("sgd", 0.1, |values| {
        Box::new(Sgd { weight_decay: values.number("weight_decay"), ..Sgd::default() })
    })
    .hyper_parameters(&[PENALTY])
    .formula("p ← p - rate · g")
    .source("Robbins, Monro: A stochastic approximation method (1951)"),
    OptimizerKind::new("momentum", 0.05, |values| {
        Box::new(Sgd {
            momentum: values.number("momentum"),
            dampening: values.number("dampening"),
            nesterov: values.choice("nesterov"),
            weight_decay: values.number("weight_decay"),
        })
    })
    .hyper_parameters(&[
        MOMENTUM,
        PENALTY,
        Key::number("dampening", 0.0, unit_open(), "the part of each new gradient that b leaves out"),
        Key::choice("nesterov", false, "whether the step looks ahead, as that of the rule `nesterov`"),
    ])
    .conflict(nesterov_conflict)
    .formula("b ← momentum · b + (1 - dampening) · g, in the first step b ← g; p ← p - rate · b")
    .source(
        "Polyak: Some methods of speeding up the convergence of iteration methods (1964); as \
         torch.optim.SGD",
    ),
    OptimizerKind::new("nesterov", 0.05, |values| {
        let (momentum, weight_decay) = (values.number("momentum"), values.number("weight_decay"));
        Box::new(Sgd { momentum, dampening: 0.0, nesterov: true, weight_decay })
    })
    .hyper_parameters(&[MOMENTUM, PENALTY])
    .conflict(|values| (values.number("momentum") == 0.0).then(no_momentum))
    .formula("b ← momentum · b + g; p ← p - rate · (g + momentum · b)")
    .source(
        "Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep \
         learning (2013); as torch.optim.SGD",
    ),
    OptimizerKind::new("adagrad", 0.02, |values| {
        Box::new(Adagrad {
            learning_rate_decay: values.number("learning_rate_decay"),
            initial_accumulator: values.number("initial_accumulator"),
            epsilon: values.number("epsilon"),
            weight_decay: values.number("weight_decay"),
        })
    })
    .hyper_parameters(&[
        Key::number("learning_rate_decay", 0.0, non_negative(), "how fast the learning rate falls, per step"),
        Key::number("initial_accumulator", 0.0, non_negative(), "s before the first step"),
        epsilon(1e-10),
        PENALTY,
    ])
    .formula("s ← s + g²; p ← p - rate / (1 + (t - 1) · learning_rate_decay) · g / (√s + ε)")
    .source(
        "Duchi, Hazan, Singer: Adaptive subgradient methods for online learning and stochastic \
         optimization (2011); as torch.optim.Adagrad",
    ),
    OptimizerKind::new("rmsprop", 1e-3, |values| {
        Box::new(Rmsprop {
            alpha: values.number("alpha"),
            epsilon: values.number("epsilon"),
            momentum: values.number("momentum"),
            centered: values.choice("centered"),
            weight_decay: values.number("weight_decay"),
        })
    })
    .hyper_parameters(&[
        Key::number("alpha", 0.99, unit_open(), "the part of the running means that is kept in a step"),
        epsilon(1e-8),
        Key::number("momentum", 0.0, unit_open(), "the part of b that is kept in a step"),
        Key::choice("centered", false, "whether the mean of the gradients is taken off before squaring"),
        PENALTY,
    ])
    .formula(
        "s ← α s + (1 - α) g²; b ← momentum · b + g / (√s + ε); p ← p - rate · b; centered, s less \
         the square of the mean of g is under the root",
    )
    .source(
        "Tieleman, Hinton: Neural networks for machine learning, lecture 6.5 (2012); Graves: \
         Generating sequences with recurrent neural networks (2013); as torch.optim.RMSprop",
    ),
    OptimizerKind::new("adadelta", 1.0, |values| {
        let (epsilon, weight_decay) = (values.number("epsilon"), values.number("weight_decay"));
        Box::new(Adadelta { rho: values.number("rho"), epsilon, weight_decay })
    })
    .hyper_parameters(&[
        Key::number("rho", 0.9, unit_open(), "the part of the running means that is kept in a step"),
        epsilon(1e-6),
        PENALTY,
    ])
    .formula("s ← ρ s + (1 - ρ) g²; d = √(a + ε) / √(s + ε) · g; a ← ρ a + (1 - ρ) d²; p ← p - rate · d")
    .source("Zeiler: ADADELTA, an adaptive learning rate method (2012); as torch.optim.Adadelta"),
    OptimizerKind::new("adam", 1e-3, |values| Box::new(adam(values)))
        .hyper_parameters(&[BETA1, BETA2, epsilon(1e-8), PENALTY])
        .formula(
            "m ← β₁ m + (1 - β₁) g; v ← β₂ v + (1 - β₂) g²; p ← p - rate · m̂ / (√v̂ + ε), m̂ = m / (1 - \
             β₁ᵗ), v̂ = v / (1 - β₂ᵗ)",
        )
        .source("Kingma, Ba: Adam, a method for stochastic optimization (2015); as torch.optim.Adam"),
    OptimizerKind::new("amsgrad", 1e-3, |values| Box::new(Adam { amsgrad: true, ..adam(values) }))
        .hyper_parameters(&[BETA1, BETA2, epsilon(1e-8), PENALTY])
        .formula("as adam, with the largest v so far in the place of v")
        .source(
            "Reddi, Kale, Kumar: On the convergence of Adam and beyond (2018); as torch.optim.Adam with \
             amsgrad",
        ),
    OptimizerKind::new("adamw", 1e-3, |values| {
        Box::new(Adam { decoupled: true, amsgrad: values.choice("amsgrad"), ..adam(values) })
    })
    .hyper_parameters(&[
        BETA1,
        BETA2,
        epsilon(1e-8),
        shrinkage(0.01),
        Key::choice("amsgrad", false, "whether the largest v so far takes the place of v"),
    ])
    .formula("p ← (1 - rate · weight_decay) p, then as adam without its penalty")
    .source("Loshchilov, Hutter: Decoupled weight decay regularization (2019); as torch.optim.AdamW"),
    OptimizerKind::new("adamax", 2e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        Box::new(Adamax { beta1, beta2, epsilon, weight_decay })
    })
    .hyper_parameters(&[BETA1, BETA2, epsilon(1e-8), PENALTY])
    .formula("m ← β₁ m + (1 - β₁) g; u ← max(β₂ u, |g| + ε); p ← p - rate / (1 - β₁ᵗ) · m / u")
    .source("Kingma, Ba: Adam, a method for stochastic optimization (2015), §7.1; as torch.optim.Adamax"),
    OptimizerKind::new("nadam", 2e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        let momentum_decay = values.number("momentum_decay");
        Box::new(Nadam { beta1, beta2, epsilon, weight_decay, momentum_decay })
    })
    .hyper_parameters(&[
        BETA1,
        BETA2,
        epsilon(1e-8),
        PENALTY,
        Key::number("momentum_decay", 4e-3, non_negative(), "how fast μ comes near to β₁"),
    ])
    .formula(
        "as adam, with μₜ₊₁ m / (1 - μ₁⋯μₜ₊₁) + (1 - μₜ) g / (1 - μ₁⋯μₜ) in the place of m̂, μₜ = β₁ \
         (1 - 0.96^(t · momentum_decay) / 2)",
    )
    .source("Dozat: Incorporating Nesterov momentum into Adam (2016); as torch.optim.NAdam"),
    OptimizerKind::new("radam", 1e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        Box::new(Radam { beta1, beta2, epsilon, weight_decay })
    })
    .hyper_parameters(&[BETA1, BETA2, epsilon(1e-8), PENALTY])
    .formula(
        "as adam, the step scaled by r = √((ρₜ - 4)(ρₜ - 2) ρ / ((ρ - 4)(ρ - 2) ρₜ)), ρ = 2 / (1 - \
         β₂) - 1, ρₜ = ρ - 2 t β₂ᵗ / (1 - β₂ᵗ); while ρₜ ≤ 5, p ← p - rate · m̂",
    )
    .source(
        "Liu et al.: On the variance of the adaptive learning rate and beyond (2020); as \
         torch.optim.RAdam",
    ),
    OptimizerKind::new("lion", 3e-4, |values| {
        let (beta1, beta2) = (values.number("beta1"), values.number("beta2"));
        Box::new(Lion { beta1, beta2, weight_decay: values.number("weight_decay") })
    })
    .hyper_parameters(&[
        Key::number("beta1", 0.9, unit_open(), "the part of m in the direction of the step"),
        Key::number("beta2", 0.99, unit_open(), "the part of m that is kept in a step"),
        shrinkage(0.0),
    ])
    .formula("p ← p - rate · (sign(β₁ m + (1 - β₁) g) + weight_decay · p); m ← β₂ m + (1 - β₂) g")
    .source("Chen et al.: Symbolic discovery of optimization algorithms (2023); as optax.lion"),
    OptimizerKind::new("yogi", 0.01, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        let initial_accumulator = values.number("initial_accumulator");
        Box::new(Yogi { beta1, beta2, epsilon, initial_accumulator, weight_decay })
    })
    .hyper_parameters(&[
        BETA1,
        BETA2,
        epsilon(1e-3),
        Key::number("initial_accumulator", 1e-6, non_negative(), "m and v before the first step"),
        PENALTY,
    ])
    .formula("as adam, with v ← v - (1 - β₂) sign(v - g²) g²")
    .source("Zaheer et al.: Adaptive methods for nonconvex optimization (2018); as optax.yogi"),
    OptimizerKind::new("adabelief", 1e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        Box::new(Adabelief { beta1, beta2, epsilon, weight_decay })
    })
    .hyper_parameters(&[BETA1, BETA2, epsilon(1e-16), PENALTY])
    .formula("as adam, with s ← β₂ s + (1 - β₂) (g - m)² + ε in the place of v")
    .source(
        "Zhuang et al.: AdaBelief optimizer, adapting stepsizes by the belief in observed gradients \
         (2020), algorithm 2",
    ),
    OptimizerKind::new("adan", 5e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        Box::new(Adan { beta1, beta2, beta3: values.number("beta3"), epsilon, weight_decay })
    })
    .hyper_parameters(&[
        Key::number("beta1", 0.98, unit_open(), "the part of m that is kept in a step"),
        Key::number("beta2", 0.92, unit_open(), "the part of v that is kept in a step, and the weight of v"),
        Key::number("beta3", 0.99, unit_open(), "the part of n that is kept in a step"),
        epsilon(1e-8),
        shrinkage(0.0),
    ])
    .formula(
        "d = g - g', g' the gradient of the step before, in the first step d = 0; m ← β₁ m + (1 - β₁) \
         g; v ← β₂ v + (1 - β₂) d; n ← β₃ n + (1 - β₃) (g + β₂ d)²; p ← (p - rate · (m̂ + β₂ v̂) / \
         (√n̂ + ε)) / (1 + rate · weight_decay), each mean divided by 1 - βᵗ",
    )
    .source(
        "Xie, Zhou, Li, Lin, Yan: Adan, adaptive Nesterov momentum algorithm for faster optimizing \
         deep models (2022), algorithm 1, β being one minus the paper's",
    ),
    OptimizerKind::new("schedule-free-adamw", 2.5e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        let warmup_steps = values.integer("warmup_steps") as u64;
        Box::new(ScheduleFree { beta1, beta2, epsilon, weight_decay, warmup_steps })
    })
    .hyper_parameters(&[
        Key::number("beta1", 0.9, unit_open(), "the part of x in y"),
        BETA2,
        epsilon(1e-8),
        Key::number("weight_decay", 0.0, non_negative(), "z shrinks by r · weight_decay of y"),
        Key::integer(
            "warmup_steps",
            0,
            [0, 1_000_000_000],
            "steps over which the learning rate rises in a line",
        ),
    ])
    .formula(
        "g is taken at y, which is p in training; v ← β₂ v + (1 - β₂) g²; z ← z - r · (g / (√v̂ + ε) \
         + weight_decay · y), v̂ = v / (1 - β₂ᵗ), r = rate · min(1, t / warmup_steps); x ← x + c (z - \
         x), c = r² / Σ r² over all steps so far; y ← x + (1 - β₁) (z - x); x is p where the model is \
         evaluated and saved",
    )
    .source(
        "Defazio, Yang, Mehta, Mishchenko, Khaled, Cutkosky: The road less scheduled (2024), \
         algorithm 1; as schedulefree.AdamWScheduleFree",
    ),
    OptimizerKind::new("lamb", 2e-3, |values| {
        let Adam { beta1, beta2, epsilon, weight_decay, .. } = adam(values);
        Box::new(Lamb { beta1, beta2, epsilon, weight_decay })
    })
    .hyper_parameters(&[
        BETA1,
        BETA2,
        epsilon(1e-6),
        Key::number("weight_decay", 0.0, non_negative(), "how much of p is added to its direction d"),
    ])
    .formula(
        "d = m̂ / (√v̂ + ε) + weight_decay · p, moments as adam's; p ← p - rate · ‖p‖ / ‖d‖ · d, the \
         norms being those of a whole weight or bias, their quotient 1 where one of them is 0",
    )
    .source(
        "You et al.: Large batch optimization for deep learning, training BERT in 76 minutes (2020), \
         algorithm 2; as optax.lamb",
    ),
    OptimizerKind::new("adafactor", 0.02, |values| {
        Box::new(Adafactor {
            power: values.number("power"),
            weight_decay: values.number("weight_decay"),
            factored: Factored {
                epsilon: values.number("epsilon1"),
                smallest: values.number("epsilon2"),
                threshold: values.number("threshold"),
            },
        })
    })
    .hyper_parameters(&[
        Key::number(
            "power",
            0.8,
            non_negative(),
            "how fast β comes near to 1; torch's beta2_decay without its sign",
        ),
        Key::number("epsilon1", 1.1920928955078125e-7, SMALL, "the least √v, and the least mean of r"),
        Key::number(
            "epsilon2",
            1e-3,
            non_negative(),
            "the least size of a weight or bias that a step goes by",
        ),
        Key::number("threshold", 1.0, at_least_one(), "the largest rms of u that is taken as it is"),
        shrinkage(0.0),
    ])
    .formula(
        "β = 1 - t^-power; of a matrix r ← β r + (1 - β) · mean g² of each row, c so of each column, \
         v = r c / max(mean r, epsilon1), of all else v ← β v + (1 - β) g²; u = g / max(√v, \
         epsilon1); p ← (1 - rate · weight_decay) p - min(rate, 1 / √t) · max(epsilon2, rms p) · u / \
         max(1, rms u / threshold), rms being that of a whole weight or bias",
    )
    .source(
        "Shazeer, Stern: Adafactor, adaptive learning rates with sublinear memory cost (2018); as \
         torch.optim.Adafactor",
    ),
    OptimizerKind::new("muon", 5e-3, |values| {
        Box::new(Muon {
            momentum: values.number("momentum"),
            nesterov: values.choice("nesterov"),
            weight_decay: values.number("weight_decay"),
            orthogonal: Orthogonal {
                steps: values.integer("newton_schulz_steps"),
                coefficients: ["a", "b", "c"].map(|name| values.number(&format!("newton_schulz_{name}"))),
                epsilon: values.number("epsilon"),
                adjustment: adjustment(values.name_of("adjust_learning_rate")),
                spare_last_layer: values.choice("adam_last_layer"),
            },
            adam_factor: values.number("adam_factor"),
            adam_beta1: values.number("adam_beta1"),
            adam_beta2: values.number("adam_beta2"),
            adam_epsilon: values.number("adam_epsilon"),
            adam_weight_decay: values.number("adam_weight_decay"),
        })
    })
    .hyper_parameters(&[
        Key::number("momentum", 0.95, unit_open(), "the part of b that is kept in a step"),
        Key::choice("nesterov", true, "whether the step looks ahead"),
        shrinkage(0.1),
        Key::integer("newton_schulz_steps", 5, [1, 99], "how often X is improved"),
        Key::number("newton_schulz_a", 3.4445, finite(), "a of the polynomial"),
        Key::number("newton_schulz_b", -4.7750, finite(), "b of the polynomial"),
        Key::number("newton_schulz_c", 2.0315, finite(), "c of the polynomial"),
        epsilon(1e-7),
        Key::name(
            "adjust_learning_rate",
            ADJUSTMENTS[0],
            &ADJUSTMENTS,
            "the factor of X: √max(1, out / in), 0.2 √max(out, in) or √(out / in)",
        ),
        Key::choice("adam_last_layer", true, "whether the weights of the last layer follow adamw too"),
        Key::number(
            "adam_factor",
            0.2,
            non_negative(),
            "adamw's learning rate, as a multiple of `learning_rate`",
        ),
        Key { key: "adam_beta1", ..BETA1 },
        Key { key: "adam_beta2", ..BETA2 },
        Key { key: "adam_epsilon", ..epsilon(1e-8) },
        Key::number(
            "adam_weight_decay",
            0.01,
            non_negative(),
            "such a parameter shrinks by adam_factor · rate · adam_weight_decay of itself",
        ),
    ])
    .formula(
        "b ← momentum · b + (1 - momentum) g; D = momentum · b + (1 - momentum) g, without nesterov D \
         = b; X ← D / max(‖D‖, ε), then newton_schulz_steps times X ← (a + b A + c A²) X with A = X \
         Xᵀ; p ← (1 - rate · weight_decay) p - rate · √max(1, out / in) · X; biases, and the weights \
         of the last layer, as adamw with adam_factor · rate",
    )
    .source(
        "Jordan et al.: Muon, an optimizer for hidden layers in neural networks (2024); as \
         torch.optim.Muon, in single precision throughout, and torch.optim.AdamW",
    ),
    OptimizerKind::new("rprop", 0.01, |values| {
        Box::new(Rprop {
            shrink: values.number("shrink"),
            grow: values.number("grow"),
            smallest: values.number("smallest"),
            largest: values.number("largest"),
        })
    })
    .hyper_parameters(&[
        Key::number("shrink", 0.5, unit_inner(), "factor of a size when the sign turns"),
        Key::number("grow", 1.2, above_one(), "factor of a size while the sign stays"),
        Key::number("smallest", 1e-6, positive(), "the smallest size"),
        Key::number("largest", 50.0, positive(), "the largest size"),
    ])
    .conflict(|values| {
        let smallest = values.number("smallest");
        (values.number("largest") < smallest)
            .then(|| ("largest", format!("a number of at least `smallest` ({smallest})")))
    })
    .full_batch()
    .formula(
        "the size of a parameter's step grows while its gradient keeps its sign and shrinks when the \
         sign turns, in which case g ← 0; p ← p - sign(g) · size; the learning rate is the first size",
    )
    .source(
        "Riedmiller, Braun: A direct adaptive method for faster backpropagation learning (1993); as \
         torch.optim.Rprop",
    ),
    LBFGS,
    CG,
    ANNEALING,
    GENETIC,
    CMA_ES,
];

/// The first is the default.
const ADJUSTMENTS: [&str; 3] = ["original", "match-rms-adamw", "spectral-unclamped"];

fn adjustment(name: &str) -> Adjustment {
    match name {
        "original" => Adjustment::Original,
        "match-rms-adamw" => Adjustment::MatchRmsAdamw,
        "spectral-unclamped" => Adjustment::SpectralUnclamped,
        other => unreachable!("{other} is none of {ADJUSTMENTS:?}"),
    }
}

/// The hyper-parameters that all of Adam's family have.
fn adam(values: &HyperValues) -> Adam {
    Adam {
        beta1: values.number("beta1"),
        beta2: values.number("beta2"),
        epsilon: values.number("epsilon"),
        weight_decay: values.number("weight_decay"),
        ..Adam::default()
    }
}

fn no_momentum() -> (&'static str, String) {
    ("momentum", "a number above 0 for Nesterov's step".to_string())
}

fn nesterov_conflict(values: &HyperValues) -> Option<(&'static str, String)> {
    if !values.choice("nesterov") {
        return None;
    }
    if values.number("momentum") == 0.0 {
        return Some(no_momentum());
    }
    (values.number("dampening") != 0.0).then(|| ("dampening", "0 with `nesterov = true`".to_string()))
}
