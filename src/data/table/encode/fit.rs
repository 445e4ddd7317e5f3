//! Fitting an encoder to the training rows of a table.

use super::super::category::{Categories, MISSING};
use super::super::column::{Column, NO_DATE, Values};
use super::super::date::{self, DateForm};
use super::super::kind::Kind;
use super::super::options::TableOptions;
use super::super::read::Table;
use super::embedding::{MOST_EMBEDDED, embedding_width};
use super::encoder::{Encoder, MOST_FEATURES, Reading};
use super::feature::{Feature, How};
use super::readable::check_readable;
use super::scales::{filled, scale_of};
use super::setup::{Scaling, Setup};
use super::{fit_target, fit_windows};
use crate::error::{Error, Result};
use crate::foreign;

/// An encoder, and what there is to say about how it came about.
#[derive(Clone, Debug)]
pub struct Fitted {
    pub encoder: Encoder,
    /// Columns that are left out and other assumptions, a sentence each.
    pub notes: Vec<String>,
}

impl Encoder {
    /// Learns from some rows of a table what becomes of each column. `options` are those that the table was read with.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a column that is not there, with the nearest name; [`Error::Format`], with line and
    /// column, for texts among numbers, and for a target that is missing; [`Error::Mismatch`] for a column of texts that
    /// are mostly different, for one class alone or too many, and if there is no feature.
    pub fn fit(table: &Table, rows: &[u32], setup: &Setup, options: &TableOptions) -> Result<Fitted> {
        let target = setup.target_columns(table)?;
        let fitted_target = fit_target::fit(table, &target, rows, setup)?;
        let left = MOST_EMBEDDED.saturating_sub(setup.embeddings.len());
        let mut fit = Fit { table, rows, setup, notes: Vec::new(), left };
        let chosen = fit.chosen(&target)?;
        fit_windows::check(table, setup, &target)?;
        fit.check_embeddings(&chosen)?;
        let mut features = Vec::with_capacity(chosen.len());
        for index in chosen {
            let column = &table.columns[index];
            if let Some(how) = fit.column(column)? {
                features.push(Feature { column: column.name.clone(), how });
            }
        }
        // Their codes are the last numbers of a sample.
        features.sort_by_key(|feature| feature.embedding().is_some());
        if setup.windows.is_some() {
            // A series is predicted from its own past.
            for &index in &target {
                let column = &table.columns[index];
                features.push(Feature { column: column.name.clone(), how: fit.past(column)? });
            }
        }
        let fitted_windows = fit_windows::fit(table, rows, setup, &target, &features)?;
        let windows = fitted_windows.map(|(windows, note)| {
            fit.notes.extend(note);
            windows
        });
        let width: usize = features.iter().map(Feature::width).sum();
        if !(1..=MOST_FEATURES).contains(&width) {
            let expected = format!("1 to {MOST_FEATURES} features");
            let left_out =
                if fit.notes.is_empty() { String::new() } else { format!(": {}", fit.notes.join("; ")) };
            let found = format!("{width}{left_out}");
            return Err(Error::Mismatch { what: table.path.display().to_string(), expected, found });
        }
        let named = |name: &Option<String>| {
            let find = |name: &String| table.find(name).map(|index| table.columns[index].name.clone());
            name.as_ref().map(find).transpose()
        };
        let (id, weights) = (named(&setup.id)?, named(&setup.weights)?);
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        let missing = options.missing.clone();
        let reading = Reading { delimiter: options.delimiter, missing, encoding: options.encoding };
        let encoder = Encoder { columns, reading, features, target: fitted_target, id, weights, windows };
        encoder.check_size()?;
        Ok(Fitted { encoder, notes: fit.notes })
    }
}

impl Setup {
    /// The indices of the columns that are predicted.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a column that is not there; [`Error::Mismatch`] for one that is named twice.
    pub fn target_columns(&self, table: &Table) -> Result<Vec<usize>> {
        if self.target.is_empty() {
            if self.unsupervised {
                return Ok(Vec::new());
            }
            return Ok(vec![table.columns.len() - 1]);
        }
        let mut found = Vec::with_capacity(self.target.len());
        for name in &self.target {
            let index = table.find(name)?;
            if found.contains(&index) {
                let (what, expected) = ("data.target".to_string(), "each column once".to_string());
                return Err(Error::Mismatch { what, expected, found: format!("`{name}` twice") });
            }
            found.push(index);
        }
        Ok(found)
    }
}

struct Fit<'a> {
    table: &'a Table,
    rows: &'a [u32],
    setup: &'a Setup,
    notes: Vec<String>,
    /// How many more columns may be embedded that nobody has named.
    left: usize,
}

