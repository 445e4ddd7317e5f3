use super::*;
use crate::report::chart::Chart;
use crate::report::samples::{reproduce_record, train_record, value_reproduce_record};
use crate::train::{Evaluation, TrainRecord};

/// The text that a terminal without colours shows.
fn plain(text: &str) -> String {
    console::strip_ansi_codes(text).into_owned()
}

#[test]
fn a_run_is_one_line_and_the_result_has_mean_interval_and_verdict() {
    let record = reproduce_record(None);
    let recipe = &record.recipes[0];
    let text = plain(&heading(recipe, 2, None));
    assert_eq!(text, "mnist-mlp: MNIST, a network\n3 seeds from 9 on, 2 threads, target 90.00 %\n");
    let lines: Vec<String> = recipe.runs.iter().map(|run| seed_line(recipe, run, None)).collect();
    assert_eq!(lines[0], "seed  9  test accuracy  90.00 %    4.0 s  2 epochs: all epochs done\n");
    assert_eq!(lines[1], "seed 10  test accuracy  92.00 %    4.0 s  2 epochs: all epochs done\n");
    assert_eq!(
        plain(&result(recipe, None)),
        "mean test accuracy 91.000 % ± 1.000 (standard deviation), 95 % interval of the mean 88.516 to 93.484 %; \
         training 4.0 s (median)\ntarget 90.00 %: met\n"
    );
    assert_eq!(
        plain(&table(&record, None)),
        "recipe     seeds      mean  ±        95 % interval       training   target  verdict\n\
         ──────────────────────────────────────────────────────────────────────────────────────\n\
         mnist-mlp    3/3  91.000 %  ± 1.000  88.516 to 93.484 %     4.0 s  90.00 %  met\n\
         other        0/2                                                -     none  unfinished\n"
    );
}

#[test]
fn without_a_target_or_a_second_seed_it_says_so() {
    let mut record = reproduce_record(None);
    record.recipes[1].seeds = vec![1];
    record.add(1, TrainRecord { seed: 1, ..train_record() });
    let text = plain(&result(&record.recipes[1], None));
    assert_eq!(
        text,
        "mean test accuracy 90.000 %; training 4.0 s (median)\nno target to compare with: the recipe names none\n"
    );
}

#[test]
fn what_is_missing_is_named() {
    let mut record = reproduce_record(None);
    assert_eq!(
        missing(&record, "Ctrl-C"),
        "interrupted by Ctrl-C; what is done is kept:\n  other: 0 of 2 done, seeds 1, 2 missing\n"
    );
    assert!(plain(&result(&record.recipes[1], None)).contains("unfinished: seeds 1, 2 missing"));
    record.recipes[1].seeds = (1..=13).collect();
    assert!(missing(&record, "Ctrl-C").contains("seeds 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more missing"));
    record.recipes.pop();
    assert_eq!(missing(&record, "Ctrl-C"), "");
}

#[test]
fn a_time_to_an_accuracy_is_shown_where_it_was_asked_for() {
    let record = reproduce_record(Some(0.8));
    let recipe = &record.recipes[0];
    assert!(plain(&heading(recipe, 1, Some(0.8))).ends_with("1 thread, until 80.00 % validation accuracy\n"));
    let reached = seed_line(recipe, &recipe.runs[0], Some(0.8));
    assert!(
        reached.starts_with("seed  9  validation accuracy  85.00 % in   4.0 s  test accuracy "),
        "{reached}"
    );
    let not_reached = seed_line(recipe, &recipe.runs[1], Some(0.86));
    assert!(not_reached.contains("validation accuracy  85.00 % at best  test"), "{not_reached}");
    let text = plain(&result(recipe, Some(0.8)));
    assert!(text.ends_with("\n80.00 % validation accuracy in 3 of 3 seeds, median 4.0 s: met\n"), "{text}");
    assert!(page(&record).contains("<td class=\"number\" data-value=\"4\">4.0 s</td>"));
}

