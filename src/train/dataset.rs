//! From the `[data]` table of a recipe to samples in memory.

use std::path::Path;

use crate::data::{DataSet, Samples, folder, source};
use crate::error::{Error, Result};
use crate::model::recipe::DataConfig;

/// The samples that a recipe trains and tests on.
///
/// `digits` are generated, as many and from the seed that the recipe says, unless `data_dir` holds
/// them; `folder` is what is in `data_dir`; published sets are searched as [`source::load`] says.
///
/// # Errors
/// Those of [`source::load`]; [`Error::Mismatch`] if the recipe asks for more samples than there are.
pub fn load(config: &DataConfig, data_dir: Option<&Path>) -> Result<DataSet> {
    let set = match (config.set.as_str(), data_dir) {
        (source::DIGITS, data_dir) if !data_dir.is_some_and(holds_digits) => {
            let [train, test] = source::DIGITS_SAMPLES;
            let samples = [config.train_samples.unwrap_or(train), config.test_samples.unwrap_or(test)];
            return source::generate_digits(samples, config.seed);
        }
        ("folder", Some(data_dir)) => folder::read("folder", data_dir)?,
        ("folder", None) => {
            let hint = "no folder; name it with --data DIR".to_string();
            return Err(Error::DataMissing { name: "folder".into(), searched: Vec::new(), hint });
        }
        (name, data_dir) => source::load(name, data_dir)?,
    };
    let train = first(set.train, config.train_samples, "training samples")?;
    let test = first(set.test, config.test_samples, "test samples")?;
    Ok(DataSet { train, test, ..set })
}

fn holds_digits(data_dir: &Path) -> bool {
    folder::has_any(&data_dir.join(source::DIGITS)) || folder::has_any(data_dir)
}

fn first(samples: Samples, count: Option<usize>, what: &str) -> Result<Samples> {
    match count {
        None => Ok(samples),
        Some(count) if count <= samples.len() => samples.take(&(0..count).collect::<Vec<_>>()),
        Some(count) => Err(Error::Mismatch {
            what: format!("{what} of the recipe"),
            expected: format!("at most {}, as many as the data set has", samples.len()),
            found: count.to_string(),
        }),
    }
}
