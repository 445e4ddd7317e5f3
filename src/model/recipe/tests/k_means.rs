//! Recipes of k-means.

use super::*;
use crate::clustering::KMeans;

fn read(model: &str, rest: &str) -> Result<Recipe> {
    let text = format!(
        "name = \"groups\"\n[data]\nset = \"digits\"\n[model]\n{model}\n[optimizer]\nname = \"sgd\"\n{rest}"
    );
    Recipe::parse(&text, "test")
}

#[test]
fn it_is_written_and_read() {
    let recipe = read("kind = 'k-means'\nclusters = 7", "").unwrap();
    assert_eq!(recipe.model, ModelConfig::of_k_means(KMeans::new(7)));
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    assert!(recipe.to_toml().contains("clusters = 7"), "{}", recipe.to_toml());
}

#[test]
fn what_it_has_not_is_refused() {
    for (model, expected) in [
        ("kind = 'k-mean'\nclusters = 3", "`model.kind`: unknown model `k-mean`; did you mean `k-means`?"),
        ("kind = 'k-means'", "`model.clusters`: expected an integer from 1 to 1048576, found nothing"),
        (
            "kind = 'k-means'\nclusters = 0",
            "`model.clusters`: expected an integer from 1 to 1048576, found 0",
        ),
        (
            "kind = 'k-means'\nclusters = 2.5",
            "`model.clusters`: expected an integer from 1 to 1048576, found",
        ),
        (
            "kind = 'k-means'\nclusters = 3\nloss = 'huber'",
            "`model.loss`: expected none with `kind = \"k-means\"`, which has its own, found one",
        ),
        ("kind = 'k-means'\nclusters = 3\nlayers = []", "`model.layers`: expected none"),
        ("kind = 'k-means'\nclusters = 3\noutputs = 3", "unknown key `model.outputs`"),
        ("kind = 'linear'\nclusters = 3", "unknown key `model.clusters`"),
    ] {
        let found = read(model, "").unwrap_err().to_string();
        assert!(found.contains(expected), "{model}: {found}");
    }
    let mixed = read("kind = 'k-means'\nclusters = 3", "[augment]\nmixup = 0.2").unwrap_err().to_string();
    assert!(mixed.contains("none with the loss `minimum`, which takes no mixtures"), "{mixed}");
}

/// The clusters are as many as the network had outputs, unless more is said.
#[test]
fn it_takes_the_place_of_a_network() {
    let with = |settings: &[&str]| {
        let overrides: Vec<Override> = settings.iter().map(|text| text.parse().unwrap()).collect();
        Recipe::load("digits-mlp", &overrides).unwrap().model
    };
    assert_eq!(with(&["model.kind=k-means"]), ModelConfig::of_k_means(KMeans::new(10)));
    let three = with(&["model.clusters=3", "model.kind=k-means"]);
    assert_eq!(three, ModelConfig::of_k_means(KMeans::new(3)));
}

#[test]
fn a_table_needs_no_target() {
    let text = |model: &str, data: &str| {
        format!(
            "name = \"t\"\n[data]\nfile = \"t.csv\"\n{data}\n[model]\n{model}\n[optimizer]\nname = \"sgd\"\n"
        )
    };
    let read = |model: &str, data: &str| Recipe::parse(&text(model, data), "test");
    let is_unsupervised = |model: &str| read(model, "").unwrap().data.table.unwrap().setup.unsupervised;
    assert!(is_unsupervised("kind = 'k-means'\nclusters = 3") && !is_unsupervised("kind = 'linear'"));
    let windows = read("kind = 'k-means'\nclusters = 3", "window = 4").unwrap_err().to_string();
    let expected = "`data.window`: expected none with `model.kind = \"k-means\"`, which groups rows and predicts nothing";
    assert!(windows.contains(expected), "{windows}");
}

#[test]
fn more_clusters_than_samples_are_refused() {
    let recipe = read("kind = 'k-means'\nclusters = 7", "").unwrap();
    assert!(check_samples(&recipe, 7).is_ok());
    let refused = check_samples(&recipe, 6).unwrap_err().to_string();
    assert_eq!(
        refused,
        "recipe groups: `model.clusters`: expected at most 6, as many as there are samples to train on, found 7"
    );
}
