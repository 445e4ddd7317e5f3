//! What becomes of the rows of a table, as JSON in a model's file.

use std::sync::{Arc, OnceLock};

use fallline::data::table::{Encoder, RowReader, Rows, Setup, Table, TableOptions, WindowSetup};
use fallline::engine::foreign;

use super::results;
use crate::harness::{Accepted, Input, Target};
use crate::random::Random;
use crate::text;

pub static TARGET: Target = Target { name: "encoder", share: 1, seeds, spoil, read, memory };

/// Names and numbers of what the text says; and a row, or a window, of as many features as there may be.
fn memory(input: &[u8]) -> usize {
    400 * input.len() + (32 << 20)
}

const PEOPLE: &str = "name,age,town,born,income\nann,20,Rome,2001-01-31,low\nbob,?,Oslo,2001-02-01,high\n\
                      cid,40,Rome,2003-03-05,low\ndan,30,,2004-04-06,high\n";
const SALES: &str =
    "month,sold,price\n2001-01,3.5,1.5\n2001-02,4.5,1.25\n2001-03,3.25,1.5\n2001-04,5.5,1.75\n";

fn read(input: &Input) -> Result<Accepted, String> {
    let json = std::str::from_utf8(input.bytes).map_err(|error| error.to_string())?;
    let encoder = Encoder::from_json(json).map_err(|fault| foreign::line(&fault, 200))?;
    let path = input.path.with_extension("csv");
    Ok(Box::new(move || {
        if Encoder::from_json(&encoder.to_json()).as_ref() != Ok(&encoder) {
            return Err("another encoder is read back".into());
        }
        let encoder = Arc::new(encoder);
        for rows in [PEOPLE, SALES] {
            std::fs::write(&path, rows).unwrap();
            for with_target in [false, true] {
                // Rows may not fit it; that is an error and no more.
                let Ok(mut reader) = RowReader::open(&path, &encoder, with_target) else { continue };
                let mut rows = Rows::default();
                if reader.next(3, &mut rows).is_ok() && rows.features.len() != rows.count * encoder.width() {
                    return Err(format!("{} features of {} rows", rows.features.len(), rows.count));
                }
                if encoder.windows.is_some() {
                    RowReader::open(&path, &encoder, false).and_then(RowReader::forecast).ok();
                }
            }
        }
        Ok(())
    }))
}

/// One of single rows with classes, one of a series, and one with a column that is embedded.
fn seeds() -> Vec<Vec<u8>> {
    let windows = Some(WindowSetup::of(2));
    let of_series = Setup { target: vec!["sold".into()], windows, ..Setup::default() };
    let of_people = Setup { id: Some("name".into()), ..Setup::default() };
    let encoder = |content: &str, setup: &Setup| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, content).unwrap();
        let options = TableOptions::default();
        let table = Table::read(&path, &options).unwrap();
        let all: Vec<u32> = (0..table.rows as u32).collect();
        Encoder::fit(&table, &all, setup, &options).unwrap().encoder.to_json().into_bytes()
    };
    let of_towns = Setup { embeddings: vec![("town".into(), 3)], ..of_people.clone() };
    vec![encoder(PEOPLE, &of_people), encoder(SALES, &of_series), encoder(PEOPLE, &of_towns)]
}

fn spoil(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    static WORDS: OnceLock<Vec<String>> = OnceLock::new();
    let seed = random.pick(seeds).clone();
    let texts = seeds.iter().map(|seed| std::str::from_utf8(seed).unwrap());
    let words = WORDS.get_or_init(|| text::words(texts));
    results::spoilt(random, seed, seeds, words)
}
