//! A column and the rows below it, which were read by themselves: whether they would be the same had they been read
//! one by one behind those above them, and how both become one.

use super::category::{Interner, MISSING};
use super::column::{Builder, Growing, Reading, Unreadable};
use crate::error::Result;

impl Builder {
    /// A column without values, for rows somewhere below: it is read as this one is by now.
    pub fn fresh(&self) -> Builder {
        let mut fresh = Builder::new(self.reading, self.said);
        match &self.values {
            Growing::Double(_) => fresh.values = Growing::Double(Vec::new()),
            Growing::Dates(form, _) => fresh.values = Growing::Dates(*form, Vec::new()),
            Growing::TooMany => fresh.values = Growing::TooMany,
            Growing::None | Growing::Single(_) | Growing::Texts(..) => {}
        }
        fresh
    }

    /// Whether `below` is what its rows would be behind those of this column. Of texts the numbers here, for each
    /// number there; else nothing. None if it is not so, or might not be.
    pub fn seam(&mut self, below: &Builder) -> Option<Vec<u32>> {
        match (&mut self.values, &below.values) {
            // All values below are missing.
            (_, Growing::None) => Some(Vec::new()),
            (Growing::None, Growing::Texts(_, texts)) => Interner::default().numbers_of(texts),
            (Growing::Texts(_, known), Growing::Texts(_, texts)) => known.numbers_of(texts),
            (Growing::None, Growing::TooMany) => None,
            (Growing::None, _) => Some(Vec::new()),
            (Growing::TooMany, Growing::Texts(..) | Growing::TooMany) => Some(Vec::new()),
            (Growing::Single(_) | Growing::Double(_), Growing::Single(_) | Growing::Double(_)) => {
                Some(Vec::new())
            }
            (Growing::Dates(form, dates), Growing::Dates(form_below, dates_below)) => {
                let is_one_form = form.is_none() || form_below.is_none() || form == form_below;
                let seam = dates.last().zip(dates_below.first());
                let is_ascending = self.first_descent > 0 || seam.is_none_or(|(last, first)| last < first);
                (is_one_form && is_ascending).then(Vec::new)
            }
            _ => None,
        }
    }

    /// Adds the `rows` rows of a column for which [`Builder::seam`] has given these numbers.
    ///
    /// # Errors
    /// [`Error::Mismatch`](crate::Error::Mismatch) if memory does not suffice.
    pub fn join(&mut self, below: &Builder, numbers: &[u32], rows: usize) -> Result<()> {
        if self.reading == Reading::Unknown {
            self.begin(below.reading);
            self.fill(self.missing);
        }
        if matches!(below.values, Growing::Double(_)) {
            self.widen()?;
        }
        match (&mut self.values, &below.values) {
            (Growing::Single(values), Growing::Single(more)) => values.extend_from_slice(more),
            (Growing::Double(values), Growing::Single(more)) => {
                values.extend(more.iter().map(|&value| f64::from(value)));
            }
            (Growing::Double(values), Growing::Double(more)) => values.extend_from_slice(more),
            (Growing::Dates(form, values), Growing::Dates(form_below, more)) => {
                *form = form.or(*form_below);
                values.extend_from_slice(more);
            }
            (Growing::Texts(codes, known), Growing::Texts(more, texts)) => {
                // Where all values above were missing the texts are known here from now on only.
                if known.len() == 0 {
                    known.numbers_of(texts);
                }
                let number = |&code: &u32| numbers.get(code as usize).copied().unwrap_or(MISSING);
                codes.extend(more.iter().map(number));
            }
            (_, Growing::None) => self.fill(rows),
            _ => {}
        }
        if self.missing == 0 {
            self.first_missing = below.first_missing;
        }
        self.missing += below.missing;
        if self.first_descent == 0 {
            self.first_descent = below.first_descent;
        }
        if let Some(Unreadable { count, .. }) = below.unreadable {
            match &mut self.unreadable {
                Some(first) => first.count += count,
                none => none.clone_from(&below.unreadable),
            }
        }
        Ok(())
    }
}
