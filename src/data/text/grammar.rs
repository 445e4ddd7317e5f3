//! Text that a small grammar writes, for trying models of language without a file: sentences of a few hundred words, one a
//! line, in which verbs agree with their subjects, quotations end and a question ends with its mark.

use rand::RngExt;

use crate::rng::{Purpose, Stream, stream};

/// The characters of a text where no other number is asked for.
pub const CHARACTERS: usize = 200_000;

/// The fewest characters that can be asked for: every sentence is shorter.
pub const LEAST: usize = 1_000;

/// The most.
pub const MOST: usize = 100_000_000;

const NAMES: &str = "Ada Bruno Clara David Edith Felix Greta Henry Ida Jonas Karla Leo Mara Nils Olga Paul Rosa Simon Tilda \
                     Victor";

const BEINGS: &str = "teacher sailor doctor farmer painter baker king queen child boy girl soldier miller hunter merchant \
                      singer driver judge neighbour stranger gardener pilot servant poet cat dog horse fox wolf bear bird \
                      owl crow goose goat rabbit";

const THINGS: &str = "house garden river stone tree apple letter book key door window table chair candle lamp boat bridge \
                      road wheel bell coat hat ring coin map clock knife plate cup basket ladder rope sword flower cloud \
                      song story picture machine engine bottle blanket mirror pencil hammer needle barrel kettle";

const PLACES: &str = "forest village town castle market harbour mountain valley field kitchen cellar school mill tower lake \
                      island desert station theatre square";

const ADJECTIVES: &str = "old young small large quiet loud brave tired happy sad clever foolish gentle proud strange new \
                          red green white black golden broken heavy light cold warm bright dark empty full hidden famous \
                          simple narrow wide sharp soft rough silver wooden";

const ADVERBS: &str = "slowly quickly often never always gladly quietly again soon carefully rarely suddenly early late \
                       together alone bravely badly well twice";

const ACTIONS: &str = "see find carry sell paint hold open close follow help love fear watch lift drop wash hide bring take \
                       break mend push pull guard steal lose forget remember want need choose count";

const DOINGS: &str = "sleep walk run sing dance laugh cry wait work dream fall rise swim smile listen rest speak stay travel \
                      return";

const SAYINGS: &str = "says asks answers whispers shouts thinks";

const PREPOSITIONS: &str = "in near behind before above under beside beyond";

const CONJUNCTIONS: &str = "and but while because when until although";

/// Whole sentences, at most so many characters together, one a line.
///
/// The sentences of a seed are the same for every number of characters: fewer are the first ones.
pub fn write(characters: usize, seed: u64) -> String {
    let words = Words::new();
    let mut text = String::new();
    for index in 0.. {
        let sentence = Writer { words: &words, stream: stream(seed, Purpose::Generated, index) }.sentence();
        if text.len() + sentence.len() + 1 > characters {
            break;
        }
        text += &sentence;
        text.push('\n');
    }
    text
}

struct Words {
    names: Vec<&'static str>,
    beings: Vec<&'static str>,
    things: Vec<&'static str>,
    places: Vec<&'static str>,
    adjectives: Vec<&'static str>,
    adverbs: Vec<&'static str>,
    actions: Vec<&'static str>,
    doings: Vec<&'static str>,
    sayings: Vec<&'static str>,
    prepositions: Vec<&'static str>,
    conjunctions: Vec<&'static str>,
}

impl Words {
    fn new() -> Words {
        let split = |words: &'static str| words.split_whitespace().collect();
        Words {
            names: split(NAMES),
            beings: split(BEINGS),
            things: split(THINGS),
            places: split(PLACES),
            adjectives: split(ADJECTIVES),
            adverbs: split(ADVERBS),
            actions: split(ACTIONS),
            doings: split(DOINGS),
            sayings: split(SAYINGS),
            prepositions: split(PREPOSITIONS),
            conjunctions: split(CONJUNCTIONS),
        }
    }
}

/// One sentence being written.
struct Writer<'a> {
    words: &'a Words,
    stream: Stream,
}

