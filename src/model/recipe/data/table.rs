//! The keys of `[data]` that say which table is read, and what becomes of its columns.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::super::super::section::{Section, described, finite, integer_text, unit_inner};
use super::super::values::integer;
use super::small;
use crate::data::small::SmallSet;
use crate::data::table::encode::{MOST_ROWS, MOST_WIDTH};
use crate::data::table::{
    Encoding, Fill, Kind, MOST_CATEGORIES, MOST_EMBEDDED, Scaling, Setup, TableOptions, WindowSetup,
    delimiter_named,
};
use crate::error::Result;

/// The most names of columns that a key may have.
const MOST_NAMES: usize = 16_384;

/// The part of the rows that are the test set where no file has them.
const TEST: f64 = 0.2;

/// A table as a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct TableConfig {
    /// A small set that needs no file, if it is one.
    pub small: Option<SmallSet>,
    /// The path of the file with the training rows; nothing of a small set.
    pub file: String,
    /// The path of the file with the test rows; without one, some rows of `file` are the test set.
    pub test_file: Option<String>,
    /// How many those are, as a part of all, in (0, 1); chosen by the seed of the data, or of a series the last ones.
    pub test: f64,
    /// The folder of the recipe, if it was read from a file: no part of its text.
    pub folder: Option<PathBuf>,
    /// How the files are read.
    pub options: TableOptions,
    /// What becomes of the columns.
    pub setup: Setup,
}

impl TableConfig {
    /// The table in this file, read and used as it looks.
    pub fn of(file: &str) -> TableConfig {
        let (options, setup) = (TableOptions::default(), Setup::default());
        TableConfig {
            small: None,
            file: file.into(),
            test_file: None,
            test: TEST,
            folder: None,
            options,
            setup,
        }
    }

    /// The path of a file of the table: in the folder that was named for data, if one was; else beside the recipe, if it is
    /// there; else where it says.
    pub fn path(&self, file: &str, data_dir: Option<&Path>) -> PathBuf {
        if let Some(folder) = data_dir {
            return folder.join(file);
        }
        let beside = self.folder.as_ref().map(|folder| folder.join(file)).filter(|path| path.is_file());
        beside.unwrap_or_else(|| PathBuf::from(file))
    }

    pub(super) fn read(section: &mut Section) -> Result<TableConfig> {
        let file = section.text("file", "the path of a table")?;
        let test_file = Some(section.text_or("test_file", "")?).filter(|path| !path.is_empty());
        let test = section.number("test", TEST, unit_inner())?;
        let options = read_options(section)?;
        let setup = read_setup(section)?;
        Ok(TableConfig { small: None, file, test_file, test, folder: None, options, setup })
    }

    /// That of a small set, of which no file is read.
    pub(super) fn read_small(section: &mut Section, small: SmallSet) -> Result<TableConfig> {
        let is_generated = matches!(small, SmallSet::Generated(_));
        let test = if is_generated { TEST } else { section.number("test", TEST, unit_inner())? };
        let setup = read_setup(section)?;
        Ok(TableConfig { small: Some(small), test, setup, ..TableConfig::of("") })
    }

    /// Whether the test rows are not among the training rows.
    pub fn has_own_test(&self) -> bool {
        self.test_file.is_some() || matches!(self.small, Some(SmallSet::Generated(_)))
    }

