//! The tour as its users meet it: what is written, which cases there are, refusals, and what a signal leaves.

use std::fs;

use fallline::engine::tour::CASES;

use crate::common::program::{fails, fallline, json, names, succeeds};

#[test]
fn a_case_leaves_its_page_its_pictures_and_its_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let case = CASES[0];
    let text = succeeds(path, &["tour", case.name, "--out", "a/b", "--json", "copy.json", "--threads", "2"]);
    assert!(text.contains(&format!("1/1  {}", case.title)) && text.contains("1 case in "), "{text}");
    assert!(text.ends_with("wrote a/b/report.html\nwrote a/b/tour.json\nwrote copy.json\n"), "{text}");
    let out = path.join("a/b");
    let record = json(&out.join("tour.json"));
    assert_eq!(record["schema"], "fallline.tour/1");
    assert_eq!(record["cases"][0]["case"], case.name);
    assert!(record.get("incomplete").is_none() && record["cases"].as_array().unwrap().len() == 1);
    assert_eq!(json(&path.join("copy.json")), record);
    let pictures: Vec<String> =
        names(&out).into_iter().filter(|name| name.starts_with(&format!("{}-", case.name))).collect();
    let svgs = pictures.iter().filter(|name| name.ends_with(".svg")).count();
    assert!(svgs > 0 && pictures.len() == 2 * svgs, "{pictures:?}");
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        page.contains(&format!("data-charts=\"{svgs}\"")) && page.contains(&format!("1. {}", case.title))
    );
    assert!(page.contains(&format!("examples/{}.rs", case.example)));

    // The numbers do not depend on the threads.
    succeeds(path, &["tour", case.name, case.name, "--out", "one", "--threads", "1"]);
    let one = json(&path.join("one/tour.json"));
    for key in ["numbers", "text", "tables"] {
        assert_eq!(one["cases"][0][key], record["cases"][0][key], "{key}");
    }
    assert_eq!(one["cases"].as_array().unwrap().len(), 1, "a case named twice runs once");
}

#[test]
fn the_help_names_every_case_and_every_case_has_its_program() {
    let folder = tempfile::tempdir().unwrap();
    let help = succeeds(folder.path(), &["tour", "--help"]);
    // As one line: long ones are wrapped.
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for case in CASES {
        assert!(help.contains(&format!(" {} {} ", case.name, case.summary)), "{}: {help}", case.name);
        let program = format!("{}/examples/{}.rs", env!("CARGO_MANIFEST_DIR"), case.example);
        let text = fs::read_to_string(&program).unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(
            text.starts_with("//!") && text.contains(&format!("--example {}", case.example)),
            "{program}"
        );
    }
}

#[test]
fn wrong_arguments_are_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let [first, last] = [CASES[0].name, CASES[CASES.len() - 1].name];
    fails(path, &["tour"], "--out <DIR>");
    let misspelt = format!("{last}x");
    fails(path, &["tour", first, &misspelt, "--out", "o"], &format!("did you mean `{last}`?"));
    fails(path, &["tour", first, "--out", "o", "--threads", "0"], "--threads");
    fs::write(path.join("file"), "").unwrap();
    fails(path, &["tour", first, "--out", "file"], "file: cannot create a file in this folder");
    fails(
        path,
        &["tour", first, "--out", "o", "--json", "none/x"],
        "none: cannot create a file in this folder",
    );
    fs::create_dir(path.join("full")).unwrap();
    fails(path, &["tour", first, "--out", "full", "--json", "full/tour.json"], "tour.json twice");
    assert_eq!(names(path), ["file", "full"]);
    assert!(names(&path.join("full")).is_empty());
}

#[test]
fn a_record_without_pictures_makes_no_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tour.json"), "{\"schema\": \"fallline.tour/1\", \"cases\": []}").unwrap();
    let [_, error] = fails(folder.path(), &["report", "tour.json"], "has no pictures");
    assert!(error.contains("report.html") && error.contains("fallline tour --out DIR"), "{error}");
    assert!(!folder.path().join("report.html").exists());
}

/// The signal comes when the first case is done, and lets the second one end.
#[cfg(unix)]
#[test]
fn an_interrupted_tour_keeps_the_cases_that_are_done() {
    use crate::common::program::command;
    use crate::working::Working;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut working = Working::start(&mut command(path, &["tour", "--out", "o", "--json", "j"]), "1/");
    working.send("INT");
    assert!(working.hears("stopping").contains("the case under way is finished first"));
    let ended = working.end();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert!(
        ended.out.contains("interrupted by Ctrl-C: ") && ended.out.contains("wrote o/report.html"),
        "{ended:?}"
    );
    let record = json(&path.join("o/tour.json"));
    let done = record["cases"].as_array().unwrap().len();
    assert!(record["incomplete"] == true && (1..CASES.len()).contains(&done), "{done}");
    assert!(fs::read_to_string(path.join("o/report.html")).unwrap().contains("cases are missing"));
    assert!(!path.join("j").exists(), "which is for a whole tour");
    // Once more, whole: nothing of the first one is in the way.
    assert!(fallline(path, &["tour", CASES[0].name, "--out", "o"]).status.success());
    assert!(json(&path.join("o/tour.json")).get("incomplete").is_none());
}
