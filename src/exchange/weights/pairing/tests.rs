use super::*;

fn source(name: &str, shape: &[usize]) -> Source {
    Source { name: name.into(), shape: shape.into(), kind: "F32".into(), is_read: true }
}

fn sources(names: &[&str]) -> Vec<Source> {
    names.iter().map(|name| source(name, if name.ends_with("bias") { &[3] } else { &[3, 5] })).collect()
}

fn targets(names: &[&str]) -> Vec<(String, Vec<usize>)> {
    sources(names).into_iter().map(|source| (source.name, source.shape)).collect()
}

/// All of a model, and none of them optional.
fn all(targets: &Tensors) -> Targets<'_> {
    static NONE: BTreeSet<String> = BTreeSet::new();
    Targets { wanted: targets, all: targets, optional: &NONE }
}

fn paired(sources: &[Source], targets: &Tensors, options: &Options) -> Result<Pairing> {
    pair(Path::new("m"), sources, all(targets), options, &BTreeMap::new())
}

/// What each parameter comes from, and how that is known.
fn pairs(sources: &[Source], targets: &Tensors, options: &Options) -> Vec<(String, How)> {
    paired(sources, targets, options).unwrap().pairs.into_iter().map(|pair| (pair.from, pair.how)).collect()
}

const TWO: [&str; 2] = ["0.weight", "0.bias"];

#[test]
fn names_that_are_the_same_go_first_and_wrappers_are_taken_off() {
    let plain = pairs(&sources(&["0.bias", "0.weight"]), &targets(&TWO), &Options::default());
    assert_eq!(plain, [("0.weight".into(), How::Name), ("0.bias".into(), How::Name)]);
    for wrapper in ["module.", "model.", "module._orig_mod.", "_orig_mod.model."] {
        let names = TWO.map(|name| format!("{wrapper}{name}"));
        let found = pairs(&sources(&[&names[0], &names[1]]), &targets(&TWO), &Options::default());
        assert_eq!(found, names.map(|name| (name, How::Prefix)), "{wrapper}");
    }
    // What is not before all of them is a part of names.
    let one = paired(&sources(&["module.0.weight", "0.bias"]), &targets(&TWO), &Options::default());
    let error = one.unwrap_err().to_string();
    assert!(error.contains("missing: 0.weight [3, 5]"), "{error}");
    assert!(error.contains("superfluous: module.0.weight [3, 5]"), "{error}");
}

#[test]
fn a_prefix_takes_some_of_a_file() {
    for prefix in ["net.encoder", "net.encoder."] {
        let options = Options { prefix: Some(prefix.into()), ..Options::default() };
        let names = ["net.encoder.0.weight", "net.encoder.0.bias", "net.encoders.0.bias", "head.0.bias"];
        let pairing = paired(&sources(&names), &targets(&TWO), &options).unwrap();
        assert_eq!((pairing.pairs.len(), pairing.outside), (2, 2));
    }
}

#[test]
fn what_is_mapped_has_the_names_of_modules_too() {
    let options = Options { renames: vec!["encoder.layers.*=*".parse().unwrap()], ..Options::default() };
    let names = ["encoder.layers.3.linear1.weight", "encoder.layers.3.linear1.bias", "0.weight"];
    let wanted = targets(&["3.compute.up.weight", "3.compute.up.bias", "0.weight"]);
    let found = pairs(&sources(&names), &wanted, &options);
    let expected = [(names[0].into(), How::Map), (names[1].into(), How::Map), (names[2].into(), How::Name)];
    assert_eq!(found, expected);
    let found =
        pairs(&sources(&["3.linear1.weight"]), &targets(&["3.compute.up.weight"]), &Options::default());
    assert_eq!(found, [("3.linear1.weight".into(), How::Torch)]);
}

#[test]
fn all_that_does_not_fit_is_told_at_once() {
    let mut given = sources(&["0.weight", "0.bias", "9.weight", "module.0.bias\nx"]);
    given[0].shape = vec![5, 3];
    given[1] = Source { kind: "I64".into(), is_read: false, ..given[1].clone() };
    let error = paired(&given, &targets(&["0.weight", "0.bias", "1.bias"]), &Options::default());
    let error = error.unwrap_err().to_string();
    for line in [
        "m: tensors: expected one for each parameter of the model, of its shape, found 5 that do not fit",
        "\n  another shape: 0.weight [5, 3] for 0.weight [3, 5]",
        "\n  another type: 0.bias of I64 for 0.bias, which takes F32, F64, F16 or BF16",
        "\n  missing: 1.bias [3]",
        "\n  superfluous: 9.weight [3, 5]",
        "\n  superfluous: module.0.bias\u{fffd}x [3, 5]",
    ] {
        assert!(error.contains(line), "{line} in {error}");
    }
    let ignoring = Options { ignored: vec!["9".parse().unwrap()], ..Options::default() };
    let names = ["0.weight", "0.bias", "9.weight"];
    assert_eq!(paired(&sources(&names), &targets(&TWO), &ignoring).unwrap().ignored, ["9.weight"]);
    let twice = Options { renames: vec!["a=0".parse().unwrap()], ..Options::default() };
    let error = paired(&sources(&["a.bias", "0.bias", "0.weight"]), &targets(&TWO), &twice).unwrap_err();
    assert!(error.to_string().contains("two for one: a.bias and 0.bias for 0.bias"), "{error}");
}

