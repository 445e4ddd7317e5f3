//! The table of a model's layers.

use super::numbers::{rounded, thousands};
use crate::model::SummaryRow;

const HEADER: [&str; 5] = ["layer", "kind", "output", "parameters", "flops/sample"];

/// One line for each layer, with totals below: flops are those of a training step.
pub fn table(rows: &[SummaryRow]) -> String {
    let cells = |row: &SummaryRow| {
        let parameters = thousands(row.parameters as u64);
        [row.name.clone(), row.kind.clone(), row.output.clone(), parameters, rounded(row.flops)]
    };
    let parameters: usize = rows.iter().map(|row| row.parameters).sum();
    let flops: f64 = rows.iter().map(|row| row.flops).sum();
    let total = ["total".into(), String::new(), String::new(), thousands(parameters as u64), rounded(flops)];

    let mut lines: Vec<[String; 5]> = vec![HEADER.map(String::from)];
    lines.extend(rows.iter().map(cells));
    lines.push(total);
    let widths: [usize; 5] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    let rule = widths.map(|width| "─".repeat(width)).join("──") + "\n";

    let last = lines.len() - 1;
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index == 1 || index == last {
            text += &rule;
        }
        text += &aligned(line, &widths);
    }
    text
}

/// Names to the left, numbers to the right.
fn aligned(line: &[String; 5], widths: &[usize; 5]) -> String {
    let cell = |column: usize| {
        let (text, width) = (&line[column], widths[column]);
        if column < 2 { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let text = (0..5).map(cell).collect::<Vec<_>>().join("  ");
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_a_table_with_totals() {
        let row = |name: &str, kind: &str, output: &str, parameters, flops| SummaryRow {
            name: name.into(),
            kind: kind.into(),
            output: output.into(),
            parameters,
            flops,
        };
        let rows =
            [row("0", "dense + relu", "128", 100_480, 401_408.0), row("1", "dense", "10", 1_290, 7_680.0)];
        let expected = "\
layer  kind          output  parameters  flops/sample
─────────────────────────────────────────────────────
0      dense + relu     128     100,480       401,408
1      dense             10       1,290         7,680
─────────────────────────────────────────────────────
total                           101,770       409,088
";
        assert_eq!(table(&rows), expected);
    }
}
