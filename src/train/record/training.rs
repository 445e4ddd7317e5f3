//! The record of one training run.

use serde::{Deserialize, Serialize};

use super::divergence::Divergence;
use super::epoch::{EpochRecord, Evaluation};

use super::analysis::Analysis;
use super::exact::ExactRecord;
use super::lloyd::LloydRecord;
use super::machine::Machine;
use super::norms::Warning;
use crate::model::{InitialFile, InitialState};

/// The schema that [`TrainRecord`] has as JSON.
pub const TRAIN_SCHEMA: &str = "fallline.train/1";

/// The size and the cost of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The number of parameters that can be trained.
    pub parameters: usize,
    /// Floating-point operations of a training step, per sample.
    pub train_flops_per_sample: f64,
    /// How many of the parameters the training changed; absent if all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained: Option<usize>,
}

/// A training run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainRecord {
    /// The schema of the record, [`TRAIN_SCHEMA`].
    pub schema: String,
    /// The recipe's name.
    pub recipe: String,
    /// The data set's name; absent, as the next two, in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The update rule's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<String>,
    /// The names of the averages that took the place of the parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averages: Vec<String>,
    /// Samples of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    pub seed: u64,
    pub threads: usize,
    pub machine: Machine,
    pub model: ModelFacts,
    /// The file that gave the model its first parameters; absent if all were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<InitialFile>,
    /// What the optimizer began with; absent if it began anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_optimizer: Option<InitialState>,
    /// The records of all epochs, or of a long run of some: see [`epochs_every`](TrainRecord::epochs_every).
    pub epochs: Vec<EpochRecord>,
    /// Absent if [`epochs`](TrainRecord::epochs) has all of them. Otherwise it has the first, every so many
    /// after it, the best one so far (which patience may take back), and the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs_every: Option<usize>,
    /// Warnings of layers whose gradients vanish or explode, or which see the answers in a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// The result on the test samples; absent if the model could not be tested.
    pub test: Option<Evaluation>,
    /// Wall-clock time of all epochs.
    pub train_seconds: f64,
    /// Why training ended: the name of an [`Ending`](crate::train::Ending).
    pub stop_reason: String,
    /// The signal that interrupted it, such as "SIGINT" (Ctrl-C) or "SIGTERM", where the program knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// How the training failed: absent if it has not, and in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diverged: Option<Divergence>,
    /// The epoch whose parameters were taken back at the end; only with patience.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_epoch: Option<usize>,
    /// The result of the final parameters on the samples set aside; only where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Evaluation>,
    /// What the model gets right and wrong on the test samples; only where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// A linear fit beside its exact solution; only where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactRecord>,
    /// k-means beside Lloyd's algorithm; only where the model is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lloyd: Option<LloydRecord>,
}

