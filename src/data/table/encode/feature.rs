//! Features that are made of one column.

use serde::{Deserialize, Serialize};

use super::super::category::MOST_CATEGORIES;
use super::super::date::{self, DateForm};

/// The most numbers that a category is embedded in.
pub const MOST_WIDTH: usize = 1 << 16;

/// What becomes of a number: (x - offset) * factor, or that of ln(1 + x).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub log1p: bool,
    pub offset: f64,
    /// Above 0.
    pub factor: f64,
}

impl Scale {
    /// Numbers stay as they are.
    pub const NONE: Scale = Scale { log1p: false, offset: 0.0, factor: 1.0 };

    /// The feature of a number; none if no f32 holds it.
    pub fn apply(self, x: f64) -> Option<f32> {
        let x = if self.log1p { x.ln_1p() } else { x };
        Some(((x - self.offset) * self.factor) as f32).filter(|feature| feature.is_finite())
    }

    /// The number of a feature: the inverse of [`Scale::apply`], as exact as an f32 is.
    pub fn number(self, feature: f32) -> f64 {
        let x = f64::from(feature) / self.factor + self.offset;
        if self.log1p { x.exp_m1() } else { x }
    }

    fn is_sound(self) -> bool {
        self.offset.is_finite() && self.factor > 0.0 && self.factor.is_finite()
    }
}

/// How the values of a column become features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum How {
    /// One feature, and where `indicator` is set one that is 1 where the number is missing.
    Number {
        scale: Scale,
        /// The number that stands for a missing one.
        fill: f64,
        indicator: bool,
    },
    /// A feature for each category, which is 1 in its rows and 0 in others; behind them one for `other`, if there is,
    /// and one for missing values, if there is. What has no feature is 0 in all.
    Category { names: Vec<String>, other: bool, missing: bool },
    /// One whole number, which stands for a vector of `width` numbers that a network learns: 0 in rows of other
    /// categories than these, 1 in those of the first; behind the last the one of missing values, if they have their own.
    Embedding { names: Vec<String>, missing: bool, width: usize },
    /// The year, scaled; sine and cosine of the month, of the weekday where there are days, and of the hour where there
    /// are times; and where `indicator` is set, 1 where the date is missing.
    Date {
        form: DateForm,
        year: Scale,
        /// Seconds since 1970 of the date that stands for a missing one.
        fill: i64,
        indicator: bool,
    },
}

/// A column that features are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    pub column: String,
    #[serde(flatten)]
    pub how: How,
}

impl Feature {
    /// How many features there are.
    pub fn width(&self) -> usize {
        match &self.how {
            How::Number { indicator, .. } => 1 + usize::from(*indicator),
            How::Embedding { .. } => 1,
            How::Category { names, other, missing } => {
                names.len() + usize::from(*other) + usize::from(*missing)
            }
            How::Date { form, indicator, .. } => 1 + 2 * cycles(*form) + usize::from(*indicator),
        }
    }

    /// The names of the features: `age`, `age missing`, `country=Peru`.
    pub fn names(&self) -> Vec<String> {
        let column = &self.column;
        let missing = |there: bool| there.then(|| format!("{column} missing"));
        match &self.how {
            How::Number { indicator, .. } => {
                [column.clone()].into_iter().chain(missing(*indicator)).collect()
            }
            How::Embedding { .. } => vec![column.clone()],
            How::Category { names, other, missing: without } => {
                let categories = names.iter().map(|name| format!("{column}={name}"));
                let other = other.then(|| format!("{column} other"));
                categories.chain(other).chain(missing(*without)).collect()
            }
            How::Date { form, indicator, .. } => {
                let cycles = ["month", "weekday", "hour"].into_iter().take(cycles(*form));
                let cycles =
                    cycles.flat_map(|part| ["sin", "cos"].map(|wave| format!("{column} {part} {wave}")));
                [format!("{column} year")].into_iter().chain(cycles).chain(missing(*indicator)).collect()
            }
        }
    }

