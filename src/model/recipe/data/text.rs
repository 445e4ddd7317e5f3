//! The keys of `[data]` that say which text is read, what its tokens are, and what a sample is.

use std::path::PathBuf;

use toml::{Table, Value};

use super::super::super::section::{Section, integer_text, unit_inner};
use super::super::values::integer;
use crate::data::text::{Form, HELD, MOST_TOKENS, TextSetup, TextSource, TokenUnit, grammar};
use crate::error::Result;

/// The name of the data set that is a text in a file.
pub const TEXT: &str = "text";

/// The name of the data set that is a text which a grammar writes.
pub const GRAMMAR: &str = "grammar";

/// Keys that texts have and tables have not.
pub(super) const OWN_KEYS: [&str; 7] =
    ["unit", "form", "context", "stride", "held", "vocabulary", "tokenizer"];

/// The most tokens of a sample.
const MOST_CONTEXT: usize = 1 << 20;

/// Tokens of a sample where nothing else is said.
const CONTEXT: usize = 64;

/// Tokens of a vocabulary of byte pairs where nothing else is said.
const TOKENS: usize = 1024;

/// A vocabulary of byte pairs has all bytes and the end of a line, so that one with a pair has more tokens.
const LEAST_TOKENS: usize = 258;

/// A text as a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct TextConfig {
    pub setup: TextSetup,
    /// The folder of the recipe, if it was read from a file: no part of its text.
    pub folder: Option<PathBuf>,
}

impl TextConfig {
    /// That of the set `text` or `grammar`.
    pub(super) fn read(section: &mut Section, set: &str) -> Result<TextConfig> {
        let source = read_source(section, set)?;
        let unit = read_unit(section)?;
        let form = read_form(section)?;
        let held = section.number("held", HELD, unit_inner())?;
        Ok(TextConfig { setup: TextSetup { source, unit, form, held }, folder: None })
    }

    /// Writes all of it.
    pub(in crate::model::recipe) fn write(&self, table: &mut Table) {
        let TextSetup { source, unit, form, held } = &self.setup;
        let mut put = |key: &str, value: Value| {
            table.insert(key.to_string(), value);
        };
        match source {
            TextSource::File(file) => put("file", file.as_str().into()),
            TextSource::Grammar { characters } => put("characters", integer(*characters as u64)),
        }
        match unit {
            TokenUnit::Characters => put("unit", "characters".into()),
            TokenUnit::Bytes => put("unit", "bytes".into()),
            TokenUnit::Pairs { tokens } => {
                put("unit", "bpe".into());
                put("vocabulary", integer(*tokens as u64));
            }
            TokenUnit::Tokenizer(file) => {
                put("unit", "bpe".into());
                put("tokenizer", file.as_str().into());
            }
        }
        match form {
            Form::Stream { context, stride } => {
                put("form", "stream".into());
                put("context", integer(*context as u64));
                put("stride", integer(*stride as u64));
            }
            Form::Lines { context } => {
                put("form", "lines".into());
                if let Some(context) = context {
                    put("context", integer(*context as u64));
                }
            }
        }
        put("held", (*held).into());
    }
}

fn read_source(section: &mut Section, set: &str) -> Result<TextSource> {
    if set == TEXT {
        let expected =
            "the path of a text, or tinyshakespeare or names (the set `grammar` writes a text itself)";
        let file = section.text("file", expected)?;
        if section.has("characters") {
            let expected = "none beside `data.file`, whose text is as long as it is";
            return Err(section.setting("characters", expected, "one"));
        }
        return Ok(TextSource::File(file));
    }
    if section.has("file") {
        let expected = "none with the set `grammar`, which writes the text itself";
        return Err(section.setting("file", expected, "one"));
    }
    let characters = section.integer("characters", grammar::CHARACTERS, grammar::LEAST, grammar::MOST)?;
    Ok(TextSource::Grammar { characters })
}

