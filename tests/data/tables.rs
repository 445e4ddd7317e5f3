//! Tables of comma-separated values: what is detected, what is refused and where, and real tables where there are some.

use std::fs;
use std::io::Write;

use fallline::data::table::{
    DateForm, Encoding, Kind, Measure, Table, TableOptions, TableRecord, TableWarning, Values,
};
use fallline::{Error, Result};

use crate::common::datasets;
use crate::common::program::{fails, json, succeeds};

fn read_with(content: &[u8], options: &TableOptions) -> Result<Table> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    Table::read(&path, options)
}

#[track_caller]
fn read(content: impl AsRef<[u8]>) -> Table {
    read_with(content.as_ref(), &TableOptions::default()).unwrap()
}

/// The place of an error of the file's content, and the rest of it.
#[track_caller]
fn refused(content: impl AsRef<[u8]>, options: &TableOptions) -> (String, String) {
    match read_with(content.as_ref(), options) {
        Err(Error::Format { place, expected, found, .. }) => (place, format!("{expected}; {found}")),
        other => panic!("{other:?}"),
    }
}

fn kinds(table: &Table) -> Vec<&'static str> {
    table.columns.iter().map(|column| column.kind.name()).collect()
}

fn names(table: &Table) -> Vec<&str> {
    table.columns.iter().map(|column| column.name.as_str()).collect()
}

fn numbers(table: &Table, column: usize) -> Vec<f64> {
    table.columns[column].numbers().unwrap().collect()
}

