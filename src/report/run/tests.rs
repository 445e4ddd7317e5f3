use super::*;
use crate::report::samples::{analysed_record, train_record, value_record};
use crate::train::metrics::OutputMetrics;
use crate::train::{LayerNorms, Trouble, Warning};

fn count(page: &str, text: &str) -> usize {
    page.matches(text).count()
}

#[test]
fn a_run_has_facts_curves_classes_mistakes_and_epochs() {
    let page = page(&[analysed_record()]);
    assert!(page.contains("<title>Training of mnist-mlp adam, seed 1</title>"));
    for heading in ["Run", "Curves", "Classes", "Worst mistakes", "Epochs"] {
        assert_eq!(count(&page, &format!(">{heading}</h2>")), 1, "{heading}");
    }
    assert!(page.contains("2 epochs in 4.0 s, test accuracy 90.00 %"));
    assert!(page.contains("<dt>Processor</dt><dd>Processor X</dd>"));
    assert!(page.contains("data-charts=\"5\""), "four curves and what is read as what");
    assert_eq!(count(&page, "data:image/png;base64,"), 1);
    assert!(page.contains("<figcaption>1 read as 0, 98.2 %</figcaption>"));
    assert_eq!(count(&page, "Mistakes without a picture"), 2, "a caption and its label");
    assert!(!page.contains("incomplete"));
}

#[test]
fn several_runs_share_their_charts_and_a_table() {
    let mut third = train_record();
    (third.recipe, third.data, third.test) = ("digits-mlp".into(), Some("digits".into()), None);
    let page = page(&[train_record(), analysed_record(), third]);
    assert!(page.contains("<title>3 training runs</title>"));
    assert!(page.contains("data-charts=\"6\""), "five curves and one confusion");
    for name in ["mnist-mlp adam, seed 1", "mnist-mlp adam, seed 1 (2)", "digits-mlp adam, seed 1"] {
        assert_eq!(count(&page, &format!("<td>{name}</td>")), 1, "{name}");
    }
    assert_eq!(count(&page, ">Classes of mnist-mlp adam, seed 1 (2)</h2>"), 1);
    assert_eq!(count(&page, "class=\"number good\""), 0, "different data do not compare");
    assert_eq!(count(&page, ">Epochs</h2>"), 0);
    assert_eq!(count(&page, "<dt>Processor X</dt>"), 1, "one machine");
}

#[test]
fn the_best_of_comparable_runs_is_emphasised() {
    let mut better = train_record();
    better.test.as_mut().unwrap().accuracy = Some(0.95);
    let page = page(&[train_record(), better]);
    assert_eq!(count(&page, "class=\"number good\" data-value=\"0.95\""), 1);
    assert_eq!(count(&page, "class=\"number good\""), 1);
    assert!(page.contains("Highest test accuracy: 95.00 %"));
}

#[test]
fn an_incomplete_epoch_is_told() {
    let mut record = train_record();
    (record.epochs[1].incomplete, record.epochs[1].samples) = (true, Some(1280));
    let page = page(&[record]);
    assert!(page.contains("1 epoch and a part in 4.0 s"));
    assert!(page.contains("epoch 2 is incomplete, after 1,280 samples."));
    assert_eq!(count(&page, "<small>incomplete</small>"), 1);
}

#[test]
fn warnings_and_averages_are_told() {
    let mut record = train_record();
    let other = Some("4".to_string());
    let (layer, kind) = ("0".into(), None);
    let warning = Warning { trouble: Trouble::Vanishing, layer, kind, epoch: 2, ratio: 1e-8, other };
    (record.warnings, record.averages) = (vec![warning], vec!["lookahead".into(), "ema".into()]);
    let page = page(&[record]);
    assert!(page.contains("<dt>Averages</dt><dd>lookahead, ema</dd>"));
    let text = "mnist-mlp adam, seed 1: the gradient of layer 0 vanishes: in epoch 2, relative to its \
                parameters, it is 1e-8 times that of layer 4;";
    assert_eq!(count(&page, text), 1);
}

