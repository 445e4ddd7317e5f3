//! Columns of many categories, which a network learns an embedding of: from the library and as a user goes the way.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::common::program::{fails, json, succeeds};
use fallline::data::table::{Encoder, RowReader, Rows, Setup, Table, TableOptions, embedding_width};
use fallline::data::{Features, Samples, Targets};
use fallline::{Activation, Loss, Model, Optimizer, Predictor, Result, Trainer};

/// Categories of the table below, each in eight rows.
const ZIPS: usize = 250;
const ROWS: usize = 8 * ZIPS;

/// A number in [-1, 1) that looks like chance.
fn chance(seed: usize) -> f64 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

/// `price` is 2 size, and an effect of each zip code.
fn content() -> String {
    let mut text = "zip,size,colour,price\n".to_string();
    for row in 0..ROWS {
        let (zip, size) = (row * 7919 % ZIPS, chance(row));
        let colour = ["red", "green"][row * 31 % 7 % 2];
        let price = 2.0 * size + 3.0 * chance(10_000 + zip) + 0.1 * chance(20_000 + row);
        text += &format!("Z{zip:04},{size:.4},{colour},{price:.4}\n");
    }
    text
}

fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), content()).unwrap();
    folder
}

fn rmse(folder: &Path, arguments: &[&str]) -> f64 {
    succeeds(folder, &[arguments, &["--json", "run.json", "-q"]].concat());
    json(&folder.join("run.json"))["test"]["values"]["rmse"].as_f64().unwrap()
}

/// Beyond the hundred most frequent categories all are one where each has a feature.
#[test]
fn an_embedding_learns_what_features_of_the_most_frequent_cannot() {
    let folder = workplace();
    let path = folder.path();
    let short = ["--epochs", "25"];
    let embedded = rmse(path, &[&["train", "t.csv", "--save", "m.st"][..], &short].concat());
    let features = rmse(path, &[&["train", "t.csv", "--set", "data.embed=100000"][..], &short].concat());
    assert!(embedded < 0.5 && features > 1.0, "{embedded} {features}");
    // The file has the whole way from raw rows to predictions.
    let evaluated = succeeds(path, &["eval", "--model", "m.st"]);
    assert!(evaluated.contains("RMSE"), "{evaluated}");
    fs::write(path.join("rows.csv"), "size,colour,zip\n0.5,red,Z0007\n0.5,red,Z0008\n0.5,red,new\n").unwrap();
    succeeds(path, &["predict", "--model", "m.st", "rows.csv", "--out", "p.csv"]);
    let text = fs::read_to_string(path.join("p.csv")).unwrap();
    let values: Vec<f64> = text.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    let effect = |zip: usize| 1.0 + 3.0 * chance(10_000 + zip);
    assert!((values[0] - effect(7)).abs() < 1.0 && (values[1] - effect(8)).abs() < 1.0, "{values:?}");
    assert!(values.len() == 3 && values[2].abs() < 5.0, "{values:?}");
}

#[test]
fn what_is_embedded_is_told_and_the_printed_recipe_is_the_command() {
    let folder = workplace();
    let path = folder.path();
    let info = succeeds(path, &["data", "info", "t.csv"]);
    assert!(
        info.contains("zip: `fallline train` learns an embedding of 250 categories in 35 numbers"),
        "{info}"
    );
    let printed = succeeds(path, &["train", "t.csv", "--epochs", "1", "--save", "a.st"]);
    assert!(printed.contains("embedding of 250 categories in 35 numbers"), "{printed}");
    assert!(printed.contains("embedding 251x35"), "{printed}");
    let indented = printed.lines().skip_while(|line| !line.starts_with("    "));
    let recipe: Vec<&str> = indented.take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    fs::write(path.join("t.toml"), recipe.join("\n")).unwrap();
    succeeds(path, &["train", "t.toml", "--epochs", "1", "--threads", "1", "--save", "b.st", "-q"]);
    let tensors = |name: &str| {
        let bytes = fs::read(path.join(name)).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..].to_vec()
    };
    assert!(tensors("a.st") == tensors("b.st"));
    // Columns by name, however few categories they have.
    let few = ["--epochs", "1", "--set", "data.embed=100000", "--set", "data.embeddings.colour=3"];
    let printed = succeeds(path, &[&["train", "t.csv"][..], &few].concat());
    assert!(printed.contains("embedding of 2 categories in 3 numbers"), "{printed}");
    // No column has so many, so that nothing is embedded.
    succeeds(path, &["train", "t.csv", "--epochs", "1", "--set", "data.embed=900", "-q"]);
}

