//! The clusters of test samples.

use crate::report::numbers::{percent, significant, thousands};
use crate::report::page::{Cell, Column, Part, Section, Table};
use crate::train::analysis::Analysis;
use crate::train::metrics::{Cluster, ClusterMetrics};

/// The most clusters of a table.
const MOST_SHOWN: usize = 1000;

/// The section of the clusters of a run.
pub(super) fn section(of: &str, metrics: &ClusterMetrics, analysis: &Analysis) -> Section {
    let inertia = significant(metrics.inertia);
    let purity = metrics.purity.map(|purity| {
        format!(" {} of the test samples are of the most frequent class of their cluster.", percent(purity))
    });
    let text = format!(
        "Inertia, the mean squared distance to the nearest centre: {inertia}.{}",
        purity.unwrap_or_default()
    );
    let has_classes = metrics.purity.is_some();
    let mut columns = vec![
        Column::new("cluster", "counted from 0"),
        Column::new("samples", ""),
        Column::new("inertia", ""),
    ];
    if has_classes {
        columns.push(Column::new("class", "the most frequent one"));
        columns.push(Column::new("part", "samples of that class, of those of the cluster"));
    }
    let row = |(index, cluster): (usize, &Cluster)| {
        let mut cells = vec![
            Cell::number(index.to_string(), index as f64),
            Cell::number(thousands(cluster.samples as u64), cluster.samples as f64),
            cluster.inertia.map_or(Cell::text("-"), |inertia| Cell::number(significant(inertia), inertia)),
        ];
        if has_classes {
            cells.extend(match cluster.most_frequent() {
                Some((class, part)) => {
                    [Cell::text(&analysis.class_name(class)), Cell::number(percent(part), part)]
                }
                None => [Cell::text("-"), Cell::text("-")],
            });
        }
        cells
    };
    let count = metrics.clusters.len();
    let caption = if count > MOST_SHOWN {
        format!("The first {MOST_SHOWN} of {} clusters", thousands(count as u64))
    } else {
        "Clusters of the test samples".into()
    };
    let rows = metrics.clusters.iter().enumerate().take(MOST_SHOWN).map(row).collect();
    let parts = vec![Part::Text(text), Part::Table(Table { caption, columns, rows })];
    Section { heading: format!("Clusters{of}"), parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_told_with_their_classes_if_there_are_some() {
        let full = Cluster { samples: 1200, inertia: Some(0.5), classes: vec![300, 900] };
        let empty = Cluster { samples: 0, inertia: None, classes: vec![0, 0] };
        let metrics = ClusterMetrics { inertia: 0.5, purity: Some(0.75), clusters: vec![full, empty] };
        let analysis = Analysis { clusters: Some(metrics.clone()), ..Analysis::default() };
        let named = analysis.named(&["no".to_string(), "yes".to_string()]);
        let texts = |metrics: &ClusterMetrics, row: usize| -> Vec<String> {
            let section = section("", metrics, &named);
            let Part::Table(table) = &section.parts[1] else { panic!("{section:?}") };
            table.rows[row].iter().map(|cell| cell.text.clone()).collect()
        };
        assert_eq!(texts(&metrics, 0), ["0", "1,200", "0.5", "yes", "75.00 %"]);
        assert_eq!(texts(&metrics, 1), ["1", "0", "-", "-", "-"]);
        let clusters = metrics.clusters.iter().map(|own| Cluster { classes: Vec::new(), ..own.clone() });
        let without = ClusterMetrics { purity: None, clusters: clusters.collect(), ..metrics };
        assert_eq!(texts(&without, 0), ["0", "1,200", "0.5"]);
    }
}
