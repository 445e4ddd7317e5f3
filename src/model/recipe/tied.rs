//! An output layer whose weights are the table of the embedding at the front.

use super::checks::Misfit;
use super::layers::{LayerConfig, find_layer, kinds_of};
use super::network::ModelConfig;
use crate::init::Init;
use crate::layers::LayerSettings;

/// The matrix that both ends of a network have.
#[derive(Clone, Copy, Debug)]
pub(in crate::model) struct Tie {
    /// Its rows, one for each code and each output, and numbers of a row.
    pub table: [usize; 2],
    /// What it begins as.
    pub init: Init,
}

impl ModelConfig {
    /// The last layer, if its weights are the table of the embedding.
    fn tied_output(&self) -> Option<&LayerSettings> {
        let last = self.layers.last().and_then(LayerConfig::settings);
        last.filter(|settings| settings.is_tied_output())
    }

    /// The table of the embedding at the front, if it has one for all codes of a sample and its size is known.
    fn shared_table(&self) -> Option<[usize; 2]> {
        match self.embedding()?.embedded()? {
            (tables, true) => tables.first().copied(),
            _ => None,
        }
    }

    /// The model with as many outputs of a tied output layer as the embedding has rows, where it does not say how many.
    pub(in crate::model) fn with_tied_units(mut self) -> ModelConfig {
        if let (Some(_), Some([rows, _])) = (self.tied_output(), self.shared_table())
            && let Some(LayerConfig::Of(settings)) = self.layers.last_mut()
        {
            *settings = settings.clone().of_rows(rows);
        }
        self
    }

    /// The matrix that both ends have, if they are tied and its size is known.
    pub(in crate::model) fn tie(&self) -> Option<Tie> {
        self.tied_output()?;
        let init = self.embedding()?.values().init("weight_init");
        Some(Tie { table: self.shared_table()?, init })
    }

    /// What does not fit of a tied output layer and the rest of the network.
    pub(in crate::model) fn untied(&self) -> Option<Misfit> {
        let one = find_layer(&self.layers, LayerSettings::is_tied_output)?;
        let kind = one.kind();
        let count = kinds_of(&self.layers).into_iter().filter(|&other| other == kind).count();
        let Some(output) = self.tied_output().filter(|_| count == 1) else {
            let expected = "`tied-output` once, as the last layer, which is in no block";
            let found = if count > 1 { format!("{count} of them") } else { "it elsewhere".into() };
            return Some(("model.layers", expected.into(), found));
        };
        if !matches!(self.embedding().and_then(LayerSettings::embedded), Some((_, true))) {
            let expected = "an `embedding` with `shared = true` first, whose table `tied-output` has";
            let found = format!("`{}`", self.layers.first().map_or("none", LayerConfig::kind));
            return Some(("model.layers", expected.into(), found));
        }
        let ([rows, _], units) = (self.shared_table()?, output.values().integer("units"));
        let expected =
            || format!("`tied-output` with {rows} `units`, the rows of the `embedding`, or without them");
        (units != 0 && units != rows).then(|| ("model.layers", expected(), units.to_string()))
    }
}
