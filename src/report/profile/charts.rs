//! The charts of a profile: the roofline, one step of all workers, and the parts of the mean step.

use super::facts::{BARRIER, billions, digits, micros, name, peak, percent, rate, share, step_time, time};
use crate::bench::profile::ProfileRecord;
use crate::bench::profile::record::Site;
use crate::report::chart::{Axis, Bar, Chart, Dot, Roof, Roofline, SpanChart};
use crate::report::markup::printable;

/// The family of an operation: each has a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Forward,
    InputGradient,
    WeightGradient,
    Loss,
    Update,
    Gather,
    Waiting,
}

impl Family {
    pub const ALL: [Family; 7] = [
        Family::Forward,
        Family::InputGradient,
        Family::WeightGradient,
        Family::Loss,
        Family::Update,
        Family::Gather,
        Family::Waiting,
    ];

    /// The family of the [`Operation`](crate::probe::Operation) with this name.
    pub fn of(operation: &str) -> Family {
        match operation {
            "forward" | "recompute" | "predict" => Family::Forward,
            "input-gradient" => Family::InputGradient,
            "weight-gradient" => Family::WeightGradient,
            "loss" | "statistics" | "norms" => Family::Loss,
            "gather" => Family::Gather,
            BARRIER => Family::Waiting,
            _ => Family::Update,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Family::Forward => "forward",
            Family::InputGradient => "input gradient",
            Family::WeightGradient => "weight gradient",
            Family::Loss => "loss and statistics",
            Family::Update => "update",
            Family::Gather => "gather",
            Family::Waiting => "waiting",
        }
    }

    fn index(operation: &str) -> usize {
        let family = Family::of(operation);
        Family::ALL.iter().position(|&other| other == family).unwrap_or(0)
    }

    fn names() -> Vec<String> {
        Family::ALL.map(|family| family.name().to_string()).to_vec()
    }
}

/// The charts that lie beside a page, each with the stem of its file's name; none without values.
pub fn charts(record: &ProfileRecord) -> Vec<(String, Chart)> {
    let charts = [("roofline", roofline(record)), ("timeline", timeline(record))];
    charts.into_iter().filter_map(|(stem, chart)| Some((stem.to_string(), chart?))).collect()
}

/// The lines about a call site: its name, then its numbers.
fn lines(record: &ProfileRecord, site: &Site) -> Vec<String> {
    let kind = printable(&site.kind);
    let mut lines = vec![if kind.is_empty() { name(site) } else { format!("{}: {kind}", name(site)) }];
    lines.push(format!(
        "{} of a step, {} of it, in {} calls",
        time(site.seconds_per_step),
        percent(share(record, site.seconds_per_step)),
        digits(site.calls)
    ));
    let rates = [(site.flops, "GFLOP/s"), (site.bytes, "GB/s")];
    let rates = rates.into_iter().filter(|(amount, _)| *amount > 0.0);
    let mut rates: Vec<String> = rates
        .map(|(amount, unit)| format!("{} {unit}", billions(rate(amount, site.seconds_per_step))))
        .collect();
    if site.flops > 0.0 && site.bytes > 0.0 {
        rates.push(format!("{} flops/byte", digits(site.flops / site.bytes)));
    }
    if !rates.is_empty() {
        lines.push(rates.join(", "));
    }
    let saving = format!("could save {}", time(site.saving));
    lines.push(match site.fraction_of_roof {
        Some(fraction) => format!("{} of the {} roof, {saving}", percent(fraction), printable(&site.roof)),
        None => saving,
    });
    lines.push(format!("bound by: {}", printable(&site.verdict)));
    lines
}

/// The roofline, with a dot for each call site that computes; none without such a site.
pub(super) fn roofline(record: &ProfileRecord) -> Option<Chart> {
    let most = record.roofs.flops_per_second / 1e9;
    let levels = record.roofs.levels.iter().filter(|level| level.bytes_per_second > 0.0 && most > 0.0);
    let mut names = Vec::new();
    let mut roofs = Vec::new();
    for level in levels {
        names.push(level.name.as_str());
        let slope = level.bytes_per_second / 1e9;
        let rate = billions(level.bytes_per_second);
        roofs.push(Roof { name: format!("{} {rate} GB/s", printable(&level.name)), slope, most });
    }
    if most > 0.0 {
        names.push("compute");
        roofs.push(Roof { name: peak(record), slope: 0.0, most });
    }
    let computes = |site: &&Site| site.flops > 0.0 && site.bytes > 0.0 && site.seconds_per_step > 0.0;
    let dot = |site: &Site| Dot {
        name: name(site),
        x: site.flops / site.bytes,
        y: site.flops / site.seconds_per_step / 1e9,
        area: share(record, site.seconds_per_step),
        series: Family::index(&site.operation),
        roof: names.iter().position(|name| *name == site.roof),
        lines: lines(record, site),
    };
    let dots: Vec<Dot> = record.sites.iter().filter(computes).map(dot).collect();
    let chart = Roofline {
        title: format!("{}: roofline", printable(&record.settings.recipe)),
        x_label: "floating-point operations a byte".into(),
        y_label: "GFLOP/s, all workers".into(),
        roofs,
        series: Family::names(),
        dots,
    };
    (!chart.dots.is_empty()).then_some(Chart::Roofline(chart))
}

