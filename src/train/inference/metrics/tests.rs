use super::*;
use crate::data::{Unit, source};
use crate::model::Recipe;
use crate::train::inference::evaluate::outputs;

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
fn balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur() {
    // Recall 2/3, 0 and, of class 2, which no sample has, none.
    let confusion = [vec![2, 1, 0], vec![0, 0, 1], vec![0; 3]];
    assert!((balanced_accuracy(&confusion) - 1.0 / 3.0).abs() < 1e-15);
    assert!(balanced_accuracy(&[vec![0]]).is_nan());
}

#[test]
fn the_log_loss_does_not_overflow() {
    assert!((log_loss(&[0.0; 6], 3, &[0, 2]) - 3f64.ln()).abs() < 1e-15);
    let (one, three) = (1f64.exp(), 3f64.exp());
    let loss = log_loss(&[1.0, 3.0], 2, &[1]);
    assert!((loss + (three / (one + three)).ln()).abs() < 1e-15);
    assert_eq!(log_loss(&[1e30, 0.0, -1e30], 3, &[0]), 0.0);
    assert_eq!(log_loss(&[1e30, 0.0, 5.0], 3, &[1]), f64::from(1e30f32));
    assert!(log_loss(&[f32::NAN, 0.0], 2, &[1]).is_nan());
}

#[test]
fn the_area_under_the_curve_counts_pairs() {
    // Outputs of class 1 alone; that of class 0 is 0.
    let area = |scores: &[f32], labels: &[u8]| {
        let outputs: Vec<f32> = scores.iter().flat_map(|&score| [0.0, score]).collect();
        area_under_curve(&outputs, 2, labels)
    };
    assert_eq!(area(&[1.0, 2.0, 3.0, 4.0], &[0, 0, 1, 1]), Some(1.0));
    assert_eq!(area(&[4.0, 3.0, 2.0, 1.0], &[0, 0, 1, 1]), Some(0.0));
    // Of the pairs (2, 1), (2, 3), (4, 1), (4, 3) three are in order.
    assert_eq!(area(&[1.0, 3.0, 2.0, 4.0], &[0, 0, 1, 1]), Some(0.75));
    // Equal ones count half: (2, 2) a half, (2, 1), (3, 2), (3, 1) one each.
    assert_eq!(area(&[2.0, 1.0, 2.0, 3.0], &[0, 0, 1, 1]), Some(0.875));
    assert_eq!(area(&[7.0; 5], &[0, 1, 0, 1, 1]), Some(0.5));
    // Softmax probabilities of both would be 1, rounded.
    assert_eq!(area(&[100.0, 200.0], &[0, 1]), Some(1.0));
    assert_eq!(area(&[-0.0, 0.0], &[1, 0]), Some(0.5));
    // One class only, or an output that is not finite: there is no such area.
    assert_eq!(area(&[1.0, 2.0], &[1, 1]), None);
    assert_eq!(area(&[f32::NAN, 2.0], &[0, 1]), None);
    assert_eq!(area_under_curve(&[1.0, 2.0], 1, &[0, 0]), None);
    // Of three classes those that occur count: class 0 is told from the rest, and class 2 from one of two others.
    let outputs = [5.0, 0.0, 0.0, 0.0, 5.0, 1.0, 4.0, 0.0, 2.0];
    assert_eq!(area_under_curve(&outputs, 3, &[0, 2, 0]), Some(0.5 * (1.0 + 0.5)));
}

