//! Tables of comma-separated values, plain or compressed.

use std::io::{Read, Write};

use fallline::data::table::{Table, TableOptions, TableRecord, Values};
use fallline::engine::report::data_table;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::bytes;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;

pub static TARGET: Target = Target { name: "table", share: 2, seeds, spoil, read, memory };

/// Columns, their names and their different texts, of what really comes out of the file; the beginning of it, and
/// the buffers of the readers.
fn memory(input: &[u8]) -> usize {
    let content = if input.starts_with(&[0x1f, 0x8b]) { inflated(input).len() } else { input.len() };
    600 * content + (1 << 20)
}

fn inflated(input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(input).read_to_end(&mut bytes).ok();
    bytes
}

fn read(input: &Input) -> Result<Accepted, String> {
    let options = TableOptions::default();
    let table = Table::read(input.path, &options).map_err(|error| error.to_string())?;
    let path = input.path.to_path_buf();
    Ok(Box::new(move || {
        for column in &table.columns {
            let len = match &column.values {
                Values::Single(values) => values.len(),
                Values::Double(values) => values.len(),
                Values::Categories(categories) => categories.codes.len(),
                Values::Dates(_, values) => values.len(),
                Values::Dropped => table.rows,
            };
            if len != table.rows {
                return Err(format!("{len} values in {} rows", table.rows));
            }
        }
        let record = TableRecord::of(&table, &options, None).map_err(|error| error.to_string())?;
        data_table::text(&record, 80);
        serde_json::to_string(&record).map_err(|error| error.to_string())?;
        // Written in the plainest way with its names, it is read as the same numbers of rows and columns.
        let again = path.with_extension("again");
        std::fs::write(&again, written(&table)).unwrap();
        let options = TableOptions { delimiter: Some(b','), header: Some(true), ..TableOptions::default() };
        let read =
            Table::read(&again, &options).map_err(|error| format!("it cannot be read back: {error}"))?;
        let sizes = |table: &Table| (table.rows, table.columns.len());
        if sizes(&read) != sizes(&table) { Err("another table is read back".into()) } else { Ok(()) }
    }))
}

/// The numbers of a table, and the numbers of its categories, below columns `c0`, `c1` and so on.
fn written(table: &Table) -> String {
    let names: Vec<String> = (0..table.columns.len()).map(|column| format!("c{column}")).collect();
    let mut columns: Vec<_> = table.columns.iter().map(|column| column.numbers()).collect();
    let mut text = names.join(",") + "\n";
    for _ in 0..table.rows {
        let mut field = |column: &mut Option<Box<dyn Iterator<Item = f64> + '_>>| match column {
            Some(values) => values.next().map_or(String::new(), |value| value.to_string()),
            None => "NA".to_string(),
        };
        text += &columns.iter_mut().map(&mut field).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    text
}

fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Small tables with what real ones have.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [
        "5.1,3.5,setosa\n4.9,3.0,virginica\n4.7,3.2,setosa\n",
        "a;b;c\n1,5;x;2001-01-31\n-2,5;y;2001-02-28\n",
        "\"Month\",\"Sales\"\r\n\"1-01\",266.0\r\n\"1-02\",145.9\r\n",
        "39, State-gov, 77516, <=50K\n50, ?, 83311, >50K\n38, Private, 215646, <=50K",
        "3,2,no,yes\n1.5,2,0\n2.5,3,1\n3.5,4,1\n",
        "\u{feff}name\twhen\tx\n\"a \"\"b\"\"\nc\"\t2001-01-01T12:30\t1e-7\nd\tNA\t0.30000000000000004\n",
        "x|y\n1|\n|2\nNaN|null\n",
        "one\n1\n2\n3\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    let mut long = "id,group,value\n".to_string();
    for index in 0..300 {
        long += &format!("{index},g{},{}\n", index % 7, f64::from(index) * 0.37);
    }
    seeds.push(packed(long.as_bytes()));
    seeds.push(long.into_bytes());
    seeds
}

/// Bytes without a plan; marks and fields put in, taken out, doubled; lines and columns repeated.
fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    const PIECES: [&[u8]; 24] = [
        b",",
        b";",
        b"\t",
        b"|",
        b"\n",
        b"\r\n",
        b"\"",
        b"\"\"",
        b"\r",
        b" ",
        b"?",
        b"NA",
        b"nan",
        b"inf",
        b"1e999",
        b"-0",
        b"0.1",
        b"99999999999999999999",
        b"2001-02-29",
        b"1-01",
        b"\xe9",
        b"\xef\xbb\xbf",
        b"\x00",
        b"abc",
    ];
    let seed = random.pick(seeds);
    let is_packed = seed.starts_with(&[0x1f, 0x8b]);
    let mut file = if is_packed && !random.one_in(4) { inflated(seed) } else { seed.clone() };
    for _ in 0..random.few(8) {
        let at = random.below(file.len() + 1);
        match random.below(5) {
            0 | 1 => drop(file.splice(at..at, random.pick(&PIECES).iter().copied())),
            2 => {
                let piece = random.pick(&PIECES).repeat(random.few(3000));
                drop(file.splice(at..at, piece));
            }
            3 => {
                let end =
                    file[at..].iter().position(|&byte| byte == b'\n').map_or(file.len(), |end| at + end + 1);
                let again = file[at..end].repeat(random.few(40));
                drop(file.splice(at..at, again));
            }
            _ => bytes::spoil(random, &mut file, seeds),
        }
        file.truncate(bytes::LONGEST);
    }
    if is_packed && random.one_in(2) { packed(&file) } else { file }
}