    /// Writes all of it, but what is as it is by default.
    pub(in crate::model::recipe) fn write(&self, table: &mut Table) {
        let TableConfig { small, file, test_file, test, options, setup, .. } = self;
        let mut put = |key: &str, value: Value| {
            table.insert(key.to_string(), value);
        };
        match small {
            Some(small) => small::values(small).into_iter().for_each(|(key, value)| put(key, value)),
            None => put("file", file.as_str().into()),
        }
        match test_file {
            Some(file) => put("test_file", file.as_str().into()),
            None if self.has_own_test() => {}
            None => put("test", (*test).into()),
        }
        let list = |names: &[String]| Value::from(names.to_vec());
        if let Some(delimiter) = options.delimiter {
            put("delimiter", char::from(delimiter).to_string().into());
        }
        if let Some(header) = options.header {
            put("header", header.into());
        }
        for (key, names) in [("columns", &options.names), ("missing", &options.missing)] {
            if !names.is_empty() {
                put(key, list(names));
            }
        }
        if options.encoding == Encoding::Latin1 {
            put("encoding", "latin-1".into());
        }
        let entries = |entries: Vec<(String, Value)>| Value::Table(entries.into_iter().collect());
        if !options.kinds.is_empty() {
            let kinds = options.kinds.iter().map(|(name, kind)| (name.clone(), kind.name().into()));
            put("types", entries(kinds.collect()));
        }
        for (key, names) in
            [("target", &setup.target), ("features", &setup.features), ("ignore", &setup.ignore)]
        {
            if !names.is_empty() {
                put(key, list(names));
            }
        }
        for (key, name) in [("id", &setup.id), ("weights", &setup.weights)] {
            if let Some(name) = name {
                put(key, name.as_str().into());
            }
        }
        if setup.balanced {
            put("class_weights", "balanced".into());
        }
        put("scaling", setup.scaling.name().into());
        if !setup.scalings.is_empty() {
            let scalings = setup.scalings.iter().map(|(name, scaling)| (name.clone(), scaling.name().into()));
            put("scalings", entries(scalings.collect()));
        }
        put("fill", value_of(setup.fill));
        if !setup.fills.is_empty() {
            let fills = setup.fills.iter().map(|(name, fill)| (name.clone(), value_of(*fill)));
            put("fills", entries(fills.collect()));
        }
        put("indicator", setup.indicator.into());
        put("rare", integer(setup.rare as u64));
        put("most_categories", integer(setup.most_categories as u64));
        if let Some(most) = setup.embed {
            put("embed", integer(most as u64));
        }
        if !setup.embeddings.is_empty() {
            let widths = setup.embeddings.iter().map(|(name, width)| (name.clone(), integer(*width as u64)));
            put("embeddings", entries(widths.collect()));
        }
        put("standardise_target", setup.standardise_target.into());
        if let Some(WindowSetup { window, horizon, step, known, season, .. }) = &setup.windows {
            for (key, rows) in [("window", window), ("horizon", horizon), ("step", step)] {
                put(key, integer(*rows as u64));
            }
            if !known.is_empty() {
                put("known", list(known));
            }
            if let Some(season) = season {
                put("season", integer(*season as u64));
            }
        }
    }
}

fn read_options(section: &mut Section) -> Result<TableOptions> {
    let delimiter = section.text_or("delimiter", "")?;
    let delimiter = match delimiter.as_str() {
        "" => None,
        text => Some(delimiter_named(text).ok_or_else(|| {
            let expected = "comma, semicolon, tab, pipe, or one mark that is part of no number";
            section.setting("delimiter", expected, &described(&text.into()))
        })?),
    };
    let header = if section.has("header") { Some(section.boolean("header", true)?) } else { None };
    let names = section.texts("columns", MOST_NAMES)?;
    let missing = section.texts("missing", MOST_NAMES)?;
    let encoding = section.choice("encoding", "encoding", Some("utf-8"), &["utf-8", "latin-1"])?;
    let encoding = if encoding == "latin-1" { Encoding::Latin1 } else { Encoding::Utf8 };
    let mut kinds = Vec::new();
    for (name, value) in section.entries("types")? {
        let kind = value.as_str().and_then(Kind::named);
        let expected = format!("one of {}", Kind::CHOICES.map(Kind::name).join(", "));
        let refused = || section.setting(&format!("types.{name}"), &expected, &described(&value));
        kinds.push((name.clone(), kind.ok_or_else(refused)?));
    }
    Ok(TableOptions { delimiter, header, names, kinds, missing, encoding })
}

