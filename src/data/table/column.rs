//! Columns of tables: what they hold, and how they come to hold it, field by field.

use super::category::{Categories, Interner, MISSING, MOST_CATEGORIES};
use super::date::{DateForm, date};
use super::kind::Kind;
use super::number::number;
use super::options::TableOptions;
use crate::error::{Error, Result};
use crate::memory;

/// The most different values of a column of codes.
pub const MOST_CODES: usize = 20;

/// A column of codes has at least so many values for each that is different.
const REPEATS: usize = 5;

/// From so many different texts on, and if more than half of them are different, a column is no category.
const MANY_TEXTS: usize = 50;

/// The most letters of a value that are kept for a message.
const SHOWN: usize = 40;

/// The second that stands for a missing date.
pub const NO_DATE: i64 = i64::MIN;

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub values: Values,
    /// How many values are missing, without the unreadable ones.
    pub missing: usize,
    /// The line of the first missing value; 0 without one.
    pub first_missing: u64,
    /// The line of the first date that is not later than the one above it; 0 without one, and of all that is no date.
    pub first_descent: u64,
    pub unreadable: Option<Unreadable>,
}

/// The values of a column, one for each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers that are all exact as f32; NaN stands for a missing value.
    Single(Vec<f32>),
    /// Numbers of which one is not; NaN stands for a missing value.
    Double(Vec<f64>),
    Categories(Categories),
    /// Seconds since 1970; [`NO_DATE`] stands for a missing value.
    Dates(DateForm, Vec<i64>),
    /// Not kept: all are missing, or there are too many different texts.
    Dropped,
}

/// Values of a column of numbers or dates that are none; they count as missing where numbers are asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Unreadable {
    pub count: usize,
    /// The first of them: its line, and its first letters.
    pub line: u64,
    pub text: String,
}

impl Column {
    /// The values as numbers, NaN for what is missing: numbers and codes themselves, the numbers of categories,
    /// dates in seconds since 1970; none of a column whose values are not kept.
    pub fn numbers(&self) -> Option<Box<dyn Iterator<Item = f64> + '_>> {
        Some(match &self.values {
            Values::Single(values) => Box::new(values.iter().map(|&value| f64::from(value))),
            Values::Double(values) => Box::new(values.iter().copied()),
            Values::Categories(Categories { codes, .. }) => {
                Box::new(codes.iter().map(|&code| if code == MISSING { f64::NAN } else { f64::from(code) }))
            }
            Values::Dates(_, values) => {
                Box::new(values.iter().map(|&value| if value == NO_DATE { f64::NAN } else { value as f64 }))
            }
            Values::Dropped => return None,
        })
    }

    /// The value of a row as a number, as [`numbers`](Column::numbers) has it; NaN of a column whose values are not kept.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn number(&self, row: usize) -> f64 {
        match &self.values {
            Values::Single(values) => f64::from(values[row]),
            Values::Double(values) => values[row],
            Values::Categories(Categories { codes, .. }) if codes[row] == MISSING => f64::NAN,
            Values::Categories(Categories { codes, .. }) => f64::from(codes[row]),
            Values::Dates(_, values) if values[row] == NO_DATE => f64::NAN,
            Values::Dates(_, values) => values[row] as f64,
            Values::Dropped => f64::NAN,
        }
    }

    /// How many values are there and can be read.
    pub fn present(&self, rows: usize) -> usize {
        rows - self.missing - self.unreadable.as_ref().map_or(0, |unreadable| unreadable.count)
    }
}

/// What is wrong with a field.
pub(super) enum Fault {
    /// It is not of the kind that the column was said to be.
    Kind(Kind),
    /// It is not a text in the encoding of the file.
    Encoding,
    /// There are too many different texts for the category that the column was said to be.
    Categories,
    /// The values do not fit into memory.
    Memory(Error),
}

/// How a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is not known yet: the first value decides.
    Unknown,
    Numbers,
    Dates,
    Texts,
}

