//! Windows of series: what a sample reads and predicts, that nothing is seen ahead of its time, and what forecasts are
//! compared with.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fallline::data::table::encode::{How, Spacing};
use fallline::data::table::{Encoder, RowReader, Setup, Table, TableOptions, WindowSetup};
use fallline::data::{Features, Samples, Targets};
use fallline::engine::train::{Evaluation, split};
use fallline::{Activation, Error, Loss, Model, Predictor, Recipe, Result, Trainer};

use crate::common::csv;
use crate::common::program::{fails, json, succeeds};

/// Months from 2001 on: `load` is a season of 12 and a trend, `price` and `sale` other features.
fn content(rows: usize, change: impl Fn(usize) -> f64) -> String {
    let mut text = "month,price,sale,load\n".to_string();
    for row in 0..rows {
        let (year, month) = (2001 + row / 12, row % 12 + 1);
        let load = 50.0 + row as f64 + 20.0 * (row as f64 * std::f64::consts::TAU / 12.0).sin() + change(row);
        let (price, sale) = (row * 7 % 11, row * 5 % 3);
        text += &format!("{year}-{month:02},{price}.5,{sale}.25,{load:.3}\n");
    }
    text
}

fn table(content: &str) -> Table {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    Table::read(&path, &TableOptions::default()).unwrap()
}

fn setup(window: usize, horizon: usize, step: usize) -> Setup {
    let windows =
        WindowSetup { horizon, step, known: vec!["sale".into()], season: None, ..WindowSetup::of(window) };
    Setup { windows: Some(windows), ..Setup::default() }
}

fn rows(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

fn fit(table: &Table, trained: u32, setup: &Setup) -> Result<Arc<Encoder>> {
    let fitted = Encoder::fit(table, &rows(0..trained), setup, &TableOptions::default())?;
    Ok(Arc::new(fitted.encoder))
}

fn floats(samples: &Samples) -> &[f32] {
    match samples.features() {
        Features::Floats(floats) => floats,
        Features::Bytes(_) => panic!("no table has bytes"),
    }
}

fn values(samples: &Samples) -> &[f32] {
    match samples.targets() {
        Targets::Values { values, .. } => values,
        Targets::Classes(_) | Targets::Tokens(_) | Targets::None => {
            panic!("the targets of a series are values")
        }
    }
}

/// Every number of every sample is that of its row, found by going through them one by one.
#[test]
fn each_number_of_a_window_is_that_of_its_row() {
    let table = table(&content(60, |_| 0.0));
    for (window, horizon, step) in [(5, 3, 1), (12, 1, 4), (1, 7, 2), (6, 6, 60)] {
        let encoder = fit(&table, 48, &setup(window, horizon, step)).unwrap();
        let samples = encoder.samples(&table, &rows(0..48)).unwrap();
        let count = (48 - window - horizon) / step + 1;
        assert_eq!((samples.len(), samples.units().len()), (count, horizon));
        // The features of a row, in their order: month (year, sine, cosine), price, sale, load.
        assert_eq!(
            encoder.feature_names(),
            ["month year", "month month sin", "month month cos", "price", "sale", "load"]
        );
        let row_of = |row: usize| {
            let mut numbers = Vec::new();
            for feature in &encoder.features {
                let column = &table.columns[table.find(&feature.column).unwrap()];
                let number = column.numbers().unwrap().nth(row).unwrap();
                match &feature.how {
                    How::Number { scale, .. } => numbers.push(scale.apply(number).unwrap()),
                    How::Date { .. } => {
                        let mut own = [0.0; 3];
                        feature.write_date(Some(number as i64), &mut own);
                        numbers.extend(own);
                    }
                    How::Category { .. } | How::Embedding { .. } => panic!("there is none"),
                }
            }
            numbers
        };
        let mut expected: [Vec<f32>; 2] = Default::default();
        for sample in 0..count {
            let start = sample * step;
            for row in start..start + window {
                expected[0].extend(&row_of(row)[3..]);
            }
            for row in start + window..start + window + horizon {
                expected[0].extend([row_of(row)[1], row_of(row)[2], row_of(row)[4]]);
                let load = table.columns[3].numbers().unwrap().nth(row).unwrap();
                expected[1].push(samples.units()[0].value(load) as f32);
            }
        }
        assert!(floats(&samples) == expected[0] && values(&samples) == expected[1], "{window}");
        assert_eq!(encoder.inputs() * count, expected[0].len());
        let read = Encoder::from_json(&encoder.to_json()).unwrap();
        assert_eq!(read, *encoder);
    }
}

fn trained(path: &Path, content: &str, changes: &[&str]) -> Result<fallline::data::DataSet> {
    fs::write(path, content).unwrap();
    fallline::engine::train::dataset::load(&recipe(path, changes).data, None)
}

fn recipe(path: &Path, changes: &[&str]) -> Recipe {
    let text = format!(
        "name = \"t\"\n[data]\nfile = \"{}\"\nwindow = 12\nhorizon = 3\n[model]\nloss = \"mean-squared-error\"\n\
         [[model.layers]]\ntype = \"dense\"\nunits = 3\n[optimizer]\nname = \"adam\"\n",
        path.display()
    );
    let changes: Vec<_> = changes.iter().map(|change| change.parse().unwrap()).collect();
    let file = path.with_extension("toml");
    fs::write(&file, text).unwrap();
    Recipe::load(&file, &changes).unwrap()
}

/// Whatever happens from the first test row on, nothing of the training is another.
#[test]
fn nothing_is_seen_ahead_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    // A fifth of 60 rows is the test: it begins at row 48.
    let before = trained(&path, &content(60, |_| 0.0), &[]).unwrap();
    let encoder = before.train.encoder().unwrap().clone();
    assert_eq!((before.train.len(), before.test.len()), (48 - 15 + 1, 12 - 3 + 1));
    for changed in [48, 53, 59] {
        let after =
            trained(&path, &content(60, |row| if row == changed { 1000.0 } else { 0.0 }), &[]).unwrap();
        assert!(after.train == before.train && after.test != before.test, "{changed}");
        assert_eq!(*after.train.encoder().unwrap(), encoder, "{changed}");
    }
    // The check can fail: the last training row is seen.
    let after = trained(&path, &content(60, |row| if row == 47 { 1000.0 } else { 0.0 }), &[]).unwrap();
    assert!(after.train != before.train);
    // The first test window reads the last training rows, and predicts the first test rows.
    let unit = before.test.units()[0];
    let table = table(&content(60, |_| 0.0));
    let load = |row: usize| unit.value(table.columns[3].numbers().unwrap().nth(row).unwrap()) as f32;
    assert_eq!(values(&before.test)[..3], [48, 49, 50].map(load));
    let all = encoder.samples(&table, &rows(0..60)).unwrap();
    let width = encoder.inputs();
    assert_eq!(floats(&before.test)[..width], floats(&all)[36 * width..37 * width]);
}