fn read_unit(section: &mut Section) -> Result<TokenUnit> {
    let unit =
        section.choice("unit", "unit of texts", Some("characters"), &["characters", "bytes", "bpe"])?;
    let given = ["tokenizer", "vocabulary"].into_iter().find(|key| section.has(key));
    match (unit, given) {
        ("bpe", Some("tokenizer")) if section.has("vocabulary") => {
            let expected = "none beside `data.tokenizer`, which has its own";
            Err(section.setting("vocabulary", expected, "one"))
        }
        ("bpe", Some("tokenizer")) => {
            Ok(TokenUnit::Tokenizer(section.text("tokenizer", "the path of a tokenizer.json")?))
        }
        ("bpe", _) => {
            let tokens = section.integer("vocabulary", TOKENS, LEAST_TOKENS, MOST_TOKENS)?;
            Ok(TokenUnit::Pairs { tokens })
        }
        (_, Some(key)) => Err(section.setting(key, "none without `data.unit = \"bpe\"`", "one")),
        ("bytes", None) => Ok(TokenUnit::Bytes),
        (_, None) => Ok(TokenUnit::Characters),
    }
}

fn read_form(section: &mut Section) -> Result<Form> {
    let form = section.choice("form", "form of samples", Some("stream"), &["stream", "lines"])?;
    let context = section.optional_integer("context", 1, MOST_CONTEXT)?;
    if form == "lines" {
        if section.has("stride") {
            let expected = "none with `data.form = \"lines\"`, where each line is a sample";
            return Err(section.setting("stride", expected, "one"));
        }
        return match context {
            // A line has at least one token, and its end.
            Some(1) => Err(section.setting("context", &integer_text(2, MOST_CONTEXT), "1")),
            context => Ok(Form::Lines { context }),
        };
    }
    let stride = section.integer("stride", 1, 1, MOST_CONTEXT)?;
    Ok(Form::Stream { context: context.unwrap_or(CONTEXT), stride })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Recipe;

    fn parsed(data: &str) -> Result<Recipe, String> {
        let text = format!(
            "name = \"x\"\n[data]\n{data}\n[model]\nlayers = [{{ type = \"dense\", units = 1 }}]\n\
             [optimizer]\nname = \"sgd\"\n[train]"
        );
        Recipe::parse(&text, "test").map_err(|error| error.to_string())
    }

    fn setup(data: &str) -> TextSetup {
        parsed(data).unwrap().data.text.unwrap().setup
    }

    #[test]
    fn what_is_not_said_is_characters_in_windows_of_generated_text() {
        let default = TextSetup {
            source: TextSource::Grammar { characters: 200_000 },
            unit: TokenUnit::Characters,
            form: Form::Stream { context: 64, stride: 1 },
            held: 0.1,
        };
        assert_eq!(setup("set = \"grammar\""), default);
        let source = TextSource::File("a.txt".into());
        assert_eq!(setup("set = \"text\"\nfile = \"a.txt\""), TextSetup { source, ..default });
    }

    #[test]
    fn all_keys_are_read_and_written_back_equal() {
        for data in [
            "set = \"grammar\"",
            "set = \"grammar\"\ncharacters = 5000\nseed = 3\nheld = 0.25",
            "set = \"text\"\nfile = \"tinyshakespeare\"\nunit = \"characters\"\ncontext = 128\nstride = 16",
            "set = \"text\"\nfile = \"names\"\nform = \"lines\"\ncontext = 20",
            "set = \"text\"\nfile = \"a.bin\"\nunit = \"bytes\"\nform = \"lines\"",
            "set = \"text\"\nfile = \"a.txt\"\nunit = \"bpe\"",
            "set = \"text\"\nfile = \"a.txt\"\nunit = \"bpe\"\nvocabulary = 70000",
            "set = \"text\"\nfile = \"a.txt\"\nunit = \"bpe\"\ntokenizer = \"tokenizer.json\"",
        ] {
            let recipe = parsed(data).unwrap();
            assert!(recipe.data.text.is_some() && recipe.data.table.is_none(), "{data}");
            assert_eq!(Recipe::parse(&recipe.to_toml(), "copy").unwrap(), recipe, "{}", recipe.to_toml());
        }
        assert_eq!(setup("set = \"grammar\"\nunit = \"bpe\"").unit, TokenUnit::Pairs { tokens: 1024 });
        let lines = setup("set = \"text\"\nfile = \"names\"\nform = \"lines\"");
        assert_eq!(lines.form, Form::Lines { context: None });
        assert_eq!(lines.source, TextSource::File("names".into()));
    }

    #[test]
    fn keys_that_make_no_sense_are_refused() {
        for (data, expected) in [
            ("file = \"x\"", "`data.file`: expected none with the set `grammar`"),
            ("unit = \"words\"", "unknown unit of texts `words`"),
            ("vocabulary = 300", "`data.vocabulary`: expected none without `data.unit = \"bpe\"`"),
            ("unit = \"bytes\"\ntokenizer = \"x\"", "`data.tokenizer`: expected none without"),
            ("unit = \"bpe\"\ntokenizer = \"x\"\nvocabulary = 300", "expected none beside `data.tokenizer`"),
            (
                "unit = \"bpe\"\nvocabulary = 257",
                "`data.vocabulary`: expected an integer from 258 to 16777216",
            ),
            ("form = \"lines\"\nstride = 2", "`data.stride`: expected none with `data.form = \"lines\"`"),
            ("form = \"lines\"\ncontext = 1", "`data.context`: expected an integer from 2"),
            ("context = 0", "`data.context`: expected an integer from 1"),
            ("held = 1", "`data.held`: expected a number in (0, 1), found 1"),
            ("characters = 10", "`data.characters`: expected an integer from 1000 to 100000000"),
            ("validation = 0.1", "`data.validation`: expected none with a text"),
            ("scale = 255", "`data.scale`: expected 1 or none with a text"),
            ("mean = 0.5", "`data.mean`: expected 0 or none with a text"),
            ("deviation = 2", "`data.deviation`: expected 1 or none with a text"),
            ("target = \"x\"", "unknown key `data.target`"),
            ("stratified = false", "`data.stratified`: expected true or none with a text"),
        ] {
            let refused = parsed(&format!("set = \"grammar\"\n{data}")).unwrap_err();
            assert!(refused.contains(expected), "{data}: {refused}");
        }
        let refused = parsed("set = \"text\"\nfile = \"x\"\ncharacters = 2000").unwrap_err();
        assert!(refused.contains("expected none beside `data.file`"), "{refused}");
        let refused = parsed("set = \"text\"\ncontext = 8").unwrap_err();
        assert!(refused.contains("`data.file`: expected the path of a text"), "{refused}");
        assert!(
            refused.contains("the set `grammar` writes") && refused.ends_with("found nothing"),
            "{refused}"
        );
    }

    /// Of a stream from a file nothing is drawn; of lines those that are set aside are, and a grammar draws its text.
    #[test]
    fn a_seed_is_refused_where_it_decides_nothing() {
        let refused = parsed("set = \"text\"\nfile = \"a.txt\"\nseed = 2").unwrap_err();
        assert!(refused.contains("`data.seed`: expected 1 or none with a stream from a file"), "{refused}");
        parsed("set = \"text\"\nfile = \"a.txt\"\nform = \"lines\"\nseed = 2").unwrap();
        parsed("set = \"grammar\"\nseed = 2").unwrap();
    }

    #[test]
    fn keys_of_a_text_beside_a_table_say_which_set_they_are_of() {
        let refused = parsed("file = \"a.txt\"\ncontext = 16").unwrap_err();
        assert_eq!(refused, "test: `data.set`: expected `text`, of which `data.context` is, found `table`");
        let refused = parsed("set = \"iris\"\ncontext = 16").unwrap_err();
        assert!(refused.contains("unknown key `data.context`"), "{refused}");
    }
}