impl Fit<'_> {
    /// The columns that features are made of, in their order in the table.
    fn chosen(&self, target: &[usize]) -> Result<Vec<usize>> {
        let Setup { features, ignore, id, weights, scalings, fills, .. } = self.setup;
        let find = |name: &String| self.table.find(name);
        // Names that are wrong are told, whatever else is said of them.
        scalings
            .iter()
            .map(|(name, _)| name)
            .chain(fills.iter().map(|(name, _)| name))
            .try_for_each(|name| find(name).map(drop))?;
        let mut left_out = target.to_vec();
        for name in ignore.iter().chain(id).chain(weights) {
            left_out.push(find(name)?);
        }
        if features.is_empty() {
            return Ok((0..self.table.columns.len()).filter(|index| !left_out.contains(index)).collect());
        }
        let mut chosen = features.iter().map(find).collect::<Result<Vec<_>>>()?;
        chosen.sort_unstable();
        chosen.dedup();
        if let Some(both) = chosen.iter().find(|index| left_out.contains(index)) {
            let name = &self.table.columns[*both].name;
            let expected =
                "columns that are neither the target nor ignored, nor an id or weights".to_string();
            return Err(Error::Mismatch {
                what: "data.features".into(),
                expected,
                found: format!("`{name}`"),
            });
        }
        Ok(chosen)
    }

    fn left_out(&mut self, column: &Column, why: &str) -> Result<Option<How>> {
        self.notes.push(format!("column `{}` is left out: {why}", column.name));
        Ok(None)
    }

    /// What becomes of a column; nothing of one that says nothing.
    fn column(&mut self, column: &Column) -> Result<Option<How>> {
        check_readable(self.table, column)?;
        match &column.values {
            Values::Dropped if column.kind == Kind::Empty => {
                self.left_out(column, "all its values are missing")
            }
            _ if column.kind == Kind::Text => Err(self.text(column)),
            Values::Dropped => Err(self.text(column)),
            Values::Single(values) => {
                self.number(column, self.rows.iter().map(|&row| f64::from(values[row as usize])))
            }
            Values::Double(values) => self.number(column, self.rows.iter().map(|&row| values[row as usize])),
            Values::Categories(categories) => self.category(column, categories),
            Values::Dates(form, values) => self.date(column, *form, values),
        }
    }

    /// The error for a column of texts that are mostly different.
    fn text(&self, column: &Column) -> Error {
        let name = &column.name;
        Error::Mismatch {
            what: format!("{}: column `{name}`", self.table.path.display()),
            expected: "numbers, categories or dates".into(),
            found: format!(
                "texts that are mostly different; data.ignore={name} leaves it out, data.id={name} takes it for the names of \
                 the rows, data.types.{name}=category takes it for categories all the same"
            ),
        }
    }

    fn number(&mut self, column: &Column, values: impl Iterator<Item = f64>) -> Result<Option<How>> {
        let mut present: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
        let missing = self.rows.len() - present.len();
        if present.is_empty() {
            return self.left_out(column, "all its values in the training rows are missing");
        }
        let constant = present.iter().all(|value| *value == present[0]);
        if constant && (missing == 0 || !self.setup.indicator) {
            return self.left_out(column, &format!("it is {} in all training rows", present[0]));
        }
        self.scaled(column, &mut present, missing > 0 && self.setup.indicator).map(Some)
    }

    /// The past of a target, which is there in all rows; kept even if it never changes.
    fn past(&self, column: &Column) -> Result<How> {
        let all: Vec<f64> = column.numbers().into_iter().flatten().collect();
        let mut trained: Vec<f64> = self.rows.iter().map(|&row| all[row as usize]).collect();
        self.scaled(column, &mut trained, false)
    }

    /// The feature of a column of numbers, of which these are there.
    fn scaled(&self, column: &Column, present: &mut [f64], indicator: bool) -> Result<How> {
        let named = |name: &String| {
            self.table.find(name).is_ok_and(|index| self.table.columns[index].name == column.name)
        };
        let scaling =
            self.setup.scalings.iter().rev().find(|(name, _)| named(name)).map(|(_, scaling)| *scaling);
        let scaling = scaling.unwrap_or(self.setup.scaling);
        let fill = self.setup.fills.iter().rev().find(|(name, _)| named(name)).map(|(_, fill)| *fill);
        let fill = fill.unwrap_or(self.setup.fill);
        // Also where nothing is missing now: rows to come may lack it.
        let fill = filled(fill, present);
        if scaling == Scaling::Log1p && present.iter().chain([&fill]).any(|&value| value <= -1.0) {
            let what = format!("{}: column `{}` with `log1p`", self.table.path.display(), column.name);
            let smallest = present.iter().copied().fold(fill, f64::min);
            return Err(Error::Mismatch {
                what,
                expected: "numbers above -1".into(),
                found: smallest.to_string(),
            });
        }
        let scale = scale_of(scaling, present);
        Ok(How::Number { scale, fill, indicator })
    }

    fn category(&mut self, column: &Column, categories: &Categories) -> Result<Option<How>> {
        let mut counts = vec![0usize; categories.names.len()];
        let mut missing = 0;
        for &row in self.rows {
            match categories.codes[row as usize] {
                MISSING => missing += 1,
                code => counts[code as usize] += 1,
            }
        }
        let mut kept: Vec<usize> = (0..counts.len()).filter(|&code| counts[code] > 0).collect();
        if kept.is_empty() {
            return self.left_out(column, "all its values in the training rows are missing");
        }
        if kept.len() == 1 && missing == 0 {
            let name = foreign::shortened(&categories.names[kept[0]]);
            return self.left_out(column, &format!("it is `{name}` in all training rows"));
        }
        let all = kept.len();
        kept.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
        kept.retain(|&code| counts[code] >= self.setup.rare);
        if kept.is_empty() {
            return self.left_out(column, "all its categories are rare");
        }
        if let Some(said) = self.embeds(column, all) {
            let mut names: Vec<String> = kept.iter().map(|&code| categories.names[code].clone()).collect();
            names.sort();
            let missing = missing > 0;
            let width = said.unwrap_or_else(|| embedding_width(1 + names.len() + usize::from(missing)));
            return Ok(Some(How::Embedding { names, missing, width }));
        }
        kept.truncate(self.setup.most_categories);
        if all > self.setup.most_categories {
            self.notes.push(format!(
                "column `{}` has {all} categories: the {} most frequent have a feature each, the rest are one",
                column.name,
                kept.len()
            ));
        }
        let mut names: Vec<String> = kept.iter().map(|&code| categories.names[code].clone()).collect();
        names.sort();
        Ok(Some(How::Category { other: names.len() < all, names, missing: missing > 0 }))
    }

    /// Whether a column of so many categories is embedded, and in how many numbers, if that was said.
    fn embeds(&mut self, column: &Column, categories: usize) -> Option<Option<usize>> {
        let named = |name: &String| {
            self.table.find(name).is_ok_and(|index| self.table.columns[index].name == column.name)
        };
        if let Some((_, width)) = self.setup.embeddings.iter().rev().find(|(name, _)| named(name)) {
            return Some(Some(*width));
        }
        if self.setup.windows.is_some() || self.setup.embed.is_none_or(|most| categories <= most) {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        Some(None)
    }

    /// Refuses to embed what is no feature of categories.
    fn check_embeddings(&self, chosen: &[usize]) -> Result<()> {
        let refused = |expected: String, found: String| {
            Err(Error::Mismatch { what: "data.embeddings".into(), expected, found })
        };
        if let (Some((name, _)), true) = (self.setup.embeddings.first(), self.setup.windows.is_some()) {
            let expected = "none with windows of a series, in which each category has a feature";
            return refused(expected.into(), format!("`{name}`"));
        }
        if self.setup.embeddings.len() > MOST_EMBEDDED {
            return refused(
                format!("at most {MOST_EMBEDDED} columns"),
                self.setup.embeddings.len().to_string(),
            );
        }
        for (name, _) in &self.setup.embeddings {
            let index = self.table.find(name)?;
            let Column { name, kind, values, .. } = &self.table.columns[index];
            if !chosen.contains(&index) {
                return refused("columns that predictions are made of".into(), format!("`{name}`"));
            }
            if !matches!(values, Values::Categories(_)) || *kind == Kind::Text {
                let expected =
                    format!("columns of categories; data.types.{name}=category takes `{name}` for one");
                return refused(expected, format!("`{name}`, which is of kind {}", kind.name()));
            }
        }
        Ok(())
    }

    fn date(&mut self, column: &Column, form: DateForm, values: &[i64]) -> Result<Option<How>> {
        let of_rows = self.rows.iter().map(|&row| values[row as usize]);
        let mut present: Vec<i64> = of_rows.filter(|&value| value != NO_DATE).collect();
        if present.is_empty() {
            return self.left_out(column, "all its values in the training rows are missing");
        }
        let missing = self.rows.len() - present.len();
        present.sort_unstable();
        let fill = present[present.len() / 2];
        if present[0] == present[present.len() - 1] && missing == 0 {
            let only = date::written(form, fill);
            return self.left_out(column, &format!("it is {only} in all training rows"));
        }
        let mut years: Vec<f64> = present.iter().map(|&at| date::parts(at)[0] as f64).collect();
        let year = scale_of(Scaling::Standardise, &mut years);
        Ok(Some(How::Date { form, year, fill, indicator: missing > 0 && self.setup.indicator }))
    }
}
