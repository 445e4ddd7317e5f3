use super::*;

fn read<T>(text: &str, read: impl FnOnce(&mut Section) -> Result<T>) -> Result<T, String> {
    let source = Source::new("a.toml");
    let mut section = Section::root(text.parse().unwrap(), &source);
    read(&mut section).and_then(|value| section.finish().map(|()| value)).map_err(|e| e.to_string())
}

#[test]
fn values_and_defaults_are_read() {
    let both = |section: &mut Section| {
        Ok((section.number("rate", 0.5, positive())?, section.integer("units", 7, 1, 9)?))
    };
    assert_eq!(read("", both), Ok((0.5, 7)));
    assert_eq!(read("rate = 2\nunits = 9", both), Ok((2.0, 9)));
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    let cases = [
        ("x = 0", positive(), "a.toml: `x`: expected a number above 0, found 0"),
        ("x = nan", finite(), "a.toml: `x`: expected a finite number, found NaN"),
        ("x = inf", non_negative(), "a.toml: `x`: expected a number of at least 0, found inf"),
        ("x = 1.0", unit_open(), "a.toml: `x`: expected a number in [0, 1), found 1"),
        ("x = 1.5", unit(), "a.toml: `x`: expected a number in [0, 1], found 1.5"),
        ("x = '3'", positive(), "a.toml: `x`: expected a number above 0, found the text \"3\""),
    ];
    for (text, range, message) in cases {
        assert_eq!(read(text, |s| s.number("x", 1.0, range)).unwrap_err(), message);
    }
    assert_eq!(read("x = 0.0", |s| s.number("x", 1.0, unit_open())), Ok(0.0));
    assert_eq!(read("x = 1", |s| s.number("x", 0.0, unit())), Ok(1.0));
}

#[test]
fn a_number_that_single_precision_cannot_hold_is_refused() {
    let single = |s: &mut Section| s.single("x", 1.0, positive());
    assert_eq!(read("x = 0.25", single), Ok(0.25));
    let tiny = read("x = 1e-300", single).unwrap_err();
    assert_eq!(tiny, "a.toml: `x`: expected a number above 0 in single precision, found 1e-300");
    assert!(read("x = 1e300", single).unwrap_err().ends_with("found 1e300"));
}

#[test]
fn integers_are_bounded() {
    let units = |s: &mut Section| s.required_integer("units", 1, 100);
    assert_eq!(read("units = 100", units), Ok(100));
    for (text, found) in [
        ("units = 0", "0"),
        ("units = -3", "-3"),
        ("units = 9223372036854775807", "9223372036854775807"),
        ("units = 2.0", "the number 2"),
        ("", "nothing"),
    ] {
        let message = format!("a.toml: `units`: expected an integer from 1 to 100, found {found}");
        assert_eq!(read(text, units).unwrap_err(), message);
    }
}

#[test]
fn an_unknown_key_is_named_with_its_path_and_the_nearest_known_one() {
    let source = Source::new("a.toml");
    let text = "[optimizer]\nbeat1 = 0.9";
    let mut root = Section::root(text.parse().unwrap(), &source);
    let mut optimizer = root.table("optimizer").unwrap();
    optimizer.number("beta1", 0.9, unit_open()).unwrap();
    optimizer.number("epsilon", 1e-8, positive()).unwrap();
    assert_eq!(
        optimizer.finish().unwrap_err().to_string(),
        "a.toml: unknown key `optimizer.beat1`; did you mean `optimizer.beta1`?"
    );
    root.finish().unwrap();
}

#[test]
fn an_unlike_key_is_answered_with_the_known_ones() {
    let message = read("zzz = 1", |s| s.boolean("shuffle", true)).unwrap_err();
    assert_eq!(message, "a.toml: unknown key `zzz`; known: shuffle");
}

#[test]
fn overridden_keys_and_what_is_under_them_are_of_the_command_line() {
    let mut source = Source::new("a.toml");
    source.mark_overridden("model.layers.1");
    assert_eq!(source.place_of("model.layers.1"), COMMAND_LINE);
    assert_eq!(source.place_of("model.layers.1.units"), COMMAND_LINE);
    assert_eq!(source.place_of("model.layers.10"), "a.toml");
    assert_eq!(source.place_of("model"), "a.toml");
}

#[test]
fn a_name_and_a_table_with_that_type_read_the_same() {
    for text in ["a = 'relu'", "a = { type = 'relu' }"] {
        let name = read(text, |s| {
            let mut named = s.named("a")?.unwrap();
            let name = named.choice("type", "activation", None, &["tanh", "relu"])?;
            named.finish().map(|()| name)
        });
        assert_eq!(name, Ok("relu"));
    }
    let mistyped =
        read("a = 'rellu'", |s| s.named("a")?.unwrap().choice("type", "activation", None, &["tanh", "relu"]));
    assert_eq!(mistyped.unwrap_err(), "a.toml: `a.type`: unknown activation `rellu`; did you mean `relu`?");
}

#[test]
fn texts_in_messages_are_short_and_printable() {
    let long = format!("x = \"{}\\u001b\"", "é".repeat(200));
    let message = read(&long, |s| s.boolean("x", true)).unwrap_err();
    assert!(message.chars().count() < 120 && !message.contains('\u{1b}'), "{message}");
}
