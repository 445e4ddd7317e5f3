//! `fallline data info`

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::super::output::Outputs;
use super::super::shared;
use crate::data::idx::ElementType;
use crate::data::inspect::{self, FileInfo, Values};
use crate::data::known;
use crate::data::small::{SEED, SmallSet};
use crate::data::table::{Encoding, Kind, Table, TableOptions, TableRecord, delimiter_named};
use crate::data::text::TextRecord;
use crate::model::Recipe;
use crate::report::markup::for_terminal;
use crate::report::{data_table, json, terminal, text_record};
use crate::train::dataset;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Info {
    /// A table (CSV, plain or gzip; - is standard input), a small set that needs no file (iris, airline, line, moons and
    /// others: docs/tables.md), a text (a file that ends with .txt, the name of a published one, or a recipe whose data are
    /// a text), or a folder with the files of a data set, or with such folders in it.
    #[arg(value_name = "FILE|SET|DIR")]
    path: PathBuf,
    #[command(flatten)]
    table: TableArguments,
    /// The column to be predicted, by its name or its number [default: the last column].
    #[arg(long, value_name = "NAME|NUMBER")]
    target: Option<String>,
    /// Write the description of a table or a text to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// How a table is to be read, where that is not as it looks.
#[derive(Debug, Args)]
pub struct TableArguments {
    /// What stands between two fields: comma, semicolon, tab, pipe, or a letter [default: detected].
    #[arg(long, value_name = "NAME", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Whether the first line has the names of the columns [default: detected].
    #[arg(long, value_name = "WHICH")]
    header: Option<Header>,
    /// The names of the columns, in place of those of a header.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    columns: Vec<String>,
    /// What a column is: number, code (whole numbers that are classes), category, date or text; may be given many times
    /// [default: detected].
    #[arg(long = "type", value_name = "NAME=TYPE", value_parser = kind)]
    kinds: Vec<(String, Kind)>,
    /// What stands for a missing value beside ?, nothing, NA, N/A, NaN and null; may be given many times.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    missing: Vec<String>,
    /// The encoding of texts.
    #[arg(long, value_name = "NAME", default_value = "utf-8")]
    encoding: EncodingName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Header {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EncodingName {
    #[value(name = "utf-8")]
    Utf8,
    #[value(name = "latin-1")]
    Latin1,
}

const EXAMPLES: &str = "\
Examples:
  fallline data info houses.csv --target price
  fallline data info iris.csv --columns sepal_length,sepal_width,petal_length,petal_width,species
  fallline data info survey.csv.gz --delimiter semicolon --encoding latin-1 --missing -999
  fallline data info wine.csv --type quality=number --json wine.json
  fallline data info iris
  fallline data info tinyshakespeare
  fallline data info chars-transformer --json text.json
  fallline data info datasets";

fn delimiter(text: &str) -> Result<u8, String> {
    let expected = "expected comma, semicolon, tab, pipe, or one mark that is part of no number";
    delimiter_named(text).ok_or_else(|| expected.into())
}

fn kind(text: &str) -> Result<(String, Kind), String> {
    let kinds = Kind::CHOICES.map(Kind::name).join(", ");
    let wrong = || format!("expected NAME=TYPE, the type one of {kinds}");
    let (name, kind) = text.rsplit_once('=').ok_or_else(wrong)?;
    Ok((name.to_string(), Kind::named(kind).ok_or_else(wrong)?))
}

impl TableArguments {
    fn options(self) -> TableOptions {
        let encoding = match self.encoding {
            EncodingName::Utf8 => Encoding::Utf8,
            EncodingName::Latin1 => Encoding::Latin1,
        };
        TableOptions {
            delimiter: self.delimiter,
            header: self.header.map(|header| header == Header::Yes),
            names: self.columns,
            kinds: self.kinds,
            missing: self.missing,
            encoding,
        }
    }

    /// The first option that is given.
    fn given(&self) -> Option<&'static str> {
        let given = [
            ("--delimiter", self.delimiter.is_some()),
            ("--header", self.header.is_some()),
            ("--columns", !self.columns.is_empty()),
            ("--type", !self.kinds.is_empty()),
            ("--missing", !self.missing.is_empty()),
            ("--encoding", self.encoding != EncodingName::Utf8),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }
}

pub fn run(arguments: Info) -> anyhow::Result<()> {
    if arguments.path.is_dir() {
        let of_table = arguments.table.given();
        let of_table = of_table.or(arguments.target.as_ref().map(|_| "--target"));
        if let Some(option) = of_table.or(arguments.json.as_ref().map(|_| "--json")) {
            bail!("{option}: expected a table, found the folder {}", arguments.path.display());
        }
        return folder(&arguments.path);
    }
    if let Some(set) = small(&arguments.path) {
        return of_small(&set, &arguments);
    }
    if let Some(text) = text(&arguments.path) {
        return of_text(&text, &arguments);
    }
    let outputs = Outputs::files(&arguments.json);
    outputs.check([arguments.path.as_path()])?;
    let options = arguments.table.options();
    let table = Table::read(&arguments.path, &options)?;
    let record = TableRecord::of(&table, &options, arguments.target.as_deref())?;
    tell(&record, arguments.json.as_deref())
}

/// The small set of this name, unless there is a file of that name.
fn small(path: &Path) -> Option<SmallSet> {
    path.to_str().and_then(SmallSet::named).filter(|_| path.symlink_metadata().is_err())
}

fn of_small(set: &SmallSet, arguments: &Info) -> anyhow::Result<()> {
    if let Some(option) = arguments.table.given() {
        bail!("{option}: expected a file, found the set {}, which needs none", set.name());
    }
    Outputs::files(&arguments.json).check(None)?;
    let table = set.table(None, SEED)?;
    let record = TableRecord::of(&table, &TableOptions::default(), arguments.target.as_deref())?;
    tell(&TableRecord { about: Some(set.about(SEED)), ..record }, arguments.json.as_deref())
}

/// A text to describe.
enum Text {
    /// The file, or the name of a published text.
    File,
    /// The set of a recipe.
    Recipe(Box<Recipe>),
}

/// The text of this name: a file that ends with .txt, a published one, or that of a recipe; unless it is a table of that name.
fn text(path: &Path) -> Option<Text> {
    let name = path.to_str()?;
    let is_there = path.symlink_metadata().is_ok();
    if path.extension().is_some_and(|ending| ending == "txt") || (!is_there && known::text(name).is_some()) {
        return Some(Text::File);
    }
    let is_recipe = name.ends_with(".toml") || (!is_there && Recipe::built_in_names().contains(&name));
    let recipe = is_recipe.then(|| Recipe::load(path, &[]).ok()).flatten();
    recipe.filter(|recipe| recipe.data.text.is_some()).map(|recipe| Text::Recipe(Box::new(recipe)))
}

fn of_text(text: &Text, arguments: &Info) -> anyhow::Result<()> {
    let of_table = arguments.table.given().or(arguments.target.as_ref().map(|_| "--target"));
    if let Some(option) = of_table {
        bail!("{option}: expected a table, found the text {}", arguments.path.display());
    }
    let outputs = Outputs::files(&arguments.json);
    outputs.check([arguments.path.as_path()])?;
    let record = match text {
        Text::File => TextRecord::of_file(&arguments.path, None)?,
        Text::Recipe(recipe) => {
            let data = dataset::load(&recipe.data, None)?;
            outputs.check_data(&data)?;
            TextRecord::of_set(&data)?
        }
    };
    terminal::print(&text_record::text(&record))?;
    if let Some(path) = &arguments.json {
        json::write(path, &record)?;
    }
    Ok(())
}

fn tell(record: &TableRecord, json_path: Option<&Path>) -> anyhow::Result<()> {
    terminal::print(&data_table::text(record, shared::columns()))?;
    if let Some(path) = json_path {
        json::write(path, record)?;
    }
    Ok(())
}

fn folder(dir: &Path) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    for file in inspect::info(dir)? {
        writeln!(out, "{}", for_terminal(&described(&file)))?;
    }
    Ok(())
}

/// Two lines: what the file is, and what its elements are like.
fn described(file: &FileInfo) -> String {
    let dimensions: Vec<String> = file.dimensions.iter().map(usize::to_string).collect();
    let values = match &file.values {
        Values::Moments { mean, standard_deviation } => {
            format!("mean {mean:.4}, standard deviation {standard_deviation:.4}{}", as_seen(file))
        }
        Values::Histogram(counts) => {
            let counts: Vec<String> =
                counts.iter().map(|(label, count)| format!("{label}: {count}")).collect();
            counts.join(", ")
        }
    };
    format!(
        "{}: {}, {} of {}, {} bytes\n    {values}",
        file.path.display(),
        file.role,
        dimensions.join(" x "),
        file.element_type.name(),
        file.bytes,
    )
}

/// The moments of images once more in the units of `data.mean` and `data.deviation`, divided by what they
/// are divided by unless a recipe says: 255 for bytes, and 1 for all other types.
fn as_seen(file: &FileInfo) -> String {
    match (&file.values, file.element_type) {
        (Values::Moments { mean, standard_deviation }, ElementType::U8) => {
            format!(" (divided by 255: {:.4}, {:.4})", mean / 255.0, standard_deviation / 255.0)
        }
        (Values::Moments { .. }, _) if file.role.ends_with("images") => {
            " (networks see the values as they are, unless data.scale divides them)".to_string()
        }
        _ => String::new(),
    }
}