    /// Writes the features of a number, or of a missing one, to `row` `[width]`; false if no f32 holds it.
    #[must_use]
    pub fn write_number(&self, number: Option<f64>, row: &mut [f32]) -> bool {
        let How::Number { scale, fill, indicator } = &self.how else { return false };
        if *indicator {
            row[1] = if number.is_none() { 1.0 } else { 0.0 };
        }
        let feature = scale.apply(number.unwrap_or(*fill));
        row[0] = feature.unwrap_or(0.0);
        feature.is_some()
    }

    /// The categories that it tells apart, sorted, if it is of categories.
    pub fn categories(&self) -> Option<&[String]> {
        match &self.how {
            How::Category { names, .. } | How::Embedding { names, .. } => Some(names),
            _ => None,
        }
    }

    /// If it is embedded, its categories, those of other and of missing values among them, and the numbers of each.
    pub fn embedding(&self) -> Option<[usize; 2]> {
        match &self.how {
            How::Embedding { names, missing, width } => {
                Some([1 + names.len() + usize::from(*missing), *width])
            }
            _ => None,
        }
    }

    /// Writes the features of a category to `row` `[width]`, which is 0.
    pub fn write_category(&self, category: Category, row: &mut [f32]) {
        if let How::Embedding { names, missing, .. } = &self.how {
            row[0] = match category {
                Category::Known(place) => (1 + place) as f32,
                Category::Missing if *missing => (1 + names.len()) as f32,
                Category::Other | Category::Missing => 0.0,
            };
        } else if let Some(place) = self.place(category) {
            row[place] = 1.0;
        }
    }

    /// The place of a category's feature within the column's; none if it has none.
    pub fn place(&self, category: Category) -> Option<usize> {
        let How::Category { names, other, missing } = &self.how else { return None };
        match category {
            Category::Known(place) => Some(place),
            Category::Other => other.then_some(names.len()),
            Category::Missing if *missing => Some(names.len() + usize::from(*other)),
            Category::Missing => other.then_some(names.len()),
        }
    }

    /// Writes the features of a date in seconds since 1970, or of a missing one, to `row` `[width]`.
    pub fn write_date(&self, seconds: Option<i64>, row: &mut [f32]) {
        let How::Date { form, year, fill, indicator } = &self.how else { return };
        let [of_year, month, weekday, hour] = date::parts(seconds.unwrap_or(*fill));
        row[0] = year.apply(of_year as f64).unwrap_or(0.0);
        let cycles = [((month - 1) as f64, 12.0), (weekday as f64, 7.0), (hour as f64, 24.0)];
        for (wave, (at, length)) in row[1..].chunks_exact_mut(2).zip(cycles).take(self::cycles(*form)) {
            let angle = std::f64::consts::TAU * at / length;
            (wave[0], wave[1]) = (angle.sin() as f32, angle.cos() as f32);
        }
        if *indicator && let Some(last) = row.last_mut() {
            *last = if seconds.is_none() { 1.0 } else { 0.0 };
        }
    }

    /// What is wrong with it, if it was read from somewhere else.
    pub(super) fn fault(&self) -> Option<&'static str> {
        match &self.how {
            How::Number { scale, fill, .. } if !scale.is_sound() || !fill.is_finite() => {
                Some("a number that is not finite")
            }
            How::Date { year, .. } if !year.is_sound() => Some("a number that is not finite"),
            How::Category { names, .. } | How::Embedding { names, .. } if names.len() > MOST_CATEGORIES => {
                Some("too many categories")
            }
            How::Category { names, .. } | How::Embedding { names, .. } if !names.is_sorted() => {
                Some("categories that are not sorted")
            }
            How::Embedding { width, .. } if !(1..=MOST_WIDTH).contains(width) => {
                Some("a category in no numbers, or too many")
            }
            _ if self.width() == 0 => Some("a column without a feature"),
            _ => None,
        }
    }
}

/// A value of a column of categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// That of this number among those with a feature.
    Known(usize),
    /// Any other.
    Other,
    Missing,
}

