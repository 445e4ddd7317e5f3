//! A table of data, described for a terminal.

use console::{measure_text_width, truncate_str};

use super::markup::{for_terminal, printable};
use super::numbers::{counted, percent, significant, thousands};
use super::table::{Side, table};
use super::wrap::wrapped;
use crate::data::table::{
    ColumnRecord, Kind, Measure, Strength, TableRecord, TableWarning, TargetRecord, embedding_width,
};
use crate::model::recipe::EMBED;

/// Columns of a kind that are shown; all are in the JSON.
const MOST_SHOWN: usize = 100;

/// Classes of the target that are shown.
const MOST_CLASSES: usize = 20;

/// The widest name of a column, the least room for frequent values, and the widest of them.
const NAME: usize = 18;
const LEAST_FREQUENT: usize = 24;
const VALUE: usize = 20;

/// The description of a table in lines of at most `columns`, if that is 80 or more.
pub fn text(record: &TableRecord, columns: usize) -> String {
    let mut text = heading(record, columns);
    let of = |kinds: &[Kind]| -> Vec<&ColumnRecord> {
        record.columns.iter().filter(|column| kinds.contains(&column.kind)).collect()
    };
    let sections: [(&[Kind], Section); 3] = [
        (&[Kind::Number], numbers),
        (&[Kind::Date], dates),
        (&[Kind::Code, Kind::Category, Kind::Text, Kind::Empty], others),
    ];
    for (kinds, section) in sections {
        let found = of(kinds);
        if found.is_empty() {
            continue;
        }
        text += "\n";
        text += &section(&found[..found.len().min(MOST_SHOWN)], columns);
        if found.len() > MOST_SHOWN {
            let more = thousands((found.len() - MOST_SHOWN) as u64);
            text += &format!("… and {more} more; --json FILE has them all\n");
        }
    }
    for column in record.columns.iter().filter(|column| is_embedded(record, column)).take(MOST_SHOWN) {
        text += &wrapped(&embedded(column), columns, "");
    }
    if let Some(target) = &record.target {
        text += &legend(record, target, columns);
        text += &classes(record, target);
    }
    if !record.warnings.is_empty() {
        text += "\n";
        for warning in record.warnings.iter().take(MOST_SHOWN) {
            text += &wrapped(&said(warning, record.rows), columns, "warning: ");
        }
        if record.warnings.len() > MOST_SHOWN {
            let more = record.warnings.len() - MOST_SHOWN;
            text += &format!("… and {}; --json FILE has them all\n", counted(more, "more warning"));
        }
    }
    text
}

/// Whether a training of which nothing else is said embeds a column.
fn is_embedded(record: &TableRecord, column: &ColumnRecord) -> bool {
    let is_target = record.target.as_ref().is_some_and(|target| target.number == column.number);
    column.kind == Kind::Category && !is_target && column.distinct.is_none_or(|count| count > EMBED)
}

fn embedded(column: &ColumnRecord) -> String {
    let name = clean(&column.name, NAME);
    match column.distinct {
        Some(count) => {
            // One more for all others.
            let [categories, width] =
                [count, embedding_width(count + 1)].map(|count| thousands(count as u64));
            format!(
                "{name}: `fallline train` learns an embedding of {categories} categories in {width} numbers"
            )
        }
        None => format!("{name}: `fallline train` learns an embedding of its categories"),
    }
}

type Section = fn(&[&ColumnRecord], usize) -> String;

/// A text from the file, made harmless, in one line of at most `width`.
fn clean(text: &str, width: usize) -> String {
    truncate_str(&for_terminal(&printable(text)), width, "…").into_owned()
}

