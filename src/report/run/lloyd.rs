//! k-means by descent beside Lloyd's algorithm.

use super::exact::{number, relative};
use crate::report::numbers::{counted, percent, thousands};
use crate::report::page::{Cell, Column, Part, Section, Table};
use crate::train::{ClusterSizes, LloydRecord};

/// How near descent has come, in a line.
pub fn text(record: &LloydRecord) -> String {
    let LloydRecord { inertia, lloyd, iterations, converged, agreement, .. } = *record;
    let excess = match record.excess {
        Some(excess) if excess < 0.0 => format!(", {} less", relative(-excess)),
        Some(excess) => format!(", {} more", relative(excess)),
        None => String::new(),
    };
    let iterations = counted(iterations, "iteration");
    let end = if converged { "" } else { ", and was not at its end" };
    format!(
        "inertia {}, Lloyd's algorithm from the same centres {} ({iterations}{end}){excess}; {} of the samples in the same \
         cluster",
        number(inertia),
        number(lloyd),
        percent(agreement)
    )
}

/// The section of a page, with a table of clusters.
pub(super) fn section(name: &str, one_of_several: bool, record: &LloydRecord) -> Section {
    let of = if one_of_several { format!(" of {name}") } else { String::new() };
    let begun = format!("The first centres, by k-means++, had an inertia of {}.", number(record.first));
    let row = |(index, sizes): (usize, &ClusterSizes)| {
        let count = |samples: usize| Cell::number(thousands(samples as u64), samples as f64);
        vec![
            Cell::number(index.to_string(), index as f64),
            count(sizes.descent),
            count(sizes.lloyd),
            Cell::number(number(sizes.distance), sizes.distance),
        ]
    };
    let columns = [
        ("cluster", "counted from 0"),
        ("samples, descent", "training samples nearest to the trained centre"),
        ("samples, Lloyd", "training samples nearest to the centre of Lloyd's algorithm"),
        ("distance", "of the two centres"),
    ];
    let shown = record.sizes.len();
    let caption = if shown < record.clusters {
        format!("The first {shown} of {} clusters", thousands(record.clusters as u64))
    } else {
        "Clusters of the training samples".into()
    };
    let table = Table {
        caption,
        columns: columns.map(|(title, hint)| Column::new(title, hint)).to_vec(),
        rows: record.sizes.iter().enumerate().map(row).collect(),
    };
    let parts = vec![Part::Text(format!("{name}: {}.", text(record))), Part::Text(begun), Part::Table(table)];
    Section { heading: format!("Lloyd's algorithm{of}"), parts }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LloydRecord {
        let size = ClusterSizes { descent: 1200, lloyd: 1199, distance: 0.25 };
        LloydRecord {
            clusters: 2,
            samples: 2400,
            first: 3.5,
            inertia: 1.001,
            lloyd: 1.0,
            excess: Some(0.001),
            iterations: 7,
            converged: true,
            agreement: 0.9975,
            sizes: vec![size; 2],
        }
    }

    #[test]
    fn a_line_says_how_near_it_is() {
        let near = record();
        assert_eq!(
            text(&near),
            "inertia 1.001000, Lloyd's algorithm from the same centres 1.000000 (7 iterations), 1.0e-3 more; 99.75 % of the \
             samples in the same cluster"
        );
        let below = LloydRecord { excess: Some(-0.02), converged: false, ..record() };
        let found = text(&below);
        assert!(found.contains("(7 iterations, and was not at its end), 2.0e-2 less;"), "{found}");
        let perfect = LloydRecord { excess: None, ..record() };
        assert!(text(&perfect).contains("(7 iterations); "));
    }

    #[test]
    fn the_section_has_a_row_for_each_cluster() {
        let section = section("a run", false, &record());
        let [Part::Text(_), Part::Text(first), Part::Table(table)] = &section.parts[..] else {
            panic!("{section:?}")
        };
        assert_eq!(first, "The first centres, by k-means++, had an inertia of 3.500000.");
        let texts: Vec<&str> = table.rows[1].iter().map(|cell| &*cell.text).collect();
        assert_eq!(texts, ["1", "1,200", "1,199", "0.250000"]);
        let many = LloydRecord { clusters: 1000, ..record() };
        let section = super::section("a run", true, &many);
        assert_eq!(section.heading, "Lloyd's algorithm of a run");
        let Part::Table(table) = &section.parts[2] else { panic!("{section:?}") };
        assert_eq!(table.caption, "The first 2 of 1,000 clusters");
    }
}
