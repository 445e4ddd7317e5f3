//! The published data sets, texts and series that the program knows by name: their files, checksums and mirrors.

use sha2::{Digest, Sha256};

use super::idx::Idx;

/// A published data set.
#[derive(Clone, Copy, Debug)]
pub struct KnownSet {
    /// The name on the command line, and of its folder: "mnist".
    pub name: &'static str,
    /// The authors and where they published it.
    pub source: &'static str,
    /// The licence it is published under.
    pub licence: &'static str,
    /// The number of classes; labels are below it.
    pub classes: usize,
    /// The four files: train images, train labels, test images, test labels.
    pub files: [KnownFile; 4],
    /// The mirrors: addresses to which a file's name with `.gz` is appended, in the order they are tried.
    pub mirrors: &'static [&'static str],
}

/// A file of a published data set, all of them of u8.
#[derive(Clone, Copy, Debug)]
pub struct KnownFile {
    /// The name without `.gz`.
    pub name: &'static str,
    /// The dimensions in its header.
    pub dimensions: &'static [usize],
    /// SHA-256 of the uncompressed content, in lower-case hexadecimal digits.
    pub sha256: &'static str,
}

impl KnownFile {
    /// The size of the uncompressed content in bytes: a header of 4 bytes and 4 for each dimension,
    /// then the elements.
    pub fn bytes(&self) -> usize {
        4 + 4 * self.dimensions.len() + self.dimensions.iter().product::<usize>()
    }
}

/// Every published set the program knows.
///
/// The checksums of MNIST are of the files everyone uses. Those of Fashion-MNIST are as several
/// independent public projects list them; the ones of the label files were also recomputed from the
/// publisher's compressed files, whose MD5 sums are those in the publisher's README.
pub static KNOWN: [KnownSet; 2] = [
    KnownSet {
        name: "mnist",
        source: "Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits",
        licence: "CC BY-SA 3.0",
        classes: 10,
        files: files([
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ]),
        mirrors: &[
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ],
    },
    KnownSet {
        name: "fashion-mnist",
        source: "H. Xiao, K. Rasul, R. Vollgraf (Zalando): Fashion-MNIST, arXiv:1708.07747",
        licence: "MIT",
        classes: 10,
        files: files([
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ]),
        mirrors: &[
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            // This mirror has no TLS; the checksums vouch for its files.
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ],
    },
];

/// The four files; both sets have the same names and dimensions.
const fn files(sha256: [&'static str; 4]) -> [KnownFile; 4] {
    [
        KnownFile { name: "train-images-idx3-ubyte", dimensions: &[60_000, 28, 28], sha256: sha256[0] },
        KnownFile { name: "train-labels-idx1-ubyte", dimensions: &[60_000], sha256: sha256[1] },
        KnownFile { name: "t10k-images-idx3-ubyte", dimensions: &[10_000, 28, 28], sha256: sha256[2] },
        KnownFile { name: "t10k-labels-idx1-ubyte", dimensions: &[10_000], sha256: sha256[3] },
    ]
}

/// A published text or series, which is a single file.
#[derive(Clone, Copy, Debug)]
pub struct KnownText {
    /// The name on the command line, and of texts in recipes: "tinyshakespeare".
    pub name: &'static str,
    /// The name that the file is saved and found under.
    pub file: &'static str,
    /// What it is: "text" or "series".
    pub role: &'static str,
    /// Who made it, and who publishes it.
    pub source: &'static str,
    /// What is known of its licence.
    pub licence: &'static str,
    /// The size of the file.
    pub bytes: usize,
    /// SHA-256 of the file, in lower-case hexadecimal digits.
    pub sha256: &'static str,
    /// Its addresses, in the order they are tried.
    pub addresses: &'static [&'static str],
}

/// Every published text that the program knows. The checksums are those of the files at their addresses.
pub static TEXTS: [KnownText; 2] = [
    KnownText {
        name: "tinyshakespeare",
        file: "tinyshakespeare.txt",
        role: "text",
        source: "plays of W. Shakespeare, put together by A. Karpathy for char-rnn",
        licence: "public domain",
        bytes: 1_115_394,
        sha256: "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        addresses: &[
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ],
    },
    KnownText {
        name: "names",
        file: "names.txt",
        role: "text",
        source: "given names from public lists of the United States, put together by A. Karpathy for makemore",
        licence: "MIT, as makemore",
        bytes: 228_145,
        sha256: "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
        addresses: &["https://raw.githubusercontent.com/karpathy/makemore/master/names.txt"],
    },
];

