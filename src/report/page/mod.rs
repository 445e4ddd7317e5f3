//! A page that shows results: one HTML file that needs no network, light or dark as its reader
//! prefers, with tables that sort themselves.

mod part;

use part::classed;
pub use part::{Cell, Column, Image, Part, Table, Tone};

use super::chart::dark_rules;
use super::markup::escaped;

/// The head that all pages share; its policy lets nothing be loaded but what the page holds.
const HEAD: &str = include_str!("head.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The mark by which such a page is known among other files, in its first kilobyte.
pub const MADE_BY: &str = "<meta name=\"generator\" content=\"fallline\">";

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub title: String,
    /// The line below the title.
    pub subtitle: String,
    /// The few numbers that matter most, large above all sections.
    pub heroes: Vec<Hero>,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    pub heading: String,
    pub parts: Vec<Part>,
}

/// A number that matters, large.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hero {
    /// What it is: "Test accuracy".
    pub name: String,
    /// The number with its unit.
    pub value: String,
    /// What it means: where it was reached, or the target and whether it was reached; may be empty.
    pub note: String,
    /// The meaning of the note's colour.
    pub tone: Tone,
}

impl Hero {
    pub fn new(name: &str, value: String, note: String) -> Hero {
        Hero { name: name.into(), value, note, tone: Tone::Plain }
    }

    pub fn toned(self, tone: Tone) -> Hero {
        Hero { tone, ..self }
    }

    fn to_html(&self) -> String {
        let (name, value, note) = (escaped(&self.name), escaped(&self.value), escaped(&self.note));
        let class = classed(self.tone.class());
        let note = if note.is_empty() { note } else { format!("<dd{class}>{note}</dd>") };
        format!("<div><dt>{name}</dt><dd>{value}</dd>{note}</div>\n")
    }
}

impl Page {
    /// The content of the file. Sections without parts are left out.
    pub fn to_html(&self) -> String {
        let sections: Vec<&Section> =
            self.sections.iter().filter(|section| !section.parts.is_empty()).collect();
        let charts: usize =
            sections.iter().flat_map(|section| &section.parts).map(|part| part.charts()).sum();
        let links = sections.iter().enumerate().map(|(index, section)| {
            format!("<a href=\"#section-{index}\">{}</a>\n", escaped(&section.heading))
        });
        let links = if sections.len() > 1 {
            format!("<nav aria-label=\"Sections\">\n{}</nav>\n", links.collect::<String>())
        } else {
            String::new()
        };
        let body: String =
            sections.iter().enumerate().map(|(index, section)| section_html(index, section)).collect();
        let heroes: String = self.heroes.iter().map(Hero::to_html).collect();
        let heroes = match heroes.is_empty() {
            true => heroes,
            false => format!("<dl class=\"hero\">\n{heroes}</dl>\n"),
        };
        let dark = dark_rules(".chart svg");
        let (title, subtitle) = (escaped(&self.title), escaped(&self.subtitle));
        // The number of charts is for scripts that check whether the page is complete.
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n{HEAD}{MADE_BY}\n<title>{title}</title>\n\
             <style>\n{STYLE}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n</style>\n\
             </head>\n<body data-charts=\"{charts}\">\n\
             <header>\n<h1>{title}</h1>\n<p>{subtitle}</p>\n{links}{heroes}</header>\n<main>\n{body}</main>\n\
             <script>\n{SCRIPT}</script>\n</body>\n</html>\n"
        )
    }
}

fn section_html(index: usize, section: &Section) -> String {
    let parts: String = section.parts.iter().map(Part::to_html).collect();
    let heading = escaped(&section.heading);
    format!(
        "<section id=\"section-{index}\" aria-labelledby=\"heading-{index}\">\n\
         <h2 id=\"heading-{index}\">{heading}</h2>\n{parts}</section>\n"
    )
}

#[cfg(test)]
mod tests;