/// Validation comes last in time, and no window that is trained on predicts a row that is validated.
#[test]
fn validation_is_behind_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    for step in [1, 2, 5] {
        let changes = [&*format!("data.step={step}"), "data.validation=4"];
        let set = trained(&path, &content(60, |_| 0.0), &changes).unwrap();
        let split = split(&set.train, &recipe(&path, &changes)).unwrap().unwrap();
        let count = set.train.len();
        assert_eq!(split.held, rows(count as u32 - 4..count as u32));
        let first_validated = split.held[0] as usize * step + 12;
        let last_trained = *split.subset.last().unwrap() as usize * step + 12 + 3 - 1;
        assert!(last_trained < first_validated && last_trained + step >= first_validated, "{step}");
    }
    let set = trained(&path, &content(60, |_| 0.0), &[]).unwrap();
    let refused = split(&set.train, &recipe(&path, &["data.validation=33"])).unwrap_err().to_string();
    assert!(refused.contains("fewer than the 34 training windows, 2 of which overlap"), "{refused}");
}

#[test]
fn a_file_of_test_rows_goes_on_where_the_training_ends() {
    let folder = tempfile::tempdir().unwrap();
    let [path, test] = ["t.csv", "later.csv"].map(|name| folder.path().join(name));
    let content = content(80, |_| 0.0);
    let lines: Vec<&str> = content.lines().collect();
    let part = |from: usize, to: usize| format!("{}\n{}\n", lines[0], lines[from + 1..to + 1].join("\n"));
    let change = format!("data.test_file={}", test.display());
    let windows = |from: usize| {
        fs::write(&test, part(from, 80)).unwrap();
        let set = trained(&path, &part(0, 60), &[&change]).unwrap();
        assert_eq!(set.train.len(), 60 - 15 + 1);
        (set.test, set.notes)
    };
    // With all 60 rows at hand, or from row 61 on within the file alone.
    let (following, notes) = windows(60);
    assert_eq!((following.len(), notes.len()), (20 - 3 + 1, 0));
    let (apart, notes) = windows(61);
    assert_eq!((apart.len(), notes.len()), (19 - 15 + 1, 1));
    assert!(notes[0].contains("the first window of the test begins in it"), "{notes:?}");
}

