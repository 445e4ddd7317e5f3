//! Layers out of a recipe's tables.

use super::config::{LISTS, LayerConfig, ResidualConfig};
use super::visit::count;
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::layers::{LayerKind, LayerSettings, RESIDUAL};
use crate::model::recipe::keys::{self, activation};
use crate::model::section::Section;

/// The most layers of a model, counted with those in blocks.
const MOST_LAYERS: usize = 1000;

/// The deepest that blocks may lie in each other.
const MOST_DEPTH: usize = 8;

pub(in crate::model::recipe) fn read_layers(model: &mut Section) -> Result<Vec<LayerConfig>> {
    let sections = model.tables("layers", MOST_LAYERS)?;
    if sections.is_empty() {
        return Err(model.setting("layers", "at least one [[model.layers]]", "none"));
    }
    let layers: Vec<LayerConfig> =
        sections.into_iter().map(|section| read_layer(section, 0)).collect::<Result<_>>()?;
    let all = count(&layers);
    if all > MOST_LAYERS {
        let expected = format!("at most {MOST_LAYERS} layers, counted with those in blocks");
        return Err(model.setting("layers", &expected, &all.to_string()));
    }
    Ok(layers)
}

/// `depth` blocks lie around it.
fn read_layer(mut section: Section, depth: usize) -> Result<LayerConfig> {
    // One of the program's own may be registered, too.
    let is_new = |kind: &&'static LayerKind| LayerKind::named(kind.name()).is_none();
    let own = section.own_layers().iter().copied().filter(is_new);
    let kinds: Vec<&'static LayerKind> = LayerKind::all().into_iter().chain(own).collect();
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).chain([RESIDUAL]).collect();
    let name = section.choice("type", "layer", None, &names)?;
    let layer = match kinds.into_iter().find(|kind| kind.name() == name) {
        Some(kind) => LayerConfig::Of(read_settings(&mut section, kind)?),
        None => LayerConfig::Residual(read_residual(&mut section, depth)?),
    };
    section.finish()?;
    Ok(layer)
}

fn read_settings(section: &mut Section, kind: &'static LayerKind) -> Result<LayerSettings> {
    let settings = LayerSettings::with_values(kind, keys::read(section, kind.about().2)?);
    match settings.misfit() {
        Some((key, expected, found)) => Err(section.setting(key, &expected, &found)),
        None => Ok(settings),
    }
}

fn read_residual(section: &mut Section, depth: usize) -> Result<ResidualConfig> {
    if depth == MOST_DEPTH {
        let expected = format!("blocks in each other at most {MOST_DEPTH} deep");
        return Err(section.setting("type", &expected, "another one"));
    }
    let mut list = |key| -> Result<Vec<LayerConfig>> {
        section.tables(key, MOST_LAYERS)?.into_iter().map(|section| read_layer(section, depth + 1)).collect()
    };
    let [layers, shortcut] = [list(LISTS[0])?, list(LISTS[1])?];
    if layers.is_empty() {
        return Err(section.setting(LISTS[0], "at least one layer", "none"));
    }
    let activation = activation::read(section, "activation", Activation::IDENTITY)?;
    Ok(ResidualConfig { layers, shortcut, activation })
}
