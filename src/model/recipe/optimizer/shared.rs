//! What several entries of the table have.

use crate::hyper::{HyperParameter, Range, between, divisor, non_negative, unit_open};

pub(super) const MOMENTUM: HyperParameter =
    HyperParameter::number("momentum", 0.9, unit_open(), "the part of b that is kept in a step");
/// What is above 0 in single precision when it is squared.
pub(super) const SMALL: Range = between(1.2e-19, 1.0, "a number from 1.2e-19 to 1");
pub(super) const BETA1: HyperParameter =
    HyperParameter::number("beta1", 0.9, unit_open(), "the part of m that is kept in a step");
pub(super) const BETA2: HyperParameter =
    HyperParameter::number("beta2", 0.999, unit_open(), "the part of the second mean that is kept in a step");
pub(super) const PENALTY: HyperParameter = HyperParameter::number(
    "weight_decay",
    0.0,
    non_negative(),
    "L2 penalty: g ← g + weight_decay · p before all else",
);

pub(super) const fn epsilon(default: f64) -> HyperParameter {
    HyperParameter::number("epsilon", default, divisor(), "ε, which keeps the divisor away from 0")
}

pub(super) const fn shrinkage(default: f64) -> HyperParameter {
    HyperParameter::number(
        "weight_decay",
        default,
        non_negative(),
        "the parameter shrinks by rate · weight_decay of itself",
    )
}
