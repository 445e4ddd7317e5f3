//! `fallline train FILE.csv`: a table of which nothing else is said, and what was assumed of it.

use std::ffi::OsStr;
use std::path::Path;

use crate::cli::shared::shell_word;
use crate::clustering::KMeans;
use crate::data::table::encode::{Feature, How, Scale};
use crate::data::table::{Encoder, Target, Windows};
use crate::data::{DataSet, Unit};
use crate::model::Recipe;
use crate::model::recipe::{Override, TableConfig, TableFacts, of_table};
use crate::report::numbers::{counted, significant, thousands};
use crate::train::dataset;
use crate::train::table::Fitted;
use crate::{Error, Result};

/// Columns that are listed one by one.
const LISTED: usize = 24;

/// Endings of files that are tables.
const ENDINGS: [&str; 5] = [".csv", ".tsv", ".tab", ".data", ".txt"];

/// A recipe that was made for a table, with its samples.
pub(in crate::cli) struct Made {
    pub recipe: Recipe,
    pub data: DataSet,
    /// The recipe as a text that says no more than it has to.
    text: String,
}

/// The path, if it is that of a table and not of a recipe.
pub(in crate::cli) fn path(name_or_path: &OsStr) -> Option<&Path> {
    let text = name_or_path.to_string_lossy().to_lowercase();
    let plain = text.strip_suffix(".gz").unwrap_or(&text);
    (text == "-" || ENDINGS.iter().any(|ending| plain.ends_with(ending))).then(|| Path::new(name_or_path))
}

impl Made {
    /// Reads a table, and makes the recipe for it that `overrides` change.
    ///
    /// # Errors
    /// If the table cannot be read, there is nothing to learn from it, or an override makes no sense.
    pub fn of(path: &Path, overrides: &[Override], data_dir: Option<&Path>) -> Result<Made> {
        let text = path.to_str().ok_or_else(|| Error::Mismatch {
            what: "path of a table".into(),
            expected: "one in UTF-8, as recipes are".into(),
            found: path.display().to_string(),
        })?;
        let name = name_of(path);
        let place = format!("the recipe for {text}");
        let read = |config: &TableConfig, facts, overrides: &[Override]| {
            let text = of_table(&name, config, facts);
            Ok::<_, Error>((Recipe::parse_with(&text, &place, overrides)?, text))
        };
        // What is said of the data decides what is read, and that decides the rest.
        let of_data: Vec<Override> =
            overrides.iter().filter(|change| change.path().starts_with("data.")).cloned().collect();
        let kind = overrides.iter().rev().find(|change| change.path() == "model.kind");
        let kind = kind.and_then(Override::text).filter(|kind| *kind != "network");
        let facts = TableFacts { rows: 1, classes: Some(2), values: 0, embeds: true, kind: None };
        let data = read(&TableConfig::of(text), facts, &of_data)?.0.data;
        let Some(mut config) = data.table.as_deref().filter(|config| config.small.is_none()).cloned() else {
            let (expected, found) = ("table".into(), data.set);
            return Err(Error::Setting { place, key: "data.set".into(), expected, found });
        };
        if kind == Some(KMeans::NAME) {
            // What does not go with it is told before the rows are read.
            read(&config, TableFacts { kind, ..facts }, overrides)?;
            config.setup.unsupervised = true;
        }
        // A linear fit has a coefficient for each category, unless it was told otherwise, and then refuses.
        let is_said = |key: &str| of_data.iter().any(|change| change.path() == key);
        if kind.is_some() && !is_said("data.embed") {
            config.setup.embed = None;
        }
        let fitted = Fitted::read(&data, &config, data_dir)?;
        let outputs = fitted.encoder.outputs();
        let is_classes = matches!(fitted.encoder.target, Target::Classes { .. });
        let embeds = !fitted.encoder.embeddings().is_empty();
        let facts = TableFacts {
            rows: fitted.rows(),
            classes: is_classes.then_some(outputs),
            values: if is_classes { 0 } else { outputs },
            embeds,
            kind,
        };
        if !embeds {
            config.setup.embed = None;
        }
        let (recipe, text) = read(&config, facts, overrides)?;
        let data = dataset::first_of(fitted.data_set(&recipe.data, &config, data_dir)?, &recipe.data)?;
        Ok(Made { recipe, data, text })
    }

    /// The recipe that the command stands for, and how to go on with it.
    pub fn assumed(&self) -> String {
        let file = shell_word(&format!("{}.toml", self.recipe.name));
        format!(
            "Nothing else being said, this is `fallline train {file}` with this recipe in {file}, before any option:\n\n{}\n",
            self.text.trim_end().lines().map(indented).collect::<String>()
        )
    }
}

fn indented(line: &str) -> String {
    if line.is_empty() { "\n".into() } else { format!("    {line}\n") }
}

/// The name of the recipe for a table: that of its file.
fn name_of(path: &Path) -> String {
    let stem = path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    let stem = stem.split('.').next().unwrap_or_default();
    let kept = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let name: String = stem.chars().map(|letter| if kept(letter) { letter } else { '-' }).take(64).collect();
    if name.chars().any(|letter| letter.is_ascii_alphanumeric()) { name } else { "table".into() }
}

