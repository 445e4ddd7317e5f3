//! Two features without an intercept: a valley so flat that a thousand steps are not enough.

mod figures;
mod problem;
mod uphill;

use super::case::{Case, Setting};
use super::record::Finding;
use crate::error::Result;
use problem::{CLOSE, Closed, RATE, closed_form, descend, loss, predicted_steps, steps_until_close};
use uphill::Uphill;

pub static CASE: Case = Case {
    name: "two-features",
    title: "Two features, and a thousand steps",
    summary: "why descent is slow in a narrow valley, and what the wrong sign does",
    example: "tour_two_features",
    run,
};

const STEPS: usize = 1000;
const MOST_STEPS: usize = 8000;

fn run(_: &Setting) -> Result<Finding> {
    let closed = closed_form();
    let path = descend("sgd", RATE, MOST_STEPS, loss)?;
    let lbfgs = descend("lbfgs", 1.0, 50, loss)?;
    let conjugate = descend("cg", 1.0, 50, loss)?;
    let uphill = Uphill::run()?;

    let mut finding = Finding::default();
    let after = [path.points[STEPS][0], path.points[STEPS][1]];
    let Closed { weights, curvatures: [steep, flat] } = closed;
    for (name, value) in [
        ("w1_after_1000", after[0]),
        ("w2_after_1000", after[1]),
        ("w1_closed", weights[0]),
        ("w2_closed", weights[1]),
        ("loss_after_1000", path.values[STEPS]),
        ("loss_closed", loss(&weights, &mut [0.0; 2])),
        ("curvature_steep", steep),
        ("curvature_flat", flat),
        ("condition", steep / flat),
        ("steps_predicted", predicted_steps(&closed)),
        ("steps_needed", steps_until_close(&path, &closed)),
        ("steps_lbfgs", steps_until_close(&lbfgs, &closed)),
        ("steps_cg", steps_until_close(&conjugate, &closed)),
        ("loss_at_start", path.values[0]),
        ("loss_after_10", path.values[10]),
    ] {
        finding.note(name, value);
    }
    uphill.note(&mut finding);
    finding.text = text(&finding);
    finding.text.extend(uphill.text(&finding));
    finding.tables = vec![figures::steps(&closed, &path), figures::predictions(&closed, after)];
    finding.figures = vec![
        figures::valley(&closed, &path, after),
        figures::distances(&closed, &path, &lbfgs, &conjugate),
        figures::fit(&closed, after),
        figures::wrong(&path, &uphill),
    ];
    Ok(finding)
}

fn text(found: &Finding) -> Vec<String> {
    let of = |name: &str| found.number(name);
    vec![
        format!(
            "Five rows of two features, y = w₁ x₁ + w₂ x₂ without an intercept. From zero, at the rate {RATE}, {STEPS} steps of \
             plain descent come to w = ({:.4}, {:.4}). The closed form is ({:.2}, {:.2}): descent is not there yet.",
            of("w1_after_1000"),
            of("w2_after_1000"),
            of("w1_closed"),
            of("w2_closed")
        ),
        format!(
            "The loss hides it: {:.4}, and {:.4} is the least there is. The two features rise together, so that more of one \
             weight is made up for by less of the other, and the loss is a long valley: see how the contour lines look like \
             parallel lines. Across the valley the curvature is {:.1}, along it {:.3}; these are the eigenvalues of XᵀX / n, \
             and the one over the other is the condition, {:.0}.",
            of("loss_after_1000"),
            of("loss_closed"),
            of("curvature_steep"),
            of("curvature_flat"),
            of("condition")
        ),
        format!(
            "The rate must suit the steep direction: above 2 / {:.1} = {:.3} descent jumps from wall to wall, higher each time. \
             Along the valley a step then takes away only {:.2} % of the distance that is left, the rate times the curvature. \
             That predicts {:.0} steps to come within {CLOSE} of both weights; counted are {:.0}. On a logarithmic scale the \
             distance is a straight line.",
            of("curvature_steep"),
            2.0 / of("curvature_steep"),
            100.0 * RATE * of("curvature_flat"),
            of("steps_predicted"),
            of("steps_needed")
        ),
        format!(
            "A method that learns the curvature as it goes does not mind: conjugate gradients need {:.0} iterations, L-BFGS \
             {:.0}. In practice one scales the features first, or takes such a method where all samples make a step.",
            of("steps_cg"),
            of("steps_lbfgs")
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::problem::{distance, model, samples};
    use super::*;
    use crate::model::recipe::{ALL_SAMPLES, Optimizer};
    use crate::train::Trainer;

    /// The numbers of texts that walk through this problem; the prediction from the curvatures is that of exact
    /// arithmetic, which steps in single precision follow closely.
    #[test]
    fn the_known_numbers_come_out() {
        let found = run(&Setting { threads: 1 }).unwrap();
        let of = |name: &str| found.number(name);
        for (name, expected, tolerance) in [
            ("w1_after_1000", -0.1084, 5e-5),
            ("w2_after_1000", 0.5841, 5e-5),
            ("w1_closed", -0.3, 1e-9),
            ("w2_closed", 0.75, 1e-9),
            ("curvature_steep", 76.895_963, 1e-5),
            ("curvature_flat", 0.104_037, 1e-5),
            ("steps_predicted", 6048.96, 0.1),
            ("steps_needed", 6049.0, 60.0),
        ] {
            assert!((of(name) - expected).abs() <= tolerance, "{name}: {}", of(name));
        }
        assert!(
            of("steps_lbfgs") < 20.0 && of("steps_cg") < 20.0,
            "{} {}",
            of("steps_lbfgs"),
            of("steps_cg")
        );
        assert!(of("loss_after_1000") < 1.2 * of("loss_closed"));
    }

    /// The mean of the squared errors has twice the gradient of half of it, so half the rate goes the same way.
    #[test]
    fn a_trained_layer_comes_to_the_same_weights() {
        let mut model = model(crate::losses::Loss::MEAN_SQUARED_ERROR).unwrap();
        let trainer =
            Trainer::new().optimizer(Optimizer::sgd(RATE / 2.0)).batch(ALL_SAMPLES).epochs(STEPS).threads(1);
        trainer.fit(&mut model, &samples().unwrap()).unwrap();
        let trained: Vec<f64> = model.tensors()[0].values.iter().map(|&w| f64::from(w)).collect();
        let path = descend("sgd", RATE, STEPS, loss).unwrap();
        let alone = [path.end()[0], path.end()[1]];
        assert!(distance(&trained, alone) < 1e-4, "{trained:?} {alone:?}");
    }
}
