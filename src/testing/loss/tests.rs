use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::*;
use crate::hyper::{HyperParameter, HyperValues, finite, positive};
use crate::losses::{ALL, ElementwiseLoss, LossKind, RowLoss, Target};

/// Squared error with a part of its value or slope made wrong.
#[derive(Clone, Copy)]
struct Squared {
    value: f32,
    slope: f32,
}

impl ElementwiseLoss for Squared {
    fn at(self, y: f32, t: f32) -> (f32, f32) {
        let d = y - t;
        (self.value * d * d, self.slope * 2.0 * d)
    }
}

fn squared(values: &HyperValues) -> LossFunction {
    LossFunction::elementwise(Squared { value: values.single("value"), slope: values.single("slope") })
}

static SQUARED: LossKind = LossKind::new("squared", squared).hyper_parameters(&[
    HyperParameter::single("value", 1.0, finite(), "the factor of the value"),
    HyperParameter::single("slope", 1.0, finite(), "that of the derivative"),
]);

/// The faults that a loss of rows may have.
struct Wrong {
    what: &'static str,
    calls: AtomicU32,
}

impl RowLoss for Wrong {
    fn row(&self, outputs: &[f32], target: Target, gradient: Option<&mut [f32]>) -> f32 {
        let calls = self.calls.fetch_add(1, Relaxed);
        let (mut value, wants) = (0.0, gradient.is_some());
        let mut unused = vec![0.0; outputs.len()];
        let gradient = gradient.unwrap_or(&mut unused);
        for (output, (&y, derivative)) in outputs.iter().zip(&mut *gradient).enumerate() {
            let d = y - target.of(output);
            value += 0.5 * d * d;
            *derivative = d;
        }
        match self.what {
            "with" if wants => value *= 1.001,
            "rows" => value += calls as f32,
            "last" => *gradient.last_mut().unwrap() += 0.1,
            "nan" if target.class() == Some(1) => value = f32::NAN,
            "classes" if target.class().is_some() => gradient.fill(0.0),
            _ => {}
        }
        value
    }
}

fn refusal(loss: &Loss, outputs: usize) -> String {
    check_loss(loss, outputs).map_or_else(|error| error.to_string(), |()| "fine".into())
}

#[test]
fn losses_that_are_built_in_pass() {
    for kind in ALL {
        let loss = Loss::of(kind);
        assert!(kind.about().reference.is_some(), "{loss:?}");
        for outputs in [1, 2, 3, 16, 33] {
            assert_eq!(refusal(&loss, outputs), "fine", "{loss:?} of {outputs}");
        }
    }
    let weights = vec![0.5, 0.0, 2.0];
    for (name, key) in [("cross-entropy", "class_weights"), ("focal", "alpha")] {
        let weighted = Loss::named(name).unwrap().with(key, weights.clone()).unwrap();
        assert_eq!(refusal(&weighted, 3), "fine");
        assert!(refusal(&weighted, 4).contains("expected 4 weights"));
    }
    let more = [
        Loss::cross_entropy().with("label_smoothing", 0.3).unwrap(),
        Loss::huber(0.05),
        Loss::hinge(0.3).with("squared", true).unwrap(),
        Loss::focal(0.0),
        Loss::focal(0.5),
        Loss::focal(5.0),
    ];
    for loss in more {
        assert_eq!(refusal(&loss, 5), "fine", "{loss:?}");
    }
}

#[test]
fn a_wrong_derivative_is_found() {
    let squared = |key: &str, part: f32| Loss::of(&SQUARED).with(key, part).unwrap();
    for outputs in [1, 3, 20] {
        assert_eq!(refusal(&Loss::of(&SQUARED), outputs), "fine");
        for wrong in [0.99, 1.01, -1.0, 0.0, 2.0] {
            let (value, slope) = (squared("value", wrong), squared("slope", wrong));
            for refused in [refusal(&value, outputs), refusal(&slope, outputs)] {
                assert!(refused.starts_with("gradient of the loss squared: expected "), "{refused}");
                assert!(refused.contains("(by finite differences of the value), found "), "{refused}");
            }
        }
    }
}

