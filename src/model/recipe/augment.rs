//! The `[augment]` table: what is done to training images.

use toml::{Table, Value};

use super::super::section::{Range, Section, above, between, unit, unit_open};
use super::values::single;
use crate::data::augment::{Augmentation, Elastic, Erase, Fill, Motion};
use crate::error::Result;

const PIXELS: Range = between(0.0, 1000.0, "a number of pixels in [0, 1000]");
const DEGREES: Range = between(0.0, 180.0, "a number of degrees in [0, 180]");
const SHEAR: Range = between(0.0, 10.0, "a number in [0, 10]");
const NOISE: Range = between(0.0, 10.0, "a number in [0, 10]");
const MIXUP: Range = between(0.0, 100.0, "a number in [0, 100]");
const SIGMA: Range = above(0.0, 1000.0, "a number above 0 and at most 1000");
const ALPHA: Range = above(0.0, 10_000.0, "a number above 0 and at most 10000");
const AREA: Range = above(0.0, 1.0, "above 0 and at most 1");
const ASPECT: Range = between(0.01, 100.0, "in [0.01, 100]");

/// Those that Simard, Steinkraus and Platt found best for MNIST.
const ELASTIC: Elastic = Elastic { sigma: 4.0, alpha: 34.0 };

/// What a rectangle is covered with, by its name.
const FILLS: [(&str, Fill); 2] = [("random", Fill::Random), ("zero", Fill::Zero)];

pub(super) fn read(mut section: Section) -> Result<Augmentation> {
    let mixup = section.single("mixup", 0.0, MIXUP)?;
    let augmentation = Augmentation {
        motion: Motion {
            shift: section.single("shift", 0.0, PIXELS)?,
            rotation: section.single("rotation", 0.0, DEGREES)?,
            zoom: section.single("zoom", 0.0, unit_open())?,
            stretch: section.single("stretch", 0.0, unit_open())?,
            shear: section.single("shear", 0.0, SHEAR)?,
        },
        elastic: read_elastic(&mut section)?,
        erase: read_erase(&mut section)?,
        noise: section.single("noise", 0.0, NOISE)?,
        mixup: (mixup > 0.0).then_some(mixup),
    };
    section.finish()?;
    Ok(augmentation)
}

fn read_elastic(section: &mut Section) -> Result<Option<Elastic>> {
    let is_there = section.has("elastic");
    let mut table = section.table("elastic")?;
    let elastic = Elastic {
        sigma: table.single("sigma", ELASTIC.sigma, SIGMA)?,
        alpha: table.single("alpha", ELASTIC.alpha, ALPHA)?,
    };
    table.finish()?;
    Ok(is_there.then_some(elastic))
}

fn read_erase(section: &mut Section) -> Result<Option<Erase>> {
    let is_there = section.has("erase");
    let mut table = section.table("erase")?;
    let usual = Erase::default();
    let erase = Erase {
        probability: table.single("probability", usual.probability, unit())?,
        area: read_pair(&mut table, "area", usual.area, AREA)?,
        aspect: read_pair(&mut table, "aspect", usual.aspect, ASPECT)?,
        fill: {
            let name = table.choice("fill", "fill", Some(FILLS[0].0), &FILLS.map(|(name, _)| name))?;
            FILLS.iter().find(|(known, _)| *known == name).map_or(usual.fill, |(_, fill)| *fill)
        },
    };
    table.finish()?;
    Ok(is_there.then_some(erase))
}

/// Two numbers, of which the second is not the smaller one.
fn read_pair(section: &mut Section, key: &'static str, usual: [f32; 2], range: Range) -> Result<[f32; 2]> {
    let Some(numbers) = section.singles(key, 2, range)? else { return Ok(usual) };
    match numbers[..] {
        [low, high] if low <= high => Ok([low, high]),
        _ => {
            let expected = format!("two numbers {}, the smaller one first", range.text());
            Err(section.setting(key, &expected, &format!("{numbers:?}")))
        }
    }
}

/// The table, or none if nothing is done.
pub(super) fn table(augmentation: &Augmentation) -> Option<Table> {
    let Augmentation { motion, elastic, erase, noise, mixup } = augmentation;
    let numbers = [
        ("shift", motion.shift),
        ("rotation", motion.rotation),
        ("zoom", motion.zoom),
        ("stretch", motion.stretch),
        ("shear", motion.shear),
        ("noise", *noise),
        ("mixup", mixup.unwrap_or(0.0)),
    ];
    let numbers = numbers.into_iter().filter(|(_, number)| *number != 0.0);
    let mut table: Table = numbers.map(|(key, number)| (key.to_string(), single(number))).collect();
    if let Some(Elastic { sigma, alpha }) = elastic {
        let parts = [("sigma", single(*sigma)), ("alpha", single(*alpha))];
        table.insert("elastic".into(), Value::Table(Table::from_iter(parts.map(named))));
    }
    if let Some(Erase { probability, area, aspect, fill }) = erase {
        let fill = FILLS.iter().find(|(_, known)| known == fill).map_or("", |(name, _)| *name);
        let parts = [
            ("probability", single(*probability)),
            ("area", area.map(single).to_vec().into()),
            ("aspect", aspect.map(single).to_vec().into()),
            ("fill", fill.into()),
        ];
        table.insert("erase".into(), Value::Table(Table::from_iter(parts.map(named))));
    }
    (!table.is_empty()).then_some(table)
}

fn named((key, value): (&str, Value)) -> (String, Value) {
    (key.to_string(), value)
}
