//! `fallline data`: download, verify, describe, show and generate data sets.

mod info;
mod show;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};

use crate::data::inspect::{self, Verdict};
use crate::data::small::{self, SmallSet, WriteOptions};
use crate::data::text::published;
use crate::data::{folder, known, source};
use crate::error::Error;
use crate::report::{markup::for_terminal, terminal};

/// Download, check, describe, show and generate data sets.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download a published data set, text or series and check it against the published checksums.
    Download(Download),
    /// Check data files: sound, complete, and as published.
    ///
    /// Prints a line for each file and fails if anything is wrong, or if the writing of a set was interrupted
    /// and files of two lie there. Checksums are compared in a folder named after a published set, or with
    /// any file of one in it, and of files that are called as a published text or series.
    Verify {
        /// A folder with the files of a data set, or with such folders in it.
        dir: PathBuf,
    },
    /// Show what is in a table or in the files of a data set.
    ///
    /// Of a table of comma-separated values: rows, columns and what they are, missing values, ranges, the most frequent
    /// values, what each column says about the target, and what may be wrong. Of a text: its tokens, the vocabulary, the most
    /// frequent ones, and how it is divided. Of data files: types, sizes, label counts,
    /// pixel statistics.
    Info(info::Info),
    /// Show training samples as pictures, each beside what augmentation makes of it.
    ///
    /// What stands beside a sample is what a training by the recipe makes of it in its first seven epochs,
    /// before it is mixed with others (mixup). Samples of a text are printed as text.
    Show(show::Show),
    /// Write a data set that needs no file as files.
    ///
    /// Digits are four IDX files. Other sets are tables of comma-separated values: training and test samples of a
    /// generated one, such as moons-train.csv and moons-test.csv, or all rows, such as iris.csv.
    Generate(Generate),
}

#[derive(Debug, Args)]
pub struct Download {
    /// Which data set, text or series.
    set: Published,
    /// Where to put the folder of the data set, or the text or series, which is one file [default: the user's cache
    /// folder, where training finds data sets and texts].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Download from this address only, instead of the known mirrors.
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,
}

/// The published data sets, texts and series, as the command line names them.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Published {
    /// Handwritten digits: 60,000 + 10,000 images of 28x28 pixels, 12 MB.
    Mnist,
    /// Pictures of clothes, in the same format, 31 MB.
    FashionMnist,
    /// Plays of Shakespeare as one text of 1.1 million characters.
    Tinyshakespeare,
    /// 32,033 given names, one a line.
    Names,
    /// Passengers of airlines, months of 1949 to 1960.
    AirlinePassengers,
    /// The lowest temperatures of days in Melbourne, 1981 to 1990.
    DailyMinTemperatures,
    /// Cars sold in Quebec, months of 1960 to 1968.
    MonthlyCarSales,
    /// Sunspots, months of 1749 to 1983.
    MonthlySunspots,
    /// Shampoo sold, months of three years.
    Shampoo,
}

