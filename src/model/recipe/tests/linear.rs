//! Recipes of linear fits.

use super::*;
use crate::linear::{Linear, LinearKind, Penalty};

fn read(model: &str, rest: &str) -> Result<Recipe> {
    let text = format!(
        "name = \"fit\"\n[data]\nset = \"digits\"\n[model]\n{model}\n[optimizer]\nname = \"sgd\"\n{rest}"
    );
    Recipe::parse(&text, "test")
}

fn fit(model: &str) -> Linear {
    let recipe = read(model, "").unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    assert_eq!(recipe.model, ModelConfig::of_linear(recipe.model.linear.unwrap()));
    recipe.model.linear.unwrap()
}

fn message(model: &str, rest: &str) -> String {
    read(model, rest).unwrap_err().to_string()
}

#[test]
fn they_are_written_and_read() {
    assert_eq!(fit("kind = 'linear'"), Linear::new(LinearKind::Linear, 1));
    let ridge = Linear { penalty: 0.25, ..Linear::new(LinearKind::Ridge, 3) };
    assert_eq!(fit("kind = 'ridge'\noutputs = 3\npenalty = 0.25"), ridge);
    assert_eq!(fit("kind = 'lasso'"), Linear::new(LinearKind::Lasso, 1));
    assert_eq!(fit("kind = 'logistic'\noutputs = 10").outputs, 10);
    assert!(fit("kind = 'svm'\noutputs = 10").squared);
    let hinge = Linear { squared: false, penalty: 2.0, ..Linear::new(LinearKind::Svm, 10) };
    assert_eq!(fit("kind = 'svm'\noutputs = 10\npenalty = 2\nloss = 'hinge'"), hinge);
    let huber = Linear { delta: 1.35, ..Linear::new(LinearKind::Huber, 1) };
    assert_eq!(fit("kind = 'huber'\ndelta = 1.35"), huber);
}

/// The layer in front of a fit, of a recipe that reads back as it is written.
fn map(model: &str) -> Option<LayerConfig> {
    let recipe = read(model, "").unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    recipe.model.feature_map().cloned()
}

#[test]
fn features_are_written_and_read() {
    assert_eq!(map("kind = 'ridge'"), None);
    assert_eq!(map("kind = 'ridge'\nfeatures = 'none'"), None);
    let squares = LayerConfig::polynomial_features(2);
    assert_eq!(map("kind = 'huber'\nfeatures = 'polynomial'"), Some(squares.clone()));
    let others = squares.with("degree", 4).unwrap().with("interactions_only", true).unwrap();
    let text = "kind = 'svm'\noutputs = 3\nfeatures = 'polynomial'\ndegree = 4\ninteractions_only = true";
    assert_eq!(map(text), Some(others));
    let waves = LayerConfig::random_fourier_features(100, 0.5).with("seed", 3).unwrap();
    let text = "kind = 'lasso'\nfeatures = 'random-fourier'\ncomponents = 100\ngamma = 0.5\nseed = 3";
    assert_eq!(map(text), Some(waves.clone()));
    // The fit itself is the same.
    let linear = read(text, "").unwrap().model.linear.unwrap();
    assert_eq!(linear, Linear::new(LinearKind::Lasso, 1));
    assert_eq!(read(text, "").unwrap().model, ModelConfig::of_linear_on(waves, linear).unwrap());
}

#[test]
fn the_command_line_sets_features_one_by_one() {
    let with = |settings: &[&str]| {
        let overrides: Vec<Override> = settings.iter().map(|text| text.parse().unwrap()).collect();
        Recipe::load("digits-mlp", &overrides).map(|recipe| recipe.model.feature_map().cloned())
    };
    let found = with(&["model.gamma=0.5", "model.features=random-fourier", "model.kind=logistic"]).unwrap();
    assert_eq!(found, Some(LayerConfig::random_fourier_features(256, 0.5)));
    let refused = with(&["model.kind=ridge", "model.degree=3"]).unwrap_err().to_string();
    assert!(refused.contains("unknown key `model.degree`"), "{refused}");
}

#[test]
fn a_network_is_what_it_is_without_its_kind() {
    let layers = "loss = 'huber'\nlayers = [{ type = 'dense', units = 10 }]";
    let network = read(&format!("kind = 'network'\n{layers}"), "").unwrap();
    assert_eq!(network, read(layers, "").unwrap());
    assert!(!network.to_toml().contains("kind"));
}

