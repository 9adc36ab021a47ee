//! Why a folder is not a classifier. Each message names the file and what to do, for whoever set it up.

use std::path::PathBuf;

/// What is read of a folder.
pub(super) type Loaded<T> = Result<T, LoadError>;

/// Why a folder cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that is missing or cannot be read.
    #[error("{}: {why}", .file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// Neither of the two forms in which weights come is there.
    #[error("{}: neither model.safetensors nor model.safetensors.index.json is there; other formats, as pytorch_model.bin, are not read", .folder.display())]
    NoWeights {
        /// Where they were looked for.
        folder: PathBuf,
    },
    /// A file beyond what is read into memory.
    #[error("{}: larger than the {limit} bytes that are read", .file.display())]
    Large {
        /// Which.
        file: PathBuf,
        /// The most.
        limit: u64,
    },
    /// A file that is not in the format that its name says.
    #[error("{}: {why}", .file.display())]
    Malformed {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A network that is not known here.
    #[error("config.json: architecture {found}; supported are {supported}")]
    Architecture {
        /// What the file says.
        found: String,
        /// What could be loaded.
        supported: String,
    },
    /// A setting that is missing, makes no sense or is not supported.
    #[error("config.json: {why}")]
    Config {
        /// What is wrong.
        why: String,
    },
    /// A model that does not say what its outputs mean.
    #[error(
        "config.json: id2label is missing, which says what each output of the model means; name the outputs that are attacks in attack_labels, as \"1\""
    )]
    NoLabels,
    /// Labels of which it cannot be told which are attacks.
    #[error(
        "cannot tell which labels are attacks: {why}. The labels are {labels}; name those of attacks in attack_labels"
    )]
    Labels {
        /// What is unclear.
        why: String,
        /// All of them, with their ids.
        labels: String,
    },
    /// A tensor that the weights do not have.
    #[error("weights: tensor {name} is missing")]
    Missing {
        /// Its name.
        name: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error("weights: tensor {name} has shape {found:?}, and config.json asks for {wanted:?}")]
    Shape {
        /// Its name.
        name: String,
        /// In the file.
        found: Vec<usize>,
        /// By the configuration.
        wanted: Vec<usize>,
    },
    /// A tensor of numbers that are not read here.
    #[error("weights: tensor {name} is of {kind}; F32, F16 and BF16 are read")]
    Kind {
        /// Its name.
        name: String,
        /// The name of its numbers.
        kind: String,
    },
    /// An option of ours that makes no sense.
    #[error("{why}")]
    Options {
        /// What is wrong.
        why: String,
    },
    /// All was read, and the model cannot classify a short text.
    #[error("the model does not work: {why}")]
    Trial {
        /// What went wrong.
        why: String,
    },
}

impl LoadError {
    /// Something about the configuration.
    pub(super) fn config(why: impl Into<String>) -> LoadError {
        LoadError::Config { why: why.into() }
    }
}

impl From<candle_core::Error> for LoadError {
    fn from(why: candle_core::Error) -> LoadError {
        LoadError::Trial { why: why.to_string() }
    }
}
