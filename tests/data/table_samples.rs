//! What becomes of the columns of a table: fitted to the training rows alone, and the same for rows in memory and in files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fallline::data::table::encode::How;
use fallline::data::table::{Encoder, Fill, RowReader, Rows, Scaling, Setup, Table, TableOptions, Target};
use fallline::data::{Features, Samples, Targets};
use fallline::{Error, Result};

/// A table with all kinds of columns; every third age is missing, and one town is rare.
const PEOPLE: &str = "\
name,age,town,born,height,income
ann,20,Rome,2001-01-31,1.5,low
bob,?,Oslo,2001-02-01,1.6,high
cid,40,Rome,2003-03-05,1.7,low
dan,30,Oslo,2004-04-06,1.8,high
eve,,Lima,2005-05-07,1.9,high
fay,50,Rome,2006-06-08,2.0,low
";

fn setup() -> Setup {
    Setup { id: Some("name".into()), ..Setup::default() }
}

fn table(content: &str) -> Table {
    table_with(content, &TableOptions::default())
}

fn table_with(content: &str, options: &TableOptions) -> Table {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    Table::read(&path, options).unwrap()
}

fn all(table: &Table) -> Vec<u32> {
    (0..table.rows as u32).collect()
}

fn fit(table: &Table, setup: &Setup) -> Result<Arc<Encoder>> {
    Encoder::fit(table, &all(table), setup, &TableOptions::default()).map(|fitted| Arc::new(fitted.encoder))
}

fn floats(samples: &Samples) -> &[f32] {
    match samples.features() {
        Features::Floats(floats) => floats,
        Features::Bytes(_) => panic!("no table has bytes"),
    }
}

/// The rows of a text as the encoder reads them from a file.
fn rows(encoder: &Arc<Encoder>, content: &str, with_target: bool) -> Result<Rows> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    fs::write(&path, content).unwrap();
    let mut reader = RowReader::open(&path, encoder, with_target)?;
    let (mut all, mut some) = (Rows::default(), Rows::default());
    // Two at a time, so that more than one call is tried.
    while reader.next(2, &mut some)? > 0 {
        all.count += some.count;
        all.features.extend(&some.features);
        all.classes.extend(&some.classes);
        all.values.extend(&some.values);
        all.weights.extend(&some.weights);
        all.ids.append(&mut some.ids);
    }
    Ok(all)
}

#[track_caller]
fn refused(result: Result<impl Sized>) -> String {
    result.err().expect("a refusal").to_string()
}

