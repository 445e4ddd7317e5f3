//! Columns of a table that are embedded, and the layer at the front of the network that embeds them.

use super::checks::{Misfit, refused};
use super::config::Recipe;
use super::layers::LayerConfig;
use super::network::ModelConfig;
use crate::data::Samples;
use crate::data::idx::ElementType;
use crate::data::table::Encoder;
use crate::error::Result;
use crate::layers::LayerSettings;

/// The categories from which on a column is embedded, where a network begins with an embedding and the data say nothing: as
/// many as have a feature each where they are not embedded.
pub const EMBED: usize = 100;

impl ModelConfig {
    /// The embedding that reads the data, if there is one.
    pub(super) fn embedding(&self) -> Option<&LayerSettings> {
        let first = self.layers.first().and_then(LayerConfig::settings);
        first.filter(|settings| settings.embedded().is_some())
    }

    /// The numbers of a sample that are codes, of samples of so many, with the rows of the table of each: none unless the
    /// first layer is an embedding.
    pub(crate) fn codes(&self, features: usize) -> Vec<(usize, usize)> {
        match self.embedding().and_then(LayerSettings::embedded) {
            Some((tables, true)) => {
                tables.iter().flat_map(|[rows, _]| (0..features).map(|place| (place, *rows))).collect()
            }
            Some((tables, false)) => {
                let first = features.saturating_sub(tables.len());
                tables.iter().enumerate().map(|(number, [rows, _])| (first + number, *rows)).collect()
            }
            None => Vec::new(),
        }
    }

    /// The model of a text of so many different tokens, where it does not say how many there are: rows of an embedding at the
    /// front, and channels of a dense layer of each position, or a tied one, at the end.
    fn for_tokens(&self, tokens: usize) -> ModelConfig {
        let mut model = self.clone();
        if let Some(LayerConfig::Of(settings)) = model.layers.first_mut()
            && matches!(settings.embedded(), Some((tables, _)) if tables.is_empty())
        {
            *settings = settings.clone().embedding_of_tokens(tokens);
        }
        if let Some(LayerConfig::Of(settings)) = model.layers.last_mut() {
            *settings = settings.clone().of_outputs(tokens);
        }
        model.with_tied_units()
    }

    /// The model with an embedding of the sizes that the columns of a table have.
    pub(crate) fn embedding_columns(&self, encoder: &Encoder) -> std::result::Result<ModelConfig, Misfit> {
        let tables = encoder.embeddings();
        let Some(settings) = self.embedding() else {
            return if tables.is_empty() { Ok(self.clone()) } else { Err(self.without_embedding(encoder)) };
        };
        let is_unsaid = settings.values().integers("categories").is_empty();
        if tables.is_empty() && !is_unsaid {
            // Whole numbers that are codes as they are.
            return Ok(self.clone());
        }
        if tables.is_empty() {
            let expected = "a column that is embedded, for the `embedding` at the front: `data.embeddings` names one, and \
                            `data.embed` says from how many categories on";
            return Err(("data.embeddings", expected.into(), "none in the table".into()));
        }
        let settings = settings.clone().embedding_of(&tables);
        let found = settings.embedded();
        if found != Some((tables.clone(), false)) {
            let [rows, widths] =
                [0, 1].map(|side| tables.iter().map(|table| table[side]).collect::<Vec<_>>());
            let expected = format!(
                "an `embedding` first with categories = {rows:?} and widths = {widths:?}, as the columns of the table have them \
                 (`data.embeddings` sets the widths), or with neither"
            );
            return Err(("model.layers", expected, "others".into()));
        }
        let mut layers = self.layers.clone();
        layers[0] = LayerConfig::Of(settings);
        Ok(ModelConfig { layers, ..self.clone() })
    }

    fn without_embedding(&self, encoder: &Encoder) -> Misfit {
        let embedded = encoder.features.iter().filter(|feature| feature.embedding().is_some());
        let columns: Vec<&str> = embedded.map(|feature| feature.column.as_str()).take(8).collect();
        let expected = format!(
            "`{{ type = \"embedding\" }}` first, as these columns are embedded: `{}`; without `data.embed` and \
             `data.embeddings` their categories have a feature each",
            columns.join("`, `")
        );
        ("model.layers", expected, format!("`{}`", self.layers.first().map_or("none", LayerConfig::kind)))
    }
}

/// An embedding at the front that has no row for some token of a text.
fn too_few_rows(model: &ModelConfig, tokens: usize) -> Option<Misfit> {
    let (_, rows) = model.codes(1).into_iter().find(|&(_, rows)| rows < tokens)?;
    let expected = format!(
        "an `embedding` first with `categories` at least {tokens}, the tokens of the text, or without it"
    );
    Some(("model.layers", expected, format!("`categories` {rows}")))
}

impl Recipe {
    /// The recipe with what follows from the samples that it is to train on: the sizes of an embedding of columns of a
    /// table, or of the tokens of a text.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) if columns are embedded and the network does not begin with an embedding of
    /// their sizes, or is told to see other numbers than their codes; or if it begins with an embedding and there is no such
    /// column. Of a text, if an embedding at the front has fewer rows than the text has tokens.
    pub fn for_samples(self, samples: &Samples) -> Result<Recipe> {
        if let Some(vocabulary) = samples.vocabulary() {
            let model = self.model.for_tokens(vocabulary.len());
            too_few_rows(&model, vocabulary.len()).map_or(Ok(()), |misfit| Err(refused(&self, misfit)))?;
            return Ok(Recipe { model, ..self });
        }
        let Some(encoder) = samples.encoder() else { return Ok(self) };
        let model = self.model.embedding_columns(encoder).map_err(|misfit| refused(&self, misfit))?;
        if !encoder.embeddings().is_empty() && self.data.factor_and_shift(ElementType::F32) != [1.0, 0.0] {
            let expected = "0, and `data.scale` and `data.deviation` 1, with columns that are embedded";
            return Err(refused(&self, ("data.mean", expected.into(), "others".into())));
        }
        Ok(Recipe { model, ..self })
    }

    /// Columns are embedded where the network begins with an embedding and the data do not say which.
    pub(super) fn embed_by_default(&mut self) {
        if self.model.embedding().is_some()
            && let Some(table) = &mut self.data.table
            && table.setup.windows.is_none()
        {
            table.setup.embed.get_or_insert(EMBED);
        }
    }
}
