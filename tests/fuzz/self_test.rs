//! The harness notices what it is there to notice: readers that do what none may do.

use std::process::Command;
use std::time::Duration;

use super::harness::{Accepted, Input, Options, Tally, Target, tried};

/// Which of its own tests a process runs to its bitter end.
const BITTER_END: &str = "FALLLINE_FUZZ_BITTER_END";

fn target(read: fn(&Input) -> Result<Accepted, String>) -> Target {
    Target {
        name: "self-test",
        share: 1,
        seeds: || vec![b"seed".to_vec()],
        spoil: |random, seeds| {
            let mut bytes = seeds[0].clone();
            super::bytes::spoil(random, &mut bytes, seeds);
            bytes
        },
        read,
        memory: |input| 2 * input.len() + 8192,
    }
}

fn options(inputs: u64) -> Options {
    let deadline = super::watchdog::DEADLINE;
    Options { inputs, seed: 1, deadline, corpus: None, only: None, is_long: false }
}

fn sound() -> Result<Accepted, String> {
    Ok(Box::new(|| Ok(())))
}

/// The kinds of faults found; the files that they are kept in are removed.
fn kinds(tally: &Tally) -> Vec<&'static str> {
    tally.faults.values().for_each(|(_, path, _)| std::fs::remove_file(path).unwrap());
    tally.faults.values().map(|(fault, ..)| fault.kind).collect()
}

#[test]
fn a_sound_reader_passes() {
    let tally = tried(
        &target(|input| if input.bytes.len() > 3 { sound() } else { Err("short".into()) }),
        &options(300),
    );
    assert_eq!(kinds(&tally), [""; 0]);
    assert!(tally.inputs == 301 && (1..301).contains(&tally.accepted), "{}", tally.accepted);
}

#[test]
fn a_reader_that_panics_is_caught_with_its_input() {
    let read = |input: &Input| if input.bytes == b"seed" { sound() } else { panic!("{}", input.bytes.len()) };
    let tally = tried(&target(read), &options(50));
    let (_, path, count) = tally.faults.values().next().unwrap();
    assert!(*count > 40 && std::fs::read(path).unwrap() != b"seed");
    assert_eq!(kinds(&tally), ["panic"]);
}

#[test]
fn a_reader_that_takes_too_much_memory_is_caught() {
    let read = |input: &Input| {
        // As a reader that believes a number in its input.
        let promised = input.bytes.first().map_or(0, |&byte| usize::from(byte) << 10);
        if input.bytes == b"seed" || std::hint::black_box(vec![1u8; promised]).is_empty() {
            return sound();
        }
        Err("too little".into())
    };
    assert_eq!(kinds(&tried(&target(read), &options(50))), ["memory"]);
}

#[test]
fn messages_that_cannot_be_shown_are_caught() {
    let read = |input: &Input| match input.bytes {
        b"seed" => sound(),
        [] => Err(String::new()),
        bytes if bytes.len() % 2 == 0 => Err("two\nlines".into()),
        _ => Err("long ".repeat(1200)),
    };
    assert_eq!(kinds(&tried(&target(read), &options(400))), ["message"; 3]);
}

#[test]
fn what_is_accepted_and_unsound_is_caught() {
    let read = |input: &Input| -> Result<Accepted, String> {
        if input.bytes.first() == Some(&b's') { sound() } else { Ok(Box::new(|| Err("unsound".into()))) }
    };
    assert_eq!(kinds(&tried(&target(read), &options(50))), ["unsound"]);
}

#[test]
fn a_reader_that_keeps_memory_is_caught() {
    let read = |_: &Input| {
        std::mem::forget(vec![1u8; 4000]);
        sound()
    };
    let said = std::panic::catch_unwind(|| tried(&target(read), &options(400))).err().unwrap();
    assert!(said.downcast_ref::<String>().unwrap().contains("not given back"));
}

/// Runs one test of this file in a process that does not survive it; what it says on standard error.
fn said_at_the_end_of(test: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let arguments = [&format!("self_test::{test}"), "--exact", "--nocapture"];
    let output = Command::new(program).args(arguments).env(BITTER_END, test).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether this process is the one that does not survive the test.
fn is_bitter_end_of(test: &str) -> bool {
    std::env::var(BITTER_END).is_ok_and(|name| name == test)
}

#[test]
fn a_reader_that_hangs_ends_the_run_with_its_input() {
    if is_bitter_end_of("a_reader_that_hangs_ends_the_run_with_its_input") {
        let hang = |_: &Input| loop {
            std::thread::sleep(Duration::from_millis(10));
        };
        tried(&target(hang), &Options { deadline: Duration::from_millis(300), ..options(1) });
    }
    let said = said_at_the_end_of("a_reader_that_hangs_ends_the_run_with_its_input");
    let (_, path) = said.split_once("no answer within 300ms: ").unwrap_or_else(|| panic!("{said}"));
    let path = path.lines().next().unwrap();
    assert_eq!(std::fs::read(path).unwrap(), b"seed");
    std::fs::remove_file(path).unwrap();
}