fn heading(record: &TableRecord, columns: usize) -> String {
    let file = for_terminal(&printable(&record.file));
    let mut text = wrapped(
        &format!("{file}: {}, {}", counted(record.rows, "row"), counted(record.columns.len(), "column")),
        columns,
        "",
    );
    let mut written = vec![format!("delimiter: {}", clean(&record.delimiter, VALUE))];
    written.push(if record.header { "a header" } else { "no header (--columns a,b,… gives names)" }.into());
    if record.gzip {
        written.push("gzip".into());
    }
    if let Some(about) = &record.about {
        written = vec![about.clone()];
    }
    if let Some(counts) = &record.counts_line {
        let features = counted(counts.features, "feature");
        written.push(format!(
            "a first line of counts ({}, {features}), which is passed over",
            counted(counts.rows, "row")
        ));
    }
    text += &wrapped(&written.join("; "), columns, "  ");
    match &record.target {
        Some(target) => {
            let name = clean(&target.name, VALUE);
            let kind = match target.class_count {
                0 => "a number".to_string(),
                1 => "1 class".to_string(),
                count => format!("{} classes", thousands(count as u64)),
            };
            let last = if target.is_last { " (the last column; --target names another)" } else { "" };
            text + &wrapped(&format!("target: {name}, {kind}{last}"), columns, "  ")
        }
        None => text + &wrapped("target: none; --target names one", columns, "  "),
    }
}

/// What a measure is called in a title.
fn symbol(measure: Measure) -> &'static str {
    match measure {
        Measure::Correlation => "r",
        Measure::EtaSquared => "eta²",
        Measure::CramersV => "V",
    }
}

/// Titles and cells of a section, of which columns that say nothing are left out.
struct Cells<'a> {
    titles: Vec<(&'a str, Side)>,
    rows: Vec<Vec<String>>,
}

impl<'a> Cells<'a> {
    /// The number and the name of each column.
    fn of(found: &[&ColumnRecord]) -> Cells<'a> {
        let row = |column: &&ColumnRecord| vec![column.number.to_string(), clean(&column.name, NAME)];
        let rows = found.iter().map(row).collect();
        Cells { titles: vec![("#", Side::Right), ("column", Side::Left)], rows }
    }

    fn add(&mut self, title: &'a str, side: Side, cells: impl Iterator<Item = String>) {
        self.titles.push((title, side));
        self.rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
    }

    fn missing(&mut self, found: &[&ColumnRecord]) {
        if found.iter().any(|column| column.missing > 0) {
            let cells = found.iter().map(|column| match column.missing {
                0 => String::new(),
                missing => thousands(missing as u64),
            });
            self.add("missing", Side::Right, cells);
        }
    }

    fn distinct(&mut self, found: &[&ColumnRecord]) {
        let cell =
            |column: &&ColumnRecord| column.distinct.map_or("many".into(), |count| thousands(count as u64));
        self.add("distinct", Side::Right, found.iter().map(cell));
    }

    fn strength(&mut self, found: &[&ColumnRecord]) {
        let mut measures: Vec<&str> = found
            .iter()
            .filter_map(|column| column.strength)
            .map(|strength| symbol(strength.measure))
            .collect();
        measures.sort_unstable();
        measures.dedup();
        let value = |strength: Strength| match measures[..] {
            [_] => format!("{:.3}", strength.value),
            _ => format!("{} {:.3}", symbol(strength.measure), strength.value),
        };
        let title = match measures[..] {
            [] => return,
            [measure] => measure,
            _ => "strength",
        };
        let cells = found.iter().map(|column| column.strength.map_or(String::new(), value));
        self.add(title, Side::Right, cells.collect::<Vec<_>>().into_iter());
    }

    /// The width so far.
    fn width(&self) -> usize {
        let widest = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let cells = cells.map(|cell| measure_text_width(cell));
            cells.fold(measure_text_width(self.titles[column].0), usize::max)
        };
        (0..self.titles.len()).map(|column| widest(column) + 2).sum()
    }

    fn text(&self) -> String {
        table(&self.titles, &self.rows, 0)
    }
}

fn numbers(found: &[&ColumnRecord], _: usize) -> String {
    let mut cells = Cells::of(found);
    cells.missing(found);
    cells.distinct(found);
    let of = |column: &&ColumnRecord, value: fn(&crate::data::table::NumberSummary) -> f64| {
        column.numbers.as_ref().map_or(String::new(), |numbers| significant(value(numbers)))
    };
    cells.add("minimum", Side::Right, found.iter().map(|column| of(column, |numbers| numbers.minimum)));
    cells.add("mean", Side::Right, found.iter().map(|column| of(column, |numbers| numbers.mean)));
    cells.add("maximum", Side::Right, found.iter().map(|column| of(column, |numbers| numbers.maximum)));
    cells.strength(found);
    cells.text()
}

