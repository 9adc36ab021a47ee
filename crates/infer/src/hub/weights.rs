//! Tensors of safetensors files, each read when it is asked for and as f32. No memory maps: they need `unsafe`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use super::error::LoadError;
use super::files;

/// The most bytes of weights, all files together.
const LIMIT: u64 = 8 << 30;
/// The most bytes of a file's table of tensors.
const TABLE_LIMIT: u64 = 16 << 20;
/// Bytes before the table: its length.
const LENGTH: u64 = 8;

/// The weights of a folder: where each tensor lies.
pub struct Weights {
    shards: Vec<File>,
    places: HashMap<String, Place>,
}

struct Place {
    shard: usize,
    kind: String,
    shape: Vec<usize>,
    start: u64,
    end: u64,
}

#[derive(Deserialize)]
struct Row {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

impl Weights {
    /// Reads the tables of a folder's weights: one file, or as many as its index names.
    pub fn open(folder: &Path) -> Result<Weights, LoadError> {
        let single = folder.join("model.safetensors");
        let index = folder.join("model.safetensors.index.json");
        let paths = if single.exists() {
            vec![single]
        } else if index.exists() {
            shards(folder, &index)?
        } else {
            return Err(LoadError::NoWeights {
                folder: folder.to_owned(),
            });
        };
        let mut weights = Weights {
            shards: Vec::new(),
            places: HashMap::new(),
        };
        let mut total: u64 = 0;
        for path in paths {
            let (file, size) = files::open(&path)?;
            total = total.saturating_add(size);
            if total > LIMIT {
                return Err(LoadError::Large {
                    file: path,
                    limit: LIMIT,
                });
            }
            weights.add(&path, file, size)?;
        }
        Ok(weights)
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// A tensor of exactly that shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, LoadError> {
        let missing = || LoadError::Missing {
            name: name.to_owned(),
        };
        let place = self.places.get(name).ok_or_else(missing)?;
        let mut file = self.shards.get(place.shard).ok_or_else(missing)?;
        if place.shape != shape {
            return Err(LoadError::Shape {
                name: name.to_owned(),
                found: place.shape.clone(),
                wanted: shape.to_vec(),
            });
        }
        let kind = kind(&place.kind).ok_or_else(|| LoadError::Kind {
            name: name.to_owned(),
            kind: place.kind.clone(),
        })?;
        let read = |why| LoadError::Read {
            file: PathBuf::from(name),
            why,
        };
        let bytes = usize::try_from(place.end.saturating_sub(place.start)).unwrap_or(usize::MAX);
        let mut raw = vec![0; bytes];
        file.seek(SeekFrom::Start(place.start)).map_err(read)?;
        file.read_exact(&mut raw).map_err(read)?;
        let tensor = Tensor::from_raw_buffer(&raw, kind, shape, &Device::Cpu)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }

    fn add(&mut self, path: &Path, mut file: File, size: u64) -> Result<(), LoadError> {
        let malformed = |why: String| LoadError::Malformed {
            file: path.to_owned(),
            why,
        };
        let read = |why| LoadError::Read {
            file: path.to_owned(),
            why,
        };
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(read)?;
        let length = u64::from_le_bytes(length);
        if length > TABLE_LIMIT || length > size.saturating_sub(LENGTH) {
            return Err(malformed("not a safetensors file".to_owned()));
        }
        let mut table = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_exact(&mut table).map_err(read)?;
        let table: HashMap<String, serde_json::Value> = serde_json::from_slice(&table)
            .map_err(|why| malformed(format!("its table is not JSON: {why}")))?;
        let shard = self.shards.len();
        let data = LENGTH.saturating_add(length);
        for (name, row) in table {
            if name == "__metadata__" {
                continue;
            }
            let row: Row =
                serde_json::from_value(row).map_err(|why| malformed(format!("tensor {name}: {why}")))?;
            let start = data.saturating_add(row.data_offsets.0);
            let end = data.saturating_add(row.data_offsets.1);
            let wanted = kind(&row.dtype).map(|kind| bytes(&row.shape, kind));
            let wrong = wanted.is_some_and(|wanted| wanted != end.checked_sub(start));
            if wrong || end > size || start > end {
                return Err(malformed(format!(
                    "tensor {name} does not lie in the file as its shape says: is the file whole?"
                )));
            }
            let place = Place {
                shard,
                kind: row.dtype,
                shape: row.shape,
                start,
                end,
            };
            self.places.insert(name, place);
        }
        self.shards.push(file);
        Ok(())
    }
}

/// The files that an index names, each once.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let Index { weight_map } = files::json(index, TABLE_LIMIT)?;
    let mut names: Vec<String> = weight_map.into_values().collect();
    names.sort();
    names.dedup();
    // A name is a file of this folder, not a way out of it.
    if let Some(name) = names
        .iter()
        .find(|name| name.contains(['/', '\\']) || !name.ends_with(".safetensors"))
    {
        return Err(LoadError::Malformed {
            file: index.to_owned(),
            why: format!("{name} is not the name of a safetensors file of this folder"),
        });
    }
    Ok(names.iter().map(|name| folder.join(name)).collect())
}

fn kind(name: &str) -> Option<DType> {
    match name {
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        _ => None,
    }
}

fn bytes(shape: &[usize], kind: DType) -> Option<u64> {
    let size = kind.size_in_bytes() as u64;
    shape
        .iter()
        .try_fold(size, |product, side| product.checked_mul(*side as u64))
}
