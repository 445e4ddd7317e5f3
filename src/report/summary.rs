//! The table of a model's layers.

use super::numbers::{rounded, thousands};
use super::table::{self, Side};
use crate::model::SummaryRow;

/// Titles, sides, and how soon each is left out.
const COLUMNS: [(&str, Side, u8); 5] = [
    ("layer", Side::Left, 0),
    ("kind", Side::Left, 0),
    ("output", Side::Right, 1),
    ("parameters", Side::Right, 0),
    ("flops/sample", Side::Right, 2),
];

/// One line for each layer, with totals below, and where some are frozen, what is trained: flops are those of a training
/// step. Columns that have no room in `width` are left out.
pub fn table(rows: &[SummaryRow], width: Option<usize>) -> String {
    let cells = |row: &SummaryRow| {
        let parameters = thousands(row.parameters as u64);
        let kind = if row.is_frozen { format!("{} (frozen)", row.kind) } else { row.kind.clone() };
        vec![row.name.clone(), kind, row.output.clone(), parameters, rounded(row.flops)]
    };
    let parameters: usize = rows.iter().map(|row| row.parameters).sum();
    let flops: f64 = rows.iter().map(|row| row.flops).sum();
    let total = ["total", "", "", &thousands(parameters as u64), &rounded(flops)];

    let mut lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    lines.push(total.map(String::from).to_vec());
    let is_partly_frozen = rows.iter().any(|row| row.is_frozen);
    if is_partly_frozen {
        let trained: usize = rows.iter().filter(|row| !row.is_frozen).map(|row| row.parameters).sum();
        lines.push(["trained", "", "", &thousands(trained as u64), ""].map(String::from).to_vec());
    }
    let columns = COLUMNS.map(|(title, side, yields)| table::Column { title, side, yields });
    table::fitted(&columns, &lines, 1 + usize::from(is_partly_frozen), width, "")
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
            is_frozen: false,
        };
        let mut rows =
            [row("0", "dense + relu", "128", 100_480, 401_408.0), row("1", "dense", "10", 1_290, 7_680.0)];
        let expected = "\
layer  kind          output  parameters  flops/sample
─────────────────────────────────────────────────────
0      dense + relu     128     100,480       401,408
1      dense             10       1,290         7,680
─────────────────────────────────────────────────────
total                           101,770       409,088
";
        assert_eq!(table(&rows, None), expected);
        let narrow = table(&rows, Some(40));
        assert!(narrow.starts_with("layer  kind          output  parameters\n"), "{narrow}");
        (rows[0].is_frozen, rows[0].flops) = (true, 200_704.0);
        let expected = "\
layer    kind                   output  parameters  flops/sample
────────────────────────────────────────────────────────────────
0        dense + relu (frozen)     128     100,480       200,704
1        dense                      10       1,290         7,680
────────────────────────────────────────────────────────────────
total                                      101,770       208,384
trained                                      1,290
";
        assert_eq!(table(&rows, None), expected);
    }
}
