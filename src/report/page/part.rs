//! The parts of a page.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::report::chart::Chart;
use crate::report::markup::escaped;

#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Heading(String),
    Text(String),
    /// Names and values.
    Facts(Vec<(String, String)>),
    /// Notes that the reader should know before believing the rest.
    Notes(Vec<String>),
    /// Sentences, each perhaps with a command to try.
    Findings(Vec<(String, Option<String>)>),
    /// Lines of code, as they are typed.
    Code(String),
    /// Charts, side by side where there is room.
    Charts(Vec<Chart>),
    Table(Table),
    Images(Vec<Image>),
}

/// A table that a click on a title sorts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The caption: read to those who cannot see the table, and above it for those who can.
    pub caption: String,
    pub columns: Vec<Column>,
    /// The rows, with as many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    pub title: String,
    /// The meaning of the column, shown when the mouse rests on it; may be empty.
    pub hint: String,
}

impl Column {
    pub fn new(title: &str, hint: &str) -> Column {
        Column { title: title.into(), hint: hint.into() }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    pub text: String,
    /// The detail, small behind the text: an interval.
    pub detail: String,
    /// The value by which the column is sorted; its text if absent.
    pub value: Option<f64>,
    pub tone: Tone,
}

/// The meaning of a cell's colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Warning,
}

impl Tone {
    /// The class of what is shown in its colour.
    pub(super) fn class(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some("good"),
            Tone::Warning => Some("warning"),
        }
    }
}

/// The attribute of an element of these classes; nothing without one.
pub(super) fn classed<'a>(classes: impl IntoIterator<Item = &'a str>) -> String {
    let classes: Vec<&str> = classes.into_iter().collect();
    if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) }
}

impl Cell {
    pub fn text(text: &str) -> Cell {
        Cell { text: text.into(), ..Cell::default() }
    }

    /// A number as it is shown and as it is sorted.
    pub fn number(text: String, value: f64) -> Cell {
        Cell { text, value: value.is_finite().then_some(value), ..Cell::default() }
    }

    pub fn with_detail(self, detail: String) -> Cell {
        Cell { detail, ..self }
    }

    pub fn toned(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }
}

/// A picture that the page holds itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The content of a PNG file.
    pub png: Vec<u8>,
    /// The width in CSS pixels; pixels of the picture stay sharp squares when it is larger than itself.
    pub width: u32,
    /// The caption below the picture.
    pub caption: String,
    /// The description for those who cannot see it.
    pub description: String,
}

impl Part {
    /// How many charts the part has.
    pub(super) fn charts(&self) -> usize {
        if let Part::Charts(charts) = self { charts.len() } else { 0 }
    }

    pub(super) fn to_html(&self) -> String {
        match self {
            Part::Heading(text) => format!("<h3>{}</h3>\n", escaped(text)),
            Part::Text(text) => format!("<p>{}</p>\n", escaped(text)),
            Part::Facts(facts) => {
                let fact = |(name, value): &(String, String)| {
                    format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(name), escaped(value))
                };
                format!("<dl>\n{}</dl>\n", facts.iter().map(fact).collect::<String>())
            }
            Part::Notes(notes) => {
                let note = |note: &String| format!("<li>{}</li>\n", escaped(note));
                format!("<ul class=\"notes\">\n{}</ul>\n", notes.iter().map(note).collect::<String>())
            }
            Part::Findings(findings) => {
                let command = |command: &String| format!("<br>try <code>{}</code>", escaped(command));
                let item = |(text, tried): &(String, Option<String>)| {
                    let tried = tried.as_ref().map(command).unwrap_or_default();
                    format!("<li>{}{tried}</li>\n", escaped(text))
                };
                format!("<ol class=\"findings\">\n{}</ol>\n", findings.iter().map(item).collect::<String>())
            }
            Part::Code(code) => {
                let lines: Vec<String> = code.lines().map(escaped).collect();
                let lines = lines.join("\n");
                // A part that scrolls must be reachable by keyboard.
                format!("<pre tabindex=\"0\"><code>{lines}</code></pre>\n")
            }
            Part::Charts(charts) => {
                let figure = |chart: &Chart| {
                    let class = match chart {
                        chart if chart.is_wide() => "chart wide",
                        chart if chart.is_narrow() => "chart narrow",
                        _ => "chart",
                    };
                    let (svg, phone) = (chart.to_inline_svg(), chart.to_phone_svg());
                    let class = if phone.is_some() { format!("{class} fluid") } else { class.into() };
                    format!("<figure class=\"{class}\">\n{svg}{}</figure>\n", phone.unwrap_or_default())
                };
                format!("<div class=\"charts\">\n{}</div>\n", charts.iter().map(figure).collect::<String>())
            }
            Part::Table(table) => table_html(table),
            Part::Images(images) => {
                format!(
                    "<div class=\"images\">\n{}</div>\n",
                    images.iter().map(image_html).collect::<String>()
                )
            }
        }
    }
}

fn table_html(table: &Table) -> String {
    let is_number =
        |column: usize| table.rows.iter().any(|row| row.get(column).is_some_and(|cell| cell.value.is_some()));
    let numbers: Vec<bool> = (0..table.columns.len()).map(is_number).collect();
    let head = |(column, number): (&Column, &bool)| {
        let class = if *number { " class=\"number\"" } else { "" };
        let (title, hint) = (escaped(&column.title), escaped(&column.hint));
        let hint = if hint.is_empty() { hint } else { format!(" title=\"{hint}\"") };
        format!("<th scope=\"col\"{class}><button type=\"button\"{hint}>{title}</button></th>\n")
    };
    let row = |row: &Vec<Cell>| {
        let cells = row.iter().zip(&numbers).map(|(cell, number)| cell_html(cell, *number));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let heads: String = table.columns.iter().zip(&numbers).map(head).collect();
    let rows: String = table.rows.iter().map(row).collect();
    let caption = escaped(&table.caption);
    // A part that scrolls must be reachable by keyboard.
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n\
         <table class=\"sortable\">\n<caption>{caption}</caption>\n\
         <thead><tr>\n{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

fn cell_html(cell: &Cell, number: bool) -> String {
    let class = classed(number.then_some("number").into_iter().chain(cell.tone.class()));
    let value = cell.value.map(|value| format!(" data-value=\"{value}\"")).unwrap_or_default();
    let detail = escaped(&cell.detail);
    let detail = if detail.is_empty() { detail } else { format!(" <small>{detail}</small>") };
    format!("<td{class}{value}>{}{detail}</td>", escaped(&cell.text))
}

fn image_html(image: &Image) -> String {
    let (data, width) = (STANDARD.encode(&image.png), image.width);
    let (caption, description) = (escaped(&image.caption), escaped(&image.description));
    format!(
        "<figure class=\"image\">\n<img src=\"data:image/png;base64,{data}\" width=\"{width}\" \
         alt=\"{description}\">\n<figcaption>{caption}</figcaption>\n</figure>\n"
    )
}
