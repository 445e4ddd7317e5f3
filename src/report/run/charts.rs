//! The charts of training runs.

use crate::report::chart::{Axis, Chart, HeatMap, LineChart, Point, Scale, Series, Shade, Unit};
use crate::report::numbers::thousands;
use crate::train::analysis::Analysis;
use crate::train::{EpochRecord, Evaluation, LayerNorms, TrainRecord};

/// The most points of a curve; of more, every so many are shown.
const MOST_POINTS: usize = 2000;

/// The factor between losses from which their axis is logarithmic.
const WIDE: f64 = 20.0;

/// The most layers that are shown: lines have twelve looks.
const MOST_LAYERS: usize = 12;

/// The most classes of a confusion matrix; more make cells too small to be seen.
const MOST_CLASSES: usize = 40;

/// A chart, and the name of its files.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub file: &'static str,
    pub chart: Chart,
}

/// A run's number in an epoch, where it is known.
type Value = fn(&EpochRecord) -> Option<f64>;

/// The curves of some runs, in the same charts. One run's training, validation and test stand side by
/// side; of several runs each has a line in every chart.
pub fn curves(runs: &[(&str, &TrainRecord)]) -> Vec<Figure> {
    let mut figures = match runs {
        [(_, record)] => vec![
            Figure { file: "loss", chart: losses("Loss", own_losses(record)) },
            Figure { file: "accuracy", chart: accuracies("Accuracy", own_accuracies(record)) },
        ],
        _ => vec![
            Figure { file: "loss", chart: losses("Training loss", each(runs, |e| Some(e.train_loss))) },
            Figure {
                file: "accuracy",
                chart: accuracies("Training accuracy", each(runs, |e| e.train_accuracy)),
            },
            Figure {
                file: "validation-loss",
                chart: losses("Validation loss", each(runs, |e| e.validation_loss)),
            },
            Figure {
                file: "validation-accuracy",
                chart: accuracies("Validation accuracy", each(runs, |e| e.validation_accuracy)),
            },
            Figure { file: "test", chart: tests(runs) },
            Figure { file: "test-r-squared", chart: explained(runs) },
        ],
    };
    let rate = |label: &str| Axis::new(label);
    figures.push(Figure {
        file: "learning-rate",
        chart: lines("Learning rate", rate("learning rate").from_zero(), each(runs, |e| e.learning_rate)),
    });
    let throughput = each(runs, |e| Some(e.samples_per_second));
    figures.push(Figure {
        file: "throughput",
        chart: lines("Throughput", rate("samples/s").from_zero(), throughput),
    });
    if let [(_, record)] = runs {
        figures.extend(norms(record));
    }
    figures.retain(|figure| has_points(&figure.chart));
    figures
}

/// The norms of one run, a line for each layer.
fn norms(record: &TrainRecord) -> [Figure; 2] {
    let of_layers = |title: &str, label: &str, value: fn(&LayerNorms) -> f64| {
        let series = shown_layers(record).into_iter().map(|name| {
            let own = |epoch: &EpochRecord| epoch.layers.iter().find(|layer| layer.layer == name).map(value);
            Series { name: format!("layer {name}"), points: points(record, own) }
        });
        lines(title, Axis::new(label).on(Scale::Log10), series.collect())
    };
    let gradients = of_layers("Gradient of each layer", "norm", |layer| layer.gradient);
    let updates = of_layers("Update of each layer", "norm, relative to the parameters", |layer| {
        layer.update / layer.parameters
    });
    [Figure { file: "gradient-norms", chart: gradients }, Figure { file: "update-norms", chart: updates }]
}

/// The names of the layers that have norms; of many, the first, the last, and some between them.
fn shown_layers(record: &TrainRecord) -> Vec<&str> {
    let names: Vec<&str> = record
        .epochs
        .iter()
        .find(|epoch| !epoch.layers.is_empty())
        .map_or(Vec::new(), |epoch| epoch.layers.iter().map(|layer| layer.layer.as_str()).collect());
    if names.len() <= MOST_LAYERS {
        return names;
    }
    (0..MOST_LAYERS).map(|place| names[place * (names.len() - 1) / (MOST_LAYERS - 1)]).collect()
}

fn has_points(chart: &Chart) -> bool {
    match chart {
        Chart::Lines(chart) => chart.series.iter().any(|series| !series.points.is_empty()),
        _ => true,
    }
}

fn own_losses(record: &TrainRecord) -> Vec<Series> {
    own(record, |e| Some(e.train_loss), |e| e.validation_loss, record.test.as_ref().map(|test| test.loss))
}

fn own_accuracies(record: &TrainRecord) -> Vec<Series> {
    let test = record.test.as_ref().and_then(|test| test.accuracy);
    own(record, |e| e.train_accuracy, |e| e.validation_accuracy, test)
}

