//! Boundaries between classes: a line by probability and by margin, a network where a line is not enough, and centres.

mod clusters;
mod figures;
mod lines;
mod sets;

use self::clusters::{Clusters, STARTS};
use self::lines::{Fit, PENALTY, Views, fit, logistic, svm};
use self::sets::{DISTANCE, Set};
use super::case::{Case, Setting};
use super::figure::Listing;
use super::record::Finding;
use crate::error::Result;
use crate::kernels::activation::Activation;
use crate::model::Model;
use crate::model::recipe::Optimizer;
use crate::optim::schedule::{Curve, Schedule};
use crate::train::Trainer;

pub static CASE: Case = Case {
    name: "boundaries",
    title: "Boundaries between classes",
    summary: "logistic regression and a support vector machine on moons and blobs; k-means by descent and by Lloyd",
    example: "tour_boundaries",
    run,
};

/// The units of both hidden layers of the network.
const UNITS: usize = 16;

/// What was trained on the moons.
struct Moons {
    logistic: Fit,
    hinge: Fit,
    network: Model,
    accuracy: f64,
}

fn run(setting: &Setting) -> Result<Finding> {
    let moons = sets::moons()?;
    let (blobs, centres) = sets::blobs()?;
    let on_moons = Moons::of(&moons, setting)?;
    let views = Views::of(&blobs, centres)?;
    let clusters = Clusters::new()?;

    let mut finding = Finding::default();
    note_lines(&mut finding, &on_moons, &views);
    note_clusters(&mut finding, &clusters);
    finding.text = text(&finding);
    finding.tables = vec![table_of_lines(&on_moons, &views), table_of_clusters(&clusters)];
    finding.figures = vec![
        figures::moons_by_lines(&moons.train, &on_moons.logistic.line, &on_moons.hinge.line),
        figures::moons_by_network(&moons.train, on_moons.network)?,
        figures::blobs(&blobs, &views),
        figures::losses(),
    ];
    finding.figures.extend(figures::clusters(&clusters));
    finding.figures.push(figures::inertia(&clusters));
    Ok(finding)
}

impl Moons {
    fn of(set: &Set, setting: &Setting) -> Result<Moons> {
        let mut network = Model::sequential(2)
            .dense(UNITS, Activation::TANH)
            .dense(UNITS, Activation::TANH)
            .dense(2, Activation::IDENTITY)
            .build()?;
        let falling = Schedule::of(Curve::Cosine { end_factor: 0.0 });
        let trainer = Trainer::new().optimizer(Optimizer::adam(0.01)).schedule(falling).batch(40).epochs(100);
        let trainer = trainer.threads(setting.threads);
        trainer.fit(&mut network, &set.train.samples()?)?;
        let accuracy = trainer.evaluate(&network, &set.test.samples()?)?.accuracy.unwrap_or(f64::NAN);
        Ok(Moons {
            logistic: fit(logistic(PENALTY), &set.train, &set.test)?,
            hinge: fit(svm(PENALTY, false), &set.train, &set.test)?,
            network,
            accuracy,
        })
    }
}

fn note_lines(finding: &mut Finding, moons: &Moons, views: &Views) {
    finding.note("moons_logistic_accuracy", moons.logistic.accuracy);
    finding.note("moons_svm_accuracy", moons.hinge.accuracy);
    finding.note("moons_network_accuracy", moons.accuracy);
    finding.note("moons_network_parameters", moons.network.parameters() as f64);
    finding.note("blobs_logistic_accuracy", views.logistic.accuracy);
    finding.note("blobs_svm_accuracy", views.hinge.accuracy);
    finding.note("blobs_squared_svm_accuracy", views.squared.accuracy);
    finding.note("blobs_best_accuracy", views.best_accuracy);
    finding.note("logistic_distance", views.logistic.distance.unwrap_or(f64::NAN));
    finding.note("squared_svm_distance", views.squared.distance.unwrap_or(f64::NAN));
    finding.note("angle", views.logistic.line.angle(&views.hinge.line));
    finding.note("logistic_angle", views.logistic.line.angle(&views.best));
    finding.note("svm_angle", views.hinge.line.angle(&views.best));
    finding.note("within_margin", views.within as f64);
    finding.note("logistic_change", views.changes[0]);
    finding.note("svm_change", views.changes[1]);
    finding.note("sure_accuracy", views.sure[0]);
    finding.note("sure_probability", views.sure[1]);
    finding.note("unsure_accuracy", views.unsure[0]);
    finding.note("unsure_probability", views.unsure[1]);
}

fn note_clusters(finding: &mut Finding, clusters: &Clusters) {
    for (name, pair) in [("good", &clusters.good), ("bad", &clusters.bad)] {
        finding.note(format!("{name}_lloyd_inertia"), pair.lloyd.inertia);
        finding.note(format!("{name}_descent_inertia"), pair.descent.inertia);
        finding.note(format!("{name}_centre_distance"), pair.distance());
        finding.note(format!("{name}_lloyd_iterations"), (pair.lloyd.course.len() - 1) as f64);
    }
    finding.note("spread_starts_found", clusters.found[0] as f64);
    finding.note("any_starts_found", clusters.found[1] as f64);
}