fn dates(found: &[&ColumnRecord], _: usize) -> String {
    let mut cells = Cells::of(found);
    cells.missing(found);
    cells.distinct(found);
    let mut add = |title, cell: fn(&crate::data::table::DateSummary) -> String| {
        let cells_of = found.iter().map(|column| column.dates.as_ref().map_or(String::new(), cell));
        cells.add(title, Side::Left, cells_of);
    };
    add("first date", |dates| dates.first.clone());
    add("last date", |dates| dates.last.clone());
    add("in order", |dates| if dates.ascending { "yes".into() } else { "no".into() });
    cells.strength(found);
    cells.text()
}

fn others(found: &[&ColumnRecord], columns: usize) -> String {
    let mut cells = Cells::of(found);
    cells.add("kind", Side::Left, found.iter().map(|column| column.kind.name().to_string()));
    cells.missing(found);
    cells.distinct(found);
    cells.strength(found);
    let room = columns.saturating_sub(cells.width()).max(LEAST_FREQUENT);
    cells.add("most frequent", Side::Left, found.iter().map(|column| frequent(column, room)));
    cells.text()
}

/// The most frequent values with their counts, as many as there is room for.
fn frequent(column: &ColumnRecord, room: usize) -> String {
    // Texts that are each there once say no more by their counts.
    let is_unique = column.frequent.first().is_some_and(|first| first.count == 1);
    let item = |value: &str, count: usize| match is_unique {
        true => clean(value, VALUE),
        false => {
            format!("{} ({})", clean(value, VALUE.min(room.saturating_sub(12))), thousands(count as u64))
        }
    };
    let mut text = String::new();
    let total = column.distinct.unwrap_or(usize::MAX);
    for (index, value) in column.frequent.iter().enumerate() {
        let item = item(&value.value, value.count);
        let separator = if index == 0 { "" } else { ", " };
        // Room for the three letters that say that there are more.
        let rest = if index + 1 < total { 3 } else { 0 };
        if index > 0 && measure_text_width(&text) + separator.len() + measure_text_width(&item) + rest > room
        {
            return text + ", …";
        }
        text = text + separator + &item;
    }
    if total > column.frequent.len() && !text.is_empty() { text + ", …" } else { text }
}

