use super::*;

fn sample() -> (Vec<NamedTensor>, BTreeMap<String, String>) {
    let tensor = |name: &str, shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| (i as f32 - 3.5) * 0.1).collect();
        NamedTensor { name: name.to_string(), shape: shape.to_vec(), values }
    };
    let metadata = ["recipe", "a", "z", "k"].map(|key| (key.to_string(), format!("{key}: \"\u{e9}\n\"")));
    let tensors = vec![tensor("0.bias", &[3]), tensor("0.weight", &[3, 50]), tensor("1.weight", &[0, 7])];
    (tensors, BTreeMap::from(metadata))
}

fn saved() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>) {
    let (folder, (tensors, metadata)) = (tempfile::tempdir().unwrap(), sample());
    let path = folder.path().join("model.safetensors");
    save(&path, &tensors, &metadata).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (folder, path, bytes)
}

fn refusal(path: &Path, bytes: &[u8]) -> String {
    std::fs::write(path, bytes).unwrap();
    let message = load(path).unwrap_err().to_string();
    assert!(message.contains("model.safetensors: "), "{message}");
    message.split_once("model.safetensors: ").unwrap().1.to_string()
}

#[test]
fn a_model_comes_back_as_it_was_saved() {
    let (_folder, path, bytes) = saved();
    assert_eq!(load(&path).unwrap(), sample());
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!((header % 8, bytes.len() as u64), (0, 8 + header + 153 * 4));
    assert_eq!(saved().2, bytes, "the same model must make the same bytes");
}