fn categories(table: &Table, column: usize) -> &[String] {
    match &table.columns[column].values {
        Values::Categories(categories) => &categories.names,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_dialect_is_detected() {
    let expected = read("a,b,c\n1.5,x,2001-01-01\n2.5,y,2001-01-02\n");
    assert_eq!((names(&expected), expected.header), (vec!["a", "b", "c"], true));
    assert_eq!(kinds(&expected), ["number", "category", "date"]);
    for content in [
        "a;b;c\n1.5;x;2001-01-01\n2.5;y;2001-01-02\n",
        "a\tb\tc\n1.5\tx\t2001-01-01\n2.5\ty\t2001-01-02\n",
        "a|b|c\n1.5|x|2001-01-01\n2.5|y|2001-01-02",
        "\u{feff}a,b,c\r\n1.5,x,2001-01-01\r\n2.5,y,2001-01-02\r\n",
        "a, b, c\n1.5 , x,  2001-01-01\n 2.5, y , 2001-01-02\n\n",
        "\"a\",\"b\",\"c\"\n\"1.5\",\"x\",\"2001-01-01\"\n\n2.5,\"y\",2001-01-02\n",
    ] {
        let table = read(content);
        let columns = (&table.columns, table.rows, table.header);
        assert_eq!(columns, (&expected.columns, expected.rows, true), "{content}");
    }
    // A table that is different is told apart.
    assert_ne!(read("a,b,c\n1.5,x,2001-01-01\n2.5,z,2001-01-02\n").columns, expected.columns);
}

#[test]
fn what_is_said_goes_before_what_is_detected() {
    let content = "1;2\n3;4\n";
    let said = |options: TableOptions| read_with(content.as_bytes(), &options).unwrap();
    assert_eq!((read(content).columns.len(), read(content).rows), (2, 2));
    assert_eq!(said(TableOptions { delimiter: Some(b','), ..Default::default() }).columns.len(), 1);
    let headed = said(TableOptions { header: Some(true), ..Default::default() });
    assert_eq!((headed.rows, names(&headed)), (1, vec!["1", "2"]));
    let named = said(TableOptions { names: vec!["x".into(), "y".into()], ..Default::default() });
    assert_eq!(
        (named.rows, names(&named), named.find("y").unwrap(), named.find("1").unwrap()),
        (2, vec!["x", "y"], 1, 0)
    );
    let kinds_said = vec![("2".to_string(), Kind::Category)];
    let typed = said(TableOptions { kinds: kinds_said, ..Default::default() });
    assert_eq!(
        (kinds(&typed), categories(&typed, 1)),
        (vec!["number", "category"], &["2".to_string(), "4".into()][..])
    );
    let missing = said(TableOptions { missing: vec!["4".into()], ..Default::default() });
    assert_eq!((missing.columns[1].missing, numbers(&missing, 1)[0]), (1, 2.0));
}

#[test]
fn quoted_fields_hold_anything() {
    let table = read("name,x\n\"a, b\",1.5\n\"c \"\"d\"\"\ne\",2.5\n");
    assert_eq!(categories(&table, 0), ["a, b", "c \"d\"\ne"]);
    assert_eq!(numbers(&table, 1), [1.5, 2.5]);
    // Also behind blanks.
    let behind = read("name, x\n \"a, b\",  1.5\n\"c \"\"d\"\"\ne\", \"2.5\"\n");
    assert_eq!(behind.columns, table.columns);
    // The line of an error counts those within quotes.
    let (place, found) = refused("name,x\n\"a\nb\nc\",1\nd,2,3\n", &TableOptions::default());
    assert_eq!((place.as_str(), found.contains("2 fields")), ("line 5", true), "{found}");
}

#[test]
fn missing_values_are_counted_and_make_no_text_of_a_number() {
    let table = read("a,b,c\n1.5,x,?\n?,?,NA\nNA,,\n,y,nan\nnull,N/A,NaN\n2.5,y,NULL\n");
    assert_eq!(kinds(&table), ["number", "category", "empty"]);
    let missing: Vec<usize> = table.columns.iter().map(|column| column.missing).collect();
    assert_eq!(missing, [4, 3, 6]);
    // One that comes late, after more rows than are looked at first.
    let late = format!("a,b\n{}5.5,1.5\n", "?,2.5\n".repeat(30_000));
    let table = read(late);
    assert_eq!(
        (table.rows, kinds(&table), table.columns[0].missing),
        (30_001, vec!["number", "number"], 30_000)
    );
    assert_eq!(numbers(&table, 0)[30_000], 5.5);
}

#[test]
fn a_line_of_counts_is_passed_over_with_a_word() {
    let content = "6,2,no,yes\n1.5,2.5,0\n2.5,3.5,1\n3.5,4.5,1\n1.5,2.5,0\n2.5,3.5,1\n3.5,4.5,1\n";
    let table = read(content);
    assert_eq!((table.rows, table.columns.len()), (6, 3));
    let counts = table.counts.as_ref().unwrap();
    assert_eq!((counts.rows, counts.features, counts.classes.len()), (6, 2, 2));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), content).unwrap();
    let text = succeeds(folder.path(), &["data", "info", "t.csv", "--type", "3=code"]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(line.contains("a first line of counts (6 rows, 2 features)") && line.contains("1 yes"), "{text}");
    fs::write(folder.path().join("t.csv"), content.replacen('6', "7", 1)).unwrap();
    let text = succeeds(folder.path(), &["data", "info", "t.csv"]);
    assert!(text.contains("promises 7 rows, and there are 6"), "{text}");
}

#[test]
fn texts_among_numbers_are_told_or_make_categories() {
    // A few, behind what is looked at first: the column stays one of numbers.
    let rows = "1.5,x\n".repeat(20_000);
    let few = read(format!("a,b\n{rows}abc,y\n{rows}inf,y\n"));
    let unreadable = few.columns[0].unreadable.as_ref().unwrap();
    assert_eq!((unreadable.count, unreadable.line, unreadable.text.as_str()), (2, 20_002, "abc"));
    assert_eq!((few.columns[0].kind, few.columns[0].missing), (Kind::Number, 0));
    // Many: it is read a second time.
    let many = read(format!("a,b\n{rows}{}", "abc,y\n".repeat(5000)));
    assert_eq!(
        (many.columns[0].kind, categories(&many, 0)),
        (Kind::Category, &["1.5".to_string(), "abc".into()][..])
    );
    // Where it was said to be one of numbers, the first is an error.
    let options = TableOptions { kinds: vec![("a".into(), Kind::Number)], ..Default::default() };
    let (place, found) = refused(format!("a,b\n{rows}abc,y\n"), &options);
    assert_eq!((place.as_str(), found.as_str()), ("line 20002, column 1 (`a`)", "a number; `abc`"));
    let options = TableOptions { kinds: vec![("a".into(), Kind::Code)], ..Default::default() };
    assert_eq!(refused("a,b\n1,2\n1.5,2\n", &options).0, "line 3, column 1 (`a`)");
    let options = TableOptions { kinds: vec![("b".into(), Kind::Date)], ..Default::default() };
    assert_eq!(refused("a,b\n1,2001-01\n1,2001-02-01\n", &options).0, "line 3, column 2 (`b`)");
}

#[test]
fn what_is_no_table_is_refused_with_its_place() {
    let none = TableOptions::default();
    for (content, place, part) in [
        (&b""[..], "line 1", "an empty file"),
        (b"\n\n", "line 1", "an empty file"),
        (b"\xef\xbb\xbf", "line 1", "an empty file"),
        (b"a,b\n1,2\n3,4,5\n", "line 3", "2 fields, as many as the header has; 3"),
        (b"1,2\r\n3,4\r\n5\r\n", "line 3", "2 fields, as many as the first row has; 1"),
        (b"a,b\n1,2\n\n3\n", "line 4", "2 fields"),
        (b"a,b\n1,\"2\n3,4\n5,6\n7,8\n1,\"2,3\n", "line 2", "is there a quote without its other?"),
        (b"a,b,a\n1,2,3\n", "line 1, column 3 (`a`)", "that of column 1 once more"),
        (b"a,b\n1,caf\xe9\n", "line 2, column 2 (`b`)", "UTF-8; the byte 0xE9"),
        (b"a,b\n1,2\n3,\xe9\n", "line 3, column 2 (`b`)", "--encoding latin-1"),
        (b"a,caf\xe9\n1,2\n", "line 1, column 2", "--encoding latin-1"),
        (b"a\0b\n", "byte 1", "a zero byte"),
        (b"\xff\xfea\0", "byte 0", "UTF-16"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0garbage", "gzip stream", "sound gzip data"),
    ] {
        let shown = String::from_utf8_lossy(content);
        let (found_place, found) = refused(content, &none);
        assert!(found_place == place && found.contains(part), "{shown}: {found_place}: {found}");
    }
    let headed = TableOptions { header: Some(true), ..Default::default() };
    assert_eq!(refused("a,b\n", &headed), ("line 2".into(), "rows below the header; none".into()));
    let wide = ",".repeat(20_000);
    assert!(refused(&wide, &none).1.contains("at most 16384 columns"));
}

#[test]
fn latin_1_is_read_where_it_is_said() {
    let options = TableOptions { encoding: Encoding::Latin1, ..Default::default() };
    let table = read_with(b"a,na\xefve\n1,caf\xe9\n2,x\n", &options).unwrap();
    assert_eq!(
        (names(&table), categories(&table, 1)),
        (vec!["a", "naïve"], &["café".to_string(), "x".into()][..])
    );
}

#[test]
fn a_million_categories_are_a_text_and_no_category() {
    let mut content = "id,x\n".to_string();
    for index in 0..150_000 {
        content += &format!("k{index},1.5\n");
    }
    let table = read(&content);
    assert_eq!((table.columns[0].kind, &table.columns[0].values), (Kind::Text, &Values::Dropped));
    let options = TableOptions { kinds: vec![("id".into(), Kind::Category)], ..Default::default() };
    let (place, found) = refused(&content, &options);
    assert_eq!(place, "line 100002, column 1 (`id`)");
    assert!(found.contains("at most 100000 different texts"), "{found}");
}

#[test]
fn compressed_tables_are_the_same() {
    let content = b"a,b\n1.5,x\n2.5,y\n";
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    let packed = read(encoder.finish().unwrap());
    assert!(packed.gzip);
    assert_eq!(packed.columns, read(content).columns);
}

#[test]
fn the_command_describes_and_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut content = "size,price,when,city\n".to_string();
    for index in 0..40 {
        let city = ["Ulm", "Bonn"][index % 2];
        content += &format!("{}.5,{}.25,2001-{:02}-01,{city}\n", index, 3 * index, 1 + index % 12);
    }
    fs::write(at.join("t.csv"), &content).unwrap();
    let text = succeeds(at, &["data", "info", "t.csv", "--target", "price", "--json", "t.json"]);
    for part in [
        "40 rows, 4 columns",
        "target: price, a number",
        "r: the correlation with price",
        "Ulm (20), Bonn (20)",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let record = json(&at.join("t.json"));
    assert_eq!(record["schema"], "fallline.table/1");
    assert_eq!(record["columns"][0]["strength"]["measure"], "correlation");
    assert!((record["columns"][0]["strength"]["value"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(record["columns"][1]["numbers"]["maximum"], 117.25);
    assert_eq!(
        (&record["target"]["number"], &record["columns"][3]["frequent"][0]["count"]),
        (&2.into(), &20.into())
    );

    let by_number = succeeds(at, &["data", "info", "t.csv", "--target", "2"]);
    assert_eq!(by_number, text);
    fails(
        at,
        &["data", "info", "t.csv", "--target", "prize"],
        "unknown column `prize`; did you mean `price`?",
    );
    fails(at, &["data", "info", "t.csv", "--target", "5"], "a name, or a number from 1 to 4, found 5");
    fails(at, &["data", "info", "t.csv", "--type", "prize=number"], "did you mean `price`?");
    fails(
        at,
        &["data", "info", "t.csv", "--type", "city=number"],
        "line 2, column 4 (`city`): expected a number, found `Ulm`",
    );
    fails(at, &["data", "info", "t.csv", "--type", "city=text", "--target", "city"], "one of kind text");
    fails(
        at,
        &["data", "info", "t.csv", "--columns", "a,b"],
        "expected 4, as many as there are columns, found 2",
    );
    fails(at, &["data", "info", "t.csv", "--columns", "a,b,c,a"], "that of column 1 once more");
    fails(at, &["data", "info", "t.csv", "--json", "t.csv"], "which is read");
    fails(at, &["data", "info", ".", "--header", "no"], "--header: expected a table");
    fails(at, &["data", "info", "none.csv"], "none.csv: cannot open");
    for wrong in ["letter", "5", "\"", "."] {
        fails(at, &["data", "info", "t.csv", "--delimiter", wrong], "expected comma, semicolon");
    }
}

#[test]
fn real_tables_are_what_they_are() {
    let Some(folder) = datasets("tables") else { return };
    /// Rows, columns, missing values, whether there is a header, the kind of the last column and its classes; 0
    /// where it is a number.
    type Case = (&'static str, usize, usize, usize, bool, Kind, usize);
    let cases: [Case; 12] = [
        ("iris", 150, 5, 0, false, Kind::Category, 3),
        ("banknote_authentication", 1372, 5, 0, false, Kind::Code, 2),
        ("sonar", 208, 61, 0, false, Kind::Category, 2),
        ("pima-indians-diabetes", 768, 9, 0, false, Kind::Code, 2),
        ("wheat-seeds", 210, 8, 0, false, Kind::Code, 3),
        ("breast_cancer", 569, 31, 0, false, Kind::Code, 2),
        ("wine_data", 178, 14, 0, false, Kind::Code, 3),
        ("diabetes", 442, 11, 0, true, Kind::Number, 0),
        ("abalone", 4177, 9, 0, false, Kind::Number, 0),
        ("winequality-white", 4898, 12, 0, false, Kind::Code, 7),
        ("adult-train", 32_561, 15, 4262, false, Kind::Category, 2),
        ("adult-test", 16_281, 15, 2203, false, Kind::Category, 2),
    ];
    let options = TableOptions::default();
    for (name, rows, columns, missing, header, kind, classes) in cases {
        let table = Table::read(&folder.join(format!("{name}.csv")), &options).unwrap();
        assert_eq!((table.rows, table.columns.len(), table.header), (rows, columns, header), "{name}");
        let found: usize = table.columns.iter().map(|column| column.missing).sum();
        assert_eq!((found, table.columns[columns - 1].kind), (missing, kind), "{name}");
        assert!(table.columns.iter().all(|column| column.unreadable.is_none()), "{name}");
        assert_eq!(table.counts.is_some(), ["breast_cancer", "wine_data"].contains(&name), "{name}");
        let record = TableRecord::of(&table, &options, None).unwrap();
        assert_eq!(record.target.unwrap().class_count, classes, "{name}");
        let has =
            |is: fn(&TableWarning) -> bool| record.warnings.iter().filter(|warning| is(warning)).count();
        let zeros = has(|warning| matches!(warning, TableWarning::Zeros { .. }));
        // The second has nothing between 0 and a value that is large for it.
        let expected = match name {
            "pima-indians-diabetes" => 5,
            "breast_cancer" => 1,
            _ => 0,
        };
        assert_eq!(zeros, expected, "{name}: {:?}", record.warnings);
        assert_eq!(
            has(|warning| matches!(warning, TableWarning::Periods { .. })) == 1,
            name == "adult-test",
            "{name}"
        );
    }
    let adult = Table::read(&folder.join("adult-train.csv"), &options).unwrap();
    let missing: Vec<usize> = adult.columns.iter().map(|column| column.missing).collect();
    assert_eq!(missing, [0, 1836, 0, 0, 0, 0, 1843, 0, 0, 0, 0, 0, 0, 583, 0]);
    assert_eq!(categories(&adult, 14), ["<=50K", ">50K"]);
    let record = TableRecord::of(&adult, &options, None).unwrap();
    let counts: Vec<usize> = record.target.unwrap().classes.iter().map(|class| class.count).collect();
    assert_eq!(counts, [24_720, 7841]);
    let mean = record.columns[0].numbers.as_ref().unwrap().mean;
    assert!((mean - 38.581_646_755_320_78).abs() < 1e-12, "{mean}");
    assert_eq!(record.columns[0].strength.unwrap().measure, Measure::EtaSquared);
}

#[test]
fn real_series_have_dates() {
    let Some(folder) = datasets("series") else { return };
    for (name, rows, form) in [
        ("airline-passengers", 144, DateForm::Month),
        ("daily-min-temperatures", 3650, DateForm::Day),
        ("monthly-car-sales", 108, DateForm::Month),
        ("monthly-sunspots", 2820, DateForm::Month),
        ("shampoo", 36, DateForm::Month),
    ] {
        let table = Table::read(&folder.join(format!("{name}.csv")), &TableOptions::default()).unwrap();
        assert_eq!((table.rows, table.columns.len(), table.header), (rows, 2, true), "{name}");
        assert!(matches!(table.columns[0].values, Values::Dates(found, _) if found == form), "{name}");
        assert_eq!(kinds(&table), ["date", "number"], "{name}");
        let record = TableRecord::of(&table, &TableOptions::default(), None).unwrap();
        assert!(record.columns[0].dates.as_ref().unwrap().ascending, "{name}");
    }
}
