//! Files of results, read back and checked: they may come from anywhere.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::bench::profile::check::check as check_profile;
use crate::bench::profile::record::{PROFILE_SCHEMA, ProfileRecord};
use crate::bench::record::{BENCH_SCHEMA, BenchRecord};
use crate::error::{Error, Result};
use crate::foreign::{self, shortened};
use crate::search::{SEARCH_SCHEMA, SearchRecord};
use crate::tour::TOUR_SCHEMA;
use crate::train::TrainRecord;
use crate::train::analysis::Analysis;
use crate::train::record::TRAIN_SCHEMA;
use crate::train::reproduce::{REPRODUCE_SCHEMA, ReproduceRecord};

/// The first bytes of every PNG file.
const PNG_SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

/// The content of a file of results.
#[derive(Clone, Debug, PartialEq)]
pub enum Results {
    Train(Box<TrainRecord>),
    Bench(Box<BenchRecord>),
    Reproduce(Box<ReproduceRecord>),
    Profile(Box<ProfileRecord>),
    Search(Box<SearchRecord>),
}

impl Results {
    /// The schema of the file.
    pub fn schema(&self) -> &'static str {
        match self {
            Results::Train(_) => TRAIN_SCHEMA,
            Results::Bench(_) => BENCH_SCHEMA,
            Results::Reproduce(_) => REPRODUCE_SCHEMA,
            Results::Profile(_) => PROFILE_SCHEMA,
            Results::Search(_) => SEARCH_SCHEMA,
        }
    }
}

/// Reads a file that `train`, `bench`, `reproduce`, `search` or `profile` wrote as JSON.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Format`] if it is not JSON, of another schema, or contradicts itself.
pub fn read(path: &Path) -> Result<Results> {
    let bytes = foreign::read(path)?;
    let format = |place: &str, expected: &str, found: String| Error::Format {
        path: path.into(),
        place: place.into(),
        expected: expected.into(),
        found,
    };
    // An array would be taken for the fields in their order.
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        Some(_) => {
            let start: String = String::from_utf8_lossy(&bytes).trim_start().chars().take(20).collect();
            return Err(format("start of the file", "a JSON object", format!("{start:?}")));
        }
        None => return Err(format("start of the file", "a JSON object", "nothing".into())),
    }
    let head: Head = parsed(path, &bytes)?;
    match head.schema.as_ref().and_then(Schema::name) {
        Some(TRAIN_SCHEMA) => {
            let record: TrainRecord = parsed(path, &bytes)?;
            check_run(&record).map_err(|(place, expected, found)| format(&place, expected, found))?;
            Ok(Results::Train(Box::new(record)))
        }
        Some(BENCH_SCHEMA) => Ok(Results::Bench(Box::new(parsed(path, &bytes)?))),
        Some(SEARCH_SCHEMA) => Ok(Results::Search(Box::new(parsed(path, &bytes)?))),
        Some(REPRODUCE_SCHEMA) => {
            let record: ReproduceRecord = parsed(path, &bytes)?;
            for (index, run) in record.recipes.iter().flat_map(|recipe| &recipe.runs).enumerate() {
                check_run(run).map_err(|(place, expected, found)| {
                    format(&format!("run {}, {place}", index + 1), expected, found)
                })?;
            }
            Ok(Results::Reproduce(Box::new(record)))
        }
        Some(PROFILE_SCHEMA) => {
            let record: ProfileRecord = parsed(path, &bytes)?;
            check_profile(&record).map_err(|(place, expected, found)| format(&place, expected, found))?;
            Ok(Results::Profile(Box::new(record)))
        }
        // Known, and no page can be made of it.
        Some(TOUR_SCHEMA) => Err(format(
            "key `schema`",
            "results that a page can be made of",
            format!(
                "\"{TOUR_SCHEMA}\", which has no pictures: they and the page, report.html, are beside it; `fallline tour --out \
                 DIR` makes them anew"
            ),
        )),
        _ => {
            let schemas = format!(
                "\"{TRAIN_SCHEMA}\", \"{BENCH_SCHEMA}\", \"{REPRODUCE_SCHEMA}\", \"{SEARCH_SCHEMA}\" or \"{PROFILE_SCHEMA}\""
            );
            let found = head.schema.map_or("none".to_string(), |schema| schema.shown());
            Err(format("key `schema`", &schemas, found))
        }
    }
}