/// Every published series that the program knows: tables of dates and values.
pub static SERIES: [KnownText; 5] = [
    KnownText {
        name: "airline-passengers",
        file: "airline-passengers.csv",
        role: "series",
        source: "G. Box, G. Jenkins: Time Series Analysis, series G, as J. Brownlee publishes it",
        licence: NO_LICENCE,
        bytes: 2_180,
        sha256: "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
        addresses: &["https://raw.githubusercontent.com/jbrownlee/Datasets/master/airline-passengers.csv"],
    },
    KnownText {
        name: "daily-min-temperatures",
        file: "daily-min-temperatures.csv",
        role: "series",
        source: "Australian Bureau of Meteorology: lowest temperatures of days in Melbourne, 1981 to 1990, as \
                 J. Brownlee publishes them",
        licence: NO_LICENCE,
        bytes: 67_921,
        sha256: "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
        addresses: &[
            "https://raw.githubusercontent.com/jbrownlee/Datasets/master/daily-min-temperatures.csv",
        ],
    },
    KnownText {
        name: "monthly-car-sales",
        file: "monthly-car-sales.csv",
        role: "series",
        source: "B. Abraham, J. Ledolter: Statistical Methods for Forecasting, cars sold in Quebec, 1960 to 1968, \
                 as J. Brownlee publishes them",
        licence: NO_LICENCE,
        bytes: 1_834,
        sha256: "a4194226eb1d0eba5fd503e829b1279f1a10683d8009f2871aca05e7fb648f70",
        addresses: &["https://raw.githubusercontent.com/jbrownlee/Datasets/master/monthly-car-sales.csv"],
    },
    KnownText {
        name: "monthly-sunspots",
        file: "monthly-sunspots.csv",
        role: "series",
        source: "D. Andrews, A. Herzberg: Data, sunspots of months, 1749 to 1983, as J. Brownlee publishes them",
        licence: NO_LICENCE,
        bytes: 45_039,
        sha256: "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3",
        addresses: &["https://raw.githubusercontent.com/jbrownlee/Datasets/master/monthly-sunspots.csv"],
    },
    KnownText {
        name: "shampoo",
        file: "shampoo.csv",
        role: "series",
        source: "S. Makridakis, S. Wheelwright, R. Hyndman: Forecasting, shampoo sold in three years, as J. Brownlee \
                 publishes it",
        licence: NO_LICENCE,
        bytes: 519,
        sha256: "f709eaa344b2d07039a49e2193cbff5e56206354f3a8203c0e02471beb39a451",
        addresses: &["https://raw.githubusercontent.com/jbrownlee/Datasets/master/shampoo.csv"],
    },
];

const NO_LICENCE: &str = "its publisher states no licence";

/// The published texts and series.
pub fn texts() -> impl Iterator<Item = &'static KnownText> {
    TEXTS.iter().chain(&SERIES)
}

/// The published text of this name.
pub fn text(name: &str) -> Option<&'static KnownText> {
    TEXTS.iter().find(|text| text.name == name)
}

/// The published series of this name.
pub fn series(name: &str) -> Option<&'static KnownText> {
    SERIES.iter().find(|series| series.name == name)
}

/// The published set of this name.
pub fn known(name: &str) -> Option<&'static KnownSet> {
    KNOWN.iter().find(|set| set.name == name)
}

/// The published set and file with this checksum.
pub fn by_checksum(sha256: &str) -> Option<(&'static KnownSet, &'static KnownFile)> {
    KNOWN.iter().find_map(|set| {
        let file = set.files.iter().find(|file| file.sha256 == sha256)?;
        Some((set, file))
    })
}

/// SHA-256 of the uncompressed content of a file, in lower-case hexadecimal digits. The format
/// leaves no freedom: equal arrays have equal content.
pub fn checksum(idx: &Idx) -> String {
    let mut hash = HashWriter(Sha256::new());
    idx.write_to(&mut hash).expect("hashing never fails");
    hexadecimal(hash.0)
}

/// SHA-256 of bytes, in lower-case hexadecimal digits.
pub fn checksum_of(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new().chain_update(bytes))
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct HashWriter(Sha256);

impl std::io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::idx::Elements;
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_bytes_of_the_file() {
        // printf '\0\0\10\1\0\0\0\3abc' | sha256sum
        let idx = Idx { dimensions: vec![3], elements: Elements::U8(b"abc".to_vec()) };
        assert_eq!(checksum(&idx), EXPECTED);
        assert_eq!(checksum_of(b"\0\0\x08\x01\0\0\0\x03abc"), EXPECTED);
    }
    const EXPECTED: &str = "379a7afbfd9f0de0a36184463dd209c260f4582821ea2e5e4c40c7eb713dbda2";

    #[test]
    fn the_table_is_sound() {
        let mut sums = std::collections::HashSet::new();
        for set in KNOWN {
            assert!(set.mirrors.iter().all(|mirror| mirror.ends_with('/')));
            for file in set.files {
                assert!(sums.insert(file.sha256));
                assert_eq!(file.sha256.len(), 64);
                assert!(file.sha256.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
                assert_eq!(by_checksum(file.sha256).unwrap().0.name, set.name);
            }
        }
        for single in texts() {
            assert!(sums.insert(single.sha256) && known(single.name).is_none());
            assert_eq!(single.sha256.len(), 64);
            assert!(single.sha256.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
            assert!(single.file.starts_with(single.name) && !single.addresses.is_empty());
        }
        assert!(text("names").is_some() && text("shampoo").is_none());
        assert_eq!(known("mnist").unwrap().files[0].bytes(), 47_040_016);
        assert!(known("mnist ").is_none());
    }
}
