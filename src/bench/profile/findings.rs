//! The findings of a profile, in plain sentences.

use super::record::{Finding, ProfileRecord, Site};
use super::sums::ratio;
use crate::model::{Model, Recipe};

/// The subject of a profile.
pub struct Subject<'a> {
    pub model: &'a Model,
    pub recipe: &'a Recipe,
    /// The name of the data set.
    pub data: String,
    /// Samples of a step, and the most that a step may have.
    pub batch: usize,
    pub samples: usize,
    pub threads: usize,
    /// Whether the forward pass alone was profiled.
    pub predict: bool,
    /// The command line; empty if there is none.
    pub command: String,
}

/// The most sentences about possible savings.
const MOST: usize = 5;

/// The least saving, as a part of the step, that is worth a sentence.
const LITTLE: f64 = 0.02;

/// The part of the step that workers wait from which fewer threads are proposed.
const MUCH_WAITING: f64 = 0.25;

/// The largest batch that is proposed.
const MOST_SAMPLES: usize = 4096;

/// The part of a step without a processor from which a finding says so.
const TAKEN: f64 = 0.01;

/// The findings of a record that has everything else: the largest part of the step, if nothing can be gained there, and
/// then the largest possible savings.
pub fn of(record: &ProfileRecord, subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    let largest = record.sites.iter().max_by(|a, b| a.share.total_cmp(&b.share));
    if let Some(site) = largest.filter(|site| site.verdict == site.roof && site.share > LITTLE) {
        let text = format!(
            "{}: {} of the step at {} of the {} roof: nothing to gain.",
            title(site),
            percent(site.share),
            percent(site.fraction_of_roof.unwrap_or(0.0)),
            site.roof
        );
        findings.push(Finding { text, command: None });
    }
    let is_worth =
        |site: &&Site| site.verdict != site.roof && ratio(site.saving, record.step_seconds) > LITTLE;
    findings
        .extend(record.sites.iter().filter(is_worth).take(MOST).map(|site| saving(record, site, subject)));
    let uncovered = ratio(record.uncovered, record.step_seconds);
    if uncovered > 2.0 * LITTLE {
        let text = format!(
            "No probe covers {} of the step: what lies between the calls counts where they are short.",
            percent(uncovered)
        );
        findings.push(Finding { text, command: longer(subject) });
    }
    findings
}

/// The finding about a possible saving at a site.
fn saving(record: &ProfileRecord, site: &Site, subject: &Subject) -> Finding {
    let gain = record.step_seconds / (record.step_seconds - site.saving).max(f64::MIN_POSITIVE);
    let at = match site.fraction_of_roof {
        Some(fraction) => format!(" at {} of the {} roof", percent(fraction), site.roof),
        None => String::new(),
    };
    let (advice, command) = advice(record, site, subject);
    let text = format!(
        "{}: {} of the step{at}: {gain:.2} times as fast at best{}{advice}.",
        title(site),
        percent(site.share),
        if advice.is_empty() { "" } else { "; " }
    );
    Finding { text, command }
}

/// The explanation of a site that does not reach its roof, and a command that may do better.
fn advice(record: &ProfileRecord, site: &Site, subject: &Subject) -> (String, Option<String>) {
    if site.operation == "barrier" {
        return waiting(record, site, subject);
    }
    let once_a_step = ["update", "derive", "average", "clip", "orthogonalise"];
    let larger = longer(subject);
    match site.verdict.as_str() {
        "small calls" => {
            let nanoseconds = ratio(site.seconds_per_step * record.settings.threads as f64, site.calls) * 1e9;
            let advice = if larger.is_some() { "; a larger batch would make them longer" } else { "" };
            (format!("a call takes {nanoseconds:.0} ns{advice}"), larger)
        }
        _ if once_a_step.contains(&site.operation.as_str()) && larger.is_some() => {
            ("a larger batch would spread it".into(), larger)
        }
        _ => (String::new(), None),
    }
}

/// The reason why workers wait, and a command that may do better.
fn waiting(record: &ProfileRecord, site: &Site, subject: &Subject) -> (String, Option<String>) {
    let taken = record
        .workers
        .iter()
        .filter(|worker| worker.taken.is_some_and(|seconds| seconds > TAKEN * record.step_seconds));
    let latest = record.workers.iter().max_by(|a, b| a.last.total_cmp(&b.last));
    let fewer = (subject.threads > 1 && site.share > MUCH_WAITING)
        .then(|| with(&subject.command, "--threads", subject.threads / 2))
        .flatten();
    let text = match (taken.max_by(|a, b| a.taken.unwrap_or(0.0).total_cmp(&b.taken.unwrap_or(0.0))), latest)
    {
        (Some(worker), _) => format!(
            "the system took the processor from worker {} for {:.1} µs of a step: something else runs on \
             this machine",
            worker.worker,
            worker.taken.unwrap_or(0.0) * 1e6
        ),
        (None, Some(worker)) if site.verdict == "imbalance" => {
            let busiest = record.workers.iter().max_by(|a, b| a.busy.total_cmp(&b.busy)).unwrap_or(worker);
            format!(
                "worker {} has {:.1} % more to do than the mean",
                busiest.worker,
                100.0 * busiest.imbalance
            )
        }
        (None, Some(worker)) => {
            format!("worker {} comes last to {} of the barriers", worker.worker, percent(worker.last))
        }
        (None, None) => String::new(),
    };
    (text, fewer)
}

