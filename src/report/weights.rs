//! Which tensors of a state dict are which parameters.

use super::markup::printable;
use super::numbers::counted;
use super::table::{Side, table};
use crate::exchange::weights::{Exported, Pairing};

/// What each parameter of a model has come from, and what was left out.
pub fn imported(pairing: &Pairing) -> String {
    let columns = ["parameter", "shape", "from", "type", "by"].map(|title| (title, Side::Left));
    let rows: Vec<Vec<String>> = pairing
        .pairs
        .iter()
        .map(|pair| {
            let (from, by) = (printable(&pair.from), pair.how.text().into());
            vec![pair.to.clone(), shape(&pair.shape), from, pair.kind.clone(), by]
        })
        .collect();
    let mut text = table(&columns, &rows, 0);
    if !pairing.ignored.is_empty() {
        let names: Vec<String> = pairing.ignored.iter().map(|name| printable(name)).collect();
        text += &format!("left out as --ignore says: {}\n", names.join(", "));
    }
    if pairing.outside > 0 {
        text +=
            &format!("left out since --prefix is not before it: {}\n", counted(pairing.outside, "tensor"));
    }
    text
}

/// What each tensor of a model is called in a state dict.
pub fn exported(tensors: &[Exported]) -> String {
    let columns = ["parameter", "shape", "as"].map(|title| (title, Side::Left));
    let row = |tensor: &Exported| vec![tensor.from.clone(), shape(&tensor.shape), tensor.to.clone()];
    table(&columns, &tensors.iter().map(row).collect::<Vec<_>>(), 0)
}

/// "10x64", and of a single number "1".
fn shape(sizes: &[usize]) -> String {
    match sizes {
        [] => "1".into(),
        sizes => sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::weights::{How, Pair};

    #[test]
    fn tensors_are_told_with_what_was_left_out() {
        let pair = |to: &str, shape: &[usize], from: &str, how| Pair {
            to: to.into(),
            shape: shape.into(),
            from: from.into(),
            kind: "F16".into(),
            how,
        };
        let pairs = vec![
            pair("0.weight", &[10, 64], "fc.weight", How::Order),
            pair("0.bias", &[10], "fc.\nbias", How::Map),
        ];
        let text = imported(&Pairing { pairs, ignored: vec!["ids".into(), "x".into()], outside: 2 });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert_eq!(lines[2], "0.weight   10x64  fc.weight  F16   order and shape");
        assert!(lines[3].ends_with("F16   --map"), "{text}");
        assert_eq!(lines[4], "left out as --ignore says: ids, x");
        assert_eq!(lines[5], "left out since --prefix is not before it: 2 tensors");
    }
}