#[test]
fn each_kind_of_column_becomes_its_features() {
    let table = table(PEOPLE);
    let encoder = fit(&table, &setup()).unwrap();
    assert_eq!(
        encoder.feature_names()[..7],
        ["age", "age missing", "town=Oslo", "town=Rome", "town other", "born year", "born month sin"]
    );
    assert_eq!(encoder.target.class_names(), ["high", "low"]);
    let samples = encoder.samples(&table, &all(&table)).unwrap();
    assert_eq!(*samples.targets(), Targets::Classes(vec![1, 0, 1, 0, 0, 1]));
    let width = encoder.width();
    let row = |row: usize| &floats(&samples)[row * width..][..width];
    // Ages 20, 40, 30, 50: mean 35, deviation sqrt(125), median 35.
    let scaled = |age: f64| ((age - 35.0) / 125f64.sqrt()) as f32;
    assert_eq!(row(0)[..5], [scaled(20.0), 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(row(1)[..5], [scaled(35.0), 1.0, 1.0, 0.0, 0.0]);
    // Lima is alone.
    assert_eq!(row(4)[..5], [scaled(35.0), 1.0, 0.0, 0.0, 1.0]);
}

/// Bit for bit, in any order of columns, with a header or without, with the target or without.
#[test]
fn rows_of_a_file_are_read_as_those_in_memory() {
    let table = table(PEOPLE);
    let encoder = fit(&table, &setup()).unwrap();
    let expected = encoder.samples(&table, &all(&table)).unwrap();
    let lines: Vec<Vec<&str>> = PEOPLE.lines().map(|line| line.split(',').collect()).collect();
    let chosen = |columns: &[usize], header: bool| -> String {
        let line = |line: &Vec<&str>| {
            columns.iter().map(|&column| line[column]).collect::<Vec<_>>().join(" ,") + "\n"
        };
        lines[usize::from(!header)..].iter().map(line).collect()
    };
    for (columns, header, with_target) in [
        (&[0, 1, 2, 3, 4, 5][..], true, true),
        (&[5, 4, 3, 2, 1, 0], true, true),
        (&[3, 1, 4, 2], true, false),
        (&[0, 1, 2, 3, 4, 5], false, true),
        (&[0, 1, 2, 3, 4], false, false),
    ] {
        let rows = rows(&encoder, &chosen(columns, header), with_target).unwrap();
        assert_eq!(rows.count, 6);
        assert_eq!(rows.features, floats(&expected), "{columns:?}");
        assert_eq!(rows.classes.is_empty(), !with_target);
        assert_eq!(rows.ids.is_empty(), !columns.contains(&0));
    }
}

#[test]
fn only_the_training_rows_are_learnt_from() {
    let changed = PEOPLE.replace("fay,50,Rome,2006-06-08,2.0", "fay,9999,Paris,1901-06-08,-70.0");
    let fit = |content: &str| {
        let table = table(content);
        Encoder::fit(&table, &[0, 1, 2, 3, 4], &setup(), &TableOptions::default()).unwrap().encoder
    };
    assert_eq!(fit(PEOPLE), fit(&changed));
    // What is not among them is noticed where it is.
    let seen = table(&changed);
    let of_all = Encoder::fit(&seen, &all(&seen), &setup(), &TableOptions::default()).unwrap().encoder;
    assert_ne!(of_all, fit(PEOPLE));
}

#[test]
fn an_encoder_comes_back_from_its_text_and_bad_ones_are_refused() {
    let table = table(PEOPLE);
    let encoder = fit(&table, &setup()).unwrap();
    let text = encoder.to_json();
    assert_eq!(Encoder::from_json(&text).unwrap(), *encoder);
    for (from, to) in [
        ("\"factor\":", "\"factor\":0.0,\"x\":"),
        ("\"column\":\"age\"", "\"column\":\"agee\""),
        ("\"features\":[", "\"features\":[],\"other\":["),
        ("\"values\":[\"high\",\"low\"]", "\"values\":[]"),
        ("{", "["),
    ] {
        let spoilt = text.replacen(from, to, 1);
        assert_ne!(spoilt, text, "{from}");
        assert!(Encoder::from_json(&spoilt).is_err(), "{from}");
    }
}

#[test]
fn scaling_and_filling_are_as_asked_for_each_column() {
    let table = table("a,b,y\n1,?,0.5\n3,10,1.5\n8,30,2.5\n");
    let setup = Setup {
        scaling: Scaling::MinMax,
        scalings: vec![("b".into(), Scaling::None)],
        fill: Fill::Constant(-5.0),
        indicator: false,
        standardise_target: false,
        ..Setup::default()
    };
    let encoder = fit(&table, &setup).unwrap();
    let samples = encoder.samples(&table, &all(&table)).unwrap();
    assert_eq!(floats(&samples), [0.0, -5.0, (2.0f64 / 7.0) as f32, 10.0, 1.0, 30.0]);
    assert_eq!(*samples.targets(), Targets::Values { values: vec![0.5, 1.5, 2.5], width: 1 });
}

#[test]
fn values_are_standardised_and_know_their_units() {
    let table = table("x,y,z\n1,10.5,0\n2,20.5,1.5\n3,30.5,3\n");
    let both = Setup { target: vec!["z".into(), "2".into()], ..Setup::default() };
    let encoder = fit(&table, &both).unwrap();
    let samples = encoder.samples(&table, &all(&table)).unwrap();
    let Targets::Values { values, width: 2 } = samples.targets() else { panic!("{:?}", samples.targets()) };
    let numbers: Vec<f64> = values
        .iter()
        .zip(samples.units().iter().cycle())
        .map(|(&value, unit)| unit.number(value.into()))
        .collect();
    for (number, expected) in numbers.iter().zip([0.0, 10.5, 1.5, 20.5, 3.0, 30.5]) {
        assert!((number - expected).abs() < 1e-5, "{numbers:?}");
    }
    assert_eq!(values[2..4], [0.0, 0.0]);
}

#[test]
fn classes_that_are_numbers_are_sorted_and_named_by_a_line_of_counts() {
    let of = |content: &str| fit(&table(content), &Setup::default()).unwrap().target.clone();
    let counted = of(&("30,1,red,green,blue\n".to_string() + &"0.5,2\n1.5,0\n2.5,1\n".repeat(10)));
    assert_eq!(counted.class_names(), ["red", "green", "blue"]);
    let Target::Classes { values, .. } = of(&"0.5,10\n1.5,-1\n2.5,2\n".repeat(10)) else { panic!() };
    assert_eq!(values, ["-1", "2", "10"]);
}

#[test]
fn columns_that_say_nothing_are_left_out_with_a_word() {
    let table = table("a,b,c,d,y\n1,7,,x,0.5\n2,7,,x,1.5\n3,7,,x,2.5\n");
    let fitted = Encoder::fit(&table, &all(&table), &Setup::default(), &TableOptions::default()).unwrap();
    assert_eq!(fitted.encoder.feature_names(), ["a"]);
    assert_eq!(
        fitted.notes,
        [
            "column `b` is left out: it is 7 in all training rows",
            "column `c` is left out: all its values are missing",
            "column `d` is left out: it is `x` in all training rows"
        ]
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let message = |content: &str, setup: &Setup| refused(fit(&table(content), setup));
    let target = |name: &str| Setup { target: vec![name.into()], ..setup() };
    let plain = Setup::default();
    assert!(message(PEOPLE, &target("incom")).contains("did you mean `income`?"));
    assert!(
        message(PEOPLE, &target("age")).contains("line 3, column 2 (`age`): expected a value in every row")
    );
    assert!(message(PEOPLE, &Setup { ignore: vec!["x".into()], ..setup() }).contains("unknown column `x`"));
    let both = Setup { features: vec!["income".into()], ..setup() };
    assert!(message(PEOPLE, &both).contains("found `income`"));
    let one_class = PEOPLE.replace("low", "high");
    assert!(message(&one_class, &setup()).contains("one alone"), "{}", message(&one_class, &setup()));
    let texts: String = (0..60).map(|row| format!("{row}.5,text {row},{}\n", row % 2)).collect();
    let message_of_texts = message(&texts, &plain);
    assert!(message_of_texts.contains("data.ignore = [\"column_2\"]"), "{message_of_texts}");
    let among_numbers =
        (0..40).map(|row| if row == 20 { "abc,1.5\n".into() } else { format!("{row}.5,{row}.25\n") });
    let among_numbers: String = among_numbers.collect();
    let found = message(&among_numbers, &plain);
    assert!(found.contains("line 21, column 1 (`column_1`): expected a number"), "{found}");
    let log = Setup { scaling: Scaling::Log1p, ..Setup::default() };
    assert!(message("a,y\n-1.5,0.5\n2,1.5\n", &log).contains("expected numbers above -1, found -1.5"));
    let nothing = message("a,y\n5,0.5\n5,1.5\n", &plain);
    assert!(nothing.contains("it is 5 in all training rows"), "{nothing}");
}

#[test]
fn rows_that_do_not_fit_are_refused_with_their_place() {
    let encoder = fit(&table(PEOPLE), &setup()).unwrap();
    let message = |content: &str, with_target| refused(rows(&encoder, content, with_target));
    let header = "name,age,town,born,height,income\n";
    for (content, expected) in [
        ("age,town,born\n1,Rome,2001-01-01\n".to_string(), "unknown column `height`"),
        (
            format!("{header}ann,x,Rome,2001-01-01,1.5,low\n"),
            "line 2, column 2 (`age`): expected a number, found `x`",
        ),
        (format!("{header}ann,1,Rome,2001-01,1.5,low\n"), "line 2, column 4 (`born`): expected a date"),
        (
            format!("{header}ann,1,Rome,2001-01-01,1.5\n"),
            "line 2: expected 6 fields, as many as the header has, found 5",
        ),
        (
            format!("{header}ann,1e60,Rome,2001-01-01,1.5,low\n"),
            "(`age`): expected a number that an f32 holds",
        ),
        ("1,2,3\n".to_string(), "found 3 fields"),
        ("alter,stadt,geboren\n1,Rome,2001-01-01\n".to_string(), "found `alter, stadt, geboren`"),
        (
            header.to_string() + "ann,1,Rome,2001-01-01,1.5,lowest\n",
            "(`income`): expected a class of the training rows: high, low",
        ),
        (header.to_string() + "ann,1,Rome,2001-01-01,1.5,\n", "found nothing"),
        (
            "age,age,town,born,height,income\n1,1,Rome,2001-01-01,1.5,low\n".to_string(),
            "that of column 1 once more",
        ),
    ] {
        let found = message(&content, content.contains("income"));
        assert!(found.contains(expected), "{content}: {found}");
    }
    assert!(
        message("age,town,born,height\n1,Rome,2001-01-01,1.5\n", true)
            .contains("expected the target `income`")
    );
    // An unknown category is one of the others; a column more is passed over.
    let more = rows(&encoder, "age,town,born,height,shoe\n1,Bonn,2001-01-01,1.5,44\n", false).unwrap();
    assert_eq!(more.features[2..5], [0.0, 0.0, 1.0]);
}

#[test]
fn real_tables_give_the_features_that_they_have_elsewhere() {
    let Some(folder) = crate::common::datasets("tables") else { return };
    let path = folder.join("adult-train.csv");
    let table = Table::read(&path, &TableOptions::default()).unwrap();
    // As scikit-learn: a feature for each category, and one for missing ones.
    let setup = Setup { rare: 1, ..Setup::default() };
    let encoder =
        Arc::new(Encoder::fit(&table, &all(&table), &setup, &TableOptions::default()).unwrap().encoder);
    assert_eq!(encoder.width(), 108);
    assert_eq!(encoder.target.class_names(), ["<=50K", ">50K"]);
    // Classes with a period behind them.
    let test = folder.join("adult-test.csv");
    let samples = RowReader::open(Path::new(&test), &encoder, true).unwrap().samples().unwrap();
    let rich = samples.labels().unwrap().iter().filter(|&&label| label == 1).count();
    assert_eq!((samples.len(), rich), (16_281, 3_846));
    let categories = encoder.features.iter().filter(|feature| matches!(feature.how, How::Category { .. }));
    assert_eq!(categories.count(), 8);
}

#[test]
fn an_error_of_a_class_says_what_is_known() {
    let table = table(PEOPLE);
    let encoder = fit(&table, &setup()).unwrap();
    let other = self::table(&PEOPLE.replace("low", "none"));
    let error = encoder.samples(&other, &all(&other)).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
}
