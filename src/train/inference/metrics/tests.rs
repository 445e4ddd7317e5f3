use super::*;
use crate::data::source;
use crate::model::Recipe;

#[test]
fn ranks_count_what_comes_before() {
    let outputs = [0.5, 2.0, 0.5, -1.0];
    assert_eq!([0, 1, 2, 3].map(|label| rank(&outputs, label)), [1, 0, 2, 3]);
    assert_eq!(rank(&[f32::NAN, 1.0], 0), 2);
    assert_eq!(rank(&[f32::NAN, 1.0], 1), 0);
    assert_eq!([1, 2, 3, 4].map(|k| top_k(&[0, 1, 1, 3], k)), [0.25, 0.75, 0.75, 1.0]);
}

#[test]
fn macro_means_are_over_the_classes_that_occur() {
    // Labels 0 0 0 1, predictions 0 0 1 3; class 2 occurs nowhere.
    let confusion = [vec![2, 1, 0, 0], vec![0, 0, 0, 1], vec![0; 4], vec![0; 4]];
    let [precision, recall, f1] = macro_means(&confusion);
    // Precision 1, 0, 0; recall 2/3, 0 and that of class 3, which has no samples; F1 4/5, 0, 0.
    assert!((precision - 1.0 / 3.0).abs() < 1e-15);
    assert!((recall - 2.0 / 9.0).abs() < 1e-15);
    assert!((f1 - 4.0 / 15.0).abs() < 1e-15);
    assert!(macro_means(&[vec![0]])[0].is_nan());
}

#[test]
fn values_are_measured_by_their_definitions() {
    // The columns have the targets 1 2 3 and 5 5 5.
    let targets = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0];
    assert_eq!((rmse(&targets, &targets), r_squared(&targets, &targets, 2)), (0.0, 1.0));
    let outputs = [1.0, 5.0, 2.0, 5.0, 4.0, 5.0];
    assert!((rmse(&outputs, &targets) - (1.0f64 / 6.0).sqrt()).abs() < 1e-15);
    assert_eq!(r_squared(&outputs, &targets, 2), 0.75);
    // The mean explains nothing; a constant that is missed counts 0.
    assert_eq!(r_squared(&[2.0, 4.0, 2.0, 5.0, 2.0, 5.0], &targets, 2), 0.0);
    assert!(r_squared(&[f32::NAN; 6], &targets, 2).is_nan());
}

/// Of a model whose outputs overflow.
#[test]
fn values_that_are_not_finite_are_read_back() {
    let json = serde_json::to_string(&ValueMetrics { rmse: f64::INFINITY, r_squared: f64::NAN }).unwrap();
    assert_eq!(json, r#"{"rmse":null,"r_squared":null}"#);
    let read: ValueMetrics = serde_json::from_str(&json).unwrap();
    assert!(read.rmse.is_nan() && read.r_squared.is_nan());
}

#[test]
fn a_model_is_measured_alike_by_any_number_of_workers() {
    let recipe = Recipe::built_in("digits-mlp").unwrap();
    let set = source::generate_digits([1, 300], 3).unwrap();
    let model = Model::build(&recipe.model, set.test.shape(), set.classes, 1).unwrap();
    let [one, three] = [1, 3].map(|threads| {
        let team = Team::new(threads).unwrap();
        (
            of_classes(&model, &set.test, &recipe.data, &team).unwrap(),
            outputs(&model, &set.test, &recipe.data, &team).unwrap(),
            crate::train::inference::evaluate(&model, &set.test, &recipe.data, &team).unwrap(),
        )
    });
    assert_eq!(one, three);
    let (metrics, outputs, evaluation) = one;
    let ranks: Vec<usize> = (0..300)
        .map(|sample| rank(&outputs[10 * sample..][..10], usize::from(set.test.label(sample).unwrap())))
        .collect();
    assert_eq!([1, 5].map(|k| Some(top_k(&ranks, k))), [evaluation.accuracy, metrics.top_5]);
    assert!(metrics.top_5 > evaluation.accuracy);
}