/// The lines of one run; the test is made once, after the last epoch.
fn own(record: &TrainRecord, training: Value, validation: Value, test: Option<f64>) -> Vec<Series> {
    let last = record.epochs.last().map_or(0, |epoch| epoch.epoch) as f64;
    let test = test.filter(|value| value.is_finite()).map(|value| Point::new(last, value));
    let test = test.into_iter().collect();
    let all = [
        ("training", points(record, training)),
        ("validation", points(record, validation)),
        ("test, at the end", test),
    ];
    all.into_iter()
        .filter(|(_, points)| !points.is_empty())
        .map(|(name, points)| Series { name: name.into(), points })
        .collect()
}

/// A line for each run, in their order: so each has one colour in all charts.
fn each(runs: &[(&str, &TrainRecord)], value: Value) -> Vec<Series> {
    let name = |name: &str| if runs.len() == 1 { "training" } else { name }.to_string();
    runs.iter().map(|(run, record)| Series { name: name(run), points: points(record, value) }).collect()
}

fn points(record: &TrainRecord, value: impl Fn(&EpochRecord) -> Option<f64>) -> Vec<Point> {
    let every = record.epochs.len().div_ceil(MOST_POINTS).max(1);
    let last = record.epochs.len().saturating_sub(1);
    record
        .epochs
        .iter()
        .enumerate()
        .filter(|(index, _)| index % every == 0 || *index == last)
        .filter_map(|(_, epoch)| {
            Some(Point::new(epoch.epoch as f64, value(epoch).filter(|y| y.is_finite())?))
        })
        .collect()
}

fn lines(title: &str, y: Axis, series: Vec<Series>) -> Chart {
    let x = Axis::new("epoch").in_unit(Unit::Whole);
    Chart::Lines(LineChart { title: title.into(), x, y, series })
}

fn losses(title: &str, series: Vec<Series>) -> Chart {
    let values = || series.iter().flat_map(|series| &series.points).map(|point| point.y);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let scale = if least > 0.0 && most > WIDE * least { Scale::Log10 } else { Scale::Linear };
    lines(title, Axis::new("loss").on(scale), series)
}

fn accuracies(title: &str, series: Vec<Series>) -> Chart {
    lines(title, Axis::new("accuracy").in_unit(Unit::Percent), series)
}

/// The chart of what each run reached, and in what time.
fn tests(runs: &[(&str, &TrainRecord)]) -> Chart {
    let y = Axis::new("accuracy").in_unit(Unit::Percent);
    against_time("Test accuracy, and the time it took", y, runs, |test| test.accuracy)
}

/// The same of runs whose targets are values.
fn explained(runs: &[(&str, &TrainRecord)]) -> Chart {
    let value = |test: &Evaluation| test.values.as_ref().map(|values| values.r_squared);
    against_time("Test R², and the time it took", Axis::new("R²"), runs, value)
}

fn against_time(
    title: &str,
    y: Axis,
    runs: &[(&str, &TrainRecord)],
    value: fn(&Evaluation) -> Option<f64>,
) -> Chart {
    let point = |record: &TrainRecord| {
        let value = value(record.test.as_ref()?).filter(|value| value.is_finite())?;
        Some(Point::new(record.train_seconds, value))
    };
    let series = runs
        .iter()
        .map(|(name, record)| Series { name: name.to_string(), points: point(record).into_iter().collect() })
        .collect();
    Chart::Lines(LineChart { title: title.into(), x: Axis::new("seconds of training"), y, series })
}

/// The confusion matrix as a heat map; nothing if there are more classes than a chart can show.
pub fn confusion(title: &str, analysis: &Analysis) -> Option<Chart> {
    let classes = analysis.confusion.len();
    let names: Vec<String> = (0..classes).map(|class| analysis.class_name(class)).collect();
    let cells = analysis.confusion.iter().map(|row| shades(row)).collect();
    (1..=MOST_CLASSES).contains(&classes).then(|| {
        Chart::Heat(HeatMap {
            title: title.into(),
            x_label: "read as".into(),
            y_label: "class".into(),
            columns: names.clone(),
            rows: names,
            cells,
        })
    })
}