/// Parts of a date that come again and again: month, weekday, hour.
fn cycles(form: DateForm) -> usize {
    match form {
        DateForm::Month => 1,
        DateForm::Day => 2,
        DateForm::Time => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(how: How) -> Feature {
        Feature { column: "x".into(), how }
    }

    #[test]
    fn numbers_are_scaled_and_missing_ones_marked() {
        let scale = Scale { log1p: false, offset: 2.0, factor: 0.5 };
        let number = feature(How::Number { scale, fill: 4.0, indicator: true });
        assert_eq!((number.width(), number.names()), (2, vec!["x".to_string(), "x missing".into()]));
        let of = |value| {
            let mut row = [9.0; 2];
            number.write_number(value, &mut row).then_some(row)
        };
        assert_eq!(of(Some(3.0)), Some([0.5, 0.0]));
        assert_eq!(of(None), Some([1.0, 1.0]));
        assert_eq!(of(Some(1e39)), None);
        let log = Scale { log1p: true, ..Scale::NONE };
        assert_eq!(log.apply(std::f64::consts::E - 1.0), Some(1.0));
        assert_eq!((log.apply(-1.0), log.apply(-2.0)), (None, None));
    }

    #[test]
    fn categories_have_a_place_each() {
        let of =
            |other, missing| feature(How::Category { names: vec!["a".into(), "b".into()], other, missing });
        let places = |feature: &Feature| {
            [Category::Known(1), Category::Other, Category::Missing].map(|category| feature.place(category))
        };
        assert_eq!(places(&of(true, true)), [Some(1), Some(2), Some(3)]);
        assert_eq!(places(&of(true, false)), [Some(1), Some(2), Some(2)]);
        assert_eq!(places(&of(false, true)), [Some(1), None, Some(2)]);
        assert_eq!(places(&of(false, false)), [Some(1), None, None]);
        assert_eq!(of(true, true).names(), ["x=a", "x=b", "x other", "x missing"]);
        assert_eq!(of(true, true).width(), 4);
    }

    #[test]
    fn categories_that_are_embedded_have_a_code_each() {
        let codes = |missing| {
            let names = vec!["a".into(), "b".into()];
            let feature = feature(How::Embedding { names, missing, width: 3 });
            assert_eq!((feature.width(), feature.names(), feature.fault()), (1, vec!["x".to_string()], None));
            let all = [Category::Known(0), Category::Known(1), Category::Other, Category::Missing];
            let codes = all.map(|category| {
                let mut row = [0.0];
                feature.write_category(category, &mut row);
                row[0]
            });
            (feature.embedding(), codes)
        };
        assert_eq!(codes(true), (Some([4, 3]), [1.0, 2.0, 0.0, 3.0]));
        assert_eq!(codes(false), (Some([3, 3]), [1.0, 2.0, 0.0, 0.0]));
        let wide = feature(How::Embedding { names: vec!["a".into()], missing: false, width: MOST_WIDTH + 1 });
        assert_eq!(wide.fault(), Some("a category in no numbers, or too many"));
    }

    #[test]
    fn dates_become_a_year_and_waves() {
        let year = Scale { log1p: false, offset: 1960.0, factor: 0.1 };
        let day = feature(How::Date { form: DateForm::Day, year, fill: 0, indicator: true });
        assert_eq!(day.names().len(), day.width());
        let mut row = vec![9.0; day.width()];
        // The start of 1970, a Thursday.
        day.write_date(None, &mut row);
        let angle = std::f64::consts::TAU * 3.0 / 7.0;
        assert_eq!(row, [1.0, 0.0, 1.0, angle.sin() as f32, angle.cos() as f32, 1.0]);
        let month = feature(How::Date { form: DateForm::Month, year, fill: 0, indicator: false });
        let mut row = vec![9.0; month.width()];
        month.write_date(Some(90 * 86_400), &mut row);
        assert_eq!(row, [1.0, 1.0, (std::f64::consts::TAU / 4.0).cos() as f32]);
    }
}
