//! Airline passengers: a monthly series with a trend and a season.

use super::super::table::{Column, DateForm, Kind, Table, Values, date_of};
use super::drawn::{column, table};
use super::embedded::Embedded;

/// Passengers of international airlines, in thousands, by month: series G of G. E. P. Box and G. M. Jenkins, Time Series
/// Analysis: Forecasting and Control (1970); the numbers are those of R. G. Brown, Smoothing, Forecasting and Prediction of
/// Discrete Time Series (1962).
pub const AIRLINE: Embedded = Embedded {
    name: "airline",
    summary: "passengers of international airlines in thousands, by month, 1949 to 1960 (Box and Jenkins 1970)",
    table: airline,
};

const FIRST_YEAR: usize = 1949;

fn airline() -> Table {
    let month = |index: usize| {
        let text = format!("{}-{:02}", FIRST_YEAR + index / 12, 1 + index % 12);
        date_of(text.as_bytes()).map_or(0, |(_, seconds)| seconds)
    };
    let months = (0..THOUSANDS.as_flattened().len()).map(month).collect();
    let passengers = THOUSANDS.as_flattened().iter().map(|&number| f32::from(number)).collect();
    let columns: Vec<Column> = vec![
        column("month", Kind::Date, Values::Dates(DateForm::Month, months)),
        column("passengers", Kind::Number, Values::Single(passengers)),
    ];
    table(AIRLINE.name, THOUSANDS.as_flattened().len(), columns)
}

/// `[years, months]`
#[rustfmt::skip]
const THOUSANDS: [[u16; 12]; 12] = [
    [112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118],
    [115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140],
    [145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166],
    [171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194],
    [196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201],
    [204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229],
    [242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278],
    [284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306],
    [315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336],
    [340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337],
    [360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405],
    [417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432],
];
