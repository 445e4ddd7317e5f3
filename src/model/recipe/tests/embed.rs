//! Embeddings in recipes, and what they take from the columns of a table.

use std::sync::Arc;

use super::*;
use crate::data::table::Encoder;
use crate::data::table::encode::{Feature, How, Reading, Scale, Target, ValueColumn};
use crate::data::{Samples, Targets, Unit};
use crate::layers::LayerSettings;
use crate::model::Model;

const EMBEDDING: &str = "{ type = 'embedding' }";

fn read(data: &str, first: &str, rest: &str) -> Result<Recipe> {
    let text = format!(
        "name = \"t\"\n[data]\nfile = 'a.csv'\n{data}\n[model]\nloss = 'mean-squared-error'\n\
         layers = [{first}, {{ type = 'dense', units = 1 }}]\n[optimizer]\nname = \"sgd\"\n{rest}"
    );
    Recipe::parse(&text, "test")
}

fn parsed(data: &str, first: &str) -> Recipe {
    let recipe = read(data, first, "").unwrap();
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe, "{}", recipe.to_toml());
    recipe
}

fn refused(data: &str, first: &str, rest: &str) -> String {
    read(data, first, rest).unwrap_err().to_string()
}

/// A table with a number and columns that are embedded: `[categories, width]` of each, at least two categories.
fn encoder(tables: &[[usize; 2]]) -> Encoder {
    let number = How::Number { scale: Scale::NONE, fill: 0.0, indicator: false };
    let embedded = tables.iter().map(|&[categories, width]| {
        let names = (0..categories - 1).map(|name| format!("{name:09}")).collect();
        How::Embedding { names, missing: false, width }
    });
    let features: Vec<Feature> = [number]
        .into_iter()
        .chain(embedded)
        .enumerate()
        .map(|(place, how)| Feature { column: format!("c{place}"), how })
        .collect();
    let unit = Unit { offset: 0.0, factor: 1.0 };
    Encoder {
        columns: (0..=features.len()).map(|place| format!("c{place}")).collect(),
        reading: Reading::default(),
        target: Target::Values {
            columns: vec![ValueColumn { column: format!("c{}", features.len()), unit }],
        },
        features,
        id: None,
        weights: None,
        windows: None,
    }
}

fn samples(tables: &[[usize; 2]]) -> Samples {
    let width = 1 + tables.len();
    let targets = Targets::Values { values: vec![0.5; 2], width: 1 };
    let samples = Samples::floats(vec![1.0; 2 * width], [1, 1, width], targets, 0).unwrap();
    samples.with_encoder(Arc::new(encoder(tables)))
}

fn tables(recipe: &Recipe) -> Option<(Vec<[usize; 2]>, bool)> {
    recipe.model.layers[0].settings().and_then(LayerSettings::embedded)
}

#[test]
fn a_network_that_begins_with_an_embedding_embeds_columns_of_many_categories() {
    let embed = |recipe: &Recipe| recipe.data.table.as_ref().unwrap().setup.embed;
    assert_eq!(embed(&parsed("", EMBEDDING)), Some(EMBED));
    assert_eq!(embed(&parsed("embed = 7", EMBEDDING)), Some(7));
    assert_eq!(embed(&parsed("", "{ type = 'relu' }")), None);
    assert_eq!(embed(&parsed("window = 3", EMBEDDING)), None);
    let said = parsed("embeddings = { zip = 16, 'a b' = 3 }", EMBEDDING);
    let widths = [("zip".to_string(), 16), ("a b".to_string(), 3)];
    assert_eq!(said.data.table.as_ref().unwrap().setup.embeddings, widths);
    let sizes = parsed("", "{ type = 'embedding', categories = [5, 300], widths = 4 }");
    assert_eq!(tables(&sizes), Some((vec![[5, 4], [300, 4]], false)));
    let usual = parsed("", "{ type = 'embedding', categories = [5, 300] }");
    assert_eq!(tables(&usual), Some((vec![[5, 4], [300, 39]], false)));
    let shared = parsed(
        "",
        "{ type = 'embedding', categories = 30, widths = 8, shared = true, weight_init = 'zeros' }",
    );
    assert_eq!(tables(&shared), Some((vec![[30, 8]], true)));
}