impl TrainRecord {
    /// Epochs that were begun, those included that the record leaves out.
    pub fn epochs_begun(&self) -> usize {
        self.epochs.last().map_or(0, |last| last.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::LayerNorms;
    use crate::train::record::epoch::NotFinite;
    use crate::train::record::metrics::{OutputMetrics, ValueMetrics};
    use crate::train::record::norms::Trouble;

    #[test]
    fn the_record_has_the_documented_keys_in_their_order() {
        let epoch = EpochRecord {
            epoch: 1,
            train_loss: 0.5,
            train_accuracy: Some(0.75),
            validation_loss: None,
            validation_accuracy: None,
            seconds: 2.0,
            samples_per_second: 30_000.0,
            samples: Some(60_000),
            positions: None,
            incomplete: false,
            learning_rate: Some(0.001),
            evaluations: None,
            layers: Vec::new(),
        };
        let norms = LayerNorms { layer: "0".into(), gradient: 0.5, update: 0.25, parameters: 4.0 };
        let warning = Warning {
            trouble: Trouble::Exploding,
            layer: "0".into(),
            kind: None,
            epoch: 1,
            ratio: 2.5,
            other: None,
        };
        let vanishing =
            Warning { trouble: Trouble::Vanishing, ratio: 1e-9, other: Some("2".into()), ..warning.clone() };
        let leaking = Warning {
            trouble: Trouble::Leaking,
            kind: Some("attention".into()),
            epoch: 0,
            ratio: 0.0,
            ..warning.clone()
        };
        let validated = EpochRecord {
            validation_loss: Some(0.25),
            validation_accuracy: Some(1.0),
            samples: Some(64),
            incomplete: true,
            layers: vec![norms],
            ..epoch.clone()
        };
        let machine =
            Machine { cpu: "c".into(), cores: 2, instruction_set: "AVX2".into(), os: "linux x86_64".into() };
        let record = TrainRecord {
            schema: TRAIN_SCHEMA.into(),
            recipe: "mnist-mlp".into(),
            data: Some("mnist".into()),
            optimizer: Some("adam".into()),
            averages: vec!["lookahead".into(), "ema".into()],
            batch: Some(64),
            seed: 1,
            threads: 2,
            machine,
            model: ModelFacts { parameters: 3, train_flops_per_sample: 12.0, trained: Some(2) },
            init: Some(InitialFile { path: "m".into(), checksum: 7, drawn: vec!["2.bias".into()] }),
            init_optimizer: Some(InitialState { path: Some("s".into()), checksum: 8, steps: 12 }),
            epochs: vec![epoch, validated],
            epochs_every: None,
            warnings: vec![warning, vanishing, leaking],
            test: Some(Evaluation::new(0.125, 0.5)),
            train_seconds: 4.0,
            stop_reason: "patience".into(),
            signal: None,
            diverged: None,
            best_epoch: Some(1),
            validation: Some(Evaluation::new(0.25, 1.0)),
            analysis: None,
            exact: None,
            lloyd: None,
        };
        let json = serde_json::to_string(&record).unwrap();
        let expected = concat!(
            r#"{"schema":"fallline.train/1","recipe":"mnist-mlp","data":"mnist","optimizer":"adam","#,
            r#""averages":["lookahead","ema"],"batch":64,"#,
            r#""seed":1,"threads":2,"#,
            r#""machine":{"cpu":"c","cores":2,"instruction_set":"AVX2","os":"linux x86_64"},"#,
            r#""model":{"parameters":3,"train_flops_per_sample":12.0,"trained":2},"#,
            r#""init":{"path":"m","checksum":7,"drawn":["2.bias"]},"#,
            r#""init_optimizer":{"path":"s","checksum":8,"steps":12},"epochs":["#,
            r#"{"epoch":1,"train_loss":0.5,"train_accuracy":0.75,"seconds":2.0,"samples_per_second":30000.0,"#,
            r#""samples":60000,"learning_rate":0.001},"#,
            r#"{"epoch":1,"train_loss":0.5,"train_accuracy":0.75,"validation_loss":0.25,"#,
            r#""validation_accuracy":1.0,"seconds":2.0,"samples_per_second":30000.0,"#,
            r#""samples":64,"incomplete":true,"learning_rate":0.001,"#,
            r#""layers":[{"layer":"0","gradient":0.5,"update":0.25,"parameters":4.0}]}],"#,
            r#""warnings":[{"trouble":"exploding","layer":"0","epoch":1,"ratio":2.5},"#,
            r#"{"trouble":"vanishing","layer":"0","epoch":1,"ratio":1e-9,"other":"2"},"#,
            r#"{"trouble":"leaking","layer":"0","kind":"attention","epoch":0,"ratio":0.0}],"#,
            r#""test":{"loss":0.125,"accuracy":0.5},"train_seconds":4.0,"stop_reason":"patience","#,
            r#""best_epoch":1,"validation":{"loss":0.25,"accuracy":1.0}}"#
        );
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<TrainRecord>(&json).unwrap(), record);

        let failed = Divergence {
            what: "the mean loss".into(),
            value: 6.5,
            first: Some(2.5),
            step: 30,
            epoch: 2,
            learning_rate: 1e10,
        };
        let interrupted = TrainRecord {
            epochs_every: Some(2),
            signal: Some("SIGTERM".into()),
            diverged: Some(failed.clone()),
            ..record.clone()
        };
        let json = serde_json::to_string(&interrupted).unwrap();
        for part in [
            r#"}],"epochs_every":2,"warnings""#,
            r#","signal":"SIGTERM","diverged":{"what":"the mean loss","value":6.5,"first":2.5,"step":30,"#,
            r#""epoch":2,"learning_rate":10000000000.0},"best_epoch":1"#,
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
        assert_eq!(serde_json::from_str::<TrainRecord>(&json).unwrap(), interrupted);
    }

    /// JSON has no word for numbers that are not finite but `null`.
    #[test]
    fn losses_that_are_not_finite_are_read_back() {
        let not_finite = Some(NotFinite { samples: 2, first: 7 });
        let json =
            serde_json::to_string(&Evaluation { not_finite, ..Evaluation::new(f64::INFINITY, 0.5) }).unwrap();
        assert_eq!(json, r#"{"loss":null,"accuracy":0.5,"not_finite":{"samples":2,"first":7}}"#);
        let read: Evaluation = serde_json::from_str(&json).unwrap();
        assert!(read.loss.is_nan() && read.not_finite == not_finite);
        assert!(serde_json::from_str::<Evaluation>(r#"{"accuracy":0.5}"#).is_err(), "no loss at all");
    }

    /// Nor is one taken for absent.
    #[test]
    fn validation_losses_that_are_not_finite_are_read_back() {
        let json =
            r#"{"epoch":1,"train_loss":0.5,"validation_loss":null,"seconds":2.0,"samples_per_second":3.0}"#;
        let epoch: EpochRecord = serde_json::from_str(json).unwrap();
        assert!(epoch.validation_loss.is_some_and(f64::is_nan));
        assert_eq!(serde_json::to_string(&epoch).unwrap(), json);
        let absent: EpochRecord =
            serde_json::from_str(&json.replace(r#""validation_loss":null,"#, "")).unwrap();
        assert_eq!(absent.validation_loss, None);
    }

    /// Target values have no accuracy; what earlier versions wrote in its place can be read, too.
    #[test]
    fn accuracies_may_be_missing() {
        let seen = Evaluation { accuracy: None, ..Evaluation::new(0.5, 0.0) };
        assert_eq!(serde_json::to_string(&seen).unwrap(), r#"{"loss":0.5}"#);
        for json in [r#"{"loss":0.5}"#, r#"{"loss":0.5,"accuracy":null}"#] {
            assert_eq!(serde_json::from_str::<Evaluation>(json).unwrap(), seen);
        }
        let json = r#"{"epoch":1,"train_loss":0.5,"train_accuracy":null,"validation_loss":0.25,
            "validation_accuracy":null,"seconds":2.0,"samples_per_second":3.0}"#;
        let epoch: EpochRecord = serde_json::from_str(json).unwrap();
        assert_eq!((epoch.train_accuracy, epoch.validation_accuracy), (None, None));
        let written = serde_json::to_string(&epoch).unwrap();
        assert!(!written.contains("accuracy"), "{written}");
        assert_eq!(serde_json::from_str::<EpochRecord>(&written).unwrap(), epoch);
    }

    /// An evaluation tells how close values come, each output's beside all where there are several.
    #[test]
    fn values_have_metrics_of_their_own() {
        let one = OutputMetrics { rmse: 0.5, mae: 0.25, r_squared: 0.75 };
        let OutputMetrics { rmse, mae, r_squared } = one;
        let seen = |outputs| Evaluation {
            accuracy: None,
            values: Some(ValueMetrics { rmse, mae, r_squared, outputs }),
            ..Evaluation::new(0.25, 0.0)
        };
        let json = serde_json::to_string(&seen(Vec::new())).unwrap();
        assert_eq!(json, r#"{"loss":0.25,"values":{"rmse":0.5,"mae":0.25,"r_squared":0.75}}"#);
        let several = seen(vec![one; 2]);
        let json = serde_json::to_string(&several).unwrap();
        assert!(json.contains(r#","outputs":[{"rmse":0.5,"mae":0.25,"r_squared":0.75},{"rmse""#), "{json}");
        assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), several);
    }

    /// A file that the first version wrote.
    #[test]
    fn records_of_earlier_versions_are_read() {
        let json = concat!(
            r#"{"schema":"fallline.train/1","recipe":"mnist-mlp","seed":1,"threads":2,"#,
            r#""machine":{"cpu":"c","cores":2,"instruction_set":"AVX2","os":"linux x86_64"},"#,
            r#""model":{"parameters":3,"train_flops_per_sample":12.0},"epochs":["#,
            r#"{"epoch":1,"train_loss":0.5,"train_accuracy":0.75,"seconds":2.0,"samples_per_second":30000.0}],"#,
            r#""test":{"loss":0.125,"accuracy":0.5},"train_seconds":4.0,"stop_reason":"epochs"}"#
        );
        let record: TrainRecord = serde_json::from_str(json).unwrap();
        assert_eq!((record.data.as_ref(), record.epochs[0].samples), (None, None));
        assert_eq!(serde_json::to_string(&record).unwrap(), json);
    }
}