#[test]
fn a_file_that_the_format_crate_wrote_is_read() {
    let values: Vec<u8> = [1.0f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(Dtype::F32, vec![2, 1], &values).unwrap();
    let bytes = safetensors::serialize([("w", view)], None).unwrap();
    let (tensors, metadata) = parse(&bytes, Path::new("x")).unwrap();
    assert_eq!(tensors, [NamedTensor { name: "w".into(), shape: vec![2, 1], values: vec![1.0, -2.0] }]);
    assert!(metadata.is_empty());
}

#[test]
fn files_that_are_not_models_are_refused() {
    let (_folder, path, bytes) = saved();
    assert_eq!(refusal(&path, b"short"), "file: expected at least 8 bytes, found 5");
    assert_eq!(
        refusal(&path, &[0xff; 20]),
        "byte 0: expected a safetensors header of at most 12 bytes, found a length of 18446744073709551615"
    );
    let truncated = refusal(&path, &bytes[..bytes.len() - 1]);
    assert!(truncated.starts_with("file: expected as many bytes as the tensors of its header fill"));
    let longer = refusal(&path, &[&bytes[..], b"!"].concat());
    assert!(longer.starts_with("file: expected as many bytes as the tensors of its header fill"));
    let garbled = refusal(&path, &[&bytes[..8], b"]", &bytes[9..]].concat());
    assert!(garbled.starts_with("header: expected a safetensors header, found invalid JSON"), "{garbled}");
}

#[test]
fn a_header_that_promises_more_than_there_is_is_refused() {
    let (_folder, path, _) = saved();
    for (shape, end, expected) in [
        ("[4611686018427387904,4]", 8, "header: expected shapes that can be held in memory"),
        ("[1099511627776]", 8, "header: expected offsets that agree with the shapes"),
        ("[1099511627776]", 4_398_046_511_104u64, "file: expected as many bytes"),
    ] {
        let header = format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":[0,{end}]}}}}");
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
        let message = refusal(&path, &bytes);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn numbers_of_another_type_are_refused() {
    let (_folder, path, _) = saved();
    let view = safetensors::tensor::TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
    let bytes = safetensors::serialize([("0.weight", view)], None).unwrap();
    let expected = "tensor 0.weight: expected numbers of type F32, F64, F16 or BF16, found I64";
    assert_eq!(refusal(&path, &bytes), expected);
}

#[test]
fn names_from_a_file_make_no_further_line_and_no_long_message() {
    let (_folder, path, _) = saved();
    let name = format!("0.weight\nerror: {}", "x".repeat(5000));
    let view = safetensors::tensor::TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
    let message = refusal(&path, &safetensors::serialize([(name, view)], None).unwrap());
    assert!(message.lines().count() == 1 && message.len() < 400, "{message}");
}

/// What PyTorch writes of a network in another precision, with the counters of its batch normalisation.
#[test]
fn other_floating_point_types_are_converted_and_counters_passed_over() {
    let tensor = safetensors::tensor::TensorView::new;
    let view = |dtype, bytes| tensor(dtype, vec![2], bytes).unwrap();
    let double: Vec<u8> = [0.1f64, -1e-3].iter().flat_map(|x| x.to_le_bytes()).collect();
    let half: Vec<u8> =
        [f16::from_f32(0.1), f16::MIN_POSITIVE_SUBNORMAL].iter().flat_map(|x| x.to_le_bytes()).collect();
    let brain: Vec<u8> = [bf16::from_f32(0.1), bf16::MAX].iter().flat_map(|x| x.to_le_bytes()).collect();
    let counted = 7i64.to_le_bytes();
    let tensors = [
        ("0.weight", view(Dtype::F64, &double)),
        ("1.num_batches_tracked", tensor(Dtype::I64, vec![], &counted).unwrap()),
        ("2.weight", view(Dtype::F16, &half)),
        ("3.weight", view(Dtype::BF16, &brain)),
    ];
    let bytes = safetensors::serialize(tensors, None).unwrap();
    let (read, _) = parse(&bytes, Path::new("m")).unwrap();
    let values: Vec<_> = read.iter().map(|tensor| (tensor.name.as_str(), &tensor.values[..])).collect();
    // By hand: 0.1 is 0x2e66 as f16 and 0x3dcd as bf16; the least f16 is 2^-24.
    let expected: [(&str, &[f32]); 3] = [
        ("0.weight", &[0.1, -1e-3]),
        ("2.weight", &[0.099975586, 5.9604645e-8]),
        ("3.weight", &[0.100097656, 3.3895314e38]),
    ];
    assert_eq!(values, expected);

    let refusal = |name: &str, view| {
        let bytes = safetensors::serialize([(name, view)], None).unwrap();
        parse(&bytes, Path::new("m")).map(|(tensors, _)| tensors.len()).map_err(|error| error.to_string())
    };
    // A name alone makes no count: what has another type or shape is a tensor like others.
    let counts = view(Dtype::I64, &double);
    assert!(refusal("1.num_batches_tracked", counts).unwrap_err().ends_with("F16 or BF16, found I64"));
    assert_eq!(refusal("1.num_batches_tracked", view(Dtype::F64, &double)), Ok(1));
    let large: Vec<u8> = [1.0, 1e300f64].iter().flat_map(|x| x.to_le_bytes()).collect();
    let expected = "m: tensor w: expected numbers within the range of f32, found 1e300 at index 1";
    assert_eq!(refusal("w", view(Dtype::F64, &large)).unwrap_err(), expected);
}

#[test]
fn a_pipe_is_read_once_and_to_its_end() {
    let (_folder, path, bytes) = saved();
    let from_pipe = |bytes: &[u8]| ModelFile::from_reader(bytes, None, &path).and_then(ModelFile::read);
    assert_eq!(from_pipe(&bytes).unwrap(), sample().0);
    for length in [0, 7, 20, bytes.len() - 1] {
        let message = from_pipe(&bytes[..length]).unwrap_err().to_string();
        assert!(message.contains("model.safetensors: file: expected"), "{length}: {message}");
    }
    let longer = from_pipe(&[&bytes[..], b"!"].concat()).unwrap_err().to_string();
    assert!(longer.ends_with("as the tensors of its header fill, found more"), "{longer}");
}

#[test]
fn tensors_that_contradict_themselves_are_not_saved() {
    let (folder, (mut tensors, metadata)) = (tempfile::tempdir().unwrap(), sample());
    let path = folder.path().join("model.safetensors");
    tensors[0].values.pop();
    let message = save(&path, &tensors, &metadata).unwrap_err().to_string();
    assert_eq!(message, "values of tensor 0.bias: expected 3 for shape [3], found 2");
    let twice = [sample().0[0].clone(), sample().0[0].clone()];
    assert!(save(&path, &twice, &metadata).unwrap_err().to_string().ends_with("found 0.bias twice"));
    assert!(!path.exists());
}

/// Such as is found in files of other programs: indices beside the weights.
#[test]
fn tensors_can_be_renamed_and_left_out_whatever_their_type() {
    let (_folder, path, _) = saved();
    let numbers: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensor = |dtype, bytes| safetensors::tensor::TensorView::new(dtype, vec![2], bytes).unwrap();
    let indices = [7; 16];
    let tensors = [
        ("a", tensor(Dtype::F32, &numbers)),
        ("ids", tensor(Dtype::I64, &indices)),
        ("z", tensor(Dtype::F32, &numbers)),
    ];
    std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    let opened = || ModelFile::open_any(&path).unwrap();
    let facts: Vec<_> =
        opened().tensors().map(|tensor| (tensor.name.to_string(), tensor.kind, tensor.is_read)).collect();
    let [f32, i64] = ["F32", "I64"].map(String::from);
    let mut expected =
        [("a".into(), f32.clone(), true), ("ids".into(), i64, false), ("z".into(), f32, true)].to_vec();
    // Those of larger numbers come first in a file.
    expected.sort_by_key(|(name, ..): &(String, _, _)| name.clone());
    let mut sorted = facts;
    sorted.sort_by_key(|(name, ..)| name.clone());
    assert_eq!(sorted, expected);

    let only_last = opened().renamed(|name| (name == "z").then(|| "0.weight".into()));
    assert_eq!(only_last.numbers(), 2);
    let read = only_last.read().unwrap();
    assert_eq!(read, [NamedTensor { name: "0.weight".into(), shape: vec![2], values: vec![1.5, -2.0] }]);
    let refused = opened().read().unwrap_err().to_string();
    assert!(refused.ends_with("tensor ids: expected numbers of type F32, F64, F16 or BF16, found I64"));
    assert!(ModelFile::open(&path).is_err());
}
