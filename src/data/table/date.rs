//! Dates as tables hold them, without time zones.

use serde::{Deserialize, Serialize};

/// The forms of dates that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateForm {
    /// `1949-01`: a year of one to four digits and a month of two.
    Month,
    /// `1949-01-31`, `1949/01/31`, `31.1.1949`.
    Day,
    /// `1949-01-31T12:30`, with seconds or without, with a blank in place of the T, with a Z behind it.
    Time,
}

/// Seconds of a day.
const DAY: i64 = 86_400;

/// A date in seconds since 1970, the start of its month or day, and its form; none if the field is no date.
pub fn date(field: &[u8]) -> Option<(DateForm, i64)> {
    // Whatever is a date begins with a digit and is short.
    if !field.first()?.is_ascii_digit() || field.len() > 32 {
        return None;
    }
    let text = std::str::from_utf8(field).ok()?;
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let separator = day.chars().find(|letter| !letter.is_ascii_digit())?;
    if !['-', '/', '.'].contains(&separator) {
        return None;
    }
    let mut parts = [0; 3];
    let mut widths = [0; 3];
    let mut count = 0;
    for part in day.split(separator) {
        let is_number = !part.is_empty() && part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit());
        if count == 3 || !is_number {
            return None;
        }
        (parts[count], widths[count]) = (part.parse::<i64>().ok()?, part.len());
        count += 1;
    }
    let (year, month, day) = match (separator, count, widths) {
        ('-', 2, [1..=4, 2, _]) if time.is_none() => (parts[0], parts[1], 1),
        ('-' | '/', 3, [4, 1..=2, 1..=2]) => (parts[0], parts[1], parts[2]),
        ('.', 3, [1..=2, 1..=2, 4]) => (parts[2], parts[1], parts[0]),
        _ => return None,
    };
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let start = DAY * days_since_1970(year, month, day);
    match time {
        None if count == 2 => Some((DateForm::Month, start)),
        None => Some((DateForm::Day, start)),
        Some(time) => Some((DateForm::Time, start + seconds(time)?)),
    }
}

/// `12:30`, `12:30:59`, `12:30:59.5Z` in seconds; parts of a second are dropped.
fn seconds(time: &str) -> Option<i64> {
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut total = 0;
    let mut count = 0;
    for part in time.split(':') {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let value = is_number.then(|| part.parse::<i64>().ok()).flatten()?;
        if value >= if count == 0 { 24 } else { 60 } {
            return None;
        }
        total = 60 * total + value;
        count += 1;
    }
    match count {
        2 => Some(60 * total),
        3 => Some(total),
        _ => None,
    }
}

/// The year of a date, its month from 1, its weekday from 0 for Monday, and its hour.
pub fn parts(seconds: i64) -> [i64; 4] {
    let days = seconds.div_euclid(DAY);
    let [year, month, _] = civil(days);
    // 1970-01-01 was a Thursday.
    [year, month, (days + 3).rem_euclid(7), seconds.rem_euclid(DAY) / 3600]
}

/// The date so many months later, on the same day of the month or else its last, and at the same time.
pub fn months_later(seconds: i64, months: i64) -> i64 {
    let [year, month, day] = civil(seconds.div_euclid(DAY));
    let month = 12 * year + month - 1 + months;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let day = day.min(days_of(year, month));
    DAY * days_since_1970(year, month, day) + seconds.rem_euclid(DAY)
}

/// Months from one date to a later one, as far as they are whole: the days of the month and the times are the same.
pub fn months_between(from: i64, to: i64) -> Option<i64> {
    let [from_date, to_date] = [from, to].map(|at| civil(at.div_euclid(DAY)));
    let is_whole = from_date[2] == to_date[2] && from.rem_euclid(DAY) == to.rem_euclid(DAY);
    is_whole.then(|| 12 * (to_date[0] - from_date[0]) + to_date[1] - from_date[1])
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`): years begin in March, so that the leap day is their last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of so many days since 1970: the inverse, `civil_from_days`.
fn civil(days: i64) -> [i64; 3] {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [year, month, day_of_year - (153 * shifted + 2) / 5 + 1]
}

/// A date as ISO 8601 writes it, as far as its form goes.
pub fn written(form: DateForm, seconds: i64) -> String {
    let [year, month, day] = civil(seconds.div_euclid(DAY));
    let rest = seconds.rem_euclid(DAY);
    match form {
        DateForm::Month => format!("{year:04}-{month:02}"),
        DateForm::Day => format!("{year:04}-{month:02}-{day:02}"),
        DateForm::Time => {
            let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        for (text, form, seconds, iso) in [
            ("1970-01-01", DateForm::Day, 0, "1970-01-01"),
            ("1949-01", DateForm::Month, -662_688_000, "1949-01"),
            ("2000/02/29", DateForm::Day, 951_782_400, "2000-02-29"),
            ("31.1.2001", DateForm::Day, 980_899_200, "2001-01-31"),
            ("2024-12-31 23:59", DateForm::Time, 1_735_689_540, "2024-12-31T23:59:00"),
            ("2024-12-31T23:59:58.25Z", DateForm::Time, 1_735_689_598, "2024-12-31T23:59:58"),
        ] {
            assert_eq!(date(text.as_bytes()), Some((form, seconds)), "{text}");
            assert_eq!(written(form, seconds), iso);
        }
        assert_eq!(date(b"1-01").map(|(form, at)| written(form, at)), Some("0001-01".into()));
    }

    #[test]
    fn weekdays_and_hours_are_those_of_the_calendar() {
        let of = |text: &str| parts(date(text.as_bytes()).unwrap().1);
        assert_eq!(of("1970-01-01"), [1970, 1, 3, 0]);
        assert_eq!(of("2024-02-29T23:59"), [2024, 2, 3, 23]);
        assert_eq!(of("1899-12-31"), [1899, 12, 6, 0]);
    }

    #[test]
    fn months_go_on_from_year_to_year() {
        let at = |text: &str| date(text.as_bytes()).unwrap().1;
        assert_eq!(months_later(at("1960-11"), 3), at("1961-02"));
        assert_eq!(months_later(at("2023-12-31T12:00"), 2), at("2024-02-29T12:00"));
        assert_eq!(months_between(at("1960-11-05"), at("1962-01-05")), Some(14));
        assert_eq!(months_between(at("1960-11-05"), at("1962-01-06")), None);
    }

    #[test]
    fn every_day_of_eight_centuries_is_itself_again() {
        for days in -146_097..146_097 {
            let [year, month, day] = civil(days);
            assert_eq!(days_since_1970(year, month, day), days);
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "1949",
            "1949-13",
            "1949-1",
            "2001-02-29",
            "1900-02-29",
            "12:30",
            "1-2-3",
            "a",
            "5.1",
            "5.1.2",
            "2001-01-01T24:00",
            "2001-01-01T",
            "2001-01-01 x",
            "1/2",
            "2001-01/01",
            "2001-01-01-01",
            "-01-01",
        ] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }
}