/// A network without anything learnt predicts the mean of the training rows: its errors and those of naive forecasts are
/// found here by going through the rows of the table.
#[test]
fn errors_are_those_that_are_found_by_hand() {
    let content = content(60, |row| (row * row % 13) as f64);
    let table = table(&content);
    let load: Vec<f64> = table.columns[3].numbers().unwrap().collect();
    let setup = setup(24, 4, 1);
    let encoder = fit(&table, 48, &setup).unwrap();
    let test = encoder.samples(&table, &rows(24..60)).unwrap();
    let mut model = Model::sequential(encoder.inputs())
        .dense(4, Activation::IDENTITY)
        .loss(Loss::MEAN_SQUARED_ERROR)
        .build()
        .unwrap();
    model.parts_mut().1.fill(0.0);
    let seen = Trainer::new().evaluate(&model, &test).unwrap();
    let (series, values) = (seen.series.unwrap(), seen.values.clone().unwrap());

    let naive_error: f64 = (1..48).map(|row| (load[row] - load[row - 1]).abs()).sum::<f64>() / 47.0;
    let mean = load[..48].iter().sum::<f64>() / 48.0;
    // The first test row is 48; a window's last row is the one before its targets.
    let errors = |forecast: &dyn Fn(usize, usize) -> f64| {
        let all: Vec<f64> = (48..=56)
            .flat_map(|first| (0..4).map(move |ahead| (first, ahead)))
            .map(|(first, ahead)| load[first + ahead] - forecast(first, ahead))
            .collect();
        let count = all.len() as f64;
        let mae = all.iter().map(|error| error.abs()).sum::<f64>() / count;
        let rmse = (all.iter().map(|error| error * error).sum::<f64>() / count).sqrt();
        [rmse, mae, mae / naive_error]
    };
    let close = |found: [f64; 3], expected: [f64; 3]| {
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");
        }
    };
    close([values.rmse, values.mae, series.mase.unwrap()], errors(&|_, _| mean));
    let naive = series.naive;
    close([naive.rmse, naive.mae, naive.mase.unwrap()], errors(&|first, _| load[first - 1]));
    let seasonal = series.seasonal.unwrap();
    assert_eq!(seasonal.season, 12);
    let errors_of = seasonal.errors;
    let again = errors(&|first, ahead| load[first - 12 + ahead]);
    close([errors_of.rmse, errors_of.mae, errors_of.mase.unwrap()], again);
    let json = serde_json::to_string(&seen).unwrap();
    assert!(json.contains(r#""seasonal":{"season":12,"rmse":"#), "{json}");
    assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), seen);
    // A season that is shorter than the horizon comes again and again; one longer than the window is none.
    let Features::Floats(features) = test.features() else { panic!("no bytes") };
    let again = encoder.naive_forecasts(features, 3).unwrap();
    assert_eq!(again[0], again[3]);
    assert!((again[1] - encoder.units()[0].value(load[46]) as f32).abs() < 1e-5);
    assert_eq!(encoder.naive_forecasts(features, 25), None);
}

#[test]
fn several_targets_lie_side_by_side() {
    let table = table(&content(40, |_| 0.0));
    let setup = Setup { target: vec!["price".into(), "load".into()], ..setup(6, 2, 1) };
    let encoder = fit(&table, 40, &setup).unwrap();
    let samples = encoder.samples(&table, &rows(0..8)).unwrap();
    let number = |column: usize, row: usize| table.columns[column].numbers().unwrap().nth(row).unwrap();
    let units = samples.units();
    assert_eq!((units.len(), units[0], units[1]), (4, units[2], units[3]));
    let expected = [units[0].value(number(1, 6)), units[1].value(number(3, 6)), units[0].value(number(1, 7))];
    assert_eq!(values(&samples)[..3], expected.map(|value| value as f32));
    assert_eq!(encoder.windows.as_ref().unwrap().naive_errors.len(), 2);
}

/// 300 rows without dates.
fn sine() -> String {
    let value = |row: u32| 10.0 * (f64::from(row) * std::f64::consts::TAU / 17.0).sin() + 5.0;
    (0..300).fold("y\n".to_string(), |text, row| text + &format!("{:.4}\n", value(row)))
}

const WINDOWS: [&str; 4] = ["--set", "data.window=24", "--set", "data.horizon=12"];