fn read_setup(section: &mut Section) -> Result<Setup> {
    let default = Setup::default();
    let [target, features, ignore] =
        ["target", "features", "ignore"].map(|key| section.texts(key, MOST_NAMES));
    let mut named = |key| -> Result<Option<String>> { Ok(section.texts(key, 1)?.pop()) };
    let (id, weights) = (named("id")?, named("weights")?);
    let balanced =
        section.choice("class_weights", "weights of classes", Some("none"), &["none", "balanced"])?;
    let scaling =
        section.choice("scaling", "scaling", Some("standardise"), &Scaling::ALL.map(|(name, _)| name))?;
    let scaling_of =
        |name: &str| Scaling::ALL.iter().find(|(known, _)| *known == name).map(|(_, scaling)| *scaling);
    let mut scalings = Vec::new();
    for (name, value) in section.entries("scalings")? {
        let expected = format!("one of {}", Scaling::ALL.map(|(name, _)| name).join(", "));
        let refused = || section.setting(&format!("scalings.{name}"), &expected, &described(&value));
        scalings.push((name.clone(), value.as_str().and_then(scaling_of).ok_or_else(refused)?));
    }
    let fill = if section.is_text("fill") {
        let name = section.choice("fill", "fill", None, &Fill::NAMED.map(|(name, _)| name))?;
        fill_of(&name.into()).unwrap_or_default()
    } else {
        section.optional_number("fill", finite())?.map_or(default.fill, Fill::Constant)
    };
    let mut fills = Vec::new();
    for (name, value) in section.entries("fills")? {
        let expected = format!("a finite number, or one of {}", Fill::NAMED.map(|(name, _)| name).join(", "));
        let refused = || section.setting(&format!("fills.{name}"), &expected, &described(&value));
        fills.push((name.clone(), fill_of(&value).ok_or_else(refused)?));
    }
    let windows = read_windows(section)?;
    let (embed, embeddings) = read_embeddings(section, windows.is_some())?;
    Ok(Setup {
        target: target?,
        // The kind of the model decides.
        unsupervised: false,
        features: features?,
        ignore: ignore?,
        id,
        weights,
        balanced: balanced == "balanced",
        scaling: scaling_of(scaling).unwrap_or_default(),
        scalings,
        fill,
        fills,
        indicator: section.boolean("indicator", default.indicator)?,
        rare: section.integer("rare", default.rare, 1, u32::MAX as usize)?,
        most_categories: section.integer("most_categories", default.most_categories, 1, 100_000)?,
        standardise_target: section.boolean("standardise_target", default.standardise_target)?,
        embed,
        embeddings,
        windows,
    })
}

/// From how many categories on columns are embedded, and the columns that are however many they have, with their widths.
type Embedded = (Option<usize>, Vec<(String, usize)>);

fn read_embeddings(section: &mut Section, has_windows: bool) -> Result<Embedded> {
    let given = ["embed", "embeddings"].into_iter().find(|key| section.has(key));
    if let (Some(key), true) = (given, has_windows) {
        let expected = "none with `data.window`, whose categories have a feature each";
        return Err(section.setting(key, expected, "one"));
    }
    let embed = section.optional_integer("embed", 1, MOST_CATEGORIES)?;
    let mut embeddings = Vec::new();
    for (name, value) in section.entries("embeddings")? {
        let width = value.as_integer().and_then(|width| usize::try_from(width).ok());
        let width = width.filter(|width| (1..=MOST_WIDTH).contains(width));
        let expected = format!("{}, the numbers of a category", integer_text(1, MOST_WIDTH));
        let refused = || section.setting(&format!("embeddings.{name}"), &expected, &described(&value));
        embeddings.push((name.clone(), width.ok_or_else(refused)?));
    }
    if embeddings.len() > MOST_EMBEDDED {
        let expected = format!("at most {MOST_EMBEDDED} columns");
        return Err(section.setting("embeddings", &expected, &embeddings.len().to_string()));
    }
    Ok((embed, embeddings))
}

fn read_windows(section: &mut Section) -> Result<Option<WindowSetup>> {
    let beside = ["horizon", "step", "known", "season"].into_iter().find(|key| section.has(key));
    let window = section.optional_integer("window", 1, MOST_ROWS)?;
    let horizon = section.integer("horizon", 1, 1, MOST_ROWS)?;
    let step = section.integer("step", 1, 1, MOST_ROWS)?;
    let known = section.texts("known", MOST_NAMES)?;
    let season = section.optional_integer("season", 2, MOST_ROWS)?;
    match (window, beside) {
        (None, Some(key)) => Err(section.setting(key, "`data.window` beside it", "none")),
        (None, None) => Ok(None),
        (Some(window), _) => Ok(Some(WindowSetup {
            window,
            horizon,
            step,
            known,
            season,
            // The first layer decides.
            sequence: false,
        })),
    }
}

fn fill_of(value: &Value) -> Option<Fill> {
    match value {
        Value::String(text) => Fill::NAMED.iter().find(|(name, _)| name == text).map(|(_, fill)| *fill),
        Value::Integer(integer) => Some(Fill::Constant(*integer as f64)),
        Value::Float(number) => Some(Fill::Constant(*number)).filter(|_| number.is_finite()),
        _ => None,
    }
}

fn value_of(fill: Fill) -> Value {
    match fill {
        Fill::Constant(number) => number.into(),
        named => {
            Fill::NAMED.iter().find(|(_, fill)| *fill == named).map_or("median", |(name, _)| name).into()
        }
    }
}