fn text(found: &Finding) -> Vec<String> {
    let of = |name: &str| found.number(name);
    let percent = |name: &str| format!("{:.1} %", 100.0 * of(name));
    vec![
        format!(
            "Two moons first. Logistic regression and a linear support vector machine each draw one straight line, and no line \
             parts the moons: they get {} and {} of 2,000 new points right. That is no fault of the training, both are at \
             their best line. A network with two hidden layers of {UNITS} units ({} numbers) bends the boundary and gets {}. \
             Try the line first all the same: if it is as good, there is nothing to bend.",
            percent("moons_logistic_accuracy"),
            percent("moons_svm_accuracy"),
            of("moons_network_parameters"),
            percent("moons_network_accuracy")
        ),
        format!(
            "Two round blobs, {DISTANCE} standard deviations apart, are a problem for lines: the best boundary there can be is \
             the line in the middle between the true centres, which gets {} right. Logistic regression gets {}, the support \
             vector machine {}. Their lines cross at an angle of {:.1} degrees, and lie {:.1} and {:.1} degrees off the best.",
            percent("blobs_best_accuracy"),
            percent("blobs_logistic_accuracy"),
            percent("blobs_svm_accuracy"),
            of("angle"),
            of("logistic_angle"),
            of("svm_angle")
        ),
        format!(
            "They differ because they ask different questions, as the picture of the two losses shows. The hinge is 0 for a \
             sample that is at least a margin away on the right side, so such samples have no say: fitted again to only the {} \
             of 400 samples within the margin, the machine's numbers move by {:.2} %. The logistic loss is never 0, and every \
             sample pulls a little: without the others its numbers move by {:.0} %.",
            of("within_margin"),
            100.0 * of("svm_change"),
            100.0 * of("logistic_change")
        ),
        format!(
            "For that, logistic regression gives probabilities. Of new points that it is at least 90 % sure of, it gets {} right \
             (it said {} on average); of the others {} (it said {}). A support vector machine tells on which side a point is and \
             how many margins away, which is no probability.",
            percent("sure_accuracy"),
            percent("sure_probability"),
            percent("unsure_accuracy"),
            percent("unsure_probability")
        ),
        format!(
            "Both problems are convex, so there is one best line and it can be computed in another way: by Newton's method in \
             double precision. Descent ends within {:.1e} of the norm of these weights for logistic regression, and {:.1e} for \
             the squared hinge. (The plain hinge has kinks, where Newton's method fails; it is trained with a rate that falls to \
             nothing.)",
            of("logistic_distance"),
            of("squared_svm_distance")
        ),
        format!(
            "k-means has no classes, only points and centres. The inertia, the mean squared distance to the nearest centre, has a \
             gradient, so descent can lower it in small batches; Lloyd's algorithm moves each centre to the mean of its points \
             instead. From the same first centres both come to the same place: inertia {:.4} by Lloyd's algorithm in {} passes, \
             {:.4} by descent, no centre more than {:.3} from its twin. Lloyd's algorithm needs no rate; descent needs no pass \
             over all points for one move, which counts where there are millions.",
            of("good_lloyd_inertia"),
            of("good_lloyd_iterations"),
            of("good_descent_inertia"),
            of("good_centre_distance")
        ),
        format!(
            "Neither gets out of a bad start. With two first centres in one blob and none in another, the two share one blob for \
             ever and one centre has to serve two blobs: inertia {:.2} and {:.2}. So the start decides. From samples that are \
             drawn far from each other (k-means++) Lloyd's algorithm finds the least inertia in {} of {STARTS} starts, from any \
             samples in {}. Take k-means++, run it several times, and keep the run with the least inertia.",
            of("bad_lloyd_inertia"),
            of("bad_descent_inertia"),
            of("spread_starts_found"),
            of("any_starts_found")
        ),
    ]
}

fn table_of_lines(moons: &Moons, views: &Views) -> Listing {
    let percent = |part: f64| format!("{:.1} %", 100.0 * part);
    let row = |name: &str, moons: String, fit: &Fit| {
        let [one, other] = fit.line.weights.map(|weight| format!("{weight:.3}"));
        let distance = fit.distance.map_or("".into(), |distance| format!("{distance:.1e}"));
        let bias = format!("{:.3}", fit.line.bias);
        vec![name.into(), moons, percent(fit.accuracy), one, other, bias, distance]
    };
    let mut network = vec!["network".into(), percent(moons.accuracy)];
    network.resize(7, String::new());
    let mut best = vec!["the best line".into(), String::new(), percent(views.best_accuracy)];
    best.resize(7, String::new());
    let columns = ["", "moons", "blobs", "w₁", "w₂", "b", "from exact weights"];
    Listing {
        caption: "Part of new points that are classified right, and the line between the blobs".into(),
        columns: columns.map(String::from).to_vec(),
        rows: vec![
            row("logistic regression", percent(moons.logistic.accuracy), &views.logistic),
            row("support vector machine, hinge", percent(moons.hinge.accuracy), &views.hinge),
            row("support vector machine, squared hinge", String::new(), &views.squared),
            network,
            best,
        ],
    }
}

fn table_of_clusters(clusters: &Clusters) -> Listing {
    let columns = ["start", "Lloyd's algorithm", "descent", "centres apart, at most"];
    let rows = [("k-means++", &clusters.good), ("two in one blob", &clusters.bad)].map(|(name, pair)| {
        let numbers =
            [pair.lloyd.inertia, pair.descent.inertia, pair.distance()].map(|number| format!("{number:.4}"));
        [vec![name.to_string()], numbers.to_vec()].concat()
    });
    Listing {
        caption: "Inertia of four centres".into(),
        columns: columns.map(String::from).to_vec(),
        rows: rows.to_vec(),
    }
}

#[cfg(test)]
mod tests;