#[test]
fn a_wave_is_learnt_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("t.csv"), sine()).unwrap();
    let save = ["--save", "m.st", "--json", "run.json", "--epochs", "100"];
    let printed = succeeds(path, &[&["train", "t.csv"][..], &WINDOWS[..], &save].concat());
    // 240 rows to train on, 60 to test.
    for said in [
        "205 training and 49 test windows of 1x1x24",
        "windows of 24 rows, one every 1 row; predicts `y`",
        "in the 12 rows behind a window; from",
        "in comparison, the last value again (naive): RMSE ",
        "window = 24",
    ] {
        assert!(printed.contains(said), "{said}: {printed}");
    }
    assert!(!printed.contains("seasonal"), "{printed}");
    let test = &json(&path.join("run.json"))["test"];
    let [own, naive] =
        [&test["values"]["rmse"], &test["series"]["naive"]["rmse"]].map(|v| v.as_f64().unwrap());
    assert!(own < 0.2 * naive, "{own} {naive}");
    let evaluated = succeeds(path, &["eval", "--model", "m.st", "--json", "eval.json"]);
    assert!(evaluated.contains("MASE ") && evaluated.contains("the last value again"), "{evaluated}");
    let mut series = test["series"].clone();
    // Which knows the rows that were trained on, and so does not come with a model.
    let autoregression = series.as_object_mut().unwrap().remove("autoregression").unwrap();
    assert_eq!(json(&path.join("eval.json"))["test"]["series"], series);
    // A sine is the sum of the two values before it, times constants.
    assert!(autoregression["rmse"].as_f64().unwrap() < 1e-3 * naive, "{autoregression}");

    succeeds(path, &["predict", "--model", "m.st", "t.csv", "--out", "p.csv"]);
    let lines = csv::parsed(&fs::read_to_string(path.join("p.csv")).unwrap());
    assert_eq!((lines.len(), lines[0].join(",")), (13, "step,prediction".to_string()));
    for (step, line) in lines[1..].iter().enumerate() {
        let angle = (300 + step) as f64 * std::f64::consts::TAU / 17.0;
        let found: f64 = line[1].parse().unwrap();
        assert!((found - 10.0 * angle.sin() - 5.0).abs() < 3.0, "{line:?}");
    }
    fs::write(path.join("short.csv"), "y\n1\n2\n").unwrap();
    let message =
        "short.csv: file: expected at least 24 rows with the target, as many as a window has, found 2";
    fails(path, &["predict", "--model", "m.st", "short.csv"], message);
}

/// The program predicts what the library does, with dates that go on, and with what is known ahead.
#[test]
fn a_forecast_is_that_of_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("t.csv"), content(72, |_| 0.0)).unwrap();
    let train = [&["train", "t.csv"][..], &WINDOWS[..], &["--epochs", "3", "-q"]].concat();
    succeeds(path, &[&train[..], &["--save", "plain.st"]].concat());
    succeeds(path, &[&train[..], &["--save", "known.st", "--set", "data.known=sale"]].concat());
    let mut ahead = content(72, |_| 0.0);
    let dated: Vec<String> = (0..12).map(|row| format!("2007-{:02}", row + 1)).collect();
    for (row, date) in dated.iter().enumerate() {
        ahead += &format!("{date},,{row}.5,\n");
    }
    fs::write(path.join("ahead.csv"), &ahead).unwrap();
    for (model, file) in [("plain.st", "t.csv"), ("plain.st", "ahead.csv"), ("known.st", "ahead.csv")] {
        let printed = succeeds(path, &["predict", "--model", model, file]);
        let predictor = Predictor::load(path.join(model)).unwrap();
        let encoder = predictor.model().encoder().unwrap().clone();
        let rows = path.join(file);
        let forecast = RowReader::open(&rows, &encoder, false).unwrap().forecast().unwrap();
        let mut outputs = [0.0; 12];
        predictor.predict(&forecast.features[..], &mut outputs).unwrap();
        let unit = encoder.units()[0];
        let mut expected = "date,step,prediction\n".to_string();
        for (step, output) in outputs.iter().enumerate() {
            let number = unit.number(f64::from(*output)) as f32;
            expected += &format!("{},{},{number}\n", dated[step], step + 1);
        }
        assert_eq!(printed, expected, "{model} {file}");
        assert_eq!(forecast.dates, dated);
        // The window is that of the last rows of the table.
        let table = Table::read(&path.join("t.csv"), &TableOptions::default()).unwrap();
        let last = encoder.rows(&table, &self::rows(48..72)).unwrap();
        let start = encoder.features[0].width();
        assert_eq!(forecast.features[..3], last.features[start..start + 3]);
    }
    let message =
        "expected 12 rows to come behind the last one with the target, with `sale`, `month` and no target";
    fails(path, &["predict", "--model", "known.st", "t.csv"], message);
    fs::write(path.join("bad.csv"), ahead + "2008-01,1,1,5\n").unwrap();
    let message = "bad.csv: line 86, column 4 (`load`): expected nothing, as the row above has no target";
    fails(path, &["predict", "--model", "plain.st", "bad.csv"], message);
    let encoder = fit(&table(&content(72, |_| 0.0)), 72, &setup(24, 12, 1)).unwrap();
    let dates = encoder.windows.as_ref().unwrap().dates.as_ref().unwrap();
    assert_eq!((dates.spacing, dates.column.as_str()), (Some(Spacing::Months(1)), "month"));
}

