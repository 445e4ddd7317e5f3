//! The order of tensors, where names say nothing of which is which.

use std::collections::BTreeMap;

/// The key of the metadata under which scripts/pt_to_safetensors.py writes the names in the order of the state dict, as a
/// JSON array: safetensors files have an order of their own.
pub const KEY: &str = "tensor_order";

/// A run of digits, by its value, or of other letters.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// Digits without leading zeros, after how many they are.
    Number(usize, &'a str),
    Text(&'a str),
}

/// What names are sorted by so that numbers in them count as numbers: `layers.2` before `layers.10`.
fn natural(name: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut left = name;
    while let Some(first) = left.chars().next() {
        let is_number = first.is_ascii_digit();
        let end = left.find(|letter: char| letter.is_ascii_digit() != is_number).unwrap_or(left.len());
        let (part, rest) = left.split_at(end);
        parts.push(match is_number {
            true => {
                let digits = part.trim_start_matches('0');
                Part::Number(digits.len(), digits)
            }
            false => Part::Text(part),
        });
        left = rest;
    }
    parts
}

/// These names in the order of the state dict, if the metadata of the file have it, or else by their numbers and letters.
pub fn sorted<'a>(mut names: Vec<&'a str>, metadata: &BTreeMap<String, String>) -> Vec<&'a str> {
    let listed = metadata.get(KEY).and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    let places: BTreeMap<&str, usize> =
        listed.iter().flatten().enumerate().map(|(place, name)| (&**name, place)).collect();
    if names.iter().all(|name| places.contains_key(name)) {
        names.sort_by_key(|name| places.get(name));
    } else {
        names.sort_by(|a, b| natural(a).cmp(&natural(b)));
    }
    names
}

/// The parts of PyTorch's blocks of Transformers, in the order in which these register them.
const PARTS: [&str; 7] = ["self_attn", "multihead_attn", "linear1", "linear2", "norm1", "norm2", "norm3"];

/// The parameters of one layer and direction of PyTorch's recurrent modules, in theirs.
const RECURRENT: [&str; 4] = ["weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l"];

/// Names of a model's tensors in the order of the state dict of PyTorch's modules, by which its optimizers number
/// parameters: modules stay in their order, but some have their own within.
pub fn of_modules(mut names: Vec<&str>) -> Vec<&str> {
    let mut firsts = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        firsts.entry(group(name).0).or_insert(place);
    }
    let firsts: BTreeMap<String, usize> =
        firsts.into_iter().map(|(group, place)| (group.to_string(), place)).collect();
    names.sort_by_cached_key(|name| {
        let (group, rank) = group(name);
        (firsts.get(group).copied(), rank)
    });
    names
}

/// What a name has in common with those that are ordered with it, and its place among these.
fn group(name: &str) -> (&str, [usize; 3]) {
    for (place, _) in name.match_indices('.') {
        let part = name[place + 1..].split('.').next().unwrap_or_default();
        if let Some(rank) = PARTS.iter().position(|known| *known == part) {
            return (&name[..place], [rank, 0, 0]);
        }
    }
    let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
    for (rank, known) in RECURRENT.iter().enumerate() {
        let Some(layer) = last.strip_prefix(known) else { continue };
        let (number, is_reverse) = match layer.strip_suffix("_reverse") {
            Some(number) => (number, 1),
            None => (layer, 0),
        };
        return (module, [number.parse().unwrap_or(0), is_reverse, rank]);
    }
    // What normalises weights is a module within, behind the bias.
    match module.strip_suffix(".parametrizations.weight") {
        Some(module) => (module, [1, 0, 0]),
        None => (module, [0; 3]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let names = vec!["b.10.w", "b.9.w", "b.w", "a.010", "a.9", "b.9.v"];
        let expected = ["a.9", "a.010", "b.9.v", "b.9.w", "b.10.w", "b.w"];
        assert_eq!(sorted(names, &BTreeMap::new()), expected);
    }

    #[test]
    fn modules_have_pytorchs_order_within() {
        let block = ["2.norm1.bias", "2.self_attn.out_proj.bias", "2.linear1.bias", "10.weight", "10.bias"];
        let expected =
            ["2.self_attn.out_proj.bias", "2.linear1.bias", "2.norm1.bias", "10.weight", "10.bias"];
        assert_eq!(of_modules(block.to_vec()), expected);
        let recurrent = [
            "0.weight_ih_l0",
            "0.bias_ih_l0",
            "0.weight_ih_l0_reverse",
            "0.bias_hh_l0_reverse",
            "0.weight_hh_l0",
            "0.weight_ih_l1",
            "0.bias_hh_l0",
        ];
        let expected = [0, 4, 1, 6, 2, 3, 5].map(|place| recurrent[place]);
        assert_eq!(of_modules(recurrent.to_vec()), expected);
        let normalised = [
            "1.parametrizations.weight.original0",
            "1.parametrizations.weight.original1",
            "1.bias",
            "0.weight",
        ];
        assert_eq!(of_modules(normalised.to_vec()), [2, 0, 1, 3].map(|place| normalised[place]));
    }

    #[test]
    fn an_order_in_the_metadata_goes_first_if_it_is_of_all_names() {
        let metadata = |text: &str| BTreeMap::from([(KEY.to_string(), text.to_string())]);
        assert_eq!(sorted(vec!["a", "b"], &metadata(r#"["b","c","a"]"#)), ["b", "a"]);
        for text in [r#"["b"]"#, "{", "7"] {
            assert_eq!(sorted(vec!["b", "a"], &metadata(text)), ["a", "b"], "{text}");
        }
    }
}