/// What a name on the command line stands for.
enum Known {
    Set(&'static known::KnownSet),
    Text(&'static known::KnownText),
}

#[derive(Debug, Args)]
pub struct Generate {
    /// Which data set.
    #[arg(value_parser = PossibleValuesParser::new([source::DIGITS].into_iter().chain(small::names())))]
    set: String,
    /// The folder to write the files to; it is created if need be.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Number of training samples of a generated set [default: 60000 digits; of other sets as many as training takes].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    train: Option<u32>,
    /// Number of test samples of a generated set [default: 10000 digits; of other sets as many as tests take].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    test: Option<u32>,
    /// Of a generated set: the same seed gives the same samples [default: 1].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Compress the files.
    #[arg(long)]
    gzip: bool,
    /// Replace files that exist; of the four files of digits all, or none.
    #[arg(long)]
    force: bool,
}

/// Runs a `data` command.
///
/// # Errors
/// Whatever keeps the command from doing its work, and files that `verify` finds fault with.
pub fn run(command: DataCommand) -> anyhow::Result<()> {
    match command {
        DataCommand::Download(arguments) => download(arguments),
        DataCommand::Verify { dir } => verify(&dir),
        DataCommand::Info(arguments) => info::run(arguments),
        DataCommand::Show(arguments) => show::run(&arguments),
        DataCommand::Generate(arguments) => generate(arguments),
    }
}

#[cfg(not(feature = "download"))]
fn download(arguments: Download) -> anyhow::Result<()> {
    let (files, address) = match known_set(arguments.set) {
        Known::Set(set) => ("four files", set.mirrors[0]),
        Known::Text(text) => ("file", text.addresses[0]),
    };
    bail!(
        "this program was built without the `download` feature; fetch the {files} from {address} by \
         hand, or build with `cargo build --release --features download`"
    )
}

#[cfg(feature = "download")]
fn download(arguments: Download) -> anyhow::Result<()> {
    use crate::data::download::{self, Progress};
    use crate::report::markup::for_terminal;
    use anyhow::Context;

    let set = known_set(arguments.set);
    let place = arguments.out.or_else(source::cache_dir);
    let place = place.context("the user has no cache folder; name one with --out DIR")?;
    let bar = indicatif::ProgressBar::hidden();
    let style = "{msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
    bar.set_style(indicatif::ProgressStyle::with_template(style)?.progress_chars("=> "));
    // A terminal that went away must not stop the download.
    let say = |line: std::fmt::Arguments| drop(writeln!(terminal::stdout(), "{line}"));
    // Told once another mirror has the file; if none has, the error tells.
    let mut refusals = Vec::new();
    let mut show = |progress: Progress| match progress {
        Progress::Present { path } => say(format_args!("{}: already there, checksum right", path.display())),
        Progress::Started { url, bytes } => {
            say(format_args!("{url}"));
            bar.reset();
            bar.set_length(bytes.unwrap_or(0));
            bar.set_message(for_terminal(url.rsplit('/').next().unwrap_or(url)));
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
        }
        Progress::Received { bytes } => bar.set_position(bytes),
        Progress::Refused { url, reason } => {
            bar.finish_and_clear();
            refusals.push(format!("passed over {url}: {reason}"));
        }
        Progress::Saved { path } => {
            bar.finish_and_clear();
            refusals.drain(..).for_each(|refusal| say(format_args!("{refusal}")));
            say(format_args!("{}: saved, checksum right", path.display()));
        }
    };
    let mirror = arguments.mirror.as_deref();
    let (name, source, licence) = match set {
        Known::Set(set) => {
            download::download(set, &place.join(set.name), mirror, &mut show)?;
            (set.name, set.source, set.licence)
        }
        Known::Text(text) => {
            download::download_text(text, &place, mirror, &mut show)?;
            (text.name, text.source, text.licence)
        }
    };
    say(format_args!("{name} ({source}; {licence})"));
    Ok(())
}

fn known_set(set: Published) -> Known {
    let name = set.to_possible_value().expect("every published set of the command line has a name");
    let name = name.get_name();
    let text = || known::texts().find(|text| text.name == name).map(Known::Text);
    let known = known::known(name).map(Known::Set).or_else(text);
    known.expect("every published set of the command line is in the tables")
}

fn verify(dir: &Path) -> anyhow::Result<()> {
    let mut out = terminal::stdout();
    let mut checks = published::verify(dir)?;
    match inspect::folders(dir) {
        // Texts and series need no set beside them.
        Err(Error::Mismatch { .. }) if !checks.is_empty() => {}
        folders => {
            for folder in folders? {
                checks.extend(inspect::verify(&folder)?);
            }
        }
    }
    let mut wrong = 0;
    for check in checks {
        let path = check.path.display();
        let line = match check.outcome {
            Ok(Verdict::Published { set }) => {
                format!("right  {path}: {} of {set}, SHA-256 as published", check.role)
            }
            Ok(Verdict::Sound) => format!("sound  {path}: {}, no published checksum", check.role),
            Err(error) => {
                wrong += 1;
                format!("WRONG  {error}")
            }
        };
        writeln!(out, "{}", for_terminal(&line))?;
    }
    if wrong > 0 {
        bail!("{}: {wrong} {} wrong", dir.display(), if wrong == 1 { "file is" } else { "files are" });
    }
    Ok(())
}

fn generate(arguments: Generate) -> anyhow::Result<()> {
    let Generate { set, out, train, test, seed, gzip, force } = arguments;
    let samples = [train, test].map(|count| count.map(|count| count as usize));
    let paths = match SmallSet::named(&set) {
        Some(set) => {
            let given =
                [("--train", train.is_some()), ("--test", test.is_some()), ("--seed", seed.is_some())];
            let given = given.into_iter().find(|(_, is_given)| *is_given);
            if let (SmallSet::Embedded(_), Some((option, _))) = (&set, given) {
                bail!("{option}: expected a generated set, found {}, which is always the same", set.name());
            }
            small::write(&set, samples, seed.unwrap_or(small::SEED), &out, WriteOptions { gzip, force })?
        }
        None => {
            let [train, test] = source::DIGITS_SAMPLES;
            let samples = [samples[0].unwrap_or(train), samples[1].unwrap_or(test)];
            let digits = source::generate_digits(samples, seed.unwrap_or(source::DIGITS_SEED))?;
            folder::write(&digits, &out, gzip, force)?
        }
    };
    let mut stdout = terminal::stdout();
    for path in paths {
        writeln!(stdout, "{}", path.display())?;
    }
    Ok(())
}