/// The command with twice the batch, if there can be such a one.
fn longer(subject: &Subject) -> Option<String> {
    let batch = subject.batch.saturating_mul(2);
    (batch <= MOST_SAMPLES.min(subject.samples)).then(|| with(&subject.command, "--batch", batch)).flatten()
}

/// The parts of a command line that decide what is measured: the program, its subject, and the options,
/// each with its value.
struct Asked<'a> {
    program: &'a str,
    target: Option<&'a str>,
    options: Vec<(&'a str, Option<&'a str>)>,
}

/// Options without a value, and those that decide nothing but where the results go.
const FLAGS: [&str; 2] = ["--predict", "--counters"];
const RESULTS: [&str; 9] =
    ["--json", "--csv", "--out", "--trace", "--folded", "--compare", "--tolerance", "--layer", "--counters"];

impl<'a> Asked<'a> {
    fn of(command: &'a str) -> Option<Asked<'a>> {
        let mut given = words(command).into_iter();
        let (program, _profile) = (given.next()?, given.next()?);
        let (mut target, mut options) = (None, Vec::new());
        while let Some(word) = given.next() {
            if !word.starts_with("--") {
                target = Some(word);
                continue;
            }
            let (name, value) =
                word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let name = if name == "--batch-size" { "--batch" } else { name };
            let value = if FLAGS.contains(&name) { None } else { value.or_else(|| given.next()) };
            if !RESULTS.contains(&name) {
                options.push((name, value));
            }
        }
        Some(Asked { program, target, options })
    }

    /// The options that are kept, with a space before each.
    fn options(&self, is_kept: impl Fn(&str) -> bool) -> String {
        let kept = self.options.iter().filter(|(name, _)| is_kept(name));
        kept.map(|(name, value)| match value {
            Some(value) => format!(" {name} {value}"),
            None => format!(" {name}"),
        })
        .collect()
    }
}

/// The command line of a profile with another value of an option; none without a command line.
fn with(command: &str, option: &str, value: usize) -> Option<String> {
    let asked = Asked::of(command)?;
    let target = asked.target.map_or(String::new(), |target| format!(" {target}"));
    let options = asked.options(|name| name != option);
    Some(format!("{} profile{target}{options} {option} {value}", asked.program))
}

/// The command that runs one kernel of the subject by itself; none if there is no command line, or it names
/// something else than a recipe.
pub fn kernel_command(command: &str, kernel: &str) -> Option<String> {
    let asked = Asked::of(command)?;
    let target = asked.target.unwrap_or("digits-mlp");
    let is_recipe = !target.trim_matches('\'').ends_with(".safetensors");
    // The whole data set is no number.
    let is_number = !asked.options.contains(&("--batch", Some("all")));
    let options =
        asked.options(|name| ["--data", "--optimizer", "--batch", "--threads", "--set"].contains(&name));
    (is_recipe && is_number).then(|| format!("{} bench {target}{options} --kernel '{kernel}'", asked.program))
}

/// The words of a command line, with their quotes.
fn words(command: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let ends = |letter: char| {
        is_quoted ^= letter == '\'';
        letter == ' ' && !is_quoted
    };
    command.split(ends).filter(|word| !word.is_empty()).collect()
}

/// The title of a site: "layer 0 (dense + relu), weight gradient"; "adam on layer 0"; "gather".
pub fn title(site: &Site) -> String {
    let operation = site.operation.replace('-', " ");
    match (&site.layer, site.operation.as_str()) {
        (Some(layer), "update") => format!("{} on layer {layer}", site.kind),
        (Some(layer), _) if site.kind.is_empty() => format!("layer {layer}, {operation}"),
        (Some(layer), _) => format!("layer {layer} ({}), {operation}", site.kind),
        (None, "barrier") => "waiting at barriers".into(),
        (None, _) => operation,
    }
}

/// A part in whole percents: 31 %.
fn percent(part: f64) -> String {
    format!("{:.0} %", 100.0 * part)
}

#[cfg(test)]
mod tests {
    use super::{kernel_command, with};

    #[test]
    fn an_option_is_replaced_wherever_it_stands() {
        let replaced = |command: &str| with(command, "--batch", 128).unwrap();
        let expected = "fallline profile mnist-mlp --seconds 2 --batch 128";
        for batch in ["--batch 64 ", "--batch=64 ", "--batch-size 64 ", "--json p.json --out=d ", ""] {
            assert_eq!(replaced(&format!("fallline profile mnist-mlp {batch}--seconds 2")), expected);
        }
        assert_eq!(with("", "--batch", 2), None);
        let quoted = with("fallline profile --set 'a=\"b  c\"'", "--threads", 1);
        assert_eq!(quoted.as_deref(), Some("fallline profile --set 'a=\"b  c\"' --threads 1"));
    }

    #[test]
    fn a_kernel_is_run_on_what_was_profiled() {
        let command = |text| kernel_command(text, "0 forward");
        let all =
            "fallline profile --seconds 2 mnist-mlp --batch-size=64 --set 'a=\"b c\"' --out d --threads 2";
        let expected =
            "fallline bench mnist-mlp --batch 64 --set 'a=\"b c\"' --threads 2 --kernel '0 forward'";
        assert_eq!(command(all).as_deref(), Some(expected));
        let expected = "fallline bench digits-mlp --kernel '0 forward'";
        assert_eq!(command("fallline profile --counters").as_deref(), Some(expected));
        for none in ["", "fallline profile net.safetensors", "fallline profile x --batch all"] {
            assert_eq!(command(none), None);
        }
    }
}