/// The call sites that compute nothing, which have no place on the roofline.
pub(super) fn without_arithmetic(record: &ProfileRecord) -> Vec<String> {
    record.sites.iter().filter(|site| site.flops <= 0.0 || site.bytes <= 0.0).map(name).collect()
}

/// The timeline of one step, a row for each worker.
pub(super) fn timeline(record: &ProfileRecord) -> Option<Chart> {
    let end = record.timeline.iter().map(|event| event.start + event.seconds).fold(0.0, f64::max);
    let (unit, per_second) = if end < 0.02 { ("µs", 1e6) } else { ("ms", 1e3) };
    let bar = |event: &crate::bench::profile::record::Event| {
        let layer = event.layer.as_deref().map(printable);
        let operation = printable(&event.operation);
        let full = layer.as_ref().map_or_else(|| operation.clone(), |l| format!("layer {l} {operation}"));
        let mut lines = vec![format!("{full}, worker {}", event.worker)];
        let start = micros(event.start);
        lines.push(format!("{} from {start} µs on", time(event.seconds)));
        let rates = [(event.flops, "GFLOP/s"), (event.bytes, "GB/s")];
        let rates = rates.into_iter().filter(|(amount, _)| *amount > 0.0 && event.seconds > 0.0);
        let rates: Vec<String> =
            rates.map(|(amount, unit)| format!("{} {unit}", billions(amount / event.seconds))).collect();
        if !rates.is_empty() {
            lines.push(rates.join(", "));
        }
        Bar {
            row: event.worker,
            start: per_second * event.start,
            end: per_second * (event.start + event.seconds),
            series: Some(Family::index(&event.operation)),
            name: layer.map_or(operation.clone(), |layer| format!("{layer} {operation}")),
            lines,
        }
    };
    let mut spans: Vec<Bar> = record.timeline.iter().map(bar).collect();
    spans
        .sort_by(|a, b| (a.row, a.start).partial_cmp(&(b.row, b.start)).unwrap_or(std::cmp::Ordering::Equal));
    let chart = SpanChart {
        title: format!("{}: one step", printable(&record.settings.recipe)),
        x: Axis::new(&format!("{unit} from the beginning of the step")),
        rows: (0..record.workers.len()).map(|worker| format!("worker {worker}")).collect(),
        row_height: if record.workers.len() > 8 { 22.0 } else { 40.0 },
        is_wide: true,
        series: Family::names(),
        spans,
    };
    (!chart.spans.is_empty()).then_some(Chart::Spans(chart))
}

/// A flame graph of the mean worker: the step, its layers, their operations.
pub(super) fn parts(record: &ProfileRecord) -> Option<Chart> {
    let step = record.sites.iter().map(|site| site.seconds_per_step).sum::<f64>() + record.uncovered;
    // Layers stand by their first appearance; operations of no layer stand for themselves.
    let mut groups: Vec<(Option<&str>, Vec<&Site>)> = Vec::new();
    for site in &record.sites {
        let layer = site.layer.as_deref();
        match groups.iter_mut().find(|(other, _)| layer.is_some() && *other == layer) {
            Some((_, sites)) => sites.push(site),
            None => groups.push((layer, vec![site])),
        }
    }
    let seconds = |sites: &[&Site]| sites.iter().map(|site| site.seconds_per_step).sum::<f64>();
    groups.sort_by(|(_, a), (_, b)| seconds(b).total_cmp(&seconds(a)));
    let recipe = printable(&record.settings.recipe);
    let mut spans = vec![Bar {
        row: 0,
        start: 0.0,
        end: 1.0,
        series: None,
        name: recipe.clone(),
        lines: vec![recipe.clone(), format!("{} a step, mean over the workers", step_time(step))],
    }];
    let mut start = 0.0;
    for (layer, mut sites) in groups {
        let end = start + rate(seconds(&sites), step);
        sites.sort_by(|a, b| b.seconds_per_step.total_cmp(&a.seconds_per_step));
        if let Some(layer) = layer {
            // An update's kind is its rule, which is not the layer's.
            let kind = sites.iter().find(|site| Family::of(&site.operation) != Family::Update);
            let kind = kind.map_or(String::new(), |site| format!(" {}", printable(&site.kind)));
            let title = format!("layer {}{kind}", printable(layer));
            let took = format!("{} of a step, {}", time(seconds(&sites)), percent(end - start));
            let lines = vec![title.clone(), took];
            spans.push(Bar { row: 1, start, end, series: None, name: title, lines });
        }
        let mut from = start;
        for site in sites {
            let to = from + rate(site.seconds_per_step, step);
            spans.push(Bar {
                row: if layer.is_some() { 2 } else { 1 },
                start: from,
                end: to,
                series: Some(Family::index(&site.operation)),
                name: printable(&site.operation),
                lines: lines(record, site),
            });
            from = to;
        }
        start = end;
    }
    spans.push(Bar {
        row: 1,
        start,
        end: 1.0,
        series: None,
        name: "uncovered".into(),
        lines: vec!["uncovered".into(), format!("{} of a step", time(record.uncovered))],
    });
    let chart = SpanChart {
        title: format!("{recipe}: flame graph"),
        x: Axis::new(""),
        rows: vec![String::new(); 3],
        row_height: 44.0,
        is_wide: true,
        series: Family::names(),
        spans,
    };
    (step > 0.0).then_some(Chart::Spans(chart))
}
