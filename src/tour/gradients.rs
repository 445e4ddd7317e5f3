//! Gradients that vanish and explode on their way through a deep network, and what mends it.

mod figures;
mod networks;
mod scales;
mod trials;

use self::networks::{LAYERS, UNITS};
use self::scales::scaled;
use self::trials::{CLIP, EPOCHS, LARGE, LARGER, RATE, RELU_GAIN, SAMPLES, TANH_GAIN, UNIT_NORM, WEIGHT};
use self::trials::{End, Outcome, Trial, digits, exploding, outcomes, vanishing};
use super::case::{Case, Setting};
use super::figure::{Figure, Listing};
use super::record::Finding;
use crate::error::Result;

pub static CASE: Case = Case {
    name: "gradients",
    title: "Vanishing and exploding gradients",
    summary: "a deep sigmoid network whose first layers learn nothing, and what mends it",
    example: "tour_gradients",
    run,
};

fn run(setting: &Setting) -> Result<Finding> {
    let digits = digits()?;
    let lists = [vanishing(), exploding()];
    let first = lists[0].len();
    let trials: Vec<Trial> = lists.into_iter().flatten().collect();
    let outcomes = outcomes(&trials, &digits, setting.threads)?;
    let scaled = scaled(&digits.train)?;

    let mut finding = Finding::default();
    for (trial, outcome) in trials.iter().zip(&outcomes) {
        note(&mut finding, trial.key, outcome);
    }
    // Between layers whose inputs are of one kind: the first one's are pixels.
    let sigmoid = &outcomes[0].gradients;
    finding.note("sigmoid_factor", (sigmoid[1] / sigmoid[LAYERS - 1]).powf(1.0 / (LAYERS - 2) as f64));
    for own in scaled.iter().filter(|own| own.explodes_from().is_finite()) {
        finding.note(format!("{}_explodes_from", own.name.to_lowercase()), own.explodes_from());
    }
    let pairs: Vec<(&Trial, &Outcome)> = trials.iter().zip(&outcomes).collect();
    let why = outcomes.iter().find_map(|outcome| match &outcome.end {
        End::Diverged { what, step } => Some((what.as_str(), *step)),
        End::Trained { .. } => None,
    });
    finding.text = [vanishing_text(&finding), exploding_text(&finding, why)].concat();
    finding.tables = vec![
        table("The sigmoid network, and what is to mend it", &pairs[..first]),
        table("Networks with large weights, and what is to mend them", &pairs[first..]),
    ];
    finding.figures = pictures(&pairs, &scaled);
    Ok(finding)
}

fn note(finding: &mut Finding, key: &str, outcome: &Outcome) {
    finding.note(format!("{key}_ratio"), outcome.ratio());
    finding.note(format!("{key}_norm"), outcome.norm());
    match &outcome.end {
        End::Trained { ratio, accuracy, warned, .. } => {
            finding.note(format!("{key}_accuracy"), *accuracy);
            finding.note(format!("{key}_last_ratio"), *ratio);
            finding.note(format!("{key}_warned"), *warned as f64);
        }
        End::Diverged { step, .. } => finding.note(format!("{key}_diverged_at"), *step as f64),
    }
}

/// A number of any size.
fn sized(value: f64) -> String {
    if (0.01..1000.0).contains(&value) { format!("{value:.2}") } else { format!("{value:.1e}") }
}

fn vanishing_text(found: &Finding) -> Vec<String> {
    let ratio = |key: &str| sized(found.number(&format!("{key}_ratio")));
    let percent = |key: &str| format!("{:.1} %", 100.0 * found.number(&format!("{key}_accuracy")));
    vec![
        format!(
            "{LAYERS} dense layers, all of {UNITS} units but the last, learn digits of 7 x 7 pixels: {} of them, {EPOCHS} \
             epochs, momentum with the rate {RATE} for all networks. The gradient comes back from the last layer to the first. \
             On its way each layer multiplies it by its weights and by the slope of its activation. A product of so many \
             factors dies away or grows without bound, unless they are about 1.",
            SAMPLES[0]
        ),
        format!(
            "The slope of the sigmoid is at most 1/4. With the usual weights (Xavier's) each layer hands back {:.2} times what \
             it is given, and the first layer gets {} times the gradient of the last one: the straight line in the first \
             picture, whose scale is logarithmic. The first layers stay as they were drawn, and what they make of the digits is \
             useless to the last: {} of the test are right, which is guessing. `fallline train` warns of such layers; here of \
             {}.",
            found.number("sigmoid_factor"),
            ratio("sigmoid"),
            percent("sigmoid"),
            found.number("sigmoid_warned")
        ),
        format!(
            "What helps makes the factors larger. Weights {LARGER} times as large do: ratio {}, accuracy {}. Weights {LARGE} \
             times as large should make up for the 1/4, but push units to where their slope is less: ratio {}, and {} in the \
             same time. Batch normalisation brings the input of each sigmoid back to its middle and to a width of 1: {}. \
             Residual links lead the gradient around the sigmoids: {}. Tanh, with a slope of 1 in its middle, comes to {}, and \
             ReLU with He's weights to {}.",
            ratio("larger_weights"),
            percent("larger_weights"),
            ratio("large_weights"),
            percent("large_weights"),
            percent("batch_norm"),
            percent("residual"),
            percent("tanh"),
            percent("relu")
        ),
        format!(
            "What does not help: clipping the gradient by its norm makes all layers' gradients smaller by one factor, and leaves \
             the ratio at {} ({}). Clipping weights keeps them small, where they would have to be larger ({}). Weight \
             normalisation, w = g v / ‖v‖, begins with the same network and the same gradient ({}, {}).",
            ratio("clip_norm"),
            percent("clip_norm"),
            percent("clip_weights"),
            ratio("weight_norm"),
            percent("weight_norm")
        ),
    ]
}

