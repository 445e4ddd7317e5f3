//! What a model is tried on.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};

use crate::Error;
use crate::cli::output::Outputs;
use crate::cli::shared;
use crate::data::table::RowReader;
use crate::data::text::{self, Tried, Vocabulary};
use crate::data::{DataSet, Origin, Samples};
use crate::model::recipe::{DataConfig, TextConfig};
use crate::model::saved::SavedModel;
use crate::report::numbers;
use crate::train::{dataset, table};

/// Samples to try a model on.
pub(super) struct TestSet {
    /// The name of their data set.
    pub name: String,
    pub samples: Samples,
    pub class_names: Vec<String>,
}

impl TestSet {
    /// The rows of a table, another text, or the test samples of the data set that the model was trained on.
    pub fn of(
        model: &Path,
        saved: &SavedModel,
        rows: Option<&PathBuf>,
        folder: Option<&Path>,
        outputs: &Outputs,
    ) -> anyhow::Result<TestSet> {
        let Some(encoder) = saved.model.encoder() else {
            match (rows, saved.model.vocabulary(), &saved.recipe.data.text) {
                (Some(path), Some(vocabulary), _) => {
                    let tried = text::samples_of_file(vocabulary, path, folder, saved.input[2])?;
                    return TestSet::of_text(tried, outputs);
                }
                (None, Some(vocabulary), Some(config)) => {
                    let set = TestSet::set_aside(saved, config, vocabulary, folder, outputs);
                    return set.map_err(|error| missing(error, model));
                }
                _ => {}
            }
            if let Some(rows) = rows {
                bail!(
                    "{}: expected no file beside a model of pictures; --data names a folder",
                    rows.display()
                );
            }
            return TestSet::of_folder(model, saved, folder, outputs);
        };
        let class_names = encoder.target.class_names().to_vec();
        let (name, samples) = match (rows, &saved.recipe.data.table) {
            (Some(path), _) => {
                outputs.check_apart([path.as_path()])?;
                let rows = RowReader::open(path, encoder, saved.model.loss().takes_targets())?;
                if !rows.unknown().is_empty() {
                    let names = rows.unknown().join("`, `");
                    let note =
                        format!("{}: not in the training rows and left out: `{names}`", path.display());
                    shared::say("note", &note);
                }
                (path.display().to_string(), rows.samples()?)
            }
            (None, Some(config)) => {
                let (files, samples) = table::test(&saved.recipe.data, config, encoder, folder)?;
                outputs.check_apart(files.iter().map(PathBuf::as_path))?;
                let set = || saved.recipe.data.set.clone();
                let name = files.last().map_or_else(set, |file| file.display().to_string());
                (name, dataset::first_test(samples, &saved.recipe.data)?)
            }
            (None, None) => {
                bail!(
                    "{}: expected a table to try it on, since its file names none, found nothing",
                    model.display()
                )
            }
        };
        Ok(TestSet { name, samples, class_names })
    }

    /// The part of its text that was set aside in the training of a model, as the model's own vocabulary reads it: the text
    /// may be another one by now.
    fn set_aside(
        saved: &SavedModel,
        config: &TextConfig,
        vocabulary: &Arc<Vocabulary>,
        folder: Option<&Path>,
        outputs: &Outputs,
    ) -> anyhow::Result<TestSet> {
        let (data, beside) = (&saved.recipe.data, config.folder.as_deref());
        let context = saved.input[2];
        let tried = text::held_out(&config.setup, vocabulary, context, beside, data.seed, folder)?;
        let set = TestSet::of_text(tried, outputs)?;
        Ok(TestSet { samples: dataset::first_test(set.samples, data)?, ..set })
    }

    fn of_text(tried: Tried, outputs: &Outputs) -> anyhow::Result<TestSet> {
        if let Origin::Files(files) = &tried.origin {
            outputs.check_apart(files.iter().map(PathBuf::as_path))?;
        }
        Ok(TestSet { name: tried.name, samples: tried.samples, class_names: Vec::new() })
    }

    fn of_folder(
        model: &Path,
        saved: &SavedModel,
        folder: Option<&Path>,
        outputs: &Outputs,
    ) -> anyhow::Result<TestSet> {
        // The training samples are not needed, so a folder may hold fewer of them than were trained on.
        let wanted = DataConfig { train_samples: Some(1), ..saved.recipe.data.clone() };
        let data = dataset::load(&wanted, folder)?;
        outputs.check_data(&data)?;
        let DataSet { name, classes, test, class_names, .. } = data;
        let differs = saved.model.loss().takes_targets() && classes != saved.classes;
        if test.shape() != saved.input || differs {
            bail!(
                "{}: expected samples of {} in {} classes, found {} in {classes} classes in data set `{name}`",
                model.display(),
                numbers::shape(saved.input),
                saved.classes,
                numbers::shape(test.shape()),
            );
        }
        Ok(TestSet { name, samples: test, class_names })
    }
}

/// The error, with how to name a text that is no longer where it was when the model was trained.
fn missing(error: anyhow::Error, model: &Path) -> anyhow::Error {
    match error.downcast_ref::<Error>() {
        Some(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let model = shared::shell_word(&model.display().to_string());
            anyhow!(
                "{error} (name the text: `fallline eval --model {model} FILE`, or its folder: `--data DIR`)"
            )
        }
        _ => error,
    }
}
