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
    // As many positions as are asked for, whatever the lines need.
    let wide = loaded("ba\n\ncab\r\nc", TokenUnit::Characters, Form::Lines { context: Some(6) }).unwrap();
    assert_eq!((tokens(&wide.train).positions, wide.test.shape()), (6, [1, 1, 6]));
    assert_eq!(tokens(&wide.train).ids[5], NO_TOKEN);
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

/// A model of another text reads a file by the rules by which one to learn from is read.
#[test]
fn a_text_to_try_a_model_on_is_read_as_one_to_learn_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.txt");
    let vocabulary = Arc::new(Vocabulary::characters(&["abc\n"], false).unwrap());
    let tried = |content: &[u8], context| {
        std::fs::write(&path, content).unwrap();
        samples_of_file(&vocabulary, &path, None, context)
    };
    let refused = |content: &[u8]| tried(content, 3).unwrap_err().to_string();
    // Without its mark; and to the last token, though that is no whole window.
    let seen = tried("\u{feff}abcab\n".as_bytes(), 3).unwrap();
    assert_eq!((seen.name, seen.origin), (path.display().to_string(), Origin::Files(vec![path.clone()])));
    assert_eq!((seen.samples.len(), bytes(&seen.samples)), (2, &[1, 2, 3, 1, 2, 0][..]));
    assert_eq!(tokens(&seen.samples).ids, [2, 3, 1, 2, 0, NO_TOKEN]);
    assert_eq!(seen.samples.vocabulary(), Some(&vocabulary));
    // Shorter than a window, too.
    assert_eq!(tokens(&tried(b"ab", 3).unwrap().samples).ids, [2, NO_TOKEN, NO_TOKEN]);
    let name = path.display();
    assert_eq!(
        refused(b"a"),
        format!("{name}: tokens of the text: expected at least 2, one to read and one to foretell, found 1")
    );
    assert!(refused(b"abc\nab!").starts_with(&format!("{name}: line 2, column 3 of the text: ")));
    assert!(refused(b"ab\xff").contains("byte 2: expected UTF-8"));
    assert!(refused(b"").ends_with("the file is empty"));
    // A published one has a name.
    std::fs::write(folder.path().join("names.txt"), "ab\nc\n").unwrap();
    let published = samples_of_file(&vocabulary, Path::new("names"), Some(folder.path()), 9).unwrap();
    assert_eq!(published.samples.len(), 1);
    assert!(samples_of(&vocabulary, b"abc", 0).is_err());
    // Any bytes are a text to a model of bytes.
    let any = samples_of_file(&Arc::new(Vocabulary::bytes(false)), &path, None, 3);
    assert!(any.unwrap_err().to_string().ends_with("the file is empty"));
    std::fs::write(&path, b"\xff\xfe\xfd").unwrap();
    assert!(samples_of_file(&Arc::new(Vocabulary::bytes(false)), &path, None, 3).is_ok());
}

#[test]
fn a_line_that_is_too_long_for_a_model_is_named() {
    let vocabulary = Arc::new(Vocabulary::characters(&["abc"], true).unwrap());
    assert_eq!(samples_of(&vocabulary, b"abc\nab\n", 4).unwrap().len(), 2);
    let refused = samples_of(&vocabulary, b"ab\n\nabca\n", 4).unwrap_err().to_string();
    assert_eq!(
        refused,
        "tokens of line 3: expected at most 3, one fewer than the model's `data.context`, or as the longest line of the text \
         that it was trained on, found 4"
    );
    let refused = samples_of(&vocabulary, "ab\nabé\n".as_bytes(), 4).unwrap_err().to_string();
    assert!(refused.starts_with("line 2, column 3 of the text"), "{refused}");
}

/// What a model was tried on in its training, by its own vocabulary and not by one that the text would give now.
#[test]
fn the_part_that_was_set_aside_is_read_by_the_vocabulary_of_a_model() {
    for form in [stream(3, 1), Form::Lines { context: None }] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.txt");
        let text = "ab\nbca\nab\nc\n".repeat(8);
        std::fs::write(&path, &text).unwrap();
        let setup = setup(&path, TokenUnit::Characters, form);
        let set = load(&setup, None, 1, None).unwrap();
        let vocabulary = set.train.vocabulary().unwrap();
        let context = set.test.shape()[2];
        let held = || held_out(&setup, vocabulary, context, None, 1, None);
        let tried = held().unwrap();
        assert_eq!((tried.name.as_str(), &tried.samples), ("mine", &set.test));
        // Another text of as many characters has another vocabulary.
        std::fs::write(&path, text.replace(['a', 'c'], "d")).unwrap();
        let refused = held().unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{}: line ", path.display())), "{refused}");
        assert!(
            refused.contains("of the text: expected one of the ") && refused.contains("'d'"),
            "{refused}"
        );
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(held(), Err(Error::Io { .. })));
    }
}