#[test]
fn an_option_that_fits_nothing_is_refused() {
    let none = Options::default;
    let refusal =
        |options: Options| paired(&sources(&TWO), &targets(&TWO), &options).unwrap_err().to_string();
    let error = refusal(Options { prefix: Some("net".into()), ..none() });
    assert_eq!(
        error,
        "command line: `--prefix`: expected what names of the file begin with, not net, found none that begins so"
    );
    assert!(refusal(Options { ignored: vec!["1".parse().unwrap()], ..none() }).contains("`--ignore`"));
    assert!(refusal(Options { renames: vec!["1=2".parse().unwrap()], ..none() }).contains("`--map`"));
}

#[test]
fn order_and_shape_pair_what_names_do_not_tell() {
    let given = sources(&["fc10.weight", "fc10.bias", "fc2.weight", "fc2.bias"]);
    let wanted = targets(&["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert!(paired(&given, &wanted, &Options::default()).is_err());
    let options = Options { by_order: true, ..Options::default() };
    let found = pairs(&given, &wanted, &options);
    let expected =
        ["fc2.weight", "fc2.bias", "fc10.weight", "fc10.bias"].map(|name| (name.into(), How::Order));
    assert_eq!(found, expected);
    // As the file says.
    let order = r#"["fc10.weight","fc10.bias","fc2.weight","fc2.bias"]"#;
    let metadata = BTreeMap::from([(order::KEY.to_string(), order.to_string())]);
    let pairing = pair(Path::new("m"), &given, all(&wanted), &options, &metadata).unwrap();
    assert_eq!(pairing.pairs[0].from, "fc10.weight");
    // Another shape, and another last name, is no pair.
    let error = paired(&sources(&["a.weight", "a.scale"]), &targets(&TWO), &options).unwrap_err().to_string();
    assert!(
        error.contains("missing: 0.bias [3]") && error.contains("superfluous: a.scale [3, 5]"),
        "{error}"
    );
}

#[test]
fn what_is_optional_may_be_missing_and_is_taken_by_its_name_alone() {
    let wanted = targets(&["0.weight", "1.weight"]);
    let optional = BTreeSet::from(["0.weight".to_string()]);
    let found = |names: &[&str], by_order: bool| {
        let targets = Targets { wanted: &wanted, all: &wanted, optional: &optional };
        let options = Options { by_order, ..Options::default() };
        let pairing = pair(Path::new("m"), &sources(names), targets, &options, &BTreeMap::new())?;
        Ok::<_, Error>(pairing.pairs.into_iter().map(|pair| [pair.to, pair.from]).collect::<Vec<_>>())
    };
    let both = [["0.weight"; 2], ["1.weight"; 2]].map(|pair| pair.map(String::from));
    assert_eq!(found(&["1.weight"], false).unwrap(), both[1..]);
    assert_eq!(found(&["1.weight", "0.weight"], false).unwrap(), both);
    assert_eq!(found(&["fc.weight"], true).unwrap(), [["1.weight".to_string(), "fc.weight".into()]]);
    let error = found(&["0.weight"], false).unwrap_err().to_string();
    assert!(error.contains("missing: 1.weight") && error.contains("1 that do not fit:\n"), "{error}");
}

/// A normalisation by batch is known by its running statistics, which need not be among what is wanted.
#[test]
fn blocks_are_known_by_all_that_lies_in_them() {
    let shaped = |name: &str, shape: &[usize]| (name.to_string(), shape.to_vec());
    let model = [
        shaped("1.layers.0.weight", &[3, 3, 1, 1]),
        shaped("1.layers.1.weight", &[3]),
        shaped("1.layers.1.running_mean", &[3]),
    ];
    let given = [source("1.conv1.weight", &[3, 3, 1, 1]), source("1.bn1.weight", &[3])];
    let found = |all: &Tensors| {
        let targets = Targets { wanted: &model[..2], all, optional: &BTreeSet::new() };
        pair(Path::new("m"), &given, targets, &Options::default(), &BTreeMap::new())
    };
    let pairs = found(&model).unwrap().pairs;
    assert!(pairs.iter().all(|pair| pair.how == How::Torch) && pairs[1].from == "1.bn1.weight", "{pairs:?}");
    assert!(found(&model[..2]).is_err());
}
