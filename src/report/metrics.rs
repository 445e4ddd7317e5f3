//! Metrics in words, for a terminal.

use super::numbers::{counted, percent, significant, thousands};
use super::table::{Side, table};
use crate::train::Evaluation;
use crate::train::metrics::{
    AutoregressionErrors, ClassMetrics, Cluster, ClusterMetrics, ForecastErrors, Metrics, OutputMetrics,
    SeasonalErrors, ValueMetrics,
};

/// The most classes whose confusion matrix is printed, and the most outputs that have a line each.
const MOST_PRINTED: usize = 10;

/// The most clusters that have a line each.
const MOST_CLUSTERS: usize = 20;

/// The most letters of a class's name.
const LONGEST_NAME: usize = 16;

/// R², an AUC, or another number of at most 1, with four decimals: 0.8734.
pub fn part(value: f64) -> String {
    if value.abs() < 1e4 { format!("{value:.4}") } else { significant(value) }
}

/// What an evaluation says beside the loss: "accuracy 97.65 %", or "RMSE 38.58, MAE 29, R² 0.8734", each with `of` in
/// front ("test "); empty of records of earlier versions.
pub fn score(seen: &Evaluation, of: &str) -> String {
    if let (Some(tokens), Some(accuracy)) = (&seen.tokens, seen.accuracy) {
        let (perplexity, bits) = (significant(tokens.perplexity), significant(tokens.bits));
        return format!("{of}perplexity {perplexity}, {bits} bits a token, accuracy {}", percent(accuracy));
    }
    match (seen.accuracy, &seen.values) {
        (Some(accuracy), _) => format!("{of}accuracy {}", percent(accuracy)),
        (None, Some(values)) => {
            let scaled = scaled(seen.series.and_then(|series| series.mase));
            format!("{of}{}{scaled}", errors(values.rmse, values.mae, values.r_squared))
        }
        (None, None) => String::new(),
    }
}

fn errors(rmse: f64, mae: f64, r_squared: f64) -> String {
    format!("RMSE {}, MAE {}, R² {}", significant(rmse), significant(mae), part(r_squared))
}

fn scaled(mase: Option<f64>) -> String {
    mase.map_or(String::new(), |mase| format!(", MASE {}", part(mase)))
}

/// The errors of forecasts of a series that take no network, each in a line: naive ones and a linear autoregression; empty
/// where there is no series.
pub fn naive_forecasts(seen: &Evaluation) -> String {
    let Some(series) = &seen.series else { return String::new() };
    let line = |errors: &ForecastErrors| {
        let ForecastErrors { rmse, mae, mase } = *errors;
        format!("RMSE {}, MAE {}{}\n", significant(rmse), significant(mae), scaled(mase))
    };
    let seasonal = series.seasonal.as_ref().map_or(String::new(), |SeasonalErrors { season, errors }| {
        format!("the last season of {season} rows again (seasonal naive): {}", line(errors))
    });
    let linear =
        series.autoregression.as_ref().map_or(String::new(), |AutoregressionErrors { rows, errors }| {
            format!("a linear autoregression of {}: {}", counted(*rows, "row"), line(errors))
        });
    format!("in comparison, the last value again (naive): {}{seasonal}{linear}", line(&series.naive))
}

/// Metrics beside those of [`score`], in lines; `names`: of the classes, or none.
pub fn text(metrics: &Metrics, names: &[String]) -> String {
    match metrics {
        Metrics::Classes(metrics) => of_classes(metrics, names),
        Metrics::Values(metrics) => of_values(metrics),
        Metrics::Clusters(metrics) => of_clusters(metrics, names),
        Metrics::None {} => String::new(),
    }
}

fn of_classes(metrics: &ClassMetrics, names: &[String]) -> String {
    let ClassMetrics { top_5, precision, recall, f1, balanced_accuracy, log_loss, auc, confusion } = metrics;
    let top_5 = top_5.map_or(String::new(), |part| format!("top-5 accuracy {}, ", percent(part)));
    let auc = auc.map_or(String::new(), |area| format!(", AUC {}", part(area)));
    let mut text = format!(
        "{top_5}mean over the classes: precision {}, recall {}, F1 {}\n\
         balanced accuracy {}, log loss {}{auc}\n",
        percent(*precision),
        percent(*recall),
        percent(*f1),
        percent(*balanced_accuracy),
        significant(*log_loss),
    );
    if (1..=MOST_PRINTED).contains(&confusion.len()) {
        text += &format!("\n{}", matrix(confusion, names));
    }
    text
}

/// The confusion matrix as a table.
fn matrix(confusion: &[Vec<usize>], names: &[String]) -> String {
    let classes: Vec<String> = (0..confusion.len()).map(|class| class_name(names, class)).collect();
    let columns = classes.iter().map(|class| (class.as_str(), Side::Right));
    let columns: Vec<(&str, Side)> = [("class, read as", Side::Left)].into_iter().chain(columns).collect();
    let row = |(class, row): (&String, &Vec<usize>)| {
        [class.clone()].into_iter().chain(row.iter().map(|&count| thousands(count as u64))).collect()
    };
    let rows: Vec<Vec<String>> = classes.iter().zip(confusion).map(row).collect();
    table(&columns, &rows, 0)
}

fn class_name(names: &[String], class: usize) -> String {
    let Some(name) = names.get(class) else { return class.to_string() };
    let name = super::markup::printable(name);
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    name.chars().take(LONGEST_NAME - 1).chain(['…']).collect()
}

