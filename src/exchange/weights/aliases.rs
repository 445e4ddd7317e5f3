//! What PyTorch's own modules call the parameters of blocks: `torch.nn.TransformerEncoderLayer` and
//! `TransformerDecoderLayer`, and the residual blocks of torchvision (`BasicBlock`, `Bottleneck`).

use std::collections::BTreeMap;

/// Names and shapes of tensors.
pub type Tensors = [(String, Vec<usize>)];

/// The parts of a block of a Transformer, by the names of this crate; those of a block of an encoder and of a decoder, if
/// these differ.
const PARTS: [(&str, [&str; 2]); 10] = [
    ("attend.norm.", ["norm1.", "norm1."]),
    ("attend_norm.", ["norm1.", "norm1."]),
    ("attend.attention.", ["self_attn.", "self_attn."]),
    ("cross.norm.", ["norm2.", "norm2."]),
    ("cross_norm.", ["norm2.", "norm2."]),
    ("cross.attention.", ["multihead_attn.", "multihead_attn."]),
    ("compute.up.", ["linear1.", "linear1."]),
    ("compute.down.", ["linear2.", "linear2."]),
    ("compute.norm.", ["norm2.", "norm3."]),
    ("compute_norm.", ["norm2.", "norm3."]),
];

/// The parameters of a normalisation of weights, by their names and as `torch.nn.utils.weight_norm` calls them.
const WEIGHT_NORM: [[&str; 2]; 2] =
    [["parametrizations.weight.original0", "weight_g"], ["parametrizations.weight.original1", "weight_v"]];

/// For each tensor the name that it has in PyTorch's module for its block; its own where there is no such module.
pub fn of_torch(tensors: &Tensors) -> Vec<String> {
    let modules = residual_modules(tensors);
    let name = |(name, _): &(String, Vec<usize>)| {
        let of_block = of_transformer(name, tensors).or_else(|| {
            let (module, leaf) = name.rsplit_once('.')?;
            Some(format!("{}.{leaf}", modules.get(module)?))
        });
        of_block.unwrap_or_else(|| name.clone())
    };
    tensors.iter().map(name).collect()
}

/// Another name that an older PyTorch may have given a tensor.
pub fn of_older(name: &str) -> Option<String> {
    WEIGHT_NORM.iter().find_map(|[own, old]| name.strip_suffix(own).map(|module| format!("{module}{old}")))
}

fn of_transformer(name: &str, tensors: &Tensors) -> Option<String> {
    let (place, part, names) = PARTS.iter().find_map(|(part, names)| {
        // A module's name stands before it: a number.
        let place = name.find(&format!(".{part}"))? + 1;
        Some((place, part, names))
    })?;
    let module = &name[..place];
    let is_decoder = tensors.iter().any(|(other, _)| other.strip_prefix(module).is_some_and(is_cross));
    Some(format!("{module}{}{}", names[usize::from(is_decoder)], &name[place + part.len()..]))
}

fn is_cross(rest: &str) -> bool {
    rest.starts_with("cross.")
}

/// What a module within a residual block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Convolution,
    Norm,
    Other,
}

/// For each module of the residual blocks that are torchvision's the name that it has there: those whose layers are
/// convolutions, each with a normalisation by batch behind it, and whose shortcut is nothing or one of each.
fn residual_modules(tensors: &Tensors) -> BTreeMap<String, String> {
    let mut blocks: Vec<&str> =
        tensors.iter().filter_map(|(name, _)| name.split_once(".layers.")).map(|(block, _)| block).collect();
    blocks.dedup();
    let mut all = BTreeMap::new();
    for block in blocks {
        let [main, short] = ["layers", "shortcut"].map(|list| modules(tensors, &format!("{block}.{list}.")));
        let pairs = |kinds: &[(String, Kind)]| {
            let alternate = kinds.iter().zip([Kind::Convolution, Kind::Norm].into_iter().cycle());
            kinds.len().is_multiple_of(2)
                && alternate.into_iter().all(|((_, kind), expected)| *kind == expected)
        };
        if main.is_empty() || !pairs(&main) || !pairs(&short) || short.len() > 2 {
            continue;
        }
        for (place, (module, kind)) in main.into_iter().enumerate() {
            let name = if kind == Kind::Norm { "bn" } else { "conv" };
            all.insert(module, format!("{block}.{name}{}", place / 2 + 1));
        }
        for (place, (module, _)) in short.into_iter().enumerate() {
            all.insert(module, format!("{block}.downsample.{place}"));
        }
    }
    all
}