/// A column under way.
pub(super) struct Builder {
    pub reading: Reading,
    /// What it was said to be.
    pub said: Option<Kind>,
    pub values: Growing,
    pub missing: usize,
    pub first_missing: u64,
    pub first_descent: u64,
    pub unreadable: Option<Unreadable>,
}

/// The values of a column under way.
pub(super) enum Growing {
    /// All are missing so far.
    None,
    Single(Vec<f32>),
    Double(Vec<f64>),
    Dates(Option<DateForm>, Vec<i64>),
    /// Boxed, so that columns of numbers stay small.
    Texts(Vec<u32>, Box<Interner>),
    /// Too many different texts.
    TooMany,
}

impl Builder {
    pub fn new(reading: Reading, said: Option<Kind>) -> Builder {
        let mut builder = Builder {
            reading,
            said,
            values: Growing::None,
            missing: 0,
            first_missing: 0,
            first_descent: 0,
            unreadable: None,
        };
        builder.begin(reading);
        builder
    }

    /// Makes the column one of this kind; so far all values are missing, and none is there.
    pub fn begin(&mut self, reading: Reading) {
        self.reading = reading;
        self.values = match reading {
            Reading::Unknown => Growing::None,
            Reading::Numbers => Growing::Single(Vec::new()),
            Reading::Dates => Growing::Dates(None, Vec::new()),
            Reading::Texts => Growing::Texts(Vec::new(), Box::default()),
        };
    }

    /// Bytes that a value takes, at most.
    pub fn value_bytes(&self) -> usize {
        match &self.values {
            Growing::None | Growing::TooMany => 0,
            Growing::Single(_) | Growing::Texts(..) => 4,
            Growing::Double(_) | Growing::Dates(..) => 8,
        }
    }

    /// Makes room for `rows` values in all.
    pub fn reserve(&mut self, what: &str, rows: usize) -> Result<()> {
        let more = |len: usize| rows.saturating_sub(len);
        match &mut self.values {
            Growing::None | Growing::TooMany => Ok(()),
            Growing::Single(values) => memory::reserve(what, values, more(values.len())),
            Growing::Double(values) => memory::reserve(what, values, more(values.len())),
            Growing::Dates(_, values) => memory::reserve(what, values, more(values.len())),
            Growing::Texts(codes, _) => memory::reserve(what, codes, more(codes.len())),
        }
    }

