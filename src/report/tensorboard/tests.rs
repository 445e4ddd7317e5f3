use super::*;
use crate::train::Evaluation;

fn epoch(epoch: usize) -> EpochRecord {
    EpochRecord {
        epoch,
        train_loss: 0.5,
        train_accuracy: Some(0.75),
        validation_loss: None,
        validation_accuracy: None,
        seconds: 1.0,
        samples_per_second: 1000.0,
        samples: Some(1000),
        positions: None,
        incomplete: false,
        learning_rate: Some(0.1),
        evaluations: None,
        layers: Vec::new(),
    }
}

/// The records of a file, their checksums compared.
fn records(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let data = &rest[12..12 + length];
        assert_eq!(rest[..length + 16], record::framed(data));
        records.push(data.to_vec());
        rest = &rest[length + 16..];
    }
    records
}

fn has(record: &[u8], text: &str) -> bool {
    record.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn steps_and_epochs_are_written_when_an_epoch_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(&folder.path().join("new/logs"), "mnist-adam-seed1").unwrap();
    let path = writer.path().to_path_buf();
    assert_eq!(path.parent().unwrap(), folder.path().join("new/logs/mnist-adam-seed1"));
    writer.step(1, 0.5);
    writer.step(2, 0.25);
    assert_eq!(records(&path).len(), 1, "only the version until the epoch ends");
    writer.epoch(&epoch(1));
    let tags = ["brain.Event:2", "train/step_loss", "train/step_loss", "train/loss", "train/accuracy"];
    let tags = [&tags[..], &["learning_rate", "samples_per_second"]].concat();
    let written = records(&path);
    assert_eq!(written.len(), tags.len());
    assert!(written.iter().zip(&tags).all(|(record, tag)| has(record, tag)), "{written:?}");
    writer.epoch(&EpochRecord { validation_loss: Some(0.5), ..epoch(2) });
    assert!(has(&records(&path)[tags.len() + 2], "validation/loss"));
}

#[test]
fn norms_are_written_by_layer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), "run").unwrap();
    let norms =
        |layer: &str| LayerNorms { layer: layer.into(), gradient: 0.5, update: 0.25, parameters: 2.0 };
    writer.epoch(&EpochRecord { layers: vec![norms("0"), norms("2")], ..epoch(1) });
    let written = records(writer.path());
    let tags = ["gradient_norm/0", "update_norm/0", "parameter_norm/0", "gradient_norm/2", "update_norm/2"];
    let last = &written[written.len() - 6..];
    assert!(last.iter().zip(tags).all(|(record, tag)| has(record, tag)), "{written:?}");
    assert!(has(&last[5], "parameter_norm/2"));
    assert!(last[1].ends_with(&0.25f32.to_le_bytes()) && last[5].ends_with(&2f32.to_le_bytes()));
}

#[test]
fn a_full_buffer_is_written_within_the_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), "run").unwrap();
    (0..MOST_BUFFERED as u64 + 5).for_each(|step| writer.step(step, 1.0));
    assert_eq!(records(writer.path()).len(), 1 + MOST_BUFFERED);
    let path = writer.path().to_path_buf();
    writer.finish(None).unwrap();
    assert_eq!(records(&path).len(), 1 + MOST_BUFFERED + 5, "none is lost");
}

#[test]
fn the_test_comes_last() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), "run").unwrap();
    let path = writer.path().to_path_buf();
    writer.epoch(&epoch(1));
    let mut record = crate::report::samples::train_record();
    record.test = Some(Evaluation::new(0.25, 0.5));
    writer.finish(Some(&record)).unwrap();
    let written = records(&path);
    let [.., loss, accuracy] = &written[..] else { panic!("{written:?}") };
    assert!(has(loss, "test/loss") && has(accuracy, "test/accuracy"));

    let writer = EventWriter::create(folder.path(), "values").unwrap();
    let path = writer.path().to_path_buf();
    writer.finish(Some(&crate::report::samples::value_record())).unwrap();
    let written = records(&path);
    assert_eq!(written.len(), 5);
    let tags = ["test/loss", "test/rmse", "test/mae", "test/r_squared"];
    assert!(tags.iter().zip(&written[1..]).all(|(tag, record)| has(record, tag)));
}

#[test]
fn each_run_has_a_folder_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> =
        (0..3).map(|_| EventWriter::create(folder.path(), "run").unwrap().path().to_path_buf()).collect();
    let folders: Vec<_> = runs.iter().map(|path| path.parent().unwrap().file_name().unwrap()).collect();
    assert_eq!(folders, ["run", "run-2", "run-3"]);
    let name = runs[0].file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("events.out.tfevents.1"), "{name}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), "run").unwrap();
    writer.file = Some(File::options().write(true).open("/dev/full").unwrap());
    writer.step(1, 0.5);
    writer.epoch(&epoch(1));
    writer.epoch(&epoch(2));
    let message = writer.finish(None).unwrap_err().to_string();
    assert!(message.contains("events.out.tfevents.") && message.contains(": cannot write: "), "{message}");
}

#[test]
fn a_file_in_place_of_the_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for place in ["file", "file/inner"] {
        let refused = EventWriter::create(&folder.path().join(place), "run");
        let message = refused.err().unwrap().to_string();
        assert!(message.contains("file") && message.contains(": cannot create: "), "{message}");
    }
}
