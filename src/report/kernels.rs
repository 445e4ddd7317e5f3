//! Kernels that were run by themselves, as tables.

use crate::bench::profile::kernel::{Kernels, Name};
use crate::bench::profile::record::Site;
use crate::report::markup::printable;
use crate::report::numbers::rounded;
use crate::report::table::{Side, table as columns_of};

/// The list of kernels that can be run.
pub fn list(names: &[Name]) -> String {
    let columns = [("kernel", Side::Left), ("layer", Side::Left), ("output", Side::Left)];
    let row = |name: &Name| [&name.name, &name.kind, &name.output].map(|text| printable(text)).to_vec();
    columns_of(&columns, &names.iter().map(row).collect::<Vec<_>>(), 0)
}

/// The table of kernels that were run.
pub fn table(kernels: &Kernels) -> String {
    let columns = [
        ("kernel", Side::Left),
        ("layer", Side::Left),
        ("data", Side::Left),
        ("µs", Side::Right),
        ("GFLOP/s", Side::Right),
        ("GB/s", Side::Right),
        ("FLOP/B", Side::Right),
        ("roof", Side::Left),
        ("of roof", Side::Right),
        ("bound by", Side::Left),
    ];
    let row = |name: &Name, data: &str, site: &Site| -> Vec<String> {
        let rate = |amount: f64| match site.seconds_per_step {
            seconds if seconds > 0.0 && amount > 0.0 => format!("{:.1}", amount / seconds / 1e9),
            _ => String::new(),
        };
        let time = 1e6 * site.median_seconds;
        vec![
            printable(&name.name),
            printable(&name.kind),
            data.to_string(),
            if time < 99.95 { format!("{time:.2}") } else { rounded(time) },
            rate(site.flops),
            rate(site.bytes),
            if site.flops > 0.0 { format!("{:.1}", site.intensity) } else { String::new() },
            site.roof.clone(),
            site.fraction_of_roof.map_or(String::new(), |part| format!("{:.0} %", 100.0 * part)),
            site.verdict.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = kernels
        .timed
        .iter()
        .flat_map(|timed| [row(&timed.name, "warm", &timed.warm), row(&timed.name, "cold", &timed.cold)])
        .collect();
    let mut text = columns_of(&columns, &rows, 0);
    let roofs = &kernels.roofs;
    text += &format!("\nroofs: {} f32 {:.0} GFLOP/s", roofs.instruction_set, roofs.flops_per_second / 1e9);
    for level in &roofs.levels {
        text += &format!(" · {} {:.0} GB/s", level.name, level.bytes_per_second / 1e9);
    }
    text += "\n";
    for note in &kernels.notes {
        text += &format!("note: {}\n", printable(note));
    }
    text
}
