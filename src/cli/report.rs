//! `fallline report`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;

use super::output::Outputs;
use crate::atomic_file;
use crate::bench::profile::ProfileRecord;
use crate::bench::record::BenchRecord;
use crate::error::{Error, Result};
use crate::report::results::{self, Results};
use crate::report::{bench, page, profile, reproduce, run, search, terminal};
use crate::search::SearchRecord;
use crate::train::TrainRecord;
use crate::train::reproduce::ReproduceRecord;

/// What is written if nothing else is said.
const DEFAULT_OUT: &str = "report.html";

/// Bytes in which a page says what made it.
const START: u64 = 1024;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArguments {
    /// Results of training runs (from `fallline train`, with --json or --report), whose curves are laid
    /// over each other; or those of one benchmark (from `fallline bench`), or of one `fallline
    /// reproduce`, `fallline search` or `fallline profile`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The page to write; a file of this name is replaced [default: report.html, which is replaced only
    /// if it is such a page].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  fallline train mnist-mlp --report adam
  fallline train mnist-mlp --optimizer nesterov --lr 0.05 --report nesterov
  fallline report adam/run.json nesterov/run.json --out both.html

The page is one file that needs nothing else: no network, no other files.";

pub fn run(arguments: ReportArguments) -> anyhow::Result<()> {
    let out = &arguments.out.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_OUT));
    Outputs::files([out]).check(arguments.files.iter().map(PathBuf::as_path))?;
    if arguments.out.is_none() && out.exists() && !is_page(out)? {
        bail!("{DEFAULT_OUT}: expected a page that fallline made, found another file; name one with --out");
    }
    let text = match records(&arguments.files)? {
        Records::Train(records) => run::page(&records),
        Records::Bench(record) => bench::page(&record),
        Records::Reproduce(record) => reproduce::page(&record),
        Records::Profile(record) => profile::page(&record, None),
        Records::Search(record) => search::page(&record),
    };
    atomic_file::write(out, |file| file.write_all(text.as_bytes()))?;
    Ok(terminal::print(&terminal::wrote(out))?)
}

/// Whether a file is a page that this program made.
fn is_page(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    // A pipe in its place would be waited for.
    if !path.is_file() {
        return Ok(false);
    }
    let file = File::open(path).map_err(Error::io(path, "open"))?;
    file.take(START).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    Ok(String::from_utf8_lossy(&start).contains(page::MADE_BY))
}

/// What one page can show.
enum Records {
    Train(Vec<TrainRecord>),
    Bench(Box<BenchRecord>),
    Reproduce(Box<ReproduceRecord>),
    Profile(Box<ProfileRecord>),
    Search(Box<SearchRecord>),
}

/// The records of the files, which must be of one kind.
fn records(files: &[PathBuf]) -> anyhow::Result<Records> {
    let mut runs = Vec::new();
    for path in files {
        match results::read(path)? {
            Results::Train(record) => runs.push(*record),
            Results::Bench(record) if files.len() == 1 => return Ok(Records::Bench(record)),
            Results::Reproduce(record) if files.len() == 1 => return Ok(Records::Reproduce(record)),
            Results::Profile(record) if files.len() == 1 => return Ok(Records::Profile(record)),
            Results::Search(record) if files.len() == 1 => return Ok(Records::Search(record)),
            Results::Bench(_) => return Err(alone(path, "a benchmark", files.len())),
            Results::Reproduce(_) => return Err(alone(path, "`fallline reproduce`", files.len())),
            Results::Search(_) => return Err(alone(path, "`fallline search`", files.len())),
            Results::Profile(_) => return Err(alone(path, "`fallline profile`", files.len())),
        }
    }
    Ok(Records::Train(runs))
}

fn alone(path: &Path, what: &str, files: usize) -> anyhow::Error {
    let path = path.display();
    anyhow!("{path}: the results of {what} take a page of their own, found {files} files")
}
