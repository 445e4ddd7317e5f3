//! Three rules that end a training, and where each is blind.

use super::case::{Case, Setting};
use super::figure::{Figure, Layer, Lines, Listing, Named, Picture, Plane, Side};
use super::record::Finding;
use crate::data::Samples;
use crate::error::Result;
use crate::init::Init;
use crate::kernels::activation::Activation;
use crate::losses::Loss;
use crate::model::Model;
use crate::model::recipe::{ALL_SAMPLES, LayerConfig, Optimizer, StopConfig, Tolerance};
use crate::train::{TrainRecord, Trainer};

pub static CASE: Case = Case {
    name: "stop-rules",
    title: "When to stop",
    summary: "iterations, change of loss, norm of the gradient; and a plateau that deceives two of them",
    example: "tour_stop_rules",
    run,
};

/// The rules: name, key of the number of steps in the finding.
const RULES: [(&str, &str); 3] = [
    ("100 iterations", "iterations"),
    ("change of loss below 1e-5, 5 times", "change"),
    ("norm of the gradient below 1e-2", "gradient"),
];
const ITERATIONS: u64 = 100;
const CHANGE: f64 = 1e-5;
const TIMES: usize = 5;
const NORM: f64 = 1e-2;

/// A problem on which the rules are shown.
struct Problem {
    samples: Samples,
    model: fn() -> Result<Model>,
    rate: f64,
    /// Steps of the run that no rule ends.
    steps: usize,
}

/// The runs on a problem: that which no rule ends, and one for each rule.
struct Runs {
    whole: TrainRecord,
    ended: Vec<TrainRecord>,
}

fn run(_: &Setting) -> Result<Finding> {
    let bowl = runs(&line()?)?;
    let plateau = runs(&exclusive_or()?)?;
    let mut finding = Finding::default();
    for (problem, runs) in [("line", &bowl), ("plateau", &plateau)] {
        finding.note(format!("{problem}_loss"), last(&runs.whole));
        for ((_, key), record) in RULES.iter().zip(&runs.ended) {
            finding.note(format!("{problem}_steps_{key}"), record.epochs.len() as f64);
            finding.note(format!("{problem}_loss_{key}"), last(record));
        }
    }
    finding.text = text(&finding);
    finding.tables = vec![
        table("A line through eleven points: a bowl", &bowl),
        table("The exclusive or: a plateau, then a fall", &plateau),
    ];
    finding.figures = vec![
        figure("bowl", "A bowl: the loss, and where each rule ends", &bowl, Side::log("loss")),
        figure("plateau", "A plateau: the loss, and where rules end", &plateau, Side::linear("loss")),
        norms(&bowl, &plateau),
        points(),
    ];
    Ok(finding)
}

fn runs(problem: &Problem) -> Result<Runs> {
    let run = |stop: StopConfig| {
        // Every epoch is one step with all samples.
        let trainer = Trainer::new()
            .optimizer(Optimizer::sgd(problem.rate))
            .batch(ALL_SAMPLES)
            .epochs(problem.steps)
            .threads(1)
            .change(|recipe| recipe.stop = stop);
        trainer.fit(&mut (problem.model)()?, &problem.samples)
    };
    let tolerance = Some(Tolerance { change: CHANGE, epochs: TIMES });
    let rules = [
        StopConfig { steps: Some(ITERATIONS), ..StopConfig::default() },
        StopConfig { tolerance, ..StopConfig::default() },
        StopConfig { gradient_norm: Some(NORM), ..StopConfig::default() },
    ];
    Ok(Runs { whole: run(StopConfig::default())?, ended: rules.into_iter().map(run).collect::<Result<_>>()? })
}

/// A line through points that do not lie on one.
fn line() -> Result<Problem> {
    let x: Vec<f32> = (0..=10).map(|i| i as f32 / 5.0 - 1.0).collect();
    let y = x.iter().enumerate().map(|(i, x)| 2.0 * x + 1.0 + 0.2 * (i % 3) as f32).collect();
    let model = || Model::sequential(1).dense(1, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR).build();
    Ok(Problem { samples: Samples::from_rows(x, 1).values(y)?, model, rate: 0.05, steps: 400 })
}

/// The four points of the exclusive or, and a network that begins near zero, where its gradient is next to nothing.
fn exclusive_or() -> Result<Problem> {
    let samples = Samples::from_rows(CORNERS.concat(), 2).values(XOR.to_vec())?;
    let model = || {
        let small = Init::Normal { mean: 0.0, deviation: 0.05 };
        let hidden = LayerConfig::named("dense")?.with("units", 4)?.with("activation", Activation::TANH)?;
        let output = LayerConfig::named("dense")?.with("units", 1)?.with("weight_init", small)?;
        Model::sequential(2)
            .layer(hidden.with("weight_init", small)?)
            .layer(output)
            .loss(Loss::MEAN_SQUARED_ERROR)
            .build()
    };
    Ok(Problem { samples, model, rate: 0.3, steps: 3000 })
}

const CORNERS: [[f32; 2]; 4] = [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]];
const XOR: [f32; 4] = [-1.0, 1.0, 1.0, -1.0];

fn last(record: &TrainRecord) -> f64 {
    record.epochs.last().map_or(f64::NAN, |epoch| epoch.train_loss)
}

