use super::methods::WINDOW;
use super::*;

/// Which months were forecast, and from how many known ones, in bits.
fn bits(forecasts: &Forecasts, origins: impl Fn(usize) -> bool) -> Vec<(usize, [u64; SEASON])> {
    let chosen = forecasts.iter().filter(|(origin, _)| origins(*origin));
    chosen.map(|(origin, months)| (*origin, months.map(f64::to_bits))).collect()
}

#[test]
fn no_forecast_depends_on_what_comes_after_its_origin() {
    let values = passengers().unwrap();
    for method in Method::ALL {
        let forecasts = back_test(method, &values).unwrap();
        // In the first year, at a January, before one, and near the end.
        for origin in [100, 108, 119, 140] {
            let mut poisoned = values.clone();
            poisoned[origin..].iter_mut().for_each(|value| *value = 1000.0 - *value);
            let others = back_test(method, &poisoned).unwrap();
            let [before, after] = [&forecasts, &others].map(|all| bits(all, |own| own <= origin));
            assert_eq!(before, after, "{} {origin}", method.title());
            let [before, after] = [&forecasts, &others].map(|all| bits(all, |own| own > origin));
            assert!(before.iter().zip(&after).all(|(before, after)| before != after), "{}", method.title());
        }
    }
}

/// Every judged month is forecast once, at each horizon, from as many months before it.
#[test]
fn each_judged_month_is_forecast_at_each_horizon() {
    let values = passengers().unwrap();
    assert_eq!((values.len(), values[0], values[143]), (144, 112.0, 432.0));
    let forecasts = back_test(Method::Last, &values).unwrap();
    for horizon in 1..=SEASON {
        let months = ahead(&values, &forecasts, horizon);
        assert_eq!(months, (108..144).map(|month| (month, values[month - horizon])).collect::<Vec<_>>());
    }
}

/// The naive forecasts' errors, of the series itself.
#[test]
fn naive_forecasts_have_the_errors_that_the_series_says() {
    let found = run(&Setting { threads: 1 }).unwrap();
    let values = passengers().unwrap();
    let mean = |forecast: &dyn Fn(usize) -> f64| {
        (108..144).map(|month| (values[month] - forecast(month)).abs()).sum::<f64>() / 36.0
    };
    let same = |name: &str, expected: f64| {
        assert!((found.number(name) - expected).abs() < 1e-9, "{name} {} {expected}", found.number(name));
    };
    same("last_value_mae_1", 1524.0 / 36.0);
    same("seasonal_naive_mae_1", 1293.0 / 36.0);
    same("seasonal_naive_mae_12", 1293.0 / 36.0);
    same("last_value_mae_12", 1293.0 / 36.0);
    same("growth_naive_mae_1", mean(&|month| values[month - 12] * values[month - 1] / values[month - 13]));
    same("growth_naive_mae_12", mean(&|month| values[month - 12] * values[month - 12] / values[month - 24]));
    let scale = (12..96).map(|month| (values[month] - values[month - 12]).abs()).sum::<f64>() / 84.0;
    same("linear_mase_12", found.number("linear_mae_12") / scale);
}

/// The linear model's forecasts are those of least squares, which the normal equations give.
#[test]
fn the_linear_model_finds_the_least_squares() {
    let values = passengers().unwrap();
    let forecasts = back_test(Method::Linear, &values).unwrap();
    for origin in [97, 108, 131, 143] {
        let own = forecasts.iter().find(|(known, _)| *known == origin).unwrap().1;
        for horizon in [1, 6, 12] {
            let weights = least_squares(&growths(&values[..origin / 12 * 12]), horizon);
            let window = growths(&values[..origin]);
            let window = window[window.len() - WINDOW..].iter().chain(&[1.0]);
            let growth: f64 = window.zip(&weights).map(|(a, b)| a * b).sum();
            let expected = values[origin + horizon - 13] * growth.exp();
            let found = own[horizon - 1];
            assert!((found / expected - 1.0).abs() < 1e-3, "{origin} {horizon}: {found} {expected}");
        }
    }
}

/// The weights of a window, and behind them the intercept, that give the growth so many months behind it.
fn least_squares(growth: &[f64], horizon: usize) -> Vec<f64> {
    const SIZE: usize = WINDOW + 1;
    // The normal equations, their right-hand side in the last column.
    let mut equations = vec![[0.0; SIZE + 1]; SIZE];
    for part in growth.windows(WINDOW + SEASON) {
        let mut row = [1.0; SIZE + 1];
        row[..WINDOW].copy_from_slice(&part[..WINDOW]);
        row[SIZE] = part[WINDOW + horizon - 1];
        for (equation, factor) in equations.iter_mut().zip(row) {
            equation.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
        }
    }
    // Gauss and Jordan; the matrix is positive definite, so no rows need to change places.
    for pivot in 0..SIZE {
        let own = equations[pivot].map(|value| value / equations[pivot][pivot]);
        for (index, equation) in equations.iter_mut().enumerate() {
            let factor = if index == pivot { 0.0 } else { equation[pivot] };
            equation.iter_mut().zip(own).for_each(|(value, own)| *value -= factor * own);
        }
        equations[pivot] = own;
    }
    equations.iter().map(|equation| equation[SIZE]).collect()
}

/// What the text says.
#[test]
fn the_order_of_the_forecasts_is_that_of_the_text() {
    let found = run(&Setting { threads: 1 }).unwrap();
    let of = |name: &str| found.number(name);
    for horizon in HORIZONS {
        let mae = |key: &str| of(&format!("{key}_mae_{horizon}"));
        assert!(mae("last_value") >= mae("seasonal_naive"));
        assert!(mae("growth_naive") < mae("seasonal_naive"));
        assert!(mae("linear") < mae("growth_naive"));
        assert!(mae("growth_naive") - mae("linear") < mae("seasonal_naive") - mae("growth_naive"));
        // A network of five seeds may be a little better by luck.
        assert!(mae("network") > 0.9 * mae("linear"), "{}", mae("network"));
    }
    for method in [Method::Growth, Method::Linear, Method::Network].map(Method::key) {
        assert!(of(&format!("{method}_mae_12")) > 1.5 * of(&format!("{method}_mae_1")), "{method}");
    }
    let windows = growths(&passengers().unwrap()[..132]).len() + 1 - WINDOW - SEASON;
    assert!(windows < 100, "{windows}");
    assert!(of("looking_ahead_mae_12") < of("linear_mae_12"));
}
