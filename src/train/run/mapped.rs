//! What a linear fit is linear in: the features of samples, or what the layer in front of it makes of them.

use crate::Result;
use crate::kernels::elementwise::monomials::Monomials;
use crate::layers::{LayerSettings, monomials};
use crate::model::Model;
use crate::train::inference::forward::{ForwardPass, Network};
use crate::train::source::Source;

/// The features that the last layer of a linear fit takes.
pub fn features_of(model: &Model) -> usize {
    match model.config().feature_map().and(model.layers().iter().nth_back(1)) {
        Some(map) => map.layer.outputs(),
        None => model.input().iter().product(),
    }
}

/// Samples as the last layer of a linear fit gets them.
pub struct Mapped<'a> {
    /// The forward pass of one sample, where there is a layer in front of the last.
    pass: Option<(Network<&'a Model>, ForwardPass)>,
}

impl<'a> Mapped<'a> {
    /// For the samples of a model that is a linear fit.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(model: &'a Model) -> Result<Mapped<'a>> {
        if model.config().feature_map().is_none() {
            return Ok(Mapped { pass: None });
        }
        Ok(Mapped { pass: Some((Network::new(model)?, ForwardPass::new(model, 1)?)) })
    }

    /// Writes the features of one sample to `row` `[features_of]`.
    pub fn gather(&mut self, row: &mut [f32], source: &Source, sample: usize) {
        let Some((network, pass)) = &mut self.pass else {
            return source.gather(row, sample, 0..row.len());
        };
        pass.run(network, None, source, sample..sample + 1);
        let map = network.model.layers().len() - 2;
        row.copy_from_slice(&pass.output(network.model, map, 0)[..row.len()]);
    }
}

/// The names of what a linear fit is linear in.
pub struct FeatureNames {
    /// Those of the features of the samples, or none.
    columns: Vec<String>,
    map: Map,
}

enum Map {
    Itself,
    Products(Monomials),
    Cosines,
}

impl FeatureNames {
    /// Those of a model for samples whose features are called so, or have no names.
    pub fn new(model: &Model, columns: Vec<String>) -> FeatureNames {
        let settings = model.config().feature_map().and_then(|map| map.settings());
        let map = match settings.map(|settings| (settings, settings.kind().name())) {
            None => Map::Itself,
            Some((settings, "polynomial-features")) => Map::Products(products(settings, model)),
            Some(_) => Map::Cosines,
        };
        FeatureNames { columns, map }
    }

    /// The name of a feature; none if it has only its number.
    pub fn get(&self, feature: usize) -> Option<String> {
        match &self.map {
            Map::Itself => self.columns.get(feature).cloned(),
            Map::Products(monomials) => Some(self.product(&monomials.factors(feature))),
            Map::Cosines => Some(format!("cosine {feature}")),
        }
    }

    /// Each factor with its power, as `x0^2 x3`.
    fn product(&self, factors: &[usize]) -> String {
        let power = |same: &[usize]| {
            let name = self.columns.get(same[0]).cloned().unwrap_or_else(|| format!("x{}", same[0]));
            if same.len() > 1 { format!("{name}^{}", same.len()) } else { name }
        };
        factors.chunk_by(|a, b| a == b).map(power).collect::<Vec<String>>().join(" ")
    }
}

fn products(settings: &LayerSettings, model: &Model) -> Monomials {
    monomials(settings.values(), model.input().iter().product())
}
