//! A table as the data set of a recipe.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::known;
use crate::data::small::{Part, SmallSet};
use crate::data::split::hold_out_rows;
use crate::data::table::{Encoder, Kind, RowReader, Setup, Table, WindowSetup};
use crate::data::text::published;
use crate::data::{DataSet, Origin, Samples, Split};
use crate::error::{Error, Result};
use crate::model::recipe::{DataConfig, TABLE, TableConfig};

/// The rows of a table to train on, and what was learnt from them.
pub struct Fitted {
    table: Table,
    split: Split,
    pub encoder: Arc<Encoder>,
    pub notes: Vec<String>,
}

impl Fitted {
    /// Reads the file of the training rows, or makes them if the table is a small set, and fits the encoder to them, and to
    /// no test row. Where nothing else has them, the test rows are chosen by the seed of `data`, from each class its share
    /// if it says so.
    ///
    /// Of a series the last rows are the test rows.
    ///
    /// # Errors
    /// Those of [`Table::read`] and [`Encoder::fit`]; [`Error::Mismatch`] if there are too few rows for a window, and if a
    /// folder is named for a small set.
    pub fn read(data: &DataConfig, config: &TableConfig, data_dir: Option<&Path>) -> Result<Fitted> {
        let table = rows(data, config, data_dir)?;
        let split = split(&table, config, data.stratified, data.seed)?;
        let fitted = Encoder::fit(&table, &split.subset, &config.setup, &config.options)?;
        Ok(Fitted { table, split, encoder: Arc::new(fitted.encoder), notes: fitted.notes })
    }

    /// Rows to train on, or windows of them.
    pub fn rows(&self) -> usize {
        let rows = self.split.subset.len();
        self.encoder.windows.as_ref().map_or(rows, |windows| windows.count(rows))
    }

    /// The samples to train and to test on.
    ///
    /// # Errors
    /// Those of [`Encoder::samples`] and [`RowReader`].
    pub fn data_set(
        self,
        data: &DataConfig,
        config: &TableConfig,
        data_dir: Option<&Path>,
    ) -> Result<DataSet> {
        let Fitted { table, split, encoder, mut notes } = self;
        let mut files = Vec::from_iter(config.small.is_none().then(|| table.path.clone()));
        let train = encoder.samples(&table, &split.subset)?;
        let train = match config.setup.balanced {
            true => balanced(train)?,
            false => train,
        };
        let test = match (&config.small, &config.test_file) {
            (Some(SmallSet::Generated(set)), _) => {
                let table = set.rows(Part::Test, data.test_samples, data.seed)?;
                encoder.samples(&table, &Vec::from_iter(0..table.rows as u32))?
            }
            (_, None) => encoder.samples(&table, &test_rows(&encoder, &split))?,
            (_, Some(file)) => {
                let file = path_of(config, file, data_dir)?;
                let rows = RowReader::open(&file, &encoder, true)?;
                if !rows.unknown().is_empty() {
                    let names = rows.unknown().join("`, `");
                    notes.push(format!(
                        "{}: not in the training rows and left out: `{names}`",
                        file.display()
                    ));
                }
                let samples = match &encoder.windows {
                    None => rows.samples()?,
                    Some(windows) => {
                        let rows = rows.rows()?;
                        let before = &split.subset[split.subset.len() - windows.window..];
                        let joined = encoder.joined(&encoder.rows(&table, before)?, &rows);
                        if joined.is_none() {
                            notes.push(format!(
                                "{}: the first window of the test begins in it, since no dates say that its rows follow the \
                                 training rows at once",
                                file.display()
                            ));
                        }
                        encoder.windows_of(joined.as_ref().unwrap_or(&rows))?
                    }
                };
                files.push(file);
                samples
            }
        };
        let (name, origin) = match &config.small {
            Some(small) => (small.name().to_string(), small.origin(data.seed)),
            None => {
                let stem = table.path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                (stem.unwrap_or_else(|| TABLE.into()), Origin::Files(files))
            }
        };
        let class_names = encoder.target.class_names().to_vec();
        let set = DataSet::new(&name, encoder.outputs(), train, test, origin)?;
        Ok(DataSet { class_names, notes, ..set })
    }
}

/// The data set of a recipe whose data are a table.
///
/// # Errors
/// Those of [`Fitted`].
pub fn load(config: &DataConfig, table: &TableConfig, data_dir: Option<&Path>) -> Result<DataSet> {
    Fitted::read(config, table, data_dir)?.data_set(config, table, data_dir)
}

