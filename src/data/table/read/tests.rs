//! A table is the same, and so is an error, however it is cut into blocks and whoever reads these.

use std::fs;
use std::io::Write;

use proptest::prelude::*;

use super::super::kind::Kind;
use super::super::options::Encoding;
use super::*;

/// All of a table, or its error. Numbers are written with all their digits, and NaN is NaN.
fn outcome(path: &Path, options: &TableOptions, threads: usize, block: usize) -> String {
    match Table::read_by(path, options, Work { threads, block }) {
        Ok(table) => format!("{table:?}"),
        Err(error) => error.to_string(),
    }
}

/// What comes of a file as one block; the same must come of it in blocks of these sizes.
#[track_caller]
fn same(content: &[u8], options: &TableOptions, blocks: &[usize]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, content).unwrap();
    let whole = outcome(&path, options, 1, 64 << 20);
    for &block in blocks {
        for threads in [1, 2, 5] {
            let found = outcome(&path, options, threads, block);
            let differs = found.chars().zip(whole.chars()).position(|(a, b)| a != b).unwrap_or(0);
            let [found_there, whole_there] = [&found, &whole]
                .map(|text| text.chars().skip(differs.saturating_sub(100)).take(300).collect::<String>());
            assert!(
                found == whole,
                "blocks of {block} on {threads} threads: expected {whole_there}\nfound {found_there}"
            );
        }
    }
    whole
}

const TINY: [usize; 7] = [1, 2, 3, 7, 20, 100, 3000];

#[track_caller]
fn same_as_it_looks(content: impl AsRef<[u8]>) -> String {
    same(content.as_ref(), &TableOptions::default(), &TINY)
}

/// More rows than are looked at before all are read.
fn many(row: &str) -> String {
    row.repeat(1100)
}

#[test]
fn quotes_and_ends_of_lines_make_no_difference() {
    for content in [
        "a,b\n1,\"x\ny\"\n2,\"x \"\"\n\"\",\n\"\n3,x\"y\n4,\"x\"y\"\n",
        "a, b\n1, \"x\n, y\"\n2, \"x\"\n3,  \" \"\"\n\"\n",
        "a,b\r\n\r\n1,x\r\n\n\n2,\"y\r\nz\"\r\n\r\n3,x",
        "1,x\r2,y\r\r3,x\r",
        "\u{feff}\"a\",\"b\"\n\n \n",
        "3,2,no,yes\n1.5,2,0\n2.5,3,1\n\n3.5,4,1\n",
        "2,2,no,yes\na,b,c\n1.5,2,0\n2.5,3,1\n",
        "a,b\n1,2\n\n3,\"4\n",
        "",
        "\n\n",
        "a,b\n",
    ] {
        same_as_it_looks(content);
    }
}

#[test]
fn the_first_error_of_the_file_is_told_with_its_line() {
    let rows = "1,x\n\"2\",\"x\ny\"\n".repeat(20);
    let late = format!("a,b\n{rows}\n\n");
    let ragged = same_as_it_looks(format!("{late}5\n{rows}6,7,8\n"));
    assert!(ragged.contains("line 64") && ragged.contains("found 1"), "{ragged}");
    let number = TableOptions { kinds: vec![("a".into(), Kind::Number)], ..Default::default() };
    let text = same(format!("{late}5,x\nabc,x\n{rows}6\n").as_bytes(), &number, &TINY);
    assert!(text.contains("line 65, column 1 (`a`)") && text.contains("`abc`"), "{text}");
    // Of one row the number of fields comes first.
    let both = same(format!("{late}abc,x,y\n").as_bytes(), &number, &TINY);
    assert!(both.contains("line 64: expected 2 fields"), "{both}");
    let code = TableOptions { kinds: vec![("a".into(), Kind::Code)], ..Default::default() };
    assert!(same(format!("{late}1.5,x\n").as_bytes(), &code, &TINY).contains("line 64, column 1"));
    let byte = same_as_it_looks([late.as_bytes(), b"1,caf\xe9\n", rows.as_bytes()].concat());
    assert!(byte.contains("line 64, column 2 (`b`)") && byte.contains("0xE9"), "{byte}");
    let latin = TableOptions { encoding: Encoding::Latin1, ..Default::default() };
    let read = same(&[late.as_bytes(), b"1,caf\xe9\n", rows.as_bytes()].concat(), &latin, &TINY);
    assert!(read.contains("café"), "{read}");
}

