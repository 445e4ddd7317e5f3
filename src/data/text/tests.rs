//! From texts in files to samples.

use std::path::Path;

use super::*;
use crate::data::samples::{Origin, Targets, Tokens};
use crate::error::Error;
use crate::kernels::loss::NO_TOKEN;

fn setup(file: &Path, unit: TokenUnit, form: Form) -> TextSetup {
    TextSetup { source: TextSource::File(file.to_str().unwrap().into()), unit, form, held: HELD }
}

/// The data set of a file with this content.
fn loaded(content: impl AsRef<[u8]>, unit: TokenUnit, form: Form) -> Result<DataSet> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.txt");
    std::fs::write(&path, content).unwrap();
    load(&setup(&path, unit, form), None, 1, None)
}

fn message(content: impl AsRef<[u8]>, unit: TokenUnit, form: Form) -> String {
    loaded(content, unit, form).unwrap_err().to_string()
}

fn tokens(samples: &Samples) -> &Tokens {
    match samples.targets() {
        Targets::Tokens(tokens) => tokens,
        other => panic!("{other:?}"),
    }
}

fn bytes(samples: &Samples) -> &[u8] {
    match samples.features() {
        Features::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

const fn stream(context: usize, stride: usize) -> Form {
    Form::Stream { context, stride }
}

#[test]
fn windows_of_a_stream_overlap_and_targets_are_one_further_on() {
    // 50 characters: 45 to learn from, 5 set aside.
    let set = loaded("abcde".repeat(10), TokenUnit::Characters, stream(3, 2)).unwrap();
    assert_eq!((set.classes, set.validates, set.name.as_str()), (5, true, "mine"));
    assert!(matches!(set.origin, Origin::Files(_)));
    let train = tokens(&set.train);
    // The last window begins at 40; the one from 42 on has no token behind it.
    assert_eq!((set.train.len(), train.positions, train.step, train.vocabulary), (21, 3, 2, 5));
    assert_eq!(bytes(&set.train)[..6], [0, 1, 2, 3, 4, 0]);
    assert_eq!(train.ids[..6], [1, 2, 3, 4, 0, 1]);
    assert_eq!((bytes(&set.train).len(), train.ids.len()), (43, 43));
    assert_eq!(set.train.features_per_sample(), 3);
    // Of 5 tokens one window of 3 with its targets.
    assert_eq!(
        (set.test.len(), bytes(&set.test), &tokens(&set.test).ids[..]),
        (1, &[0, 1, 2][..], &[1, 2, 3][..])
    );
    let vocabulary = set.train.vocabulary().unwrap();
    assert_eq!(vocabulary.decode(&[4, 0]), "ea");
    assert_eq!(set.test.vocabulary(), Some(vocabulary));
}

#[test]
fn windows_are_as_many_as_have_a_token_behind_them() {
    let set = loaded("ab".repeat(50), TokenUnit::Characters, stream(4, 1)).unwrap();
    // 90 tokens to learn from: as many windows as nanoGPT draws from.
    assert_eq!(set.train.len(), 86);
    assert_eq!((set.test.len(), tokens(&set.test).step), (2, 4));
}

#[test]
fn the_part_set_aside_is_counted_in_characters_or_bytes() {
    let text = "é".repeat(60) + &"日".repeat(40);
    let of = |unit| loaded(&text, unit, stream(4, 1)).unwrap();
    let characters = of(TokenUnit::Characters);
    assert_eq!((characters.classes, characters.train.len(), characters.test.len()), (2, 86, 2));
    let bytes = of(TokenUnit::Bytes);
    // 240 bytes.
    assert_eq!((bytes.classes, bytes.train.len(), bytes.test.len()), (256, 212, 5));
}

#[test]
fn byte_pairs_are_learnt_from_the_part_to_learn_from() {
    let text = "the cat and the dog ".repeat(45) + &"zebra ".repeat(17);
    let set = loaded(&text, TokenUnit::Pairs { tokens: 300 }, stream(4, 1)).unwrap();
    assert!((257..300).contains(&set.classes), "{}", set.classes);
    assert!(set.notes[0].contains("no more pairs"), "{:?}", set.notes);
    let vocabulary = set.train.vocabulary().unwrap();
    assert_eq!(vocabulary.encode("zebra").unwrap(), "zebra".bytes().map(u32::from).collect::<Vec<_>>());
    assert_eq!(vocabulary.encode(" the").unwrap().len(), 1);
    assert!(matches!(set.train.features(), Features::Floats(_)));
}

#[test]
fn lines_begin_and_end_with_the_token_of_the_end() {
    let set = loaded("ba\n\ncab\r\nc", TokenUnit::Characters, Form::Lines { context: None }).unwrap();
    assert_eq!(set.notes, ["an empty line is left out"]);
    assert_eq!((set.classes, set.train.len(), set.test.len()), (4, 2, 1));
    let mut seen = Vec::new();
    for samples in [&set.train, &set.test] {
        assert_eq!((tokens(samples).positions, tokens(samples).step), (4, 4));
        let rows = bytes(samples).chunks(4).zip(tokens(samples).ids.chunks(4));
        seen.extend(rows.map(|(input, target)| (input.to_vec(), target.to_vec())));
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            (vec![0, 2, 1, 0], vec![2, 1, END, NO_TOKEN]),
            (vec![0, 3, 0, 0], vec![3, END, NO_TOKEN, NO_TOKEN]),
            (vec![0, 3, 1, 2], vec![3, 1, 2, END]),
        ]
    );
    let other = loaded("ba\n\ncab\r\nc", TokenUnit::Characters, Form::Lines { context: Some(4) }).unwrap();
    assert_eq!(other.train, set.train);
    let bytes = loaded("ba\ncab\nc", TokenUnit::Bytes, Form::Lines { context: None }).unwrap();
    assert_eq!((bytes.classes, bytes.train.len()), (257, 2));
}

#[test]
fn lines_are_set_aside_by_the_seed() {
    let text: String = (0..100).map(|line| format!("{line}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.txt");
    std::fs::write(&path, text).unwrap();
    let of = |seed| {
        let setup = setup(&path, TokenUnit::Characters, Form::Lines { context: None });
        load(&setup, None, seed, None).unwrap()
    };
    assert_eq!((of(1).train.len(), of(1).test.len()), (90, 10));
    assert_eq!(of(1).test, of(1).test);
    assert_ne!(of(1).test, of(2).test);
}

#[test]
fn texts_that_are_too_short_or_no_text_are_refused() {
    let form = stream(8, 1);
    assert!(
        message("", TokenUnit::Bytes, form)
            .ends_with("the text: expected characters, found none: the file is empty")
    );
    assert!(message("\u{feff}", TokenUnit::Characters, form).ends_with("the file is empty"));
    let short =
        "tokens of the part to learn from: expected at least 9, one more than `data.context`, found 8";
    assert_eq!(message("abcdefghi", TokenUnit::Characters, form), short);
    let short = "tokens of the part set aside (`data.held` = 0.1): expected at least 9, one more than `data.context`, \
                 found 2";
    assert_eq!(message("abcdefghijklmn", TokenUnit::Characters, form), short);
    let refused = message(b"\xef\xbb\xbfabc\xff", TokenUnit::Characters, form);
    assert!(refused.contains("byte 6: expected UTF-8"), "{refused}");
    assert!(refused.ends_with("found the byte 0xff"), "{refused}");
    assert!(loaded([255u8; 200], TokenUnit::Bytes, form).is_ok());

    let lines = Form::Lines { context: Some(4) };
    let long = "tokens of line 3: expected at most 3, one fewer than `data.context`, found 4";
    assert_eq!(message("ab\nabc\nabcd\n", TokenUnit::Characters, lines), long);
    assert!(
        message("abc\n\n", TokenUnit::Characters, lines).starts_with("lines of the text that are not empty")
    );
}

#[test]
fn files_are_found_in_the_folder_of_data_or_beside_the_recipe() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.txt"), "abc".repeat(40)).unwrap();
    let setup = setup(Path::new("mine.txt"), TokenUnit::Characters, stream(4, 1));
    let of = |beside, data_dir| load(&setup, beside, 1, data_dir);
    assert_eq!(of(None, Some(folder.path())).unwrap().classes, 3);
    assert_eq!(of(Some(folder.path()), None).unwrap().classes, 3);
    assert!(matches!(of(None, None), Err(Error::Io { .. })));
    let published = TextSetup { source: TextSource::File("tinyshakespeare".into()), ..setup.clone() };
    let refused = load(&published, None, 1, Some(folder.path())).unwrap_err();
    assert!(matches!(refused, Error::DataMissing { .. }), "{refused}");
}

#[test]
fn without_a_file_a_grammar_writes_the_text() {
    let source = TextSource::Grammar { characters: 5_000 };
    let setup = TextSetup { source, unit: TokenUnit::Characters, form: stream(32, 1), held: 0.2 };
    let set = load(&setup, None, 7, None).unwrap();
    assert_eq!((set.name.as_str(), set.origin), ("grammar", Origin::Generated { seed: 7 }));
    assert!((3_800..4_000).contains(&set.train.len()), "{}", set.train.len());
    assert_ne!(set.train, load(&setup, None, 8, None).unwrap().train);
    let refused = load(&setup, None, 7, Some(Path::new("x"))).unwrap_err().to_string();
    assert!(
        refused.starts_with("folder of data (--data): expected none for a text that is generated"),
        "{refused}"
    );
}
