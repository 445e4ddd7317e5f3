//! The options of predict.

use std::path::PathBuf;

use clap::Args;

use crate::cli::values::MOST_SHOWN;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PredictArguments {
    /// A file that `fallline train --save` wrote.
    #[arg(long, value_name = "FILE")]
    pub(super) model: PathBuf,
    /// Of a model of a table: a table with the columns that it was trained on, of which the target may be missing (CSV,
    /// plain or gzip; - is standard input). Of a model of pictures:
    /// PNG files (any depth and colours, read as grey), IDX files (every picture in them), or
    /// FILE.idx:INDEX for one picture of an IDX file, counted from 0. Each is read once, so it may be a
    /// pipe. All must have the element type of the data that the model was trained on, unless --set
    /// data.scale=X says what they are to be divided by; PNG files count as u8.
    #[arg(value_name = "FILE", required = true)]
    pub(super) images: Vec<PathBuf>,
    /// Write the predictions for the rows of a table to this file (CSV): the id, if there is one; the probability of each
    /// class, or of k-means the distance from the centre; and `prediction`, of k-means the cluster. It is whole or not
    /// there [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Replace data.scale, data.mean or data.deviation of the model's recipe: what values are divided by,
    /// what is then subtracted, and what is divided by last. May be given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Draw each picture in the terminal; of other types than u8, from black for its smallest value to
    /// white for its largest.
    #[arg(long)]
    pub(super) draw: bool,
    /// Classes to print for each picture, the most probable ones first [default: 3].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) top: Option<u32>,
    /// The pictures are dark on light ground; models of MNIST read light on dark. For pictures of bytes.
    #[arg(long)]
    pub(super) invert: bool,
    /// The classes of the pictures, an IDX file with one for each picture of the IDX file that they are
    /// from: says how many are read rightly.
    #[arg(long, value_name = "FILE")]
    pub(super) labels: Option<PathBuf>,
    /// Show the N worst mistakes in place of all pictures: those read as another class than theirs whose
    /// own class is the least probable.
    #[arg(long, value_name = "N", requires = "labels")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=MOST_SHOWN))]
    pub(super) mistakes: Option<u16>,
    /// Write the worst mistakes, 24 unless --mistakes says otherwise, as a contact sheet to this PNG file.
    #[arg(long, value_name = "FILE", requires = "labels")]
    pub(super) sheet: Option<PathBuf>,
    /// Threads to compute with [default: the cores that this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) threads: Option<u16>,
}

const EXAMPLES: &str = "\
Examples:
  fallline predict --model mlp.safetensors digit.png
  fallline predict --model income.safetensors people.csv --out predictions.csv
  fallline predict --model mlp.safetensors --draw --invert scanned.png
  fallline predict --model mlp.safetensors --draw --top 10 t10k-images-idx3-ubyte.gz:7
  fallline predict --model mlp.safetensors --labels labels.idx --sheet worst.png pictures.idx

Of pictures each line names the picture, its class, and the most probable classes with their probabilities;
of k-means its cluster, counted from 0, and the distance from the centre.";