fn exploding_text(found: &Finding, why: Option<(&str, u64)>) -> Vec<String> {
    let of = |name: &str| found.number(name);
    let ratio = |key: &str| sized(of(&format!("{key}_ratio")));
    let norm = |key: &str| sized(of(&format!("{key}_norm")));
    let percent = |key: &str| format!("{:.1} %", 100.0 * of(&format!("{key}_accuracy")));
    let (what, step) = why.unwrap_or_default();
    vec![
        format!(
            "Large weights make the product explode. In a sigmoid network that is hard to reach: its units are driven to their \
             ends, where the slope is next to nothing. Only weights {} times as large give the first layer more than ten times \
             the last one's gradient; with tanh, {} times are enough, and {TANH_GAIN} times give {}. In a ReLU network the ratio \
             tells nothing ({}): what goes forward grows as fast as what comes back, and the gradient of a layer's weights is \
             the product of both. It explodes in all layers at once: with weights only {RELU_GAIN} times as large its norm is {} \
             instead of {}.",
            of("sigmoid_explodes_from"),
            of("tanh_explodes_from"),
            ratio("large_tanh"),
            ratio("large_relu"),
            norm("large_relu"),
            norm("relu")
        ),
        format!(
            "Training that ReLU network ends at step {step}: {what} is not finite, and fallline says so instead of going on. With \
             the gradient clipped to a norm of {CLIP} it learns: {}. Constraints hold after a step only, and the first step is \
             the one that does the harm: weights clipped at {WEIGHT} come to {}, a largest norm of {UNIT_NORM:.2} for the \
             weights of each unit to {}; that norm and a clipped gradient together to {}. Weight normalisation begins with the \
             same gradient and ends at step {}. Batch normalisation takes the size of the weights out, of all layers but the last, \
             which here begins as usual: {}.",
            percent("large_relu_clip_norm"),
            percent("large_relu_clip_weights"),
            percent("large_relu_max_norm"),
            percent("large_relu_both"),
            of("large_relu_weight_norm_diverged_at"),
            percent("large_relu_batch_norm")
        ),
        format!(
            "Clipping by norm mends the length of a step, not its direction. In the tanh network nearly all of the gradient is \
             the first layer's, clipped or not (ratio {} and {}), and the accuracy stays at {}; with batch normalisation the ratio \
             is {} and the accuracy {}.",
            ratio("large_tanh"),
            ratio("large_tanh_clip_norm"),
            percent("large_tanh_clip_norm"),
            ratio("large_tanh_batch_norm"),
            percent("large_tanh_batch_norm")
        ),
        "In practice: ReLU, or tanh, with the weights that suit it; normalisation and residual links where a network is deep; \
         clipping by norm against single long steps. And look at the gradients of the layers: `fallline train --report` draws \
         them, epoch by epoch."
            .into(),
    ]
}

fn table(caption: &str, pairs: &[(&Trial, &Outcome)]) -> Listing {
    let columns = ["network", "first / last gradient", "after training", "norm of all", "test accuracy"];
    let row = |&(trial, outcome): &(&Trial, &Outcome)| {
        let [last, accuracy] = match &outcome.end {
            End::Trained { ratio, accuracy, .. } => [sized(*ratio), format!("{:.1} %", 100.0 * accuracy)],
            End::Diverged { step, .. } => ["-".into(), format!("diverged, step {step}")],
        };
        vec![trial.name.clone(), sized(outcome.ratio()), last, sized(outcome.norm()), accuracy]
    };
    let rows = pairs.iter().map(row).collect();
    Listing { caption: caption.into(), columns: columns.map(String::from).to_vec(), rows }
}

fn pictures(pairs: &[(&Trial, &Outcome)], scaled: &[scales::Scaled]) -> Vec<Figure> {
    let shown = ["sigmoid", "larger_weights", "batch_norm", "residual", "tanh", "relu"];
    let large = ["large_relu_clip_norm", "large_relu_max_norm", "large_relu_both", "large_relu_batch_norm"];
    let layers = ["sigmoid", "relu", "large_relu", "large_tanh", "large_tanh_batch_norm"];
    vec![
        figures::layers("The gradient of each layer, before step 1", "layers", pairs, &shown),
        figures::ratios(scaled),
        figures::norms(scaled),
        figures::layers("The same with large weights", "large-layers", pairs, &layers),
        figures::losses("What each network learns", "losses", pairs, &shown),
        figures::losses("ReLU with large weights", "large-losses", pairs, &large),
    ]
}

#[cfg(test)]
mod tests;