#[test]
fn what_makes_no_series_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("t.csv"), content(60, |_| 0.0)).unwrap();
    let train = |file: &'static str, more: &[&'static str]| {
        [&["train", file][..], &WINDOWS[..], &["-q"], more].concat()
    };
    let disordered = content(60, |_| 0.0).replace("2001-04", "2001-03");
    fs::write(path.join("d.csv"), disordered).unwrap();
    let message = "d.csv: line 5, column 1 (`month`): expected a later date than in the row above";
    fails(path, &train("d.csv", &[]), message);
    succeeds(path, &train("d.csv", &["--set", "data.ignore=month", "--epochs", "1"]));
    let missing = content(60, |_| 0.0).replace(",50.000\n", ",\n");
    fs::write(path.join("m.csv"), missing).unwrap();
    fails(path, &train("m.csv", &[]), "m.csv: line 2, column 4 (`load`): expected a value in every row");
    fails(
        path,
        &["train", "t.csv", "-q", "--set", "data.horizon=2"],
        "`data.horizon`: expected `data.window`",
    );
    fails(path, &train("t.csv", &["--folds", "3"]), "folds: expected samples of which none tells");
    fails(
        path,
        &train("t.csv", &["--set", "data.weights=price"]),
        "data.weights: expected none with windows",
    );
    fails(
        path,
        &train("t.csv", &["--set", "data.window=48"]),
        "training rows: expected at least 60, 48 of a",
    );
    fails(path, &train("t.csv", &["--set", "data.test=0.1"]), "by `data.test`: expected at least 12");
    fails(path, &train("t.csv", &["--set", "data.season=25"]), "data.season: expected 2 to 24");
    fails(path, &train("t.csv", &["--set", "data.known=load"]), "data.known: expected columns");
    fails(path, &train("t.csv", &["--set", "data.known=sail"]), "did you mean `sale`?");
    let windows = |window, horizon| fit(&table(&content(60, |_| 0.0)), 60, &setup(window, horizon, 1));
    for (window, horizon) in [(0, 1), (1, 0), (usize::MAX, 1)] {
        let refused = windows(window, horizon).map(drop).unwrap_err();
        assert!(matches!(refused, Error::Mismatch { .. }), "{refused}");
    }
    let encoder = windows(12, 3).unwrap();
    for (from, to) in [
        ("\"window\":12", "\"window\":0"),
        ("\"horizon\":3", "\"horizon\":99999999"),
        ("\"months\":1", "\"months\":0"),
        ("\"season\":12", "\"season\":13"),
        ("\"known\":[\"sale\"]", "\"known\":[\"sail\"]"),
        ("\"naive_errors\":[", "\"naive_errors\":[-1.0,"),
    ] {
        let text = encoder.to_json();
        assert!(text.contains(from), "{from}: {text}");
        assert!(Encoder::from_json(&text.replace(from, to)).is_err(), "{to}");
    }
    // Where there are no windows, nothing is said of them.
    let plain = fit(&table(&content(60, |_| 0.0)), 60, &Setup::default()).unwrap();
    assert!(!plain.to_json().contains("windows"));
}

/// The passengers of 1949 to 1960, of which the last fifth is predicted a year ahead from two.
#[test]
fn real_passengers_are_predicted_better_than_naively() {
    let Some(folder) = crate::common::datasets("series") else { return };
    let passengers = folder.join("airline-passengers.csv");
    let out = tempfile::tempdir().unwrap();
    let file = passengers.canonicalize().unwrap();
    let train =
        [&["train", file.to_str().unwrap()][..], &WINDOWS[..], &["-q", "--json", "run.json"]].concat();
    succeeds(out.path(), &train);
    let test = &json(&out.path().join("run.json"))["test"];
    let series = &test["series"];
    let [own, naive, seasonal] = [&test["values"], &series["naive"], &series["seasonal"]]
        .map(|errors| errors["rmse"].as_f64().unwrap());
    println!(
        "airline-passengers: RMSE {own}, naive {naive}, seasonal naive {seasonal}; MASE {}",
        series["mase"]
    );
    assert!(own < naive, "{own} {naive} {seasonal}");
}
