//! What there is to see in the valleys.

use super::methods::{BUDGET, MOMENTUM, NEAR, NOISE, Outcome, RATE, RESTARTS, STARTS, nearest};
use crate::optim::functions::HIMMELBLAU;

/// The paragraphs.
pub fn text(rastrigin: &[Outcome], himmelblau: &[Outcome]) -> Vec<String> {
    let found = |place: usize| rastrigin[place].found();
    let value = |place: usize| value(rastrigin[place].value());
    let steps = himmelblau[0].reached();
    vec![
        format!(
            "Rastrigin's function is a bowl with a ripple on it: a valley at every pair of integers, more than a hundred \
             in the window, and the lowest one at (0, 0). Each method begins at the same {STARTS} points, drawn evenly \
             over the window, and may spend about {BUDGET} evaluations a run. A run has found the lowest valley if its \
             last value is less than {NEAR} above the lowest value: that is less than any other valley has."
        ),
        format!(
            "Plain descent with the rate {RATE} goes down into the valley in which it begins and stays there: it finds the \
             lowest one from {} of {STARTS} starts, and the picture of the starts shows that these lie around the middle. \
             To descend for longer would change nothing, for the gradient is 0 at the bottom of each valley.",
            found(0)
        ),
        format!(
            "Momentum of {MOMENTUM} rolls over some ridges as long as it is fast. It ends a little lower, at {} in the \
             mean and not {}, but where it comes to rest is chance: it finds the lowest valley from {}. Noise that is \
             added to the gradient ({NOISE} in each coordinate at first, falling to 0 in a line, as that of small batches \
             does when the rate falls) shakes it out of shallow valleys while the noise is large. It ends much lower, at \
             {} in the mean, and finds the lowest valley from {}. Both are cheap changes to descent, and neither is a \
             method to rely on here.",
            value(1),
            value(0),
            found(1),
            value(2),
            found(2)
        ),
        format!(
            "To begin anew is the simplest way out: L-BFGS from {} points about the start, the best of which is kept, \
             finds it from {}, because such a descent takes {:.0} evaluations and not {BUDGET}. Annealing goes from place to \
             place by chance and takes steps up the less often the colder it is: {} (its line in the picture joins the best \
             points so far). A genetic algorithm \
             mixes the coordinates of good points: {}. That suits this function, which is a sum of a function of x \
             and one of y; of other functions expect less. CMA-ES draws from a normal distribution that it moves and \
             narrows: {}.",
            RESTARTS + 1,
            found(3),
            rastrigin[3].evaluations() / (RESTARTS + 1) as f64,
            found(4),
            found(5),
            found(6)
        ),
        format!(
            "Annealing knows the valley but not its bottom: it ends {} above the lowest value in the mean. Followed by \
             L-BFGS, which takes the last steps in a moment, it ends at {} and finds the valley from {}. With a descent \
             from the best point of each temperature it takes fewer evaluations, {:.0} in the mean, and finds it from {}. \
             This is the usual division of work: search finds the valley, descent its bottom. It is for a few numbers: the \
             more parameters there are, the more points a search has to try.",
            value(4),
            value(7),
            found(7),
            rastrigin[8].evaluations(),
            found(8)
        ),
        format!(
            "Himmelblau's function has four valleys, all equally deep. So every method finds a lowest value from every \
             start, and the table shows what differs: which of the four. The areas in the picture are the basins of \
             plain descent: from all points of one colour it goes to the same minimum. The dots are the starts, in the \
             colour of the minimum that momentum goes to. {} of {STARTS} are at another one than plain descent from \
             there: momentum does not stop at the borders. Descent shares the starts among \
             the minima about evenly, {} for the one with most; CMA-ES, whose first points lie all over the window, goes to \
             one of them from {}.",
            moved(himmelblau),
            most(&himmelblau[0]),
            most(&himmelblau[6])
        ),
        format!(
            "The borders of the basins run through the four saddles, where the gradient is 0 as well. Nearby it is small, \
             and descent lingers: half of the starts are in their valley after {} steps, the last one after {}. A saddle \
             only delays; a valley that is not the lowest holds for good. When a training stands still, more steps help \
             against the one, and other starts, noise or a larger rate against the other.",
            steps[steps.len() / 2],
            steps[steps.len() - 1]
        ),
    ]
}

/// How many starts momentum takes to another of Himmelblau's minima than descent.
pub fn moved(outcomes: &[Outcome]) -> usize {
    let ends = |place: usize| outcomes[place].runs.iter().map(|run| nearest(&HIMMELBLAU, run.end));
    ends(0).zip(ends(1)).filter(|(descent, momentum)| descent != momentum).count()
}

/// The starts that a method takes to the minimum that gets the most.
pub fn most(outcome: &Outcome) -> usize {
    outcome.shares(&HIMMELBLAU).into_iter().max().unwrap_or(0)
}

/// A value, in few digits.
pub fn value(value: f64) -> String {
    match value {
        value if value >= 1.0 => format!("{value:.1}"),
        value if value >= 0.001 => format!("{value:.3}"),
        value if value > 1e-10 => format!("{value:.1e}"),
        _ => "0".into(),
    }
}
