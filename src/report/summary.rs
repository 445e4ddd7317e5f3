//! The table of a model's layers.

use super::numbers::{rounded, thousands};
use super::table::{self, Side};
use crate::model::SummaryRow;

const COLUMNS: [(&str, Side); 5] = [
    ("layer", Side::Left),
    ("kind", Side::Left),
    ("output", Side::Right),
    ("parameters", Side::Right),
    ("flops/sample", Side::Right),
];

/// One line for each layer, with totals below: flops are those of a training step.
pub fn table(rows: &[SummaryRow]) -> String {
    let cells = |row: &SummaryRow| {
        let parameters = thousands(row.parameters as u64);
        vec![row.name.clone(), row.kind.clone(), row.output.clone(), parameters, rounded(row.flops)]
    };
    let parameters: usize = rows.iter().map(|row| row.parameters).sum();
    let flops: f64 = rows.iter().map(|row| row.flops).sum();
    let total = ["total", "", "", &thousands(parameters as u64), &rounded(flops)];

    let mut lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    lines.push(total.map(String::from).to_vec());
    table::table(&COLUMNS, &lines, 1)
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