    /// Takes the field of the next row, without blanks around it.
    #[inline]
    pub fn push(&mut self, field: &[u8], line: u64, options: &TableOptions) -> Result<(), Fault> {
        // Almost all fields of a table are numbers where numbers are expected, or texts that came lately; no text that
        // stands for a missing value has ever come.
        if options.missing.is_empty() && self.said != Some(Kind::Code) {
            match &mut self.values {
                Growing::Single(values) => {
                    if let Some(value) = number(field).filter(|&value| f64::from(value as f32) == value) {
                        values.push(value as f32);
                        return Ok(());
                    }
                }
                Growing::Double(values) => {
                    if let Some(value) = number(field) {
                        values.push(value);
                        return Ok(());
                    }
                }
                Growing::Texts(codes, interner) => {
                    if let Some(code) = interner.recent(field) {
                        codes.push(code);
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
        self.push_any(field, line, options)
    }

    fn push_any(&mut self, field: &[u8], line: u64, options: &TableOptions) -> Result<(), Fault> {
        if options.is_missing(field) {
            self.missing += 1;
            if self.missing == 1 {
                self.first_missing = line;
            }
            self.push_missing();
            return Ok(());
        }
        if self.reading == Reading::Unknown {
            self.decide(field);
        }
        match &mut self.values {
            Growing::None | Growing::TooMany => return check_text(field, options),
            Growing::Texts(codes, interner) => {
                let before = interner.len();
                match interner.number(field) {
                    Some(code) => {
                        codes.push(code);
                        return if interner.len() > before { check_text(field, options) } else { Ok(()) };
                    }
                    None if matches!(self.said, Some(Kind::Category)) => return Err(Fault::Categories),
                    None => self.values = Growing::TooMany,
                }
                return check_text(field, options);
            }
            Growing::Dates(form, values) => {
                if let Some((found, seconds)) = date(field)
                    && form.is_none_or(|form| form == found)
                {
                    *form = Some(found);
                    let is_later = values.last().is_none_or(|&last| last < seconds);
                    if !is_later && self.first_descent == 0 {
                        self.first_descent = line;
                    }
                    values.push(seconds);
                    return Ok(());
                }
            }
            Growing::Single(_) | Growing::Double(_) => {
                let value = number(field);
                if let Some(value) =
                    value.filter(|value| self.said != Some(Kind::Code) || value.fract() == 0.0)
                {
                    return self.push_number(value);
                }
            }
        }
        check_text(field, options)?;
        if let Some(kind) = self.said {
            return Err(Fault::Kind(kind));
        }
        let text = || options.encoding.text(field).unwrap_or_default().chars().take(SHOWN).collect();
        let first = self.unreadable.get_or_insert_with(|| Unreadable { count: 0, line, text: text() });
        first.count += 1;
        self.push_missing();
        Ok(())
    }

    fn push_number(&mut self, value: f64) -> Result<(), Fault> {
        if let Growing::Single(values) = &mut self.values {
            let single = value as f32;
            if f64::from(single) == value {
                values.push(single);
                return Ok(());
            }
            self.widen().map_err(Fault::Memory)?;
        }
        if let Growing::Double(values) = &mut self.values {
            values.push(value);
        }
        Ok(())
    }

    /// Makes f64 of numbers that were all exact as f32.
    pub fn widen(&mut self) -> Result<()> {
        if let Growing::Single(values) = &self.values {
            let mut wide = memory::reserved("a column", values.capacity())?;
            wide.extend(values.iter().map(|&value| f64::from(value)));
            self.values = Growing::Double(wide);
        }
        Ok(())
    }

    /// Adds so many missing values; they have been counted.
    pub fn fill(&mut self, count: usize) {
        for _ in 0..count {
            self.push_missing();
        }
    }

    fn push_missing(&mut self) {
        match &mut self.values {
            Growing::None | Growing::TooMany => {}
            Growing::Single(values) => values.push(f32::NAN),
            Growing::Double(values) => values.push(f64::NAN),
            Growing::Dates(_, values) => values.push(NO_DATE),
            Growing::Texts(codes, _) => codes.push(MISSING),
        }
    }

    /// The first value of a column that had none where the others were looked at.
    fn decide(&mut self, field: &[u8]) {
        let reading = if number(field).is_some() {
            Reading::Numbers
        } else if date(field).is_some() {
            Reading::Dates
        } else {
            Reading::Texts
        };
        self.begin(reading);
        // As many as there have been rows; they take no more than their fields took in the file.
        self.fill(self.missing);
    }

    /// Whether more values are unreadable than can be by chance, 1 in 20 of those that are there: such a column is
    /// one of texts.
    pub fn is_misread(&self, rows: usize) -> bool {
        let unreadable = self.unreadable.as_ref().map_or(0, |unreadable| unreadable.count);
        self.said.is_none() && 20 * unreadable > rows - self.missing
    }

    /// The line of the first value that could not be read, or 0.
    pub fn first_unreadable(&self) -> u64 {
        self.unreadable.as_ref().map_or(0, |unreadable| unreadable.line)
    }

    /// The column of `rows` rows.
    pub fn finish(self, name: String, rows: usize, options: &TableOptions) -> Column {
        let Builder { said, values, missing, first_missing, first_descent, unreadable, .. } = self;
        let unread = unreadable.as_ref().map_or(0, |unreadable| unreadable.count);
        let present = rows - missing - unread;
        let (inferred, values) = match values {
            _ if present == 0 => (Kind::Empty, Values::Dropped),
            Growing::None => (Kind::Empty, Values::Dropped),
            Growing::TooMany => (Kind::Text, Values::Dropped),
            Growing::Single(values) => {
                let kind = if are_codes(&values, present) { Kind::Code } else { Kind::Number };
                (kind, Values::Single(values))
            }
            Growing::Double(values) => (Kind::Number, Values::Double(values)),
            Growing::Dates(form, values) => {
                (Kind::Date, Values::Dates(form.unwrap_or(DateForm::Day), values))
            }
            Growing::Texts(codes, interner) => {
                let different = interner.len();
                let is_text = different > MANY_TEXTS && 2 * different > present;
                let names = interner.into_names(options.encoding);
                let kind = if is_text { Kind::Text } else { Kind::Category };
                (kind, Values::Categories(Categories { codes, names }))
            }
        };
        let kind = if inferred == Kind::Empty { inferred } else { said.unwrap_or(inferred) };
        Column { name, kind, values, missing, first_missing, first_descent, unreadable }
    }
}

fn check_text(field: &[u8], options: &TableOptions) -> Result<(), Fault> {
    if options.encoding.is_text(field) { Ok(()) } else { Err(Fault::Encoding) }
}

/// Whether these are whole numbers, few of which are different, each of them many times.
fn are_codes(values: &[f32], present: usize) -> bool {
    let mut different: Vec<f32> = Vec::new();
    for &value in values.iter().filter(|value| !value.is_nan()) {
        if value.fract() != 0.0 {
            return false;
        }
        if !different.contains(&value) {
            if different.len() == MOST_CODES {
                return false;
            }
            different.push(value);
        }
    }
    REPEATS * different.len() <= present
}

/// What is said where a column has too many categories.
pub(super) fn too_many() -> String {
    format!("at most {MOST_CATEGORIES} different texts in a category, each short; such a column is `text`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(reading: Reading, fields: &[&str]) -> Column {
        let options = TableOptions::default();
        let mut builder = Builder::new(reading, None);
        for (index, field) in fields.iter().enumerate() {
            builder.push(field.as_bytes(), index as u64 + 1, &options).ok().unwrap();
        }
        builder.finish("x".into(), fields.len(), &options)
    }

    #[test]
    fn numbers_are_exact_in_the_narrowest_type() {
        let halves = column(Reading::Numbers, &["0.5", "?", "3", "-2.25"]);
        let Values::Single(values) = &halves.values else { panic!("{halves:?}") };
        assert_eq!((values[0], values[1].is_nan(), values[3], halves.missing), (0.5, true, -2.25, 1));
        let tenths = column(Reading::Numbers, &["0.5", "NA", "0.1", "16777217"]);
        let Values::Double(values) = &tenths.values else { panic!("{tenths:?}") };
        assert_eq!((values[0], values[1].is_nan(), values[2], values[3]), (0.5, true, 0.1, 16_777_217.0));
    }

    #[test]
    fn kinds_follow_from_the_values() {
        let of = |fields: &[&str]| column(Reading::Unknown, fields).kind;
        assert_eq!(of(&["?", "", "null"]), Kind::Empty);
        assert_eq!(of(&["", "1", "2"]), Kind::Number);
        assert_eq!(of(&["0", "1"].repeat(5)), Kind::Code);
        assert_eq!(of(&["0", "1.5"].repeat(5)), Kind::Number);
        assert_eq!(of(&["", "1-01", "1-02"]), Kind::Date);
        assert_eq!(of(&["NaN", "a", "b", "a"]), Kind::Category);
        let many: Vec<String> = (0..60).map(|index| format!("name {index}")).collect();
        assert_eq!(of(&many.iter().map(String::as_str).collect::<Vec<_>>()), Kind::Text);
        let twice: Vec<&str> = many.iter().chain(&many).map(String::as_str).collect();
        assert_eq!(of(&twice), Kind::Category);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_its_first_kept() {
        let strange = column(Reading::Numbers, &["1", "abc", "2", "inf"]);
        let first = Unreadable { count: 2, line: 2, text: "abc".into() };
        assert_eq!((strange.missing, strange.unreadable, strange.kind), (0, Some(first), Kind::Number));
    }
}