#[test]
fn columns_become_what_their_first_values_say() {
    // All missing where it is looked; each block by itself might take the column for something else.
    for values in [
        ["1.5", "abc", "2001-01-01"],
        ["abc", "1.5", "2001-01-01"],
        ["2001-01", "2001-02-01", "1"],
        ["?", "2001-01-01", "2000-01-01"],
    ] {
        let below: String = values.iter().map(|value| format!("{value},2\n").repeat(9)).collect();
        same(format!("{}{below}", many("?,1\n")).as_bytes(), &TableOptions::default(), &[1, 9, 200]);
    }
    let numbers = many("1,x\n");
    let few = same(format!("{numbers}abc,x\n?,x\ninf,x\n").as_bytes(), &TableOptions::default(), &[5, 200]);
    assert!(few.contains("count: 2, line: 1101, text: \"abc\""), "{few}");
    let texts = format!("{numbers}{}", "abc,y\n".repeat(200));
    let read = same(texts.as_bytes(), &TableOptions::default(), &[5, 200]);
    assert!(read.contains("names: [\"1\", \"abc\"]"));
    // A number that is not exact as f32 comes late.
    let wide = same(format!("{numbers}0.1,x\n?,x\n-0,x\n").as_bytes(), &TableOptions::default(), &[5, 200]);
    assert!(wide.contains("Double(") && wide.contains("0.1, NaN, -0.0]"));
}

#[test]
fn dates_descend_where_they_do_in_the_file() {
    let dates: String = (0..60)
        .map(|index| format!("20{:02}-01-31,{index}\n", if index == 40 { 1 } else { index }))
        .collect();
    let read = same_as_it_looks(&dates);
    assert!(read.contains("first_descent: 41"), "{read}");
    same_as_it_looks(format!("{dates}?,1\n1999-01-31,2\n1999-01,3\n"));
}

#[test]
fn the_most_categories_are_as_many_in_any_number_of_blocks() {
    let content: String = (0..100_100).map(|index| format!("k{index},x\n")).collect();
    let blocks = [10_000, 300_000];
    let dropped = same(content.as_bytes(), &TableOptions::default(), &blocks);
    assert!(dropped.contains("Dropped"));
    let said = TableOptions { kinds: vec![("1".into(), Kind::Category)], ..Default::default() };
    let refused = same(content.as_bytes(), &said, &blocks);
    assert!(refused.contains("line 100001, column 1"), "{refused}");
    let short: String = (0..100_000).map(|index| format!("k{index},x\n")).collect();
    assert!(same(format!("{short}k7,y\n").as_bytes(), &said, &blocks).contains("\"k99999\"]"));
}

#[test]
fn what_comes_before_a_damage_is_read_first() {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let rows: String = (0..20_000).map(|_| format!("{},{}\n", next(), next())).collect();
    let packed = |content: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let whole = packed(&rows);
    assert!(same(&whole, &TableOptions::default(), &[1000, 100_000]).starts_with("Table"));
    let damaged = same(&whole[..whole.len() - 9000], &TableOptions::default(), &[1000, 100_000]);
    assert!(damaged.contains("sound gzip data"), "{damaged}");
    let ragged = packed(&rows.replacen("\n", "\n1\n", 11_000).replacen("\n1\n", "\n", 10_999));
    let first = same(&ragged[..ragged.len() - 9000], &TableOptions::default(), &[1000, 100_000]);
    assert!(first.contains("line 11001: expected 2 fields"), "{first}");
}

#[test]
fn a_quote_without_its_other_does_not_fill_the_memory() {
    let mut content = b"a,b\n1,x\n2,\"".to_vec();
    content.resize(18 << 20, b'y');
    let refused = same(&content, &TableOptions::default(), &[256 << 10]);
    assert!(refused.contains("at most 16 MiB"), "{refused}");
}

/// A field of a small table, most often one that is as good as those above it.
fn field() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "1",
        "2",
        "0.1",
        "-3e5",
        "x",
        "y",
        "x",
        "?",
        "",
        " z ",
        "2001-01-01",
        "2001-02",
        "\"a\nb\"",
        "\"q\"\"\n,\"",
        "o\"o",
        "\"x\"y",
        "é",
    ])
}

fn row() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\n\n"]);
    let width = prop::sample::select([vec![3usize; 60], vec![2, 4]].concat());
    (width, end, prop::collection::vec(field(), 4))
        .prop_map(|(width, end, fields)| fields[..width].join(",") + end)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..Default::default() })]
    #[test]
    fn any_table_is_the_same_in_any_blocks(
        above in prop::sample::select(vec!["", "?,?,?\n", "1,x,2001-01-01\n", "0.1,?,\n"]),
        rows in prop::collection::vec(row(), 1..40),
        blocks in prop::collection::vec(1usize..60, 3),
    ) {
        let content = many(above) + &rows.concat();
        same(content.as_bytes(), &TableOptions::default(), &blocks);
    }
}
