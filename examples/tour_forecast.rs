//! Airline passengers, month by month, forecast one and twelve months ahead by a linear model of the growth within a year,
//! beside forecasts that take no model. Each forecast is made from the months before it alone.
//!
//!     cargo run --release --example tour_forecast

use fallline::data::small::SmallSet;
use fallline::{Activation, Loss, Model, Optimizer, Predictor, Samples, Trainer};

/// A year and a month of growths are read, a year of them is predicted.
const WINDOW: usize = 13;
const YEAR: usize = 12;

/// The logarithm of each month over the same month of the year before: neither trend nor season is left in it.
fn growths(months: &[f64]) -> Vec<f32> {
    months.iter().zip(&months[YEAR..]).map(|(before, now)| (now / before).ln() as f32).collect()
}

/// A linear model of the next twelve growths, fitted on the windows of these months.
fn fit(months: &[f64]) -> fallline::Result<Predictor> {
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for part in growths(months).windows(WINDOW + YEAR) {
        x.extend(part[..WINDOW].iter().map(|growth| 10.0 * growth));
        y.extend(part[WINDOW..].iter().map(|growth| 10.0 * growth));
    }
    let samples = Samples::from_rows(x, WINDOW).values(y)?;
    let model = Model::sequential(WINDOW).dense(YEAR, Activation::IDENTITY).loss(Loss::MEAN_SQUARED_ERROR);
    let mut model = model.build()?;
    Trainer::new().optimizer(Optimizer::named("lbfgs")?).epochs(300).threads(1).fit(&mut model, &samples)?;
    Predictor::new(model)
}

/// The month `ahead` after the known ones.
fn forecast(model: &Predictor, known: &[f64], ahead: usize) -> fallline::Result<f64> {
    let growth = growths(known);
    let window: Vec<f32> = growth[growth.len() - WINDOW..].iter().map(|growth| 10.0 * growth).collect();
    let mut next = [0.0; YEAR];
    model.predict(&window, &mut next)?;
    Ok(known[known.len() + ahead - 1 - YEAR] * f64::from(next[ahead - 1] / 10.0).exp())
}

fn main() -> fallline::Result<()> {
    let table = SmallSet::named("airline").expect("it is part of the program").table(None, 1)?;
    let months: Vec<f64> = table.columns[1].numbers().expect("the column has numbers").collect();
    // A model for each January from 1957 on, of the months before it.
    let januaries: Vec<usize> = (8 * YEAR..months.len()).step_by(YEAR).collect();
    let models =
        januaries.iter().map(|&january| fit(&months[..january])).collect::<fallline::Result<Vec<_>>>()?;

    println!(
        "{:<14}{:>12}{:>12}{:>24}{:>10}",
        "months ahead", "last value", "last year", "last year and growth", "linear"
    );
    for ahead in [1, YEAR] {
        // Absolute errors over the last three years.
        let mut errors = [0.0; 4];
        for month in months.len() - 3 * YEAR..months.len() {
            let known = &months[..month + 1 - ahead];
            let last = known[known.len() - 1];
            let year = months[month - YEAR];
            let growth = last / known[known.len() - 1 - YEAR];
            let linear = forecast(&models[known.len() / YEAR - 8], known, ahead)?;
            for (error, forecast) in errors.iter_mut().zip([last, year, year * growth, linear]) {
                *error += (forecast - months[month]).abs() / 36.0;
            }
        }
        let [last, year, growth, linear] = errors;
        println!("{ahead:<14}{last:>12.1}{year:>12.1}{growth:>24.1}{linear:>10.1}");
        assert!(linear < growth && growth < year);
    }
    Ok(())
}