/// The rows of the file, or of the small set.
fn rows(data: &DataConfig, config: &TableConfig, data_dir: Option<&Path>) -> Result<Table> {
    match &config.small {
        Some(small) => {
            small.check_alone(data_dir)?;
            small.table(data.train_samples, data.seed)
        }
        None => Table::read(&path_of(config, &config.file, data_dir)?, &config.options),
    }
}

/// The path of a file of the table: that of a published series if it has the name of one, and there is no such file.
fn path_of(config: &TableConfig, file: &str, data_dir: Option<&Path>) -> Result<PathBuf> {
    let path = config.path(file, data_dir);
    match known::series(file) {
        Some(series) if !path.is_file() => published::find(series, data_dir),
        _ => Ok(path),
    }
}

/// The last rows of a series as its test rows: enough for one horizon, of which the windows begin in the training rows.
fn last_rows(windows: &WindowSetup, rows: usize, count: usize) -> Result<Split> {
    if count < windows.horizon || count >= rows {
        return Err(Error::Mismatch {
            what: "rows of the test, by `data.test`".into(),
            expected: format!(
                "at least {}, as many as are predicted, and fewer than all {rows}",
                windows.horizon
            ),
            found: count.to_string(),
        });
    }
    let first = (rows - count) as u32;
    Ok(Split { subset: (0..first).collect(), held: (first..rows as u32).collect() })
}

/// Refuses fewer training rows than a window needs.
fn check_rows(table: &Table, windows: &WindowSetup, rows: usize) -> Result<()> {
    let WindowSetup { window, horizon, .. } = *windows;
    if window.saturating_add(horizon) <= rows {
        return Ok(());
    }
    Err(Error::Mismatch {
        what: format!("{}: training rows", table.path.display()),
        expected: format!(
            "at least {}, {window} of a window and {horizon} to predict",
            window.saturating_add(horizon)
        ),
        found: rows.to_string(),
    })
}

/// The samples with weights by which all classes count the same.
fn balanced(samples: Samples) -> Result<Samples> {
    let weights = samples.balanced_weights()?;
    samples.with_weights(weights)
}

/// The test rows of a training, as an encoder that was fitted to its training rows sees them, and the files that they
/// are from, if they are from files.
///
/// # Errors
/// Those of [`RowReader`], of [`Table::read`] and of [`Encoder::samples`].
pub fn test(
    data: &DataConfig,
    config: &TableConfig,
    encoder: &Arc<Encoder>,
    data_dir: Option<&Path>,
) -> Result<(Vec<PathBuf>, Samples)> {
    if config.test_file.is_some() && encoder.windows.is_none() {
        let file = path_of(config, config.test_file.as_deref().unwrap_or_default(), data_dir)?;
        let samples = RowReader::open(&file, encoder, true)?.samples()?;
        return Ok((vec![file], samples));
    }
    let table = rows(data, config, data_dir)?;
    let split = split(&table, config, data.stratified, data.seed)?;
    let fitted = Fitted { table, split, encoder: encoder.clone(), notes: Vec::new() };
    let set = fitted.data_set(data, config, data_dir)?;
    let files = if let Origin::Files(files) = set.origin { files } else { Vec::new() };
    Ok((files, set.test))
}

/// The test rows of a split; windows of a series begin before the rows that they predict.
fn test_rows(encoder: &Encoder, split: &Split) -> Vec<u32> {
    let window = encoder.windows.as_ref().map_or(0, |windows| windows.window);
    let before = &split.subset[split.subset.len() - window.min(split.subset.len())..];
    [before, &split.held[..]].concat()
}

/// The rows to train on, and those to test on where no file has them: of a series the last ones.
fn split(table: &Table, config: &TableConfig, stratified: bool, seed: u64) -> Result<Split> {
    let count = ((config.test * table.rows as f64).round() as usize).max(1);
    let split = match &config.setup.windows {
        _ if config.has_own_test() => Split { subset: (0..table.rows as u32).collect(), held: Vec::new() },
        Some(windows) => last_rows(windows, table.rows, count)?,
        None => {
            let strata = if stratified { strata(table, &config.setup)? } else { None };
            hold_out_rows(strata.as_deref(), table.rows, count, seed)?
        }
    };
    if let Some(windows) = &config.setup.windows {
        check_rows(table, windows, split.subset.len())?;
    }
    Ok(split)
}

/// A number for each row by its class, where the target is of classes.
fn strata(table: &Table, setup: &Setup) -> Result<Option<Vec<u32>>> {
    let [target] = setup.target_columns(table)?[..] else { return Ok(None) };
    let column = &table.columns[target];
    if !matches!(column.kind, Kind::Category | Kind::Code) {
        return Ok(None);
    }
    // Numbers of classes may be below 0; their order says nothing here.
    Ok(column.numbers().map(|numbers| numbers.map(|number| (number as i64) as u32).collect()))
}
