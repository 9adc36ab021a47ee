//! A file of tensors (safetensors): its header checked once, numbers read as what `train/FORMAT.md` says they are.
//!
//! Nothing here trusts the file: places, sizes and kinds are compared with what is asked for, and no number that comes
//! out is infinite or larger than [`LARGEST`], so that no sum of the encoder can overflow into nonsense.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;

use super::LoadError;

/// No weight of a model that was trained comes near.
pub(super) const LARGEST: f32 = 1e4;
/// Numbers that share a scale.
pub(super) const BLOCK: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    I8,
    U8,
}

impl Kind {
    const fn bytes(self) -> usize {
        match self {
            Kind::F32 => 4,
            Kind::F16 => 2,
            Kind::I8 | Kind::U8 => 1,
        }
    }
}

struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    place: Range<usize>,
}

#[derive(Deserialize)]
struct Told {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [usize; 2],
}

/// The tensors of a file by name.
pub(super) struct Tensors<'a> {
    raw: &'a [u8],
    entries: HashMap<String, Entry>,
}

impl<'a> Tensors<'a> {
    /// Reads the header.
    pub fn open(raw: &'a [u8]) -> Result<Tensors<'a>, LoadError> {
        let header = || -> Option<(&'a [u8], usize)> {
            let (size, rest) = raw.split_first_chunk::<8>()?;
            let size = usize::try_from(u64::from_le_bytes(*size)).ok()?;
            Some((rest.get(..size)?, size.checked_add(8)?))
        };
        let (header, begin) = header().ok_or_else(|| LoadError::tensor("header", "it is cut off"))?;
        let told: HashMap<String, serde_json::Value> =
            serde_json::from_slice(header).map_err(|source| LoadError::json("model.safetensors", source))?;
        let mut entries = HashMap::with_capacity(told.len());
        for (name, value) in told {
            if name == "__metadata__" {
                continue;
            }
            let told: Told = serde_json::from_value(value)
                .map_err(|source| LoadError::json("model.safetensors", source))?;
            let entry = entry(&told, begin, raw.len())
                .ok_or_else(|| LoadError::tensor(&name, "its place or kind is wrong"))?;
            entries.insert(name, entry);
        }
        Ok(Tensors { raw, entries })
    }

    /// What its numbers are.
    pub fn kind(&self, name: &str) -> Result<Kind, LoadError> {
        self.entry(name).map(|entry| entry.kind)
    }

    fn entry(&self, name: &str) -> Result<&Entry, LoadError> {
        self.entries
            .get(name)
            .ok_or_else(|| LoadError::tensor(name, "it is missing"))
    }

    fn bytes(&self, name: &str, kind: Kind, shape: &[usize]) -> Result<&'a [u8], LoadError> {
        let entry = self.entry(name)?;
        if entry.kind != kind || entry.shape != shape {
            return Err(LoadError::tensor(name, "its kind or shape is another"));
        }
        self.raw
            .get(entry.place.clone())
            .ok_or_else(|| LoadError::tensor(name, "it is cut off"))
    }

    /// 32-bit numbers, or 16-bit ones opened to them.
    pub fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        if self.kind(name)? == Kind::F16 {
            return self.f16(name, shape);
        }
        let (chunks, _) = self.bytes(name, Kind::F32, shape)?.as_chunks::<4>();
        checked(
            name,
            chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        )
    }

    /// 16-bit numbers, opened to 32 bits.
    pub fn f16(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let (chunks, _) = self.bytes(name, Kind::F16, shape)?.as_chunks::<2>();
        checked(
            name,
            chunks
                .iter()
                .map(|bytes| half(u16::from_le_bytes(*bytes)))
                .collect(),
        )
    }

    /// Signed bytes.
    pub fn i8(&self, name: &str, shape: &[usize]) -> Result<Vec<i8>, LoadError> {
        Ok(self
            .bytes(name, Kind::I8, shape)?
            .iter()
            .map(|byte| byte.cast_signed())
            .collect())
    }

    /// Blocks of four-bit numbers that stay closed: `rows` of `width` numbers under `name.q` and `name.d`.
    pub fn blocks(&self, name: &str, rows: usize, width: usize) -> Result<Blocks, LoadError> {
        let (scales, halves) = (format!("{name}.d"), format!("{name}.q"));
        let across = width / BLOCK;
        self.f16(&scales, &[rows, across])?;
        let (d, _) = self.bytes(&scales, Kind::F16, &[rows, across])?.as_chunks::<2>();
        let (q, _) = self
            .bytes(&halves, Kind::U8, &[rows, across, BLOCK / 2])?
            .as_chunks();
        Ok(Blocks {
            across,
            d: d.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect(),
            q: q.to_vec(),
        })
    }
}