/// The norm of the gradient of all parameters after each step.
fn gradients(record: &TrainRecord) -> Vec<f64> {
    let norm = |norms: &Vec<crate::train::LayerNorms>| {
        norms.iter().map(|of| of.gradient.powi(2)).sum::<f64>().sqrt()
    };
    record.epochs.iter().map(|epoch| norm(&epoch.layers)).collect()
}

fn text(found: &Finding) -> Vec<String> {
    let of = |name: &str| found.number(name);
    vec![
        format!(
            "Descent has no end of its own. The first picture is a line through points, a bowl. {ITERATIONS} iterations end at \
             the loss {:.5}; the rule on the change of the loss after {:.0} steps at {:.5}; the one on the norm of the gradient \
             after {:.0} at {:.5}. In a bowl the last two mean nearly the same: there is little left to gain.",
            of("line_loss_iterations"),
            of("line_steps_change"),
            of("line_loss_change"),
            of("line_steps_gradient"),
            of("line_loss_gradient")
        ),
        format!(
            "The second is a network that has to learn the exclusive or, and begins with small weights. There the loss stands \
             still at first: a plateau, around a saddle. The change of the loss is small there, and so is the gradient, though \
             nothing is learnt yet. Both rules end the training on the plateau, after {:.0} and {:.0} steps, at the losses {:.3} \
             and {:.3}. Left alone, it comes down to {:.4}.",
            of("plateau_steps_change"),
            of("plateau_steps_gradient"),
            of("plateau_loss_change"),
            of("plateau_loss_gradient"),
            of("plateau_loss")
        ),
        "What to do: give a number of iterations in any case, as a bound on the cost. Let the change of the loss end a run only \
         after many steps without one, and look at the curve. The norm of the gradient is for batches of all samples; the \
         gradient of a mini-batch never vanishes. And where samples are set aside, the loss on those is the best judge of all \
         (`--validation 0.1 --patience 5`)."
            .into(),
    ]
}

fn table(caption: &str, runs: &Runs) -> Listing {
    let row = |name: &str, record: &TrainRecord| {
        vec![
            name.to_string(),
            record.epochs.len().to_string(),
            format!("{:.5}", last(record)),
            record.stop_reason.clone(),
        ]
    };
    let mut rows: Vec<Vec<String>> =
        RULES.iter().zip(&runs.ended).map(|((name, _), record)| row(name, record)).collect();
    rows.push(row("none", &runs.whole));
    let columns = ["rule", "steps", "loss", "stop reason"].map(String::from).to_vec();
    Listing { caption: caption.into(), columns, rows }
}

fn figure(name: &str, title: &str, runs: &Runs, y: Side) -> Figure {
    let losses =
        |record: &TrainRecord| record.epochs.iter().map(|epoch| epoch.train_loss).collect::<Vec<_>>();
    let mut series = vec![Named::course("no rule", losses(&runs.whole))];
    for ((rule, _), record) in RULES.iter().zip(&runs.ended) {
        // A dot at the end of each run.
        let end = [record.epochs.len() as f64 - 1.0, last(record)];
        series.push(Named::new(&format!("ended by: {rule}"), [end]));
    }
    Figure {
        name: name.into(),
        title: title.into(),
        picture: Picture::Lines(Lines { x: Side::linear("step"), y, series }),
    }
}

fn norms(bowl: &Runs, plateau: &Runs) -> Figure {
    let series = vec![
        Named::course("the bowl", gradients(&bowl.whole)),
        Named::course("the plateau", gradients(&plateau.whole)),
    ];
    let (x, y) = (Side::linear("step"), Side::log("norm of the gradient"));
    let picture = Picture::Lines(Lines { x, y, series });
    Figure { name: "norms".into(), title: "The norm of the gradient".into(), picture }
}

fn points() -> Figure {
    let of = |class: f32| {
        let chosen = CORNERS.iter().zip(XOR).filter(move |(_, y)| *y == class);
        chosen.map(|(corner, _)| corner.map(f64::from))
    };
    let layers = vec![Layer::Marks(Named::new("-1", of(-1.0))), Layer::Marks(Named::new("1", of(1.0)))];
    let picture = Picture::Plane(Plane {
        x_label: "first input".into(),
        y_label: "second input".into(),
        window: [[-1.5, 1.5], [-1.5, 1.5]],
        is_square: true,
        animated: false,
        layers,
    });
    Figure { name: "exclusive-or".into(), title: "The exclusive or: no line parts it".into(), picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_ends_a_run_and_two_are_deceived() {
        let found = run(&Setting { threads: 1 }).unwrap();
        let endings: Vec<&str> =
            found.tables.iter().flat_map(|table| table.rows.iter().map(|row| row[3].as_str())).collect();
        assert_eq!(endings, ["steps", "tolerance", "gradient-norm", "epochs"].repeat(2));
        assert_eq!(found.number("line_steps_iterations"), ITERATIONS as f64);
        // In the bowl little is left to gain.
        for key in ["change", "gradient"] {
            assert!(found.number(&format!("line_loss_{key}")) < found.number("line_loss") + 1e-3, "{key}");
        }
        // On the plateau all is: the loss of saying 0 for all four is 1.
        for key in ["change", "gradient"] {
            let loss = found.number(&format!("plateau_loss_{key}"));
            assert!((0.9..1.1).contains(&loss), "{key}: {loss}");
        }
        assert!(found.number("plateau_loss") < 0.05, "{}", found.number("plateau_loss"));
    }
}
