//! Sequences of two parts, a source and the target behind it, as networks from one sequence to another have them: on which of
//! the two a layer acts.

use std::ops::Range;

use crate::hyper::{HyperParameter, HyperValue, HyperValues};
use crate::layers::kind::{LayerSettings, Misfit, Refusal};

/// The most positions of a source.
pub(super) const MOST_POSITIONS: usize = 1 << 24;

pub(super) const ALL: &str = "all";
const PART_OF_SOURCE: &str = "source";
const PART_OF_TARGET: &str = "target";
const PARTS: [&str; 3] = [ALL, PART_OF_SOURCE, PART_OF_TARGET];

/// How many positions are the source's.
pub(super) const SOURCE: HyperParameter = HyperParameter::integer(
    "source",
    0,
    [0, MOST_POSITIONS],
    "positions of the source, before those of the target; 0 where a sample is one sequence",
);

/// On which positions a layer acts that lets the others pass through.
pub(super) const PART: HyperParameter = part("where it acts; the other positions pass through unchanged");

/// The same of a layer that gives zeros elsewhere.
pub(super) const PART_OR_ZEROS: HyperParameter = part("where it acts; elsewhere it gives 0");

const fn part(about: &'static str) -> HyperParameter {
    HyperParameter::name("part", ALL, &PARTS, about)
}

/// The part that the settings name; that of a layer that has no such key is the target.
fn name(settings: &HyperValues) -> &'static str {
    match settings.get("part") {
        Some(HyperValue::Name(name)) => name,
        _ => PART_OF_TARGET,
    }
}

/// A part without a source, or the other way round.
pub(super) fn conflict(settings: &HyperValues) -> Option<Misfit> {
    let (source, part) = (settings.integer("source"), name(settings));
    match (source, part) {
        (0, ALL) => None,
        (0, _) => Some(("source", "at least 1, of a sequence in parts".into(), "0".into())),
        (_, ALL) => {
            let expected = format!("\"{PART_OF_SOURCE}\" or \"{PART_OF_TARGET}\" beside `source`");
            Some(("part", expected, format!("\"{ALL}\"")))
        }
        _ => None,
    }
}

/// Checks that so many positions have a target behind the source.
pub(super) fn check(settings: &HyperValues, positions: usize) -> Result<(), Refusal> {
    let source = settings.integer("source");
    if source == 0 || source < positions {
        return Ok(());
    }
    let expected = format!("positions behind the {source} of the `source`");
    Err(Refusal { expected, found: Some(format!("{positions} positions")) })
}

/// The positions on which a layer acts, of so many.
pub(super) fn range(settings: &HyperValues, positions: usize) -> Range<usize> {
    let source = settings.integer("source");
    match name(settings) {
        PART_OF_SOURCE => 0..source,
        PART_OF_TARGET => source..positions,
        _ => 0..positions,
    }
}

/// A layer of a block on the part on which the block acts.
pub(super) fn of_block(layer: LayerSettings, block: &HyperValues) -> LayerSettings {
    layer.having("source", block.integer("source")).having("part", name(block))
}
