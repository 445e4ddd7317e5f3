//! The verdicts of a comparison with a baseline.

use console::style;

use super::markup::for_terminal;
use super::table::{Side, table};
use crate::bench::compare::{Change, Comparison, Verdict};

/// The comparison in words: one line for each case, and a sentence that sums up.
pub fn text(comparison: &Comparison) -> String {
    let columns = [
        ("case", Side::Left),
        ("now / baseline", Side::Right),
        ("95 % interval", Side::Right),
        ("", Side::Left),
    ];
    let rows: Vec<Vec<String>> = comparison.changes.iter().chain(&comparison.overall).map(row).collect();
    let count = |verdict| comparison.count(verdict);
    format!(
        "{}{} faster, {} the same, {} slower, by more than {:.0} %\n{}",
        table(&columns, &rows, usize::from(comparison.overall.is_some())),
        count(Verdict::Faster),
        count(Verdict::Same),
        count(Verdict::Slower),
        100.0 * comparison.tolerance,
        comparison
            .warnings
            .iter()
            .map(|warning| format!("warning: {}\n", for_terminal(warning)))
            .collect::<String>()
    )
}

fn row(change: &Change) -> Vec<String> {
    let interval = format!("{:.3} - {:.3}", change.low, change.high);
    vec![change.case.clone(), format!("{:.3}", change.ratio), interval, word(change.verdict)]
}

/// The word for a verdict, coloured on a terminal only.
fn word(verdict: Verdict) -> String {
    match verdict {
        Verdict::Faster => style("faster").green().to_string(),
        Verdict::Slower => style("slower").red().to_string(),
        Verdict::Same => "same".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_its_verdict() {
        let change = |ratio, verdict| Change {
            case: format!("case {ratio}"),
            ratio,
            low: ratio - 0.01,
            high: ratio + 0.01,
            verdict,
        };
        let changes = vec![change(0.9, Verdict::Slower), change(1.0, Verdict::Same)];
        let overall = Some(Change { case: "all cases".into(), ..change(0.95, Verdict::Same) });
        let warnings = vec!["one machine is not the other".into()];
        let text = text(&Comparison { tolerance: 0.05, changes, overall, warnings });
        let expected = "\
case       now / baseline  95 % interval
────────────────────────────────────────────────
case 0.9            0.900  0.890 - 0.910  slower
case 1              1.000  0.990 - 1.010  same
────────────────────────────────────────────────
all cases           0.950  0.940 - 0.960  same
0 faster, 1 the same, 1 slower, by more than 5 %
warning: one machine is not the other
";
        assert_eq!(console::strip_ansi_codes(&text), expected);
    }
}
