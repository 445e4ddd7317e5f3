//! A real series, forecast from windows of its past, with a back-test that never looks ahead.

mod methods;

use self::methods::{Method, SEASON, growths};
use super::case::{Case, Setting};
use super::figure::{Bars, Figure, Lines, Listing, Named, Picture, Side};
use super::record::Finding;
use crate::data::small::SmallSet;
use crate::error::Result;

pub static CASE: Case = Case {
    name: "forecast",
    title: "A monthly series, one and twelve months ahead",
    summary: "sliding windows against naive forecasts, in a back-test that never looks ahead",
    example: "tour_forecast",
    run,
};

/// The months that forecasts are judged by: the last three years.
const JUDGED: usize = 3 * SEASON;
/// The year of the first month.
const FIRST_YEAR: f64 = 1949.0;
/// How far ahead the forecasts of the table are.
const HORIZONS: [usize; 2] = [1, SEASON];

/// The forecasts of a method: the number of known months, and the twelve months after them.
type Forecasts = Vec<(usize, [f64; SEASON])>;

/// How wrong forecasts are so many months ahead.
#[derive(Clone, Copy)]
struct Errors {
    mae: f64,
    rmse: f64,
}

fn run(_: &Setting) -> Result<Finding> {
    let values = passengers()?;
    let mut all = Vec::new();
    for method in Method::ALL {
        all.push((method, back_test(method, &values)?));
    }
    let mut finding = Finding::default();
    let scale = scale(&values);
    finding.note("months", values.len() as f64);
    finding.note("scale", scale);
    for (method, forecasts) in &all {
        for horizon in HORIZONS {
            let errors = errors(&values, forecasts, horizon);
            let key = |what: &str| format!("{}_{what}_{horizon}", method.key());
            finding.note(key("mae"), errors.mae);
            finding.note(key("rmse"), errors.rmse);
            finding.note(key("mase"), errors.mae / scale);
        }
    }
    finding.note("looking_ahead_mae_12", looking_ahead(&values)?);
    finding.text = text(&finding);
    finding.tables = vec![table(&finding)];
    finding.figures = vec![course(&values, &all), bars(&finding), horizons(&values, &all), growth(&values)];
    Ok(finding)
}

/// The series: passengers of airlines, in thousands, month by month.
fn passengers() -> Result<Vec<f64>> {
    let table = SmallSet::named("airline").map(|set| set.table(None, 1)).transpose()?;
    let column = table.as_ref().and_then(|table| table.columns.get(1)).and_then(|column| column.numbers());
    Ok(column.map(Iterator::collect).unwrap_or_default())
}

/// Forecasts from every origin that one of the judged months is predicted from. A model is fitted each January anew, on the
/// months before it; neither a fit nor a forecast is ever given a month from its origin on.
fn back_test(method: Method, values: &[f64]) -> Result<Forecasts> {
    let first = values.len() - JUDGED - SEASON + 1;
    let mut fitted = None;
    let mut forecasts = Vec::new();
    for origin in first..values.len() {
        let january = origin / SEASON * SEASON;
        let forecaster = match fitted.take() {
            Some((month, forecaster)) if month == january => forecaster,
            _ => method.fit(&values[..january])?,
        };
        forecasts.push((origin, forecaster.forecast(&values[..origin])?));
        fitted = Some((january, forecaster));
    }
    Ok(forecasts)
}

/// The judged months as they were forecast so many months ahead: the month and the forecast.
fn ahead(values: &[f64], forecasts: &Forecasts, horizon: usize) -> Vec<(usize, f64)> {
    let judged = values.len() - JUDGED..values.len();
    let of = |&(origin, months): &(usize, [f64; SEASON])| (origin + horizon - 1, months[horizon - 1]);
    forecasts.iter().map(of).filter(|(month, _)| judged.contains(month)).collect()
}

fn errors(values: &[f64], forecasts: &Forecasts, horizon: usize) -> Errors {
    let of = |(month, forecast): (usize, f64)| (forecast - values[month]).abs();
    let errors: Vec<f64> = ahead(values, forecasts, horizon).into_iter().map(of).collect();
    let count = errors.len() as f64;
    let squares: f64 = errors.iter().map(|error| error * error).sum();
    Errors { mae: errors.iter().sum::<f64>() / count, rmse: (squares / count).sqrt() }
}

/// What MASE divides by: the mean absolute error of the forecast that last year comes again, over the months before the
/// first origin.
fn scale(values: &[f64]) -> f64 {
    let known = &values[..values.len() - JUDGED - SEASON];
    let errors = known.iter().zip(&known[SEASON..]).map(|(before, now)| (now - before).abs());
    errors.sum::<f64>() / (known.len() - SEASON) as f64
}

/// The error twelve months ahead of a linear model that was fitted on all months, those that it forecasts included.
fn looking_ahead(values: &[f64]) -> Result<f64> {
    let forecaster = Method::Linear.fit(values)?;
    let origins = values.len() - JUDGED - SEASON + 1..values.len();
    let forecasts = origins.map(|origin| Ok((origin, forecaster.forecast(&values[..origin])?)));
    Ok(errors(values, &forecasts.collect::<Result<Forecasts>>()?, SEASON).mae)
}