/// What becomes of each column, as text.
pub(super) fn columns(encoder: &Encoder, notes: &[String], is_clustered: bool) -> String {
    let windows = encoder.windows.as_ref();
    let target = if is_clustered { set_aside(&encoder.target) } else { target(&encoder.target, windows) };
    let mut text = format!("{target}\n");
    let widest = encoder.features.iter().take(LISTED).map(|feature| feature.column.chars().count()).max();
    let widest = widest.unwrap_or(0).min(30);
    for feature in encoder.features.iter().take(LISTED) {
        let read = windows.map_or("", |windows| read_in(windows, &feature.column));
        text += &format!("  {:widest$}  {}{read}\n", feature.column, described(feature, windows));
    }
    if let Some(more) = encoder.features.len().checked_sub(LISTED + 1) {
        text += &format!("  and {} more\n", counted(more + 1, "column"));
    }
    for note in notes {
        text += &format!("note: {note}\n");
    }
    text
}

/// The rows of a sample in which a column is read: of a sequence in all of them what is known ahead, dates too.
fn read_in(windows: &Windows, column: &str) -> &'static str {
    match (
        windows.is_date(column) && !windows.sequence,
        windows.is_date(column) || windows.known.iter().any(|known| known == column),
    ) {
        (true, _) => ", in the rows to predict",
        (false, true) => ", in the window and in the rows to predict",
        (false, false) => ", in the window",
    }
}

/// What becomes of the target of rows that are clustered, and from what they are.
fn set_aside(target: &Target) -> String {
    match &target.columns()[..] {
        [] => "clusters rows by".to_string(),
        columns => {
            format!(
                "clusters rows, without `{}`, which the clusters are compared with, by",
                columns.join("`, `")
            )
        }
    }
}

fn target(target: &Target, windows: Option<&Windows>) -> String {
    match target {
        Target::Classes { column, .. } => {
            let names = target.class_names();
            let shown: Vec<&str> = names.iter().map(String::as_str).take(10).collect();
            let more = if names.len() > shown.len() { ", …" } else { "" };
            format!("predicts `{column}`, {} classes: {}{more}; from", names.len(), shown.join(", "))
        }
        Target::None => "predicts nothing; from".to_string(),
        Target::Values { columns } => {
            let names: Vec<String> = columns
                .iter()
                .map(|column| {
                    if column.unit == Unit::ONE {
                        return format!("`{}` as it is", column.column);
                    }
                    let [mean, deviation] = [column.unit.offset, column.unit.factor].map(significant);
                    format!("`{}` (mean {mean}, standard deviation {deviation})", column.column)
                })
                .collect();
            if let Some(Windows { window, horizon, step, .. }) = windows {
                return format!(
                    "windows of {}, one every {}; predicts {} in the {} behind a window; from",
                    counted(*window, "row"),
                    counted(*step, "row"),
                    names.join(", "),
                    counted(*horizon, "row"),
                );
            }
            format!(
                "predicts {}, {}; from",
                names.join(", "),
                if names.len() == 1 { "a number" } else { "numbers" }
            )
        }
    }
}

fn described(feature: &Feature, windows: Option<&Windows>) -> String {
    let missing = |there: bool| if there { ", missing ones filled and marked" } else { "" };
    let made = counted(feature.width(), "feature");
    match &feature.how {
        How::Number { scale, indicator, .. } => {
            format!("number, {}{}", scaled(*scale), missing(*indicator))
        }
        How::Category { names, other, missing } => {
            let other = if *other { " and others" } else { "" };
            let missing = if *missing { ", missing ones marked" } else { "" };
            format!("category, {} known{other}{missing}: {made}", thousands(names.len() as u64))
        }
        How::Embedding { names, missing, width } => {
            let missing = if *missing { ", missing ones among them" } else { "" };
            let categories = thousands(names.len() as u64);
            format!("embedding of {categories} categories in {}{missing}", counted(*width, "number"))
        }
        How::Date { .. } if windows.is_some_and(|windows| windows.is_date(&feature.column)) => {
            // All but the year.
            format!("date: {}", counted(feature.width() - 1, "feature"))
        }
        How::Date { indicator, .. } => format!("date: {made}{}", missing(*indicator)),
    }
}

/// What becomes of a number x.
fn scaled(scale: Scale) -> String {
    let x = if scale.log1p { "ln(1 + x)" } else { "x" };
    let moved = match scale.offset {
        0.0 => x.to_string(),
        offset if offset > 0.0 => format!("{x} - {}", significant(offset)),
        offset => format!("{x} + {}", significant(-offset)),
    };
    match scale.factor {
        1.0 if moved == "x" => "as it is".into(),
        1.0 => moved,
        factor if scale.offset == 0.0 => format!("{moved} / {}", significant(factor.recip())),
        factor => format!("({moved}) / {}", significant(factor.recip())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_from_recipes() {
        for (name, is_table) in [
            ("a.csv", true),
            ("b/A.CSV.gz", true),
            ("-", true),
            ("a.toml", false),
            ("mnist-mlp", false),
            ("csv", false),
        ] {
            assert_eq!(path(OsStr::new(name)).is_some(), is_table, "{name}");
        }
    }

    #[test]
    fn scales_are_formulas() {
        let of = |log1p, offset, factor| scaled(Scale { log1p, offset, factor });
        assert_eq!(of(false, 38.58, 0.5), "(x - 38.58) / 2");
        assert_eq!(of(true, -1.5, 1.0), "ln(1 + x) + 1.5");
        assert_eq!(of(false, 0.0, 0.25), "x / 4");
        assert_eq!(of(false, 0.0, 1.0), "as it is");
    }

    #[test]
    fn a_recipe_is_named_after_the_file() {
        for (path, name) in [
            ("x/adult-train.csv.gz", "adult-train"),
            ("-", "table"),
            ("über uns.csv", "-ber-uns"),
            ("…", "table"),
        ] {
            assert_eq!(name_of(Path::new(path)), name, "{path}");
        }
    }
}