#[test]
fn what_cannot_be_embedded_is_refused() {
    let folder = workplace();
    let path = folder.path();
    let train = |settings: &[&str], expected: &str| {
        let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
        fails(path, &["train", "t.csv", "-q"].into_iter().chain(settings).collect::<Vec<_>>(), expected)
    };
    train(&["data.embeddings.size=3"], "data.types.size=category takes `size` for one");
    train(&["data.embeddings.zips=3"], "did you mean `zip`?");
    train(&["data.embeddings.zip=3", "data.ignore=zip"], "columns that predictions are made of, found `zip`");
    train(
        &["model.kind=ridge", "data.embed=50"],
        "`data.embed`: expected none with `model.kind = \"ridge\"`",
    );
    train(&["model.kind=ridge", "data.embeddings.zip=5"], "which has a coefficient for each category");
    let ridge = ["train", "t.csv", "-q", "--set", "model.kind=ridge", "--epochs", "2"];
    succeeds(path, &ridge);
    let recipe = |layers: &str| {
        let text = format!(
            "name = 't'\n[data]\nfile = 't.csv'\nembeddings = {{ zip = 4 }}\n[model]\nloss = 'mean-squared-error'\n\
             layers = [{layers}{{ type = 'dense', units = 1 }}]\n[optimizer]\nname = 'adam'\n[train]\nepochs = 1\n"
        );
        fs::write(path.join("r.toml"), text).unwrap();
    };
    recipe("");
    fails(
        path,
        &["train", "r.toml", "-q"],
        "`{ type = \"embedding\" }` first, as these columns are embedded: `zip`",
    );
    recipe("{ type = 'embedding' }, ");
    succeeds(path, &["train", "r.toml", "-q", "--folds", "2"]);
    fails(path, &["train", "r.toml", "-q", "--set", "data.mean=0.5"], "`data.mean`: expected 0");
}

const TOWNS: &str = "town,height,income\nRome,1.5,1\nOslo,1.6,2\nRome,1.7,3\nLima,?,4\nOslo,1.9,5\n,2.0,6\n";

fn encoder(setup: &Setup) -> Result<(Table, Arc<Encoder>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, TOWNS).unwrap();
    let table = Table::read(&path, &TableOptions::default()).unwrap();
    let rows: Vec<u32> = (0..table.rows as u32).collect();
    let fitted = Encoder::fit(&table, &rows, setup, &TableOptions::default())?;
    Ok((table, Arc::new(fitted.encoder)))
}