/// The modules with parameters in a list whose names begin with `prefix`, in their order.
fn modules(tensors: &Tensors, prefix: &str) -> Vec<(String, Kind)> {
    let mut found: Vec<(String, Kind)> = Vec::new();
    for (name, shape) in tensors {
        let Some((number, leaf)) = name.strip_prefix(prefix).and_then(|rest| rest.split_once('.')) else {
            continue;
        };
        let module = format!("{prefix}{number}");
        let kind = match leaf {
            "weight" if shape.len() == 4 => Kind::Convolution,
            "running_mean" => Kind::Norm,
            // They come with others that tell.
            "bias" | "running_var" => Kind::Other,
            "weight" if shape.len() == 1 => Kind::Other,
            // A block of its own, or a layer that such a block does not have.
            _ => return vec![(module, Kind::Other)],
        };
        match found.iter_mut().find(|(other, _)| *other == module) {
            Some((_, known)) if kind != Kind::Other => *known = kind,
            Some(_) => {}
            None => found.push((module, kind)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tensors: &[(&str, &[usize])]) -> Vec<String> {
        let tensors: Vec<_> =
            tensors.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect();
        of_torch(&tensors)
    }

    #[test]
    fn blocks_of_transformers_have_torchs_names() {
        let encoder = of(&[
            ("0.weight", &[4, 4]),
            ("1.attend.norm.weight", &[4]),
            ("1.attend.attention.in_proj_weight", &[12, 4]),
            ("1.compute.norm.bias", &[4]),
            ("1.compute.up.weight", &[8, 4]),
            ("2.compute_norm.bias", &[4]),
        ]);
        let expected = [
            "0.weight",
            "1.norm1.weight",
            "1.self_attn.in_proj_weight",
            "1.norm2.bias",
            "1.linear1.weight",
            "2.norm2.bias",
        ];
        assert_eq!(encoder, expected);
        let decoder = of(&[
            ("12.cross.attention.out_proj.bias", &[4]),
            ("12.cross_norm.bias", &[4]),
            ("12.compute_norm.bias", &[4]),
            ("1.compute_norm.bias", &[4]),
        ]);
        assert_eq!(
            decoder,
            ["12.multihead_attn.out_proj.bias", "12.norm2.bias", "12.norm3.bias", "1.norm2.bias"]
        );
    }

    #[test]
    fn residual_blocks_are_torchvisions_if_they_are_built_so() {
        let norm = |module: &str| {
            ["weight", "bias", "running_mean", "running_var"].map(|leaf| format!("{module}.{leaf}"))
        };
        let block = |second: &[usize]| {
            let mut names = vec![("4.layers.0.weight".to_string(), vec![8, 4, 3, 3])];
            names.extend(norm("4.layers.1").map(|name| (name, vec![8])));
            names.push(("4.layers.3.weight".into(), second.to_vec()));
            names.extend(norm("4.layers.4").map(|name| (name, vec![8])));
            names.push(("4.shortcut.0.weight".into(), vec![8, 4, 1, 1]));
            names.extend(norm("4.shortcut.1").map(|name| (name, vec![8])));
            of_torch(&names)
        };
        let names = block(&[8, 8, 3, 3]);
        assert_eq!(names[0], "4.conv1.weight");
        assert_eq!(names[3], "4.bn1.running_mean");
        assert_eq!(names[5], "4.conv2.weight");
        assert_eq!([&*names[10], &*names[14]], ["4.downsample.0.weight", "4.downsample.1.running_var"]);
        // Of dense layers there is none.
        assert_eq!(block(&[8, 8])[0], "4.layers.0.weight");
        let nested =
            of(&[("4.layers.0.weight", &[8, 4, 3, 3]), ("4.layers.1.layers.0.weight", &[8, 8, 3, 3])]);
        assert_eq!(nested, ["4.layers.0.weight", "4.layers.1.layers.0.weight"]);
    }

    #[test]
    fn older_names_of_normalised_weights_are_known() {
        assert_eq!(of_older("3.parametrizations.weight.original0").as_deref(), Some("3.weight_g"));
        assert_eq!(of_older("3.parametrizations.weight.original1").as_deref(), Some("3.weight_v"));
        assert_eq!(of_older("3.weight"), None);
    }
}