/// The shades of a row: each as deep as the root of its part of the class, so that mistakes, a hundredth of it, are
/// seen.
fn shades(row: &[usize]) -> Vec<Option<Shade>> {
    let samples: usize = row.iter().sum();
    let shade = |&count: &usize| {
        let depth = (count as f64 / samples.max(1) as f64).sqrt();
        (count > 0).then(|| Shade { depth, text: thousands(count as u64) })
    };
    row.iter().map(shade).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{analysed_record, train_record};

    fn series(figures: &[Figure], file: &str) -> Vec<(String, Vec<(f64, f64)>)> {
        let figure = figures.iter().find(|figure| figure.file == file).unwrap();
        let Chart::Lines(chart) = &figure.chart else { panic!("{figure:?}") };
        let points = |series: &Series| series.points.iter().map(|point| (point.x, point.y)).collect();
        chart.series.iter().map(|series| (series.name.clone(), points(series))).collect()
    }

    #[test]
    fn one_run_shows_training_validation_and_test_side_by_side() {
        let mut record = train_record();
        record.epochs[1].validation_loss = Some(0.4);
        let figures = curves(&[("run", &record)]);
        let files: Vec<&str> = figures.iter().map(|figure| figure.file).collect();
        assert_eq!(files, ["loss", "accuracy", "learning-rate", "throughput"]);
        let expected = [
            ("training".to_string(), vec![(1.0, 0.5), (2.0, 0.25)]),
            ("validation".to_string(), vec![(2.0, 0.4)]),
            ("test, at the end".to_string(), vec![(2.0, 0.3)]),
        ];
        assert_eq!(series(&figures, "loss"), expected);
        assert_eq!(series(&figures, "accuracy").len(), 2);
    }

    #[test]
    fn the_norms_of_one_run_have_a_line_for_each_layer() {
        let mut record = train_record();
        let layers = |count: usize| {
            let layer = |layer: usize| {
                let gradient = 1.0 + layer as f64;
                LayerNorms { layer: layer.to_string(), gradient, update: 0.5, parameters: 2.0 }
            };
            (0..count).map(layer).collect::<Vec<_>>()
        };
        // An epoch without norms, such as an incomplete one.
        record.epochs[1].layers = layers(2);
        let figures = curves(&[("run", &record)]);
        let expected = [("layer 0".to_string(), vec![(2.0, 1.0)]), ("layer 1".to_string(), vec![(2.0, 2.0)])];
        assert_eq!(series(&figures, "gradient-norms"), expected);
        assert_eq!(series(&figures, "update-norms")[1].1, [(2.0, 0.25)]);
        let several = curves(&[("a", &record), ("b", &record)]);
        assert!(several.iter().all(|figure| !figure.file.ends_with("norms")));

        record.epochs[1].layers = layers(1000);
        let shown = shown_layers(&record);
        assert_eq!((shown.len(), shown[0], shown[1], shown[11]), (MOST_LAYERS, "0", "90", "999"));
    }

    #[test]
    fn several_runs_have_a_line_each_in_the_same_order() {
        let (mut first, second) = (train_record(), train_record());
        first.test = None;
        let figures = curves(&[("a", &first), ("b", &second)]);
        let files: Vec<&str> = figures.iter().map(|figure| figure.file).collect();
        assert_eq!(files, ["loss", "accuracy", "test", "learning-rate", "throughput"]);
        assert_eq!(series(&figures, "loss")[1], ("b".to_string(), vec![(1.0, 0.5), (2.0, 0.25)]));
        // A run without a value keeps its place, and so its colour.
        let expected = [("a".to_string(), vec![]), ("b".to_string(), vec![(4.0, 0.9)])];
        assert_eq!(series(&figures, "test"), expected);
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let mut record = train_record();
        record.epochs[0].validation_loss = Some(f64::INFINITY);
        record.epochs[1].validation_loss = Some(0.4);
        record.test.as_mut().unwrap().loss = f64::NAN;
        let expected = [
            ("training".to_string(), vec![(1.0, 0.5), (2.0, 0.25)]),
            ("validation".to_string(), vec![(2.0, 0.4)]),
        ];
        assert_eq!(series(&curves(&[("run", &record)]), "loss"), expected);
    }

    #[test]
    fn long_runs_are_thinned_and_keep_their_ends() {
        let mut record = train_record();
        let epoch = record.epochs[0].clone();
        record.epochs = (1..=10_001).map(|number| EpochRecord { epoch: number, ..epoch.clone() }).collect();
        let points = points(&record, |epoch| Some(epoch.train_loss));
        assert!(points.len() <= MOST_POINTS + 1, "{}", points.len());
        assert_eq!((points[0].x, points[points.len() - 1].x), (1.0, 10_001.0));
    }

    #[test]
    fn losses_of_many_sizes_stand_on_a_logarithmic_axis() {
        let scale = |values: &[f64]| {
            let points = values.iter().map(|&value| Point::new(1.0, value)).collect();
            let Chart::Lines(chart) = losses("", vec![Series { name: "".into(), points }]) else { panic!() };
            chart.y.scale
        };
        assert_eq!(scale(&[2.3, 0.01]), Scale::Log10);
        for values in [&[2.3, 0.5][..], &[2.3, 0.0], &[]] {
            assert_eq!(scale(values), Scale::Linear);
        }
    }

    #[test]
    fn rare_mistakes_are_still_seen() {
        let analysis = analysed_record().analysis.unwrap();
        let Some(Chart::Heat(map)) = confusion("t", &analysis) else { panic!() };
        assert_eq!(map.cells[1][1], None, "no sample, no shade");
        let text = |shade: &Option<Shade>| shade.as_ref().unwrap().text.clone();
        assert_eq!((text(&map.cells[0][0]), text(&map.cells[0][1])), ("5".into(), "1".into()));
        let shades = shades(&[990, 10, 0]);
        assert!(shades[1].as_ref().unwrap().depth > 0.09);
        let many = Analysis { confusion: vec![vec![0; 41]; 41], ..analysis };
        assert_eq!(confusion("t", &many), None);
    }
}