impl Writer<'_> {
    fn sentence(mut self) -> String {
        let text = match self.stream.random_range(0..10) {
            0 => self.question(),
            1 => self.quotation(),
            _ => self.statement() + ".",
        };
        capitalised(&text)
    }

    /// One clause, or two that are joined.
    fn statement(&mut self) -> String {
        let first = self.clause();
        if !self.is(0.35) {
            return first;
        }
        let conjunction = self.one(&self.words.conjunctions);
        format!("{first}, {conjunction} {}", self.clause())
    }

    fn question(&mut self) -> String {
        let is_plural = self.is(0.4);
        let does = if is_plural { "do" } else { "does" };
        let asks = ["why", "where", "when", "how"][self.stream.random_range(0..4)];
        let subject = self.being(is_plural);
        // After "does" a verb stands as after "do".
        format!("{asks} {does} {subject} {}?", self.deed(true))
    }

    fn quotation(&mut self) -> String {
        let said = capitalised(&self.clause());
        let (says, speaker) = (self.one(&self.words.sayings), self.being(false));
        format!("\"{said},\" {says} {speaker}.")
    }

    fn clause(&mut self) -> String {
        let is_plural = self.is(0.35);
        let subject = self.being(is_plural);
        let about = if self.is(0.1) { format!(" who {}", self.deed(is_plural)) } else { String::new() };
        format!("{subject}{about} {}", self.deed(is_plural))
    }

    /// A verb with what belongs to it.
    fn deed(&mut self, is_plural: bool) -> String {
        let adverb = if self.is(0.2) { format!("{} ", self.one(&self.words.adverbs)) } else { String::new() };
        let verb = if self.is(0.65) {
            let verb = agreeing(self.one(&self.words.actions), is_plural);
            let (of_things, are_many) = (self.is(0.75), self.is(0.3));
            format!("{verb} {}", if of_things { self.thing(are_many) } else { self.being(are_many) })
        } else {
            agreeing(self.one(&self.words.doings), is_plural)
        };
        let place = if self.is(0.3) { format!(" {}", self.place()) } else { String::new() };
        format!("{adverb}{verb}{place}")
    }

    fn being(&mut self, is_plural: bool) -> String {
        if !is_plural && self.is(0.3) {
            return self.one(&self.words.names).to_string();
        }
        let noun = self.one(&self.words.beings);
        self.described(noun, is_plural)
    }

    fn thing(&mut self, is_plural: bool) -> String {
        let noun = self.one(&self.words.things);
        self.described(noun, is_plural)
    }

    fn place(&mut self) -> String {
        let (preposition, noun) = (self.one(&self.words.prepositions), self.one(&self.words.places));
        format!("{preposition} {}", self.described(noun, false))
    }

    /// A noun with its article or number, and perhaps an adjective.
    fn described(&mut self, noun: &str, is_plural: bool) -> String {
        let noun = if is_plural { plural(noun) } else { noun.to_string() };
        let noun = if self.is(0.4) { format!("{} {noun}", self.one(&self.words.adjectives)) } else { noun };
        let article = match (self.is(0.6), is_plural) {
            (true, _) => "the",
            (false, true) => ["two", "three", "many", "some"][self.stream.random_range(0..4)],
            (false, false) if noun.starts_with(['a', 'e', 'i', 'o', 'u']) => "an",
            (false, false) => "a",
        };
        format!("{article} {noun}")
    }

    fn is(&mut self, probability: f64) -> bool {
        self.stream.random::<f64>() < probability
    }

    /// A word, the first ones of the list more often than the last ones.
    fn one(&mut self, words: &[&'static str]) -> &'static str {
        let part = self.stream.random::<f64>();
        words[((part * part * words.len() as f64) as usize).min(words.len() - 1)]
    }
}

fn capitalised(text: &str) -> String {
    // A quotation begins behind its mark.
    let at = text.find(|letter: char| letter.is_alphabetic()).unwrap_or(0);
    let (before, rest) = text.split_at(at);
    let (first, rest) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
    format!("{before}{}{rest}", first.to_uppercase())
}

/// A verb of the third person.
fn agreeing(verb: &str, is_plural: bool) -> String {
    if is_plural { verb.to_string() } else { with_s(verb) }
}

fn plural(noun: &str) -> String {
    match noun {
        "child" => "children".into(),
        "goose" => "geese".into(),
        "wolf" => "wolves".into(),
        "knife" => "knives".into(),
        _ => with_s(noun),
    }
}

/// A word with the ending that it has as a noun of many and as a verb of one.
fn with_s(word: &str) -> String {
    if ["s", "x", "sh", "ch"].iter().any(|end| word.ends_with(end)) {
        return format!("{word}es");
    }
    match word.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{word}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_long_as_asked_and_begins_as_a_longer_one_of_its_seed() {
        let text = write(20_000, 1);
        assert!((19_000..=20_000).contains(&text.len()), "{}", text.len());
        assert!(text.is_ascii() && text.ends_with('\n'));
        assert_eq!(text, write(20_000, 1));
        assert!(write(30_000, 1).starts_with(&text));
        assert_ne!(text, write(20_000, 2));
        assert!(text.lines().all(|line| (5..LEAST).contains(&line.len())));
        assert!(!write(LEAST, 5).is_empty());
    }

    #[test]
    fn sentences_begin_with_a_capital_and_end_with_their_mark() {
        for line in write(50_000, 3).lines() {
            let first = line.trim_start_matches('"').chars().next();
            assert!(first.is_some_and(char::is_uppercase), "{line}");
            assert!(line.ends_with(['.', '?']), "{line}");
            assert!(line.matches('"').count() % 2 == 0 && !line.contains("  "), "{line}");
        }
    }

    #[test]
    fn words_have_their_endings() {
        for (word, ending) in [
            ("carry", "carries"),
            ("boy", "boys"),
            ("push", "pushes"),
            ("fox", "foxes"),
            ("mill", "mills"),
            ("goose", "geese"),
        ] {
            assert_eq!(plural(word), ending);
        }
        assert_eq!(capitalised("\"the cat\""), "\"The cat\"");
        assert_eq!(agreeing("see", true), "see");
        let words = Words::new();
        let all =
            [&words.beings, &words.things, &words.places, &words.adjectives, &words.actions, &words.doings];
        assert!(all.iter().map(|list| list.len()).sum::<usize>() > 180);
    }
}
