//! The learning rate: too small, right, too large; falling; and chosen.

mod choice;
mod schedules;
mod sizes;
mod words;

use super::case::{Case, Setting};
use super::record::Finding;
use crate::error::Result;

pub static CASE: Case = Case {
    name: "rates",
    title: "The learning rate, and how to choose it",
    summary: "rates too small, right and too large; rates that fall; grid, random and folds",
    example: "tour_rates",
    run,
};

fn run(setting: &Setting) -> Result<Finding> {
    let mut finding = Finding::default();
    sizes::add(&mut finding)?;
    schedules::add(&mut finding)?;
    choice::add(&mut finding, setting)?;
    Ok(finding)
}