#[test]
fn what_else_may_be_wrong_is_found() {
    fn wrong(what: &'static str) -> LossFunction {
        LossFunction::by_row(Wrong { what, calls: AtomicU32::new(0) })
    }
    static RIGHT: LossKind = LossKind::new("right", |_| wrong(""));
    static WITH: LossKind = LossKind::new("with", |_| wrong("with"));
    static ROWS: LossKind = LossKind::new("rows", |_| wrong("rows"));
    static LAST: LossKind = LossKind::new("last", |_| wrong("last"));
    static NAN: LossKind = LossKind::new("nan", |_| wrong("nan"));
    static CLASSES: LossKind = LossKind::new("classes", |_| wrong("classes"));
    static REFERENCE: LossKind = LossKind::new("reference", |_| wrong("")).reference(|_, y, t| {
        let differences: Vec<f64> = y.iter().zip(t).map(|(y, t)| y - t).collect();
        (0.501 * differences.iter().map(|d| d * d).sum::<f64>(), differences)
    });
    static TWIN: LossKind = LossKind::new("twin", |_| wrong("")).reference(|_, y, t| {
        let differences: Vec<f64> = y.iter().zip(t).map(|(y, t)| y - t).collect();
        (0.5 * differences.iter().map(|d| d * d).sum::<f64>(), differences.iter().map(|d| 1.01 * d).collect())
    });
    assert_eq!(refusal(&Loss::of(&RIGHT), 4), "fine");
    for (kind, expected) in [
        (&WITH, "value without the gradient of the loss with: expected "),
        (&ROWS, "value without the gradient of the loss rows: expected "),
        (&LAST, "gradient of the loss last: expected "),
        (&NAN, "value of the loss nan: expected a finite number, found NaN at sample 3, with classes"),
        (&CLASSES, "gradient of the loss classes: expected "),
        (&REFERENCE, "value of the loss reference: expected "),
        (&TWIN, "gradient of the loss twin: expected "),
    ] {
        let refused = refusal(&Loss::of(kind), 4);
        assert!(refused.starts_with(expected), "{refused}");
    }
    assert!(refusal(&Loss::of(&LAST), 4).contains("output 3"));
}

#[test]
fn a_kink_takes_any_slope_between_its_sides() {
    /// The positive part of an output on a grid point, whose slope there is `0.0`.
    #[derive(Clone, Copy)]
    struct Kinked(f32);
    impl ElementwiseLoss for Kinked {
        fn at(self, y: f32, _: f32) -> (f32, f32) {
            let kink = (y * 4.0).round() / 4.0;
            // Kinks at every eighth that is no quarter, and slopes of 1 and -1 between.
            let d = y - kink;
            (d.abs(), if d == 0.0 { self.0 } else { d.signum() })
        }
    }
    static KINKED: LossKind =
        LossKind::new("kinked", |values| LossFunction::elementwise(Kinked(values.single("slope"))))
            .hyper_parameters(&[HyperParameter::single("slope", 0.0, finite(), "that at a kink")]);
    let check = |loss: &Loss, y: f32| {
        let check = Check {
            loss,
            function: loss.function(),
            y: &[y],
            targets: Targets::Values(&[0.0]),
            kind: "values",
            outputs: 1,
        };
        check.check_differences(0, &check.answer(&[y], check.targets, true)).is_ok()
    };
    for (slope, passes) in [(0.0, true), (-0.9, true), (1.0, true), (1.2, false), (-3.0, false)] {
        assert_eq!(check(&Loss::of(&KINKED).with("slope", slope as f32).unwrap(), 0.25), passes, "{slope}");
        assert!(check(&Loss::of(&KINKED), 0.3125));
    }
}

#[test]
fn targets_are_those_that_the_loss_takes() {
    static COUNTS: LossKind =
        LossKind::new("counts", |_| LossFunction::elementwise(Counts)).takes(Takes::Numbers(positive()));
    /// A loss that takes targets above 0 alone.
    #[derive(Clone, Copy)]
    struct Counts;
    impl ElementwiseLoss for Counts {
        fn at(self, y: f32, t: f32) -> (f32, f32) {
            let d = y - t.ln();
            (d * d, 2.0 * d)
        }
    }
    let counts = Loss::of(&COUNTS);
    assert_eq!(refusal(&counts, 3), "fine");
    let classes = counts.check_targets(Targets::Classes(&[0]), 3).unwrap_err().to_string();
    assert_eq!(classes, "targets of the loss counts: expected values, found classes");
    let values = counts.check_targets(Targets::Values(&[1.0, 0.0]), 2).unwrap_err().to_string();
    assert_eq!(values, "targets of the loss counts: expected each a number above 0, found 0 at index 1");
    assert!(check_loss(&counts, 0).is_err());
}