#[test]
fn charts_show_each_seed_the_mean_and_the_target() {
    let record = reproduce_record(None);
    let all = charts::all(&record);
    assert_eq!(all[1], [], "a recipe without runs");
    let stems: Vec<&str> = all[0].iter().map(|(stem, _)| stem.as_str()).collect();
    assert_eq!(stems, ["mnist-mlp-test-accuracy", "mnist-mlp-training-time"]);
    let Chart::Lines(chart) = &all[0][0].1 else { panic!() };
    let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(names, ["a seed", "mean, 95 % interval", "target"]);
    let points = &chart.series[0].points;
    let places: Vec<(f64, f64)> =
        points.iter().filter(|p| p.y.is_finite()).map(|p| (p.x, (1e4 * p.y).round())).collect();
    assert_eq!(places, [(9.0, 9000.0), (10.0, 9200.0), (11.0, 9100.0)]);
    assert!(points.windows(2).all(|pair| pair.iter().any(|p| p.y.is_nan())), "no line joins two seeds");
    assert!(chart.series[1].points.iter().all(|p| p.low < p.y && p.y < p.high));
    let ends = |index: usize| (chart.series[index].points[0].x, chart.series[index].points[31].x);
    assert_eq!((ends(1), ends(2)), ((9.0, 11.0), (9.0, 11.0)));
    assert!(chart.series[2].points.iter().all(|p| p.y == 0.9));
    // A circle a seed and one in the legend, whose other marks are polygons.
    assert_eq!(all[0][0].1.to_svg().matches("<circle").count(), 4);
}

#[test]
fn the_page_has_every_recipe_and_seed_and_no_foreign_markup() {
    let mut record = reproduce_record(None);
    record.command = "fallline reproduce '<script>'".into();
    record.recipes[0].runs[1].test = Some(Evaluation::new(0.125, 0.875));
    let html = page(&record);
    for text in
        ["mnist-mlp", "other", "91.000 %", "88.516 to 93.484 %", "87.50 %", "0.1250", "&lt;script&gt;"]
    {
        assert!(html.contains(text), "{text}");
    }
    assert!(
        html.contains("<td class=\"good\">met</td>")
            && html.contains("<td class=\"warning\">unfinished</td>")
    );
    assert!(html.contains("other: 2 seeds missing") && !html.contains("reproduce '<script>"));
}

#[test]
fn a_folder_holds_record_page_and_charts() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b");
    let record = reproduce_record(None);
    let path = write(&inner, &record).unwrap();
    assert!(path.ends_with("report.html") && Path::new(&path).is_file());
    let read = crate::report::results::read(&inner.join(JSON)).unwrap();
    assert_eq!(read, crate::report::results::Results::Reproduce(Box::new(record)));
    for name in ["mnist-mlp-test-accuracy", "mnist-mlp-training-time"] {
        let png = std::fs::read(inner.join(format!("{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG") && inner.join(format!("{name}.svg")).is_file());
    }
}

#[test]
fn values_have_errors_in_place_of_accuracies() {
    let record = value_reproduce_record();
    let recipe = &record.recipes[0];
    assert_eq!(
        seed_line(recipe, &recipe.runs[1], None),
        "seed 10  test RMSE 3.375, MAE 2.5, R² 0.5000    4.0 s  2 epochs: all epochs done\n"
    );
    let text = plain(&result(recipe, None));
    assert!(
        text.starts_with("mean test RMSE 3.25 ± 0.1768 (standard deviation), 95 % interval of "),
        "{text}"
    );
    assert!(text.contains("\nmean test R² 0.6250 ± 0.1768 (standard deviation)"), "{text}");
    let text = plain(&table(&record, None));
    assert!(text.contains("  R² 0.6250  ± 0.1768  "), "{text}");
    let charts = charts::all(&record);
    let titles: Vec<&str> = charts[0].iter().map(|(_, chart)| chart.title()).collect();
    assert_eq!(titles, ["prices: test RMSE", "prices: test R²", "prices: training time"]);
    let html = page(&record);
    for text in ["Errors, reproduced", "R² 0.6250", "RMSE 3.25 ± 0.1768", ">test MAE<", "3.375"] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("test accuracy"));
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &record).unwrap();
    let read = crate::report::results::read(&folder.path().join(JSON)).unwrap();
    assert_eq!(read, crate::report::results::Results::Reproduce(Box::new(record)));
}