/// What the measures mean.
fn legend(record: &TableRecord, target: &TargetRecord, columns: usize) -> String {
    let name = clean(&target.name, VALUE);
    let used = |measure| {
        record.columns.iter().filter_map(|column| column.strength).any(|strength| strength.measure == measure)
    };
    let meaning = |measure| match measure {
        Measure::Correlation => format!("r: the correlation with {name}, from -1 to 1"),
        Measure::EtaSquared if target.class_count == 0 => {
            format!("eta²: the part of the variance of {name} that lies between the categories, from 0 to 1")
        }
        Measure::EtaSquared => {
            format!(
                "eta²: the part of the column's variance that lies between the classes of {name}, from 0 to 1"
            )
        }
        Measure::CramersV => {
            format!("V: how far the classes of {name} go with the values (Cramér), from 0 to 1")
        }
    };
    let measures = [Measure::Correlation, Measure::EtaSquared, Measure::CramersV];
    let lines = measures
        .into_iter()
        .filter(|&measure| used(measure))
        .map(|measure| wrapped(&meaning(measure), columns, ""));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn classes(record: &TableRecord, target: &TargetRecord) -> String {
    if target.classes.is_empty() {
        return String::new();
    }
    let title = format!("class of {}", clean(&target.name, VALUE));
    let titles = [(title.as_str(), Side::Left), ("rows", Side::Right), ("share", Side::Right)];
    let rows: Vec<Vec<String>> = target
        .classes
        .iter()
        .take(MOST_CLASSES)
        .map(|class| {
            let share = percent(class.count as f64 / record.rows as f64);
            vec![clean(&class.value, 40), thousands(class.count as u64), share]
        })
        .collect();
    let mut text = format!("\n{}", table(&titles, &rows, 0));
    if target.class_count > MOST_CLASSES {
        text += &format!("… and {} more\n", thousands((target.class_count - MOST_CLASSES) as u64));
    }
    text
}

/// A warning as a sentence.
fn said(warning: &TableWarning, rows: usize) -> String {
    let name = |text: &str| format!("`{}`", clean(text, 40));
    match warning {
        TableWarning::Rows { promised, found } => format!(
            "the first line promises {}, and there are {}",
            counted(*promised, "row"),
            thousands(*found as u64)
        ),
        TableWarning::Empty { column } => format!("{}: all values are missing", name(column)),
        TableWarning::Constant { column, value } => {
            format!("{}: all values are {}; it says nothing", name(column), name(value))
        }
        TableWarning::Missing { column, share } => {
            format!("{}: {} of the values are missing", name(column), percent(*share))
        }
        TableWarning::Unreadable { column, count, line, text } => format!(
            "{}: {} cannot be read as the others are; the first is {} in line {line}. If it stands for a missing \
             value, --missing says so",
            name(column),
            counted(*count, "value"),
            name(text)
        ),
        TableWarning::Zeros { column, zeros } => format!(
            "{}: {} may stand for missing values: all others are far above 0",
            name(column),
            counted(*zeros, "zero")
        ),
        TableWarning::RowNumbers { column } => {
            format!("{}: the numbers count the rows; it should not be a feature", name(column))
        }
        TableWarning::ManyTexts { column } => format!(
            "{}: too many different texts for a category; it can be ignored, but not used as a feature",
            name(column)
        ),
        TableWarning::NumbersAndText { column, text, count } => format!(
            "{}: numbers, but for {} in {} of {} rows; if that stands for a missing value, --missing says so",
            name(column),
            name(text),
            thousands(*count as u64),
            thousands(rows as u64)
        ),
        TableWarning::OneClass { column } => {
            format!("{}: the target has one class only: there is nothing to learn", name(column))
        }
        TableWarning::Imbalance { column, rarest, most } => format!(
            "{}: the classes differ much in size: {} {} and {} {}",
            name(column),
            thousands(most.count as u64),
            name(&most.value),
            thousands(rarest.count as u64),
            name(&rarest.value)
        ),
        TableWarning::Periods { column } => format!(
            "{}: all classes end with a period, which those of another file of the same data may not do",
            name(column)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table::{Table, TableOptions};

    fn described(content: &str, columns: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, content).unwrap();
        let options = TableOptions::default();
        let table = Table::read(&path, &options).unwrap();
        let mut record = TableRecord::of(&table, &options, None).unwrap();
        record.file = "t.csv".into();
        text(&record, columns)
    }

    #[test]
    fn a_table_is_told_within_its_lines_and_commands_nothing() {
        let mut content = "a\u{1b}[31m,city,when,class\n".to_string();
        for index in 0..40 {
            let city = ["Llanfairpwllgwyngyllgogerychwyrndrobwll\u{202e}", "Ulm", "Rom", "Bonn"][index % 4];
            content += &format!("{}.5,{city},2001-01-{:02},{}\n", index * index, 1 + index % 28, index % 2);
        }
        for columns in [80, 120] {
            let text = described(&content, columns);
            let widest = text.lines().map(measure_text_width).max();
            assert!(widest.is_some_and(|width| width <= columns), "{text}");
            assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
            for part in
                ["40 rows, 4 columns", "class, 2 classes (the last column", "2001-01-28", "eta²", "50.00 %"]
            {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }

    #[test]
    fn warnings_are_sentences() {
        let content: String =
            (0..30).map(|index| format!("{index},7,{},x\n", if index < 9 { "?" } else { "1.5" })).collect();
        let text = described(&content, 80);
        for part in [
            "`column_1`: the numbers count the rows",
            "`column_2`: all values are `7`",
            "`column_3`: 30.00 % of the values",
            "one class only",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
