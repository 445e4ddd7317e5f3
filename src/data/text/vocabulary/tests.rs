use super::*;

const TEXT: &str = "to be, or not to be:\nthat is the question\n";

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn characters_are_numbered_in_ascending_order() {
    let vocabulary = Vocabulary::characters(&["cab\n", "da"], false).unwrap();
    assert_eq!((vocabulary.len(), vocabulary.unit()), (5, "character"));
    assert_eq!(vocabulary.encode("a\nd").unwrap(), [1, 0, 4]);
    assert_eq!(vocabulary.decode(&[4, 1, 3, 0, 9]), "dac\n\u{fffd}");
    assert!(vocabulary.encode("").unwrap().is_empty());
    assert_eq!(
        message(Vocabulary::characters(&[""], false)),
        "characters of the text: expected at least one, found none"
    );
}

#[test]
fn a_character_that_is_lacking_is_named_with_its_place() {
    let expected = |known: &str| {
        format!(
            "line 2, column 3 of the text: expected one of the 4 characters of the vocabulary, {known}, found 'é' (U+00E9)"
        )
    };
    let vocabulary = Vocabulary::characters(&["abc\n"], false).unwrap();
    assert_eq!(message(vocabulary.encode("abc\nabéb")), expected("\\nabc"));
    let lines = Vocabulary::characters(&["abcd"], true).unwrap();
    assert_eq!(message(lines.encode("abc\nabéb")), expected("abcd"));
}

#[test]
fn a_short_text_is_refused_with_the_number_of_the_character() {
    let vocabulary = Vocabulary::characters(&["abc\n"], false).unwrap();
    vocabulary.check_known("a\nb", "it").unwrap();
    assert_eq!(
        message(vocabulary.check_known("a\néé", "it")),
        "character 3 of it: expected one of the 4 that the model knows: \\nabc, found 'é' (U+00E9)"
    );
    assert!(vocabulary.check_known("a\r\n", "it").is_err());
    let lines = Vocabulary::characters(&["abc"], true).unwrap();
    lines.check_known("a\r\nb\n", "it").unwrap();
    assert!(message(lines.check_known("a\rb", "it")).starts_with("character 2 of it"));
    Vocabulary::bytes(false).check_known("é", "it").unwrap();
    // Of many characters the first ones are listed.
    let many: String = ('!'..='~').collect();
    let refused = message(Vocabulary::characters(&[&many], false).unwrap().check_known("é", "it"));
    assert!(
        refused.contains("of the 94 that the model knows: !\"#$%") && refused.contains("\\…, "),
        "{refused}"
    );
}

#[test]
fn lines_may_end_as_in_windows() {
    let lines = Vocabulary::characters(&["ab"], true).unwrap();
    assert_eq!(lines.encode("ab\r\nb\r\n").unwrap(), [1, 2, END, 2, END]);
    assert_eq!(Vocabulary::bytes(true).encode("\r\n\r").unwrap(), [END, 14]);
}

#[test]
fn every_vocabulary_gives_a_text_back() {
    for lines in [false, true] {
        for vocabulary in [
            Vocabulary::characters(&[TEXT], lines).unwrap(),
            Vocabulary::bytes(lines),
            Vocabulary::pairs(&[TEXT], 270, lines).unwrap(),
        ] {
            let tokens = vocabulary.encode(TEXT).unwrap();
            assert!(tokens.iter().all(|&token| (token as usize) < vocabulary.len()));
            assert_eq!(vocabulary.decode(&tokens), TEXT);
            assert_eq!(vocabulary.is_of_lines(), lines);
        }
        let bytes = Vocabulary::bytes(lines);
        assert_eq!(bytes.decode_bytes(&bytes.encode_bytes(b"\xff\n\x00").unwrap()), b"\xff\n\x00");
        assert_eq!(bytes.decode(&bytes.encode("é\n日").unwrap()), "é\n日");
        assert_eq!(Vocabulary::pairs(&[&TEXT.repeat(3)], 260, lines).unwrap().len(), 260);
    }
    assert_eq!(Vocabulary::bytes(false).decode(&[256, 65]), "\u{fffd}A");
}

#[test]
fn of_lines_the_first_token_is_their_end() {
    let vocabulary = Vocabulary::characters(&["emma", "olivia"], true).unwrap();
    // a e i l m o v, and the end.
    assert_eq!(vocabulary.len(), 8);
    assert_eq!(vocabulary.encode("emma\nava\n").unwrap(), [2, 5, 5, 1, END, 1, 7, 1, END]);
    assert_eq!(vocabulary.decode(&[END, 2, 1, END]), "\nea\n");
    assert_eq!(Vocabulary::bytes(true).len(), 257);
}

#[test]
fn a_text_that_is_no_utf8_has_no_characters() {
    let vocabulary = Vocabulary::characters(&["ab"], false).unwrap();
    assert_eq!(message(vocabulary.encode_bytes(b"ab\xffa")), "text: expected UTF-8, found another byte at 2");
}

#[test]
fn it_is_stored_as_plain_data_and_read_back_equal() {
    for vocabulary in [
        Vocabulary::characters(&["b\n\u{10ffff}a"], false).unwrap(),
        Vocabulary::bytes(true),
        Vocabulary::pairs(&[TEXT], 262, true).unwrap(),
    ] {
        let json = vocabulary.to_json();
        assert_eq!(Vocabulary::from_json(&json).unwrap(), vocabulary, "{json}");
    }
    let json = Vocabulary::characters(&["ba"], true).unwrap().to_json();
    assert_eq!(json, r#"{"units":{"kind":"characters","characters":"ab"},"lines":true}"#);
}

#[test]
fn a_stored_one_that_is_none_is_refused() {
    for (units, expected) in [
        (r#"{"kind":"characters","characters":"ba"}"#, "ascending order"),
        (r#"{"kind":"characters","characters":"aa"}"#, "ascending order"),
        (r#"{"kind":"characters","characters":""}"#, "expected some"),
        (r#"{"kind":"pairs","joined":[[1,300]]}"#, "before it is made"),
        (r#"{"kind":"words"}"#, "unknown variant"),
    ] {
        let json = format!(r#"{{"units":{units}}}"#);
        let refused = Vocabulary::from_json(&json).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[cfg(not(feature = "tokenizers"))]
#[test]
fn without_the_library_it_is_said_how_to_build_it_in() {
    let refused = message(Vocabulary::tokenizer("{}".into(), false));
    assert!(refused.contains("cargo build --release --features tokenizers"), "{refused}");
}

#[cfg(feature = "tokenizers")]
#[test]
fn a_tokenizer_is_read_and_gives_a_text_back() {
    let json = r#"{"version":"1.0","truncation":{"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0},
        "padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,
        "fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}"#;
    let vocabulary = Vocabulary::tokenizer(json.into(), false).unwrap();
    assert_eq!(vocabulary.len(), 3);
    // What it says of cutting texts does not count.
    assert_eq!(vocabulary.encode("abaab").unwrap(), [2, 0, 2]);
    assert!(Vocabulary::tokenizer("{}".into(), false).is_err());
}