fn entry(told: &Told, begin: usize, size: usize) -> Option<Entry> {
    let kind = match told.dtype.as_str() {
        "F32" => Kind::F32,
        "F16" => Kind::F16,
        "I8" => Kind::I8,
        "U8" => Kind::U8,
        _ => return None,
    };
    let [from, to] = told.data_offsets;
    let (from, to) = (from.checked_add(begin)?, to.checked_add(begin)?);
    let long = told
        .shape
        .iter()
        .try_fold(kind.bytes(), |product, side| product.checked_mul(*side))?;
    (to <= size && to.checked_sub(from)? == long).then(|| Entry {
        kind,
        shape: told.shape.clone(),
        place: from..to,
    })
}

fn checked(name: &str, numbers: Vec<f32>) -> Result<Vec<f32>, LoadError> {
    // Not a number compares as false.
    if numbers.iter().all(|number| number.abs() <= LARGEST) {
        Ok(numbers)
    } else {
        Err(LoadError::tensor(name, "a number in it is out of all bounds"))
    }
}

/// Rows of four-bit numbers with a scale for every block, opened one row at a time.
pub(super) struct Blocks {
    across: usize,
    d: Vec<u16>,
    q: Vec<[u8; BLOCK / 2]>,
}

impl Blocks {
    /// Writes a row's numbers to `out`, as many as fit.
    pub fn open(&self, row: usize, out: &mut [f32]) {
        let first = row.saturating_mul(self.across);
        let (d, q) = (
            self.d.get(first..).unwrap_or_default(),
            self.q.get(first..).unwrap_or_default(),
        );
        let (blocks, _) = out.as_chunks_mut::<BLOCK>();
        for ((block, d), q) in blocks.iter_mut().zip(d).zip(q) {
            let scale = half(*d);
            let (low, high) = block.split_at_mut(BLOCK / 2);
            for ((low, high), byte) in low.iter_mut().zip(high).zip(q) {
                *low = (f32::from(byte & 15) - 8.0) * scale;
                *high = (f32::from(byte >> 4) - 8.0) * scale;
            }
        }
    }
}

/// A 16-bit floating-point number in 32 bits.
pub(super) fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10) & 31, u32::from(bits) & 1023);
    let size = match exponent {
        // Below the normal numbers: so many times two to the power of -24.
        0 => return f32::from_bits(sign | (fraction as f32 * 5.960_464_5e-8).to_bits()),
        31 => 0x7F80_0000 | (fraction << 13),
        _ => ((exponent + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(sign | size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x7BFF, 65504.0),
            (0x3555, 0.333_251_95),
            (0x0001, 5.960_464_5e-8),
            (0x03FF, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x8001, -5.960_464_5e-8),
        ] {
            assert_eq!(half(bits), number, "{bits:04x}");
        }
        assert!(half(0x7C00).is_infinite() && half(0x7E00).is_nan());
    }

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(header.as_bytes());
        file.extend_from_slice(data);
        file
    }

    #[test]
    fn numbers_are_checked() {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
        let good: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let raw = file(header, &good);
        let tensors = Tensors::open(&raw).unwrap();
        assert_eq!(tensors.f32("a", &[2]).unwrap(), [1.5, -2.0]);
        assert!(tensors.f32("a", &[1, 2]).is_err());
        assert!(tensors.f16("a", &[2]).is_err());
        assert!(tensors.f32("b", &[2]).is_err());
        for bad in [f32::NAN, f32::INFINITY, -1e9] {
            let data: Vec<u8> = [1.5f32, bad].iter().flat_map(|x| x.to_le_bytes()).collect();
            assert!(
                Tensors::open(&file(header, &data))
                    .unwrap()
                    .f32("a", &[2])
                    .is_err()
            );
        }
    }

    #[test]
    fn a_place_outside_the_file_is_refused() {
        for header in [
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F32","shape":[18446744073709551615,4],"data_offsets":[0,8]}}"#,
            r#"{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#,
            r#"{"a":3}"#,
            "{",
        ] {
            assert!(Tensors::open(&file(header, &[0; 8])).is_err(), "{header}");
        }
        assert!(Tensors::open(&[]).is_err());
        assert!(Tensors::open(&[255; 12]).is_err());
    }

    #[test]
    fn a_block() {
        let blocks = Blocks {
            across: 1,
            d: vec![0x3C00, 0x4000],
            q: vec![[0x88; 16], [0x9F; 16]],
        };
        let mut row = [1.0; 32];
        blocks.open(0, &mut row);
        assert_eq!(row, [0.0; 32]);
        blocks.open(1, &mut row);
        assert_eq!((row[0], row[15], row[16], row[31]), (14.0, 14.0, 2.0, 2.0));
    }
}