fn text(found: &Finding) -> Vec<String> {
    let of = |name: &str| found.number(name);
    vec![
        format!(
            "{} months of airline passengers, 1949 to 1960: a rising series whose summers stand out, the more the higher it is. \
             Logarithms make the swings equally large, and the difference to the same month of the year before takes season \
             and trend out. What is left, the growth within a year, is what the models learn: they read thirteen of them and \
             give the next twelve.",
            of("months")
        ),
        format!(
            "A forecast is worth what it adds to one that takes no model. The last value is off by {:.1} thousand one month \
             ahead, since it knows no season; that last year comes again, by {:.1}, since it knows no growth. Twelve months \
             ahead the two are one and the same forecast. Last year's month times the growth of the last twelve months knows \
             both, and is the one to beat: {:.1} one month ahead, {:.1} twelve.",
            of("last_value_mae_1"),
            of("seasonal_naive_mae_1"),
            of("growth_naive_mae_1"),
            of("growth_naive_mae_12")
        ),
        format!(
            "The linear model, fitted by L-BFGS on all windows at once, does beat it: {:.1} and {:.1}. Five small networks, \
             whose mean is taken, come to {:.1} and {:.1}. There are fewer than a hundred windows to learn from, and a network \
             finds nothing in them that a line misses. The gain over the best naive forecast is smaller than what that one \
             gains by knowing the growth: try the naive forecasts first. Twelve months ahead all that know the growth are far \
             worse than one month ahead.",
            of("linear_mae_1"),
            of("linear_mae_12"),
            of("network_mae_1"),
            of("network_mae_12")
        ),
        format!(
            "All this is measured by a rolling origin: for each of the last 36 months the forecast is made from the months \
             before its origin alone, by a model that was fitted in the January before it, and fitted anew each January. A \
             linear model that has seen all months looks better twelve months ahead, {:.1} instead of {:.1}: that is not skill \
             but knowledge of the answers. Samples of a series must never be shuffled into training and test.",
            of("looking_ahead_mae_12"),
            of("linear_mae_12")
        ),
        "MASE divides the error by that of the forecast that last year comes again, in the years before. Above 1 is worse than \
         that forecast was then; the series has grown since, so the same skill in percent gives a larger error."
            .into(),
    ]
}

fn table(found: &Finding) -> Listing {
    let mut rows = Vec::new();
    for horizon in HORIZONS {
        for method in Method::ALL {
            let of = |what: &str| found.number(&format!("{}_{what}_{horizon}", method.key()));
            let [mae, rmse, mase] = ["mae", "rmse", "mase"].map(of);
            let numbers =
                [horizon.to_string(), format!("{mae:.1}"), format!("{rmse:.1}"), format!("{mase:.2}")];
            rows.push([method.title().to_string()].into_iter().chain(numbers).collect());
        }
    }
    let columns = ["forecast", "months ahead", "MAE", "RMSE", "MASE"].map(String::from).to_vec();
    Listing { caption: "Errors over the last 36 months, in thousands of passengers".into(), columns, rows }
}

fn year(month: usize) -> f64 {
    FIRST_YEAR + month as f64 / SEASON as f64
}

fn course(values: &[f64], all: &[(Method, Forecasts)]) -> Figure {
    let shown = values.len() - JUDGED - 2 * SEASON;
    let known = values.iter().enumerate().skip(shown).map(|(month, &value)| [year(month), value]);
    let mut series = vec![Named::new("passengers", known)];
    let mut add = |name: &str, wanted: Method, horizon: usize| {
        for (_, forecasts) in all.iter().filter(|(method, _)| *method == wanted) {
            let points =
                ahead(values, forecasts, horizon).into_iter().map(|(month, value)| [year(month), value]);
            series.push(Named::new(name, points));
        }
    };
    add("last year again", Method::Seasonal, SEASON);
    add("linear, twelve months ahead", Method::Linear, SEASON);
    add("linear, one month ahead", Method::Linear, 1);
    let (x, y) = (Side::linear("year"), Side::linear("passengers, thousands"));
    let picture = Picture::Lines(Lines { x, y, series });
    Figure { name: "forecasts".into(), title: "The last three years as they were forecast".into(), picture }
}

fn bars(found: &Finding) -> Figure {
    let series = HORIZONS.map(|horizon| {
        let of = |method: Method| Some(found.number(&format!("{}_mae_{horizon}", method.key())));
        let name = if horizon == 1 { "one month ahead" } else { "twelve months ahead" };
        (name.to_string(), Method::ALL.map(of).to_vec())
    });
    let picture = Picture::Bars(Bars {
        x_label: "forecast".into(),
        y: Side::linear("mean absolute error, thousands"),
        groups: Method::ALL.map(|method| method.title().to_string()).to_vec(),
        series: series.to_vec(),
    });
    Figure { name: "errors".into(), title: "Errors of the forecasts".into(), picture }
}

fn horizons(values: &[f64], all: &[(Method, Forecasts)]) -> Figure {
    let series = all.iter().map(|(method, forecasts)| {
        let of = |horizon: usize| [horizon as f64, errors(values, forecasts, horizon).mae];
        Named::new(method.title(), (1..=SEASON).map(of))
    });
    let (x, y) = (Side::linear("months ahead"), Side::linear("mean absolute error, thousands"));
    let picture = Picture::Lines(Lines { x, y, series: series.collect() });
    Figure { name: "horizons".into(), title: "The further ahead, the less certain".into(), picture }
}

fn growth(values: &[f64]) -> Figure {
    let points =
        growths(values).into_iter().enumerate().map(|(index, growth)| [year(index + SEASON), growth]);
    let series = vec![Named::new("log of a month over that of last year", points)];
    let (x, y) = (Side::linear("year"), Side::linear("growth within a year"));
    let picture = Picture::Lines(Lines { x, y, series });
    Figure { name: "growth".into(), title: "What the models learn: growth within a year".into(), picture }
}

#[cfg(test)]
mod tests;
