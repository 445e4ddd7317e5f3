//! Reading tables: numbers of nine characters, and numbers and texts as a census has them, in bytes of the file.
//!
//!     cargo bench --bench tables [FILTER]
//!
//! `FALLLINE_BENCH_TABLE=FILE` reads a table of one's own beside them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fallline::data::table::{Table, TableOptions};

/// A linear congruential generator; no two rows are the same.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn numbers() -> String {
    let mut state = 1;
    let mut text = String::new();
    for _ in 0..40_000 {
        let row: Vec<String> =
            (0..10).map(|_| format!("{:.6}", 10.0 + next(&mut state) as f64 / 1e9)).collect();
        text += &row.join(",");
        text.push('\n');
    }
    text
}

fn census() -> String {
    const WORK: [&str; 4] = ["Private", "Self-emp-not-inc", "State-gov", "?"];
    const SCHOOL: [&str; 5] = ["HS-grad", "Bachelors", "Some-college", "11th", "Assoc-acdm"];
    const MARITAL: [&str; 3] = ["Never-married", "Married-civ-spouse", "Divorced"];
    const JOB: [&str; 5] = ["Craft-repair", "Exec-managerial", "Adm-clerical", "Sales", "Handlers-cleaners"];
    let mut state = 1;
    let mut text = String::new();
    for _ in 0..32_000 {
        let mut draw = |count: usize| next(&mut state) as usize % count;
        let (age, weight, years, gain, hours) =
            (17 + draw(73), 12_000 + draw(400_000), 1 + draw(16), draw(9), draw(80));
        let gain = if gain == 0 { 2174 } else { 0 };
        let (work, school, marital, job) = (WORK[draw(4)], SCHOOL[draw(5)], MARITAL[draw(3)], JOB[draw(5)]);
        let class = ["<=50K", ">50K"][draw(2)];
        text += &format!(
            "{age}, {work}, {weight}, {school}, {years}, {marital}, {job}, Not-in-family, White, Male, {gain}, 0, {hours}, \
             United-States, {class}\n"
        );
    }
    text
}

fn read(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (name.to_string(), path)
    };
    let mut files = vec![written("numbers", numbers()), written("census", census())];
    if let Some(path) = std::env::var_os("FALLLINE_BENCH_TABLE") {
        files.push(("own".into(), PathBuf::from(path)));
    }
    let mut group = criterion.benchmark_group("tables");
    for (name, path) in &files {
        let length = std::fs::metadata(path).unwrap().len();
        group.throughput(Throughput::Bytes(length));
        let options = TableOptions::default();
        let read = |path: &Path| Table::read(path, &options).unwrap().rows;
        group.bench_function(name, |bencher| bencher.iter(|| read(path)));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2));
    targets = read
}
criterion_main!(benches);