#[derive(Deserialize)]
struct Head {
    schema: Option<Schema>,
}

/// The value in the place of a schema's name; of one that is no name only its type.
enum Schema {
    Name(String),
    Other(String),
}

impl Schema {
    fn name(&self) -> Option<&str> {
        if let Schema::Name(name) = self { Some(name) } else { None }
    }

    /// The value in words, for messages.
    fn shown(self) -> String {
        match self {
            Schema::Name(name) => format!("{:?}", shortened(&name)),
            Schema::Other(what) => what,
        }
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(SchemaVisitor)
    }
}

/// A visitor that passes over lists and objects, however large they are.
struct SchemaVisitor;

impl<'de> Visitor<'de> for SchemaVisitor {
    type Value = Schema;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("the name of a schema")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Schema, E> {
        Ok(Schema::Name(name.to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Schema, E> {
        Ok(Schema::Other(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Schema, E> {
        Ok(Schema::Other(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Schema, E> {
        Ok(Schema::Other(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Schema, E> {
        Ok(Schema::Other(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Schema, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Schema::Other("a list".into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> std::result::Result<Schema, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Schema::Other("an object".into()))
    }
}

fn parsed<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    foreign::json(bytes).map_err(|fault| {
        let foreign::Fault { place, expected, found } = fault;
        Error::Format { path: path.into(), place, expected, found }
    })
}

/// Checks that a run does not contradict itself: place, what was expected and what was found if it does.
fn check_run(record: &TrainRecord) -> std::result::Result<(), (String, &'static str, String)> {
    record.analysis.as_ref().map_or(Ok(()), check)
}

/// Checks that an analysis is one: place, what was expected and what was found if it is not.
fn check(analysis: &Analysis) -> std::result::Result<(), (String, &'static str, String)> {
    let classes = analysis.classes.len();
    let confusion = &analysis.confusion;
    if confusion.len() != classes || confusion.iter().any(|row| row.len() != classes) {
        let widths: Vec<usize> = confusion.iter().map(Vec::len).take(4).collect();
        let found = format!("{} rows, the first of {widths:?}, for {classes} classes", confusion.len());
        return Err(("key `analysis.confusion`".into(), "a row and a column for each class", found));
    }
    let total = confusion
        .iter()
        .flatten()
        .try_fold(0u32, |sum, &count| u32::try_from(count).ok().and_then(|count| sum.checked_add(count)));
    if total.is_none() {
        let (expected, found) = ("fewer than 2^32 samples", "more".into());
        return Err(("key `analysis.confusion`".into(), expected, found));
    }
    if !analysis.class_names.is_empty() && analysis.class_names.len() != classes {
        let found = format!("{} for {classes} classes", analysis.class_names.len());
        return Err(("key `analysis.class_names`".into(), "a name for each class", found));
    }
    for (index, output) in analysis.values.iter().flat_map(|values| values.outputs.iter().enumerate()) {
        let samples = analysis.values.as_ref().map_or(0, |values| values.samples.len());
        let (targets, predictions) = (output.targets.len(), output.predictions.len());
        if (targets, predictions) != (samples, samples) {
            let found = format!("{targets} targets and {predictions} predictions for {samples} samples");
            let place = format!("key `analysis.values.outputs.{index}`");
            return Err((place, "a target and a prediction for each sample", found));
        }
    }
    for (index, mistake) in analysis.mistakes.iter().enumerate() {
        let place = |key: &str| format!("key `analysis.mistakes.{index}.{key}`");
        for (key, class) in [("label", mistake.label), ("predicted", mistake.predicted)] {
            if class >= classes {
                return Err((place(key), "one of the classes", format!("{class} of {classes}")));
            }
        }
        let is_png =
            |text: &String| STANDARD.decode(text).is_ok_and(|bytes| bytes.starts_with(&PNG_SIGNATURE));
        if let Some(text) = mistake.png.as_ref().filter(|text| !is_png(text)) {
            return Err((place("png"), "a PNG file in base64", shortened(&format!("{text:?}"))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{analysed_record, train_record, value_record};
    use crate::train::analysis::{PredictedOutput, PredictedValues};

    fn read_text(text: &str) -> Result<Results> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[track_caller]
    fn refused(text: &str, message: &str) {
        let error = read_text(text).unwrap_err().to_string();
        assert!(error.contains("run.json: ") && error.contains(message), "{error}");
    }

    fn json(record: &TrainRecord) -> String {
        serde_json::to_string_pretty(record).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        for record in [train_record(), analysed_record(), value_record()] {
            assert_eq!(read_text(&json(&record)).unwrap(), Results::Train(Box::new(record)));
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_place() {
        refused("", "start of the file: expected a JSON object, found nothing");
        refused("PK\u{3}", "start of the file: expected a JSON object, found \"PK");
        refused("[1]", "expected a JSON object, found \"[1]\"");
        refused("{\"a\": }", "line 1, column 7: expected JSON, found expected value");
        let whole = json(&train_record());
        refused(&whole[..whole.len() / 2], "expected the whole of a JSON file, found EOF while parsing");
        refused(
            "{}",
            "key `schema`: expected \"fallline.train/1\", \"fallline.bench/1\", \"fallline.reproduce/1\", \"fallline.search/1\" or \"fallline.profile/1\", found none",
        );
        refused("{\"schema\": \"fallline.train/2\"}", "found \"fallline.train/2\"");
        refused("{\"schema\": 7}", "found 7");
        refused("{\"schema\": [[], {\"a\": [1]}], \"b\": 1}", "found a list");
        refused("{\"schema\": {\"a\": [1]}}", "found an object");
        refused(&format!("{{\"schema\": {}", "[".repeat(1 << 20)), "expected the whole of a JSON file");
        refused("{\"schema\": \"fallline.train/1\"}", "a record of results, found missing field `recipe`");
        let typed = whole.replace("\"seed\": 1", "\"seed\": -1");
        refused(&typed, "line 7, column 12: expected a record of results, found invalid value");
        assert_eq!(shortened("unknown variant `a\nb`"), "unknown variant `a\u{fffd}b`");
        assert!(
            read(Path::new("none.json")).unwrap_err().to_string().starts_with("none.json: cannot open: ")
        );
    }

    #[test]
    fn an_analysis_that_contradicts_itself_is_refused() {
        let with = |change: &dyn Fn(&mut Analysis)| {
            let mut record = analysed_record();
            change(record.analysis.as_mut().unwrap());
            json(&record)
        };
        refused(&with(&|analysis| drop(analysis.confusion.pop())), "a row and a column for each class");
        refused(&with(&|analysis| analysis.confusion[1].push(1)), "a row and a column for each class");
        refused(&with(&|analysis| analysis.confusion[0][0] = usize::MAX), "fewer than 2^32 samples");
        refused(
            &with(&|analysis| analysis.class_names = vec!["a".into()]),
            "`analysis.class_names`: expected",
        );
        refused(
            &with(&|analysis| {
                let output = PredictedOutput { targets: vec![1.0; 2], predictions: vec![1.0; 3] };
                analysis.values = Some(PredictedValues { samples: vec![0, 1], outputs: vec![output] });
            }),
            "`analysis.values.outputs.0`: expected a target and a prediction for each sample, found 2 targets and 3",
        );
        refused(
            &with(&|analysis| analysis.mistakes[1].label = 2),
            "`analysis.mistakes.1.label`: expected one",
        );
        for png in ["\"><script>", "YWJj", ""] {
            let text = with(&|analysis| analysis.mistakes[0].png = Some(png.into()));
            refused(&text, "`analysis.mistakes.0.png`: expected a PNG file in base64");
        }
    }
}
