//! The `[model]` table: the network and its loss, a linear fit, or k-means.

use toml::{Table, Value};

use super::kind::Kind;
use super::layers::{self, LayerConfig};
use super::values::table_of;
use super::{kind, linear, loss};
use crate::clustering::KMeans;
use crate::error::{Error, Result};
use crate::kernels::image::Image;
use crate::layers::{Incoming, Node, Shape, trained_numbers};
use crate::linear::{Linear, Penalty};
use crate::losses::Loss;
use crate::model::section::Section;

/// The most trained numbers of a model: 4 GiB of them, before any optimizer.
pub(in crate::model) const MOST_PARAMETERS: usize = 1 << 30;

/// The network and what it minimises.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// At least one, from input to output.
    pub layers: Vec<LayerConfig>,
    pub loss: Loss,
    /// The linear fit that layers and loss stand for, if the model is one: they are then what
    /// [`of_linear`](ModelConfig::of_linear) or [`of_linear_on`](ModelConfig::of_linear_on) makes of it.
    pub linear: Option<Linear>,
    /// The k-means that layers and loss stand for, if the model is one: they are then what
    /// [`of_k_means`](ModelConfig::of_k_means) makes of it.
    pub k_means: Option<KMeans>,
}

impl ModelConfig {
    pub(super) fn read(mut section: Section) -> Result<ModelConfig> {
        let config = match kind::read(&mut section)? {
            Kind::Network => {
                let loss = loss::read(&mut section)?;
                ModelConfig::of_layers(layers::read_layers(&mut section)?, loss)
            }
            Kind::Linear(kind) => {
                let (linear, map) = linear::read(&mut section, kind)?;
                ModelConfig::of_fit(linear, map)
            }
            Kind::KMeans => ModelConfig::of_k_means(kind::read_k_means(&mut section)?),
        };
        section.finish()?;
        Ok(config)
    }

    /// A network of these layers, with this loss.
    pub fn of_layers(layers: Vec<LayerConfig>, loss: Loss) -> ModelConfig {
        ModelConfig { layers, loss, linear: None, k_means: None }.with_tied_units()
    }

    /// A linear fit: one dense layer whose weights begin at 0, and its loss.
    pub fn of_linear(linear: Linear) -> ModelConfig {
        ModelConfig::of_fit(linear, None)
    }

    /// A fit that is linear in what this layer makes of the samples: [`LayerConfig::polynomial_features`] or
    /// [`LayerConfig::random_fourier_features`].
    ///
    /// # Errors
    /// [`Error::Setting`] if it is another layer.
    pub fn of_linear_on(map: LayerConfig, linear: Linear) -> Result<ModelConfig> {
        if linear::map_name(&map).is_some() {
            return Ok(ModelConfig::of_fit(linear, Some(map)));
        }
        Err(Error::Setting {
            place: "model".into(),
            key: linear::FEATURES.into(),
            expected: "a layer of polynomial or random Fourier features".into(),
            found: format!("`{}`", map.kind()),
        })
    }

    fn of_fit(linear: Linear, map: Option<LayerConfig>) -> ModelConfig {
        ModelConfig {
            layers: map.into_iter().chain([linear::layer(&linear)]).collect(),
            loss: linear::loss(&linear),
            linear: Some(linear),
            k_means: None,
        }
    }

    /// k-means: the squared distances to centres, and the least of them as the loss. Centres of zeros have not begun:
    /// training puts them at samples.
    pub fn of_k_means(k_means: KMeans) -> ModelConfig {
        ModelConfig {
            layers: vec![kind::layer_of_k_means(k_means)],
            loss: Loss::MINIMUM,
            linear: None,
            k_means: Some(k_means),
        }
    }

    /// The layer whose output a linear fit is linear in, if the model is one and that is not the sample itself.
    pub fn feature_map(&self) -> Option<&LayerConfig> {
        let layers = self.linear.map_or(&[][..], |_| &self.layers);
        layers.first().filter(|_| layers.len() > 1)
    }

    /// The penalties that training adds to the mean loss.
    pub fn penalty(&self) -> Penalty {
        self.linear.map_or(Penalty::default(), |linear| linear.penalty_in_training())
    }

    /// The table, every value written out.
    pub(super) fn table(&self) -> Table {
        if let Some(linear) = &self.linear {
            return linear::table(linear, self.feature_map());
        }
        if let Some(k_means) = self.k_means {
            return kind::k_means_table(k_means);
        }
        let layers: Vec<Value> =
            self.layers.iter().map(|config| layers::layer_table(config).into()).collect();
        table_of([("loss", loss::write(&self.loss).into()), ("layers", layers.into())])
    }

    /// The numbers of the model that are not trained: of running statistics, and fixed ones.
    pub(in crate::model) fn statistics(&self, input: [usize; 3]) -> Result<usize> {
        Ok(self.nodes(input)?.iter().map(|node| trained_numbers(&node.statistics())).sum())
    }

    /// The trained numbers of the model for samples of this height, width and channels: a bound on its
    /// memory that costs none.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if they are more than 2^30; [`Error::Shape`] if the layers do not fit together.
    pub fn parameters(&self, input: [usize; 3]) -> Result<usize> {
        let nodes = self.nodes(input)?;
        let mut numbers = nodes.iter().map(|node| trained_numbers(&node.parameters()));
        let total = numbers.try_fold(0usize, usize::checked_add);
        total.filter(|total| *total <= MOST_PARAMETERS).ok_or_else(|| too_many(total))
    }

    /// What has numbers in the network, each of them once.
    fn nodes(&self, input: [usize; 3]) -> Result<Vec<Node>> {
        let data = Incoming { shape: Shape::Image(Image::data(input)), is_data: true };
        let mut nodes = layers::nodes(&self.layers, data)?.ok_or_else(|| too_many(None))?;
        // The first layer has no numbers of its own then.
        nodes.drain(..usize::from(self.tie().is_some()));
        Ok(nodes)
    }
}

fn too_many(total: Option<usize>) -> Error {
    Error::Mismatch {
        what: "trained numbers of the model".to_string(),
        expected: format!("at most {MOST_PARAMETERS}"),
        found: total.map_or("more than can be counted".to_string(), |total| total.to_string()),
    }
}