/// This holds for any content of a file.
#[test]
fn odd_records_have_pages_too() {
    let mut empty = train_record();
    (empty.epochs, empty.test) = (Vec::new(), None);
    let mut absurd = analysed_record();
    for epoch in &mut absurd.epochs {
        (epoch.train_loss, epoch.train_accuracy, epoch.samples_per_second) = (-1e308, Some(1e308), f64::MAX);
        (epoch.epoch, epoch.learning_rate) = (usize::MAX, Some(f64::MIN_POSITIVE));
        let norms = |gradient, update, parameters| LayerNorms {
            layer: "</svg>".into(),
            gradient,
            update,
            parameters,
        };
        epoch.layers = vec![norms(0.0, 1.0, 0.0), norms(-1.0, f64::MAX, f64::MIN_POSITIVE)];
    }
    let ratio = f64::MAX;
    let other = Some("</script>".to_string());
    let (layer, kind) = ("<b>".to_string(), Some("<i>".to_string()));
    let warning = Warning { trouble: Trouble::Vanishing, layer, kind, epoch: 0, ratio, other };
    absurd.warnings = vec![warning.clone(), Warning { trouble: Trouble::Leaking, ..warning }];
    let analysis = absurd.analysis.as_mut().unwrap();
    analysis.mistakes[0].probability = f64::MAX;
    let mut none = analysed_record();
    let analysis = none.analysis.as_mut().unwrap();
    (analysis.mistakes, analysis.confusion) = Default::default();
    let mut many = train_record();
    many.epochs = vec![many.epochs[0].clone(); 1001];

    assert!(page(&[]).contains("<title>0 training runs</title>"));
    assert!(page(&[empty.clone()]).contains("<title>Training of "));
    assert!(page(&[none.clone()]).contains("Every test sample was read rightly."));
    assert!(page(&[many]).contains("1,001 epochs are in the record, too many for a table."));
    for records in [vec![absurd.clone()], vec![empty, absurd, none]] {
        assert!(page(&records).ends_with("</html>\n"));
    }
}

#[test]
fn the_report_is_a_folder_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let page = write(folder.path(), &analysed_record()).unwrap();
    assert_eq!(Path::new(&page), folder.path().join(PAGE));
    for name in ["loss", "accuracy", "learning-rate", "throughput", "confusion"] {
        let svg = std::fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{name}");
        let png = std::fs::read(folder.path().join(format!("{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 12);
    let gone = folder.path().join("none");
    assert!(
        write(&gone, &train_record()).unwrap_err().to_string().contains("none/run.json: cannot create: ")
    );
}

#[test]
fn values_have_errors_and_predictions_in_place_of_accuracies_and_classes() {
    let record = value_record();
    let alone = page(std::slice::from_ref(&record));
    assert!(alone.contains("2 epochs in 4.0 s, test RMSE 3.125, R² 0.9875"));
    for text in
        ["<dt>Test MAE</dt><dd>2.5</dd>", "<dt>Validation R²</dt><dd>0.9875</dd>", ">Predictions</h2>"]
    {
        assert_eq!(count(&alone, text), 1, "{text}");
    }
    assert!(alone.contains("data-charts=\"5\""), "loss, learning rate, throughput, predicted, residuals");
    for absent in ["ccuracy", ">Classes", "Worst mistakes", "Test metrics of each output"] {
        assert!(!alone.contains(absent), "{absent}");
    }

    let mut several = record.clone();
    let values = several.test.as_mut().unwrap().values.as_mut().unwrap();
    values.r_squared = 0.99;
    let output = OutputMetrics { rmse: 4.0, mae: 3.0, r_squared: 0.985 };
    values.outputs = vec![output; 2];
    let shown = several.analysis.as_mut().unwrap().values.as_mut().unwrap();
    shown.outputs = vec![shown.outputs[0].clone(); 9];
    let both = page(&[record.clone(), several.clone()]);
    assert!(both.contains("Highest test R²: 0.9900, reached by prices adam, seed 1 (2)"));
    assert_eq!(count(&both, "class=\"number good\" data-value=\"0.99\""), 1);
    assert!(!both.contains("test accuracy") && both.contains(">test RMSE<"));
    assert_eq!(count(&both, "Test metrics of each output"), 2, "a caption and its label");
    assert!(both.contains("Residuals: output 3 of prices") && !both.contains("output 4 of prices"));
    assert!(page(&[record.clone(), train_record()]).contains(">test accuracy<"), "one of each");

    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &record).unwrap();
    for name in ["loss", "predicted", "residuals"] {
        let svg = std::fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && folder.path().join(format!("{name}.png")).is_file(), "{name}");
    }
    assert!(!folder.path().join("accuracy.svg").exists());
}

#[test]
fn classes_have_their_names() {
    let mut record = analysed_record();
    let analysis = record.analysis.take().unwrap();
    record.analysis = Some(analysis.clone().named(&["<=50K".into(), ">50K".into()]));
    let page = page(&[record]);
    assert!(page.contains("<figcaption>&gt;50K read as &lt;=50K, 98.2 %</figcaption>"));
    assert!(
        page.matches("<td>&lt;=50K</td>").count() >= 2,
        "in the table of classes and in that of mistakes"
    );
    assert_eq!(analysis.clone().named(&["a".into()]), analysis, "there are two classes");
}