#[test]
fn rows_have_their_codes_last_in_memory_and_from_files() {
    let setup = Setup { embeddings: vec![("town".into(), 2)], ..Setup::default() };
    let (table, encoder) = encoder(&setup).unwrap();
    assert_eq!(encoder.feature_names(), ["height", "height missing", "town"]);
    // Lima is rare; others, Oslo, Rome and missing ones.
    assert_eq!(encoder.embeddings(), [[4, 2]]);
    let samples = encoder.samples(&table, &[0, 1, 2, 3, 4, 5]).unwrap();
    let Features::Floats(floats) = samples.features() else { panic!() };
    let codes: Vec<f32> = floats.chunks_exact(3).map(|row| row[2]).collect();
    assert_eq!(codes, [2.0, 1.0, 2.0, 0.0, 1.0, 3.0]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    fs::write(&path, TOWNS.to_string() + "Bonn,1.5,7\n").unwrap();
    let mut rows = Rows::default();
    assert_eq!(RowReader::open(&path, &encoder, true).unwrap().next(100, &mut rows).unwrap(), 7);
    assert_eq!(&rows.features[..18], &floats[..]);
    assert_eq!(rows.features[20], 0.0);
    // As JSON and back; what cannot be is refused.
    let text = encoder.to_json();
    assert_eq!(Encoder::from_json(&text).as_ref(), Ok(&*encoder));
    for (from, to, fault) in [
        ("\"width\":2", "\"width\":0", "a category in no numbers, or too many in `town`"),
        ("[\"Oslo\",\"Rome\"]", "[\"Rome\",\"Oslo\"]", "categories that are not sorted in `town`"),
        ("\"kind\":\"embedding\"", "\"kind\":\"embeding\"", "unknown variant"),
    ] {
        let error = Encoder::from_json(&text.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(fault), "{error}");
    }
    let mut mixed = (*encoder).clone();
    mixed.features.reverse();
    let error = Encoder::from_json(&mixed.to_json()).unwrap_err();
    assert!(error.contains("a column that is embedded before one that is not"), "{error}");
}

#[test]
fn columns_of_more_categories_than_asked_for_are_embedded() {
    let of = |embed| encoder(&Setup { embed, ..Setup::default() }).unwrap().1.embeddings();
    let width = embedding_width(4);
    assert_eq!((of(None), of(Some(3)), of(Some(2))), (vec![], vec![], vec![[4, width]]));
    let windows = Some(fallline::data::table::WindowSetup::of(2));
    let setup = Setup { embeddings: vec![("town".into(), 2)], windows, ..Setup::default() };
    let error = encoder(&setup).map(drop).unwrap_err().to_string();
    assert!(error.contains("none with windows of a series"), "{error}");
}

/// A program makes the same of a table.
#[test]
fn a_program_trains_on_columns_that_are_embedded() {
    let setup = Setup { embeddings: vec![("town".into(), 2)], ..Setup::default() };
    let (table, encoder) = encoder(&setup).unwrap();
    let samples = encoder.samples(&table, &[0, 1, 2, 3, 4, 5]).unwrap();
    let network = |first: bool| {
        let model = Model::sequential(3);
        let model = if first { model.embedding(&encoder.embeddings()) } else { model };
        model.dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build().unwrap()
    };
    let trainer = Trainer::new().optimizer(Optimizer::adam(0.05)).epochs(60).batch(6).threads(2);
    let mut model = network(true);
    trainer.fit(&mut model, &samples).unwrap();
    let error = trainer.fit(&mut network(false), &samples).unwrap_err().to_string();
    assert!(error.contains("first, as these columns are embedded: `town`"), "{error}");
    // Saved and loaded, a network has the same answers.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    model.save(&path).unwrap();
    let answers = |model: Model| {
        let mut answers = vec![0.0; 2];
        let rows = [0.5f32, 0.0, 2.0, 0.5, 0.0, 77.0];
        Predictor::new(model).unwrap().predict(&rows[..], &mut answers).unwrap();
        answers
    };
    let loaded = answers(Model::load(&path).unwrap());
    assert_eq!(answers(model), loaded);
    assert!(loaded.iter().all(|answer| answer.is_finite()));
}

/// What stands for nothing is found before a training, not in it.
#[test]
fn samples_with_numbers_that_are_no_codes_are_refused() {
    let targets = || Targets::Values { values: vec![1.0, 2.0], width: 1 };
    let fit = |values: Vec<f32>| {
        let mut model = Model::sequential(2)
            .embedding(&[[3, 2]])
            .dense(1, Activation::IDENTITY)
            .loss(Loss::MEAN_SQUARED_ERROR)
            .build()
            .unwrap();
        let samples = Samples::floats(values, [1, 1, 2], targets(), 0).unwrap();
        Trainer::new().epochs(1).fit(&mut model, &samples).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(fit(vec![0.5, 2.0, -7.0, 0.0]), Ok(()));
    for code in [3.0, -1.0, 0.5] {
        let error = fit(vec![0.5, 2.0, -7.0, code]).unwrap_err();
        let expected =
            "number 1 of sample 1, which the `embedding` reads: expected a whole number from 0 to 2, found";
        assert!(error.contains(expected), "{error}");
    }
    // Bytes are divided by 255 unless the scale is 1.
    let recipe = |scale: &str| {
        format!(
            "name = 't'\n[data]\nset = 'digits'\n{scale}\ntrain_samples = 20\ntest_samples = 10\n[model]\n\
             layers = [{{ type = 'embedding', categories = 256, widths = 2, shared = true }}, {{ type = 'global-average-pool' }}, \
             {{ type = 'dense', units = 10 }}]\n[optimizer]\nname = 'sgd'\n[train]\nepochs = 1\n"
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.toml"), recipe("")).unwrap();
    fs::write(path.join("b.toml"), recipe("scale = 1")).unwrap();
    fails(path, &["train", "a.toml", "-q"], "is scaled to");
    succeeds(path, &["train", "b.toml", "-q"]);
}
