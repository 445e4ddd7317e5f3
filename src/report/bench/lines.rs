//! Charts of lines, and numbers of threads in words.

use crate::report::chart::LineChart;

pub(super) fn threads_text(threads: usize) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}

pub(super) fn has_lines(chart: &LineChart) -> bool {
    chart.series.iter().any(|series| series.points.len() > 1)
}
