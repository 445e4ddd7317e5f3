//! From the `[data]` table of a recipe to samples in memory.

use std::path::Path;

use super::table;
use crate::data::source::Places;
use crate::data::{DataSet, Samples, folder, source, text};
use crate::error::{Error, Result};
use crate::model::Recipe;
use crate::model::recipe::{DataConfig, GRAMMAR, TABLE, TEXT};

/// The samples that a recipe trains and tests on.
///
/// `digits` are generated, as many and from the seed that the recipe says, unless
/// [`source::find_digits`] finds them in a folder that the user has named; `folder` is the set in
/// `data_dir`; published sets are searched as [`source::load`] says.
///
/// # Errors
/// Those of [`source::load`] and [`source::find_digits`]; [`Error::Mismatch`] if the recipe asks for more
/// samples than there are.
pub fn load(config: &DataConfig, data_dir: Option<&Path>) -> Result<DataSet> {
    if let Some(table) = &config.table {
        let may_be_text = config.set == TABLE && table.file.to_lowercase().ends_with(".txt");
        let set = table::load(config, table, data_dir).map_err(|error| match may_be_text {
            true => error.hinting("a text is read with `set = \"text\"`"),
            false => error,
        })?;
        return first_of(set, config);
    }
    if let Some(text) = &config.text {
        return first_of(text::load(&text.setup, text.folder.as_deref(), config.seed, data_dir)?, config);
    }
    if let Some(task) = &config.task {
        let [train, test] = task.task.samples();
        let samples = [config.train_samples.unwrap_or(train), config.test_samples.unwrap_or(test)];
        return task.task.data_set(samples, task.length, config.seed);
    }
    let set = match (config.set.as_str(), data_dir) {
        (source::DIGITS, _) => match source::find_digits(data_dir)? {
            Some(folder) => source::read_digits(&folder)?,
            None => {
                let [train, test] = source::DIGITS_SAMPLES;
                let samples = [config.train_samples.unwrap_or(train), config.test_samples.unwrap_or(test)];
                return source::generate_digits(samples, config.seed);
            }
        },
        ("folder", Some(data_dir)) => folder::read("folder", data_dir, None)?,
        ("folder", None) => {
            let hint = "no folder; name it with --data DIR".to_string();
            return Err(Error::DataMissing { name: "folder".into(), searched: Vec::new(), hint });
        }
        (name, data_dir) => source::load(name, data_dir)?,
    };
    first_of(set, config)
}

/// A data set with as many samples as a recipe asks for.
///
/// # Errors
/// [`Error::Mismatch`] if it has fewer.
pub fn first_of(set: DataSet, config: &DataConfig) -> Result<DataSet> {
    let train = first(set.train, config.train_samples, "training samples")?;
    let test = first(set.test, config.test_samples, TEST_SAMPLES)?;
    Ok(DataSet { train, test, ..set })
}

/// The test samples that a recipe asks for.
///
/// # Errors
/// As [`first_of`].
pub fn first_test(samples: Samples, config: &DataConfig) -> Result<Samples> {
    first(samples, config.test_samples, TEST_SAMPLES)
}

const TEST_SAMPLES: &str = "test samples";

/// [`load`], but generated digits stand in, with a note, for a published set that is not there, unless the
/// user has named a place: for measurements of training, where nothing has to be learnt.
///
/// # Errors
/// Those of [`load`].
pub fn load_or_digits(recipe: &Recipe, data_dir: Option<&Path>, notes: &mut Vec<String>) -> Result<DataSet> {
    match load(&recipe.data, data_dir) {
        Err(Error::DataMissing { name, .. })
            if !Places::new(data_dir).is_named()
                && !["folder", TABLE, TEXT, GRAMMAR].contains(&recipe.data.set.as_str()) =>
        {
            notes.push(format!(
                "{}: the data set {name} is not there (`fallline data download {name}` fetches it); \
                 generated digits stand in for it",
                recipe.name
            ));
            let digits = source::generate_digits(source::DIGITS_SAMPLES, source::DIGITS_SEED)?;
            Ok(DataSet { name: format!("{} in place of {name}", digits.name), ..digits })
        }
        other => other,
    }
}

fn first(samples: Samples, count: Option<usize>, what: &str) -> Result<Samples> {
    match count {
        None => Ok(samples),
        Some(count) if count <= samples.len() => samples.first(count),
        Some(count) => Err(Error::Mismatch {
            what: format!("{what} of the recipe"),
            expected: format!("at most {}, as many as the data set has", samples.len()),
            found: count.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(set: &str, train: Option<usize>, test: Option<usize>) -> DataConfig {
        DataConfig {
            set: set.into(),
            train_samples: train,
            test_samples: test,
            validation: None,
            stratified: true,
            scale: None,
            mean: 0.0,
            deviation: 1.0,
            seed: 5,
            table: None,
            text: None,
            task: None,
        }
    }

    #[test]
    fn digits_are_generated_as_many_and_from_the_seed_that_the_recipe_says() {
        let set = load(&config("digits", Some(30), Some(20)), None).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.train.shape()), (30, 20, [28, 28, 1]));
        let other = load(&DataConfig { seed: 6, ..config("digits", Some(30), Some(20)) }, None).unwrap();
        assert_ne!(set.train, other.train);
    }

    #[test]
    fn a_folder_gives_its_first_samples_and_no_more_than_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let whole = source::generate_digits([12, 7], 1).unwrap();
        folder::write(&whole, folder.path(), false, false).unwrap();
        let read = |train, test| load(&config("folder", train, test), Some(folder.path()));

        let all = read(None, None).unwrap();
        assert_eq!((all.train, all.test), (whole.train.clone(), whole.test));
        let some = read(Some(5), Some(7)).unwrap();
        assert_eq!(some.train, whole.train.take(&[0, 1, 2, 3, 4]).unwrap());
        assert_eq!(
            read(None, Some(8)).unwrap_err().to_string(),
            "test samples of the recipe: expected at most 7, as many as the data set has, found 8"
        );
        // Digits that lie in the folder are read and not generated.
        let digits = load(&config("digits", None, None), Some(folder.path())).unwrap();
        assert_eq!(digits.train, whole.train);
    }

    #[test]
    fn digits_that_are_not_in_the_given_folder_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let message = load(&config("digits", Some(30), Some(20)), Some(folder.path())).unwrap_err();
        assert!(message.to_string().ends_with("; without --data they are generated"), "{message}");
        let message = load(&config("digits", None, None), Some(Path::new("no-such"))).unwrap_err();
        assert!(message.to_string().starts_with("no-such: cannot read the folder: "), "{message}");
    }

    #[test]
    fn a_folder_must_be_named() {
        let message = load(&config("folder", None, None), None).unwrap_err().to_string();
        assert_eq!(message, "data set `folder` not found; looked in no folder; name it with --data DIR");
    }
}