#[test]
fn what_does_not_go_with_embeddings_is_refused() {
    let none = "{ type = 'relu' }";
    for (data, first, expected) in [
        ("embed = 0", none, "`data.embed`: expected an integer from 1 to 100000, found 0"),
        (
            "embeddings = { zip = 0 }",
            none,
            "`data.embeddings.zip`: expected an integer from 1 to 65536, the numbers",
        ),
        ("embeddings = { zip = 'a' }", none, "`data.embeddings.zip`: expected an integer"),
        ("embed = 5\nwindow = 3", none, "`data.embed`: expected none with `data.window`"),
        (
            "embeddings = { a = 2 }\nwindow = 3",
            EMBEDDING,
            "`data.embeddings`: expected none with `data.window`",
        ),
        (
            "",
            "{ type = 'embedding', categories = [3, 0] }",
            "`model.layers.0.categories.1`: expected an integer from 1",
        ),
        (
            "",
            "{ type = 'embedding', categories = [3, 4, 5], widths = [3, 4] }",
            "expected one, or 3, as many as `categories`",
        ),
        (
            "",
            "{ type = 'embedding', categories = [3, 4], shared = true }",
            "expected one with `shared`, which has one table",
        ),
        (
            "",
            "{ type = 'embedding', categories = 3, widths = [1, 2], shared = true }",
            "`model.layers.0.widths`: expected one",
        ),
        (
            "",
            "{ type = 'embedding', weight_init = 'orthogonal' }",
            "expected zeros, constant, uniform or normal, found another one",
        ),
    ] {
        let found = refused(data, first, "");
        assert!(found.contains(expected), "{data} {first}: {found}");
    }
    let augmented = refused("", EMBEDDING, "[augment]\nnoise = 0.1");
    assert!(augmented.contains("`augment`: expected none with an `embedding` first"), "{augmented}");
    let linear = |data: &str| {
        let text = format!(
            "name = 't'\n[data]\nfile = 'a.csv'\n{data}\n[model]\nkind = 'ridge'\n[optimizer]\nname = 'sgd'"
        );
        Recipe::parse(&text, "test").map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(linear(""), Ok(()));
    let expected = "none with `model.kind = \"ridge\"`, which has a coefficient for each category";
    assert!(linear("embed = 50").unwrap_err().contains(&format!("`data.embed`: expected {expected}")));
    assert!(
        linear("embeddings.a = 50").unwrap_err().contains(&format!("`data.embeddings`: expected {expected}"))
    );
}

#[test]
fn the_sizes_are_those_of_the_columns() {
    let fitted = |data: &str, first: &str, known: &[[usize; 2]]| {
        parsed(data, first).for_samples(&samples(known)).map_err(|error| error.to_string())
    };
    let known = [[2_001, 50], [130, 24]];
    let recipe = fitted("", EMBEDDING, &known).unwrap();
    assert_eq!(tables(&recipe), Some((known.to_vec(), false)));
    // What is written out has the sizes, and is as it was.
    assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe);
    assert_eq!(recipe.clone().for_samples(&samples(&known)).unwrap(), recipe);
    let model = Model::build(&recipe.model, [1, 1, 3], 1, 1).unwrap();
    let names: Vec<_> = model.tensors().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
    assert_eq!(names[0], ("0.0.weight".into(), vec![2_001, 50]));
    assert_eq!(names[1], ("0.1.weight".into(), vec![130, 24]));
    assert_eq!(names[2], ("1.weight".into(), vec![1, 75]));
    // Without columns that are embedded nothing is different.
    assert_eq!(fitted("embed = 5", "{ type = 'relu' }", &[]), Ok(parsed("embed = 5", "{ type = 'relu' }")));
    for (data, first, known, expected) in [
        (
            "",
            "{ type = 'relu' }",
            &known[..],
            "`model.layers`: expected `{ type = \"embedding\" }` first, as these columns are embedded: `c1`, `c2`",
        ),
        ("", EMBEDDING, &known[..0], "`data.embeddings`: expected a column that is embedded"),
        (
            "",
            "{ type = 'embedding', categories = [2001, 129] }",
            &known[..],
            "categories = [2001, 130] and widths = [50, 24]",
        ),
        ("", "{ type = 'embedding', widths = 24 }", &known[..], "(`data.embeddings` sets the widths)"),
        ("", "{ type = 'embedding', shared = true }", &known[..1], "categories = [2001]"),
        (
            "mean = 1",
            EMBEDDING,
            &known[..],
            "`data.mean`: expected 0, and `data.scale` and `data.deviation` 1",
        ),
    ] {
        let found = fitted(data, first, known).unwrap_err();
        assert!(found.contains(expected), "{first}: {found}");
    }
    let unsaid = Model::build(&parsed("", EMBEDDING).model, [1, 1, 3], 1, 1).err().unwrap().to_string();
    assert!(unsaid.contains("expected `categories`, how many there are for each code"), "{unsaid}");
}

/// Sizes that no memory holds are refused before any is asked for.
#[test]
fn huge_tables_are_refused() {
    let first = "{ type = 'embedding', categories = [16777216, 16777216], widths = 65536 }";
    let model = Model::build(&parsed("", first).model, [1, 1, 3], 1, 1);
    let error = model.err().unwrap().to_string();
    assert!(error.contains("a model of at most 1073741824 parameters"), "{error}");
    assert!(parsed("", first).model.parameters([1, 1, 3]).is_err());
    let long = "{ type = 'embedding', categories = 9, widths = 65536, shared = true }, { type = 'flatten' }";
    let model = Model::build(&parsed("", long).model, [1, 1, 5_000], 1, 1);
    assert!(model.err().unwrap().to_string().contains("numbers in an image"));
}