#[test]
fn values_are_measured_by_their_definitions() {
    // The columns have the targets 1 2 3 and 5 5 5.
    let targets = [1.0, 5.0, 2.0, 5.0, 3.0, 5.0];
    let metrics = |outputs: &[f32]| value_metrics(outputs, &targets, 2, &[]);
    let perfect = OutputMetrics { rmse: 0.0, mae: 0.0, r_squared: 1.0 };
    let all = ValueMetrics { rmse: 0.0, mae: 0.0, r_squared: 1.0, outputs: vec![perfect; 2] };
    assert_eq!(metrics(&targets), all);
    let found = metrics(&[1.0, 5.0, 2.0, 5.0, 4.0, 5.0]);
    assert!((found.rmse - (1.0f64 / 6.0).sqrt()).abs() < 1e-15);
    assert!((found.mae - 1.0 / 6.0).abs() < 1e-15);
    assert_eq!((found.r_squared, found.outputs[1]), (0.75, perfect));
    assert!((found.outputs[0].rmse - (1.0f64 / 3.0).sqrt()).abs() < 1e-15);
    assert_eq!((found.outputs[0].mae, found.outputs[0].r_squared), (1.0 / 3.0, 0.5));
    // The mean explains nothing; a constant that is missed counts 0.
    assert_eq!(metrics(&[2.0, 4.0, 2.0, 5.0, 2.0, 5.0]).r_squared, 0.0);
    let lost = metrics(&[f32::NAN, 5.0, 2.0, 5.0, 3.0, 5.0]);
    assert!(lost.rmse.is_nan() && lost.mae.is_nan() && lost.r_squared.is_nan() && lost.outputs[1] == perfect);
}

/// Errors of a value in millimetres and of another one in thousands of dollars, from what was standardised.
#[test]
fn values_are_told_in_their_units() {
    let units = [Unit { factor: 0.5, offset: 70.0 }, Unit { factor: 2000.0, offset: -1e6 }];
    let targets = [1.0, 0.0, -1.0, 0.5];
    let found = value_metrics(&[2.0, 0.0, -1.0, 1.0], &targets, 2, &units);
    let [first, second] = found.outputs[..] else { panic!("{found:?}") };
    assert!((first.rmse - 0.5 * 0.5f64.sqrt()).abs() < 1e-15 && first.mae == 0.25);
    assert!((second.rmse - 1000.0 * 0.5f64.sqrt()).abs() < 1e-12 && second.mae == 500.0);
    let plain = value_metrics(&[2.0, 0.0, -1.0, 1.0], &targets, 2, &[]);
    assert_eq!((found.r_squared, first.r_squared), (plain.r_squared, 0.5));
    assert!((found.rmse.powi(2) - 0.5 * (0.125 + 5e5)).abs() < 1e-9 && found.mae == 250.125);
    let one = value_metrics(&[2.0, -1.0], &[1.0, -1.0], 1, &units[..1]);
    assert_eq!((one.mae, one.outputs.len()), (0.25, 0));
}

/// Of a model whose outputs overflow.
#[test]
fn values_that_are_not_finite_are_read_back() {
    let (rmse, mae, r_squared) = (f64::INFINITY, f64::NAN, f64::NEG_INFINITY);
    let metrics = ValueMetrics { rmse, mae, r_squared, outputs: Vec::new() };
    let json = serde_json::to_string(&Metrics::Values(metrics)).unwrap();
    assert_eq!(json, r#"{"rmse":null,"mae":null,"r_squared":null}"#);
    let Metrics::Values(read) = serde_json::from_str(&json).unwrap() else { panic!("classes") };
    assert!(read.rmse.is_nan() && read.mae.is_nan() && read.r_squared.is_nan());
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
    // The loss is cross-entropy.
    assert!((metrics.log_loss - evaluation.loss).abs() < 1e-6, "{} {}", metrics.log_loss, evaluation.loss);
    assert!(metrics.auc.unwrap() > metrics.balanced_accuracy);
    assert_eq!(metrics.confusion.iter().flatten().sum::<usize>(), 300);
    let read: Metrics =
        serde_json::from_str(&serde_json::to_string(&Metrics::Classes(metrics.clone())).unwrap()).unwrap();
    let found = of(&model, &set.test, &recipe.data, &Team::new(2).unwrap()).unwrap();
    assert_eq!((read, found), (Metrics::Classes(metrics.clone()), Metrics::Classes(metrics)));
}