/// Nothing of a single output, whose metrics are those of all.
fn of_values(metrics: &ValueMetrics) -> String {
    let line = |(index, output): (usize, &OutputMetrics)| {
        let OutputMetrics { rmse, mae, r_squared } = *output;
        format!("output {index}: {}\n", errors(rmse, mae, r_squared))
    };
    let lines: String = metrics.outputs.iter().enumerate().take(MOST_PRINTED).map(line).collect();
    let more = metrics.outputs.len().saturating_sub(MOST_PRINTED);
    if more > 0 { format!("{lines}and {} more\n", thousands(more as u64)) } else { lines }
}

/// The clusters in a table, with the most frequent class of each if there are classes.
fn of_clusters(metrics: &ClusterMetrics, names: &[String]) -> String {
    let purity = metrics.purity.map_or(String::new(), |purity| {
        format!("{} are of the most frequent class of their cluster (purity)\n", percent(purity))
    });
    let mut columns = vec![("cluster", Side::Right), ("samples", Side::Right), ("inertia", Side::Right)];
    if metrics.purity.is_some() {
        columns.extend([("class", Side::Left), ("part", Side::Right)]);
    }
    let row = |(index, cluster): (usize, &Cluster)| {
        let inertia = cluster.inertia.map_or("-".to_string(), significant);
        let mut row = vec![index.to_string(), thousands(cluster.samples as u64), inertia];
        if metrics.purity.is_some() {
            let most = cluster.most_frequent();
            row.extend(most.map_or(["-".to_string(), "-".to_string()], |(class, part)| {
                [class_name(names, class), percent(part)]
            }));
        }
        row
    };
    let rows: Vec<Vec<String>> = metrics.clusters.iter().enumerate().take(MOST_CLUSTERS).map(row).collect();
    let more = match metrics.clusters.len().saturating_sub(MOST_CLUSTERS) {
        0 => String::new(),
        more => format!("and {} more\n", thousands(more as u64)),
    };
    format!("{purity}\n{}{more}", table(&columns, &rows, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_have_a_line_each() {
        let cluster = Cluster { samples: 1000, inertia: Some(0.25), classes: vec![250, 750] };
        let empty = Cluster { samples: 0, inertia: None, classes: vec![0, 0] };
        let clusters = vec![cluster, empty];
        let metrics = ClusterMetrics { inertia: 0.25, purity: Some(0.75), clusters: clusters.clone() };
        let names = ["no".to_string(), "yes".to_string()];
        let expected = "\
75.00 % are of the most frequent class of their cluster (purity)

cluster  samples  inertia  class     part
─────────────────────────────────────────
      0    1,000     0.25  yes    75.00 %
      1        0        -  -            -
";
        assert_eq!(text(&Metrics::Clusters(metrics.clone()), &names), expected);
        let many = ClusterMetrics { purity: None, clusters: vec![clusters; 20].concat(), ..metrics };
        let found = text(&Metrics::Clusters(many), &[]);
        assert!(
            found.starts_with("\ncluster  samples  inertia\n") && found.ends_with("and 20 more\n"),
            "{found}"
        );
        assert_eq!(text(&Metrics::None {}, &[]), "");
    }

    fn classes(confusion: Vec<Vec<usize>>) -> Metrics {
        Metrics::Classes(ClassMetrics {
            top_5: None,
            precision: 0.75,
            recall: 0.5,
            f1: 0.6,
            balanced_accuracy: 0.5,
            log_loss: 0.6247,
            auc: Some(0.875),
            confusion,
        })
    }

    #[test]
    fn classes_have_their_metrics_and_a_small_matrix() {
        let names = ["no".to_string(), "a very long name of a class".to_string()];
        let expected = "\
mean over the classes: precision 75.00 %, recall 50.00 %, F1 60.00 %
balanced accuracy 50.00 %, log loss 0.6247, AUC 0.8750

class, read as       no  a very long nam…
─────────────────────────────────────────
no                1,000                 1
a very long nam…      0                12
";
        let matrix = vec![vec![1000, 1], vec![0, 12]];
        assert_eq!(text(&classes(matrix.clone()), &names), expected);
        assert!(text(&classes(matrix), &[]).contains("\n1                   0"));
        assert_eq!(text(&classes(vec![vec![0; 11]; 11]), &[]).lines().count(), 2);
    }

    #[test]
    fn values_have_a_line_for_each_of_several_outputs() {
        let output = OutputMetrics { rmse: 38.5816, mae: 1234.0, r_squared: -2.5 };
        let OutputMetrics { rmse, mae, r_squared } = output;
        let metrics = |outputs| ValueMetrics { rmse, mae, r_squared, outputs };
        let told = |outputs| text(&Metrics::Values(metrics(outputs)), &[]);
        assert_eq!(told(Vec::new()), "");
        let line = |index: usize| format!("output {index}: RMSE 38.58, MAE 1,234, R² -2.5000\n");
        assert_eq!(told(vec![output; 2]), line(0) + &line(1));
        assert!(told(vec![output; 12]).ends_with(&(line(9) + "and 2 more\n")));
        let mut seen = Evaluation { accuracy: None, ..Evaluation::new(0.5, 0.0) };
        assert_eq!(score(&seen, "test "), "");
        seen.values = Some(metrics(Vec::new()));
        assert_eq!(score(&seen, "test "), "test RMSE 38.58, MAE 1,234, R² -2.5000");
        assert_eq!(score(&Evaluation::new(0.5, 0.975), ""), "accuracy 97.50 %");
    }
}