#[test]
fn the_penalty_of_training_goes_with_the_loss_of_training() {
    let penalty = |model: &str| read(model, "").unwrap().model.penalty();
    let of_l2 = |l2: f32| Penalty { l1: 0.0, l2 };
    assert_eq!(penalty("kind = 'linear'"), Penalty::default());
    // (1 / C) Σ d² is 2 / C times Σ d² / 2.
    assert_eq!(penalty("kind = 'ridge'\noutputs = 4\npenalty = 0.5"), of_l2(0.25));
    assert_eq!(penalty("kind = 'lasso'\npenalty = 0.5"), Penalty { l1: 1.0, l2: 0.0 });
    assert_eq!(penalty("kind = 'logistic'\noutputs = 4\npenalty = 0.5"), of_l2(0.5));
    assert_eq!(penalty("kind = 'svm'\noutputs = 4\npenalty = 0.5"), of_l2(0.125));
    assert_eq!(penalty("kind = 'huber'\noutputs = 2\npenalty = 0.5"), of_l2(0.25));
}

#[test]
fn what_a_fit_has_not_is_refused() {
    for (model, expected) in [
        ("kind = 'rigde'", "`model.kind`: unknown model `rigde`; did you mean `ridge`?"),
        (
            "kind = 'ridge'\nloss = 'huber'",
            "`model.loss`: expected none with `kind = \"ridge\"`, which has its own, found one",
        ),
        ("kind = 'svm'\noutputs = 2\nlayers = []", "`model.layers`: expected none with `kind = \"svm\"`"),
        ("kind = 'linear'\npenalty = 1", "unknown key `model.penalty`; known: model.kind, model.outputs"),
        ("kind = 'ridge'\npenalty = -1", "`model.penalty`: expected a number of at least 0, found -1"),
        ("kind = 'ridge'\noutputs = 0", "`model.outputs`: expected an integer from 1 to 1048576, found 0"),
        ("kind = 'logistic'", "`model.outputs`: expected an integer from 2 to 1048576, found nothing"),
        ("kind = 'huber'\ndelta = 0", "`model.delta`: expected a number above 0, found 0"),
        ("kind = 'svm'\noutputs = 2\nloss = 'huber'", "`model.loss`: unknown svm loss `huber`"),
        (
            "kind = 'ridge'\nfeatures = 'polynomials'",
            "`model.features`: unknown features `polynomials`; did you mean `polynomial`?",
        ),
        (
            "kind = 'ridge'\nfeatures = 'polynomial'\ndegree = 17",
            "`model.degree`: expected an integer from 1 to 16, found 17",
        ),
        (
            "kind = 'ridge'\nfeatures = 'polynomial'\ngamma = 1",
            "unknown key `model.gamma`; known: model.kind, model.outputs, model.penalty, model.features, model.degree",
        ),
        (
            "kind = 'ridge'\nfeatures = 'random-fourier'\ngamma = -1",
            "`model.gamma`: expected a number of at least 0, found -1",
        ),
        (
            "kind = 'ridge'\nfeatures = 'random-fourier'\ncomponents = 0",
            "`model.components`: expected an integer from 1 to 1048576, found 0",
        ),
        (
            "features = 'polynomial'\nlayers = [{ type = 'dense', units = 10 }]",
            "unknown key `model.features`",
        ),
        ("penalty = 1\nlayers = [{ type = 'dense', units = 10 }]", "unknown key `model.penalty`"),
    ] {
        let found = message(model, "");
        assert!(found.contains(expected), "{model}: {found}");
    }
}

#[test]
fn a_lasso_needs_steps_along_the_gradient() {
    let with = |rule: &str| {
        let settings = [format!("optimizer.name={rule}"), "model.kind=lasso".into()];
        let overrides: Vec<Override> = settings.iter().map(|text| text.parse().unwrap()).collect();
        Recipe::load("digits-mlp", &overrides)
    };
    for rule in ["sgd", "momentum", "nesterov"] {
        assert!(with(rule).is_ok(), "{rule}");
    }
    for rule in ["adam", "lbfgs", "lamb"] {
        let found = with(rule).unwrap_err().to_string();
        let expected =
            "`optimizer.name`: expected `sgd`, `momentum` or `nesterov` with `model.kind = \"lasso\"`";
        assert!(found.contains(expected) && found.ends_with(&format!("found `{rule}`")), "{found}");
    }
}
