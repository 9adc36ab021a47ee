//! A matrix of the encoder: opened from the file's form, rounded to eight bits for each row, packed once for the
//! machine's instructions; and its product with rounded rows.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedAMatrix, PackedBMatrix};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;

use super::LoadError;
use super::rows::{Columns, Round, Rounded, Settle};
use super::tensors::{Kind, LARGEST, Tensors};

/// What computes products. It is made for each text: it holds nothing but the choice of instructions.
pub(super) struct Engine {
    eight: GemmExecutor<u8, i8, i32>,
    /// The largest eight-bit input: where the machine adds pairs in sixteen bits, half of the range would overflow.
    top: f32,
    #[cfg(test)]
    full: GemmExecutor<f32>,
}

impl Engine {
    pub fn new() -> Engine {
        let eight = GemmExecutor::<u8, i8, i32>::new();
        Engine {
            top: if eight.may_saturate() { 127.0 } else { 255.0 },
            eight,
            #[cfg(test)]
            full: GemmExecutor::new(),
        }
    }
}

#[cfg(test)]
impl Engine {
    /// Whether inputs have seven bits.
    pub fn is_narrow(&self) -> bool {
        self.eight.may_saturate()
    }
}

/// How a model computes its products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Eight,
    /// In 32 bits, to be compared with the reference.
    #[cfg(test)]
    Full,
}

enum Packed {
    Eight(PackedBMatrix<i8>),
    #[cfg(test)]
    Full(PackedBMatrix<f32>),
}

/// How many products read an input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// It packs the input itself, in room that its thread keeps.
    One,
    /// The input is packed for all of them.
    Several,
}

/// The inputs of products: rows rounded, and packed once where several products read them.
#[derive(Default)]
pub(super) struct Input {
    #[cfg(test)]
    plain: Vec<f32>,
    rounded: Rounded,
    packed: Option<PackedAMatrix<u8>>,
    width: usize,
}

impl Input {
    /// Takes rows of `width` numbers.
    pub fn take(&mut self, engine: &Engine, rows: &[f32], width: usize, readers: Readers) -> Option<()> {
        self.width = width;
        #[cfg(test)]
        {
            self.plain.clear();
            self.plain.extend_from_slice(rows);
        }
        let (top, out) = (engine.top, &mut self.rounded);
        Round {
            rows,
            width,
            top,
            out,
        }
        .dispatch();
        self.packed = match readers {
            Readers::One => None,
            Readers::Several => Some(engine.eight.prepack_a(self.rows()?)),
        };
        Some(())
    }

    /// The rounded rows.
    fn rows(&self) -> Option<NdTensorView<'_, u8, 2>> {
        let rows = self.rounded.scale.len();
        let q = self.rounded.q.get(..rows * self.width)?;
        NdTensorView::try_from_data([rows, self.width], q).ok()
    }
}

/// y = W x + bias.
pub(super) struct Linear {
    packed: Packed,
    scales: Vec<f32>,
    /// What the eight-bit weights of each outcome add up to.
    totals: Vec<i32>,
    bias: Vec<f32>,
}

impl Linear {
    /// Opens matrices of `inputs` columns and `outputs` rows each and stacks them; all outcomes are multiplied by `scale`.
    pub fn open(
        tensors: &Tensors<'_>,
        names: &[String],
        outputs: usize,
        inputs: usize,
        scale: f32,
        precision: Precision,
    ) -> Result<Linear, LoadError> {
        let (mut weights, mut bias) = (Vec::with_capacity(names.len() * outputs * inputs), Vec::new());
        for name in names {
            open(tensors, name, outputs, inputs, &mut weights)?;
            bias.extend(
                tensors
                    .f32(&format!("{name}.bias"), &[outputs])?
                    .iter()
                    .map(|bias| bias * scale),
            );
        }
        weights.iter_mut().for_each(|weight| *weight *= scale);
        let side = [bias.len(), inputs];
        match precision {
            Precision::Eight => {
                let mut q = Vec::with_capacity(weights.len());
                let mut scales = Vec::with_capacity(bias.len());
                let mut totals = Vec::with_capacity(bias.len());
                for row in weights.chunks_exact(inputs) {
                    let largest = row
                        .iter()
                        .fold(0.0f32, |largest, weight| largest.max(weight.abs()));
                    let scale = (largest / 127.0).max(1e-20);
                    // Adding 1.5 * 2^23 leaves the nearest whole number in the lowest bits.
                    let inverse = 1.0 / scale;
                    let whole = |weight: &f32| (weight * inverse + 12_582_912.0).to_bits() as u8;
                    let begin = q.len();
                    q.extend(row.iter().map(|weight| whole(weight).cast_signed()));
                    totals.push(
                        q.iter()
                            .skip(begin)
                            .fold(0i32, |sum, q| sum.wrapping_add(i32::from(*q))),
                    );
                    scales.push(scale);
                }
                let view = view(&side, &q)?;
                let packed = GemmExecutor::<u8, i8, i32>::new().prepack_b(view.transposed());
                Ok(Linear {
                    packed: Packed::Eight(packed),
                    scales,
                    totals,
                    bias,
                })
            }
            #[cfg(test)]
            Precision::Full => {
                let packed = GemmExecutor::<f32>::new().prepack_b(view(&side, &weights)?.transposed());
                Ok(Linear {
                    packed: Packed::Full(packed),
                    scales: Vec::new(),
                    totals: Vec::new(),
                    bias,
                })
            }
        }
    }

    /// Writes the outcome for every row of `input` to `out`, through gelu if wished. Nothing where sizes do not fit.
    pub fn apply(
        &self,
        engine: &Engine,
        input: &Input,
        gelu: bool,
        sums: &mut Vec<i32>,
        out: &mut Vec<f32>,
    ) -> Option<()> {
        let Rounded { zero, scale, .. } = &input.rounded;
        let (rows, width) = (scale.len(), self.bias.len());
        out.resize(rows * width, 0.0);
        match &self.packed {
            Packed::Eight(packed) => {
                if sums.len() < rows * width {
                    sums.resize(rows * width, 0);
                }
                let sums = sums.get_mut(..rows * width)?;
                // The zeros of rows are taken off afterwards: rten-gemm 0.27.0 packs those of the first rows for all.
                let options = GemmOptions::default();
                let a = match &input.packed {
                    Some(packed) => GemmInputA::Packed(packed),
                    None => GemmInputA::Unpacked(input.rows()?),
                };
                engine
                    .eight
                    .gemm(sums, a, GemmInputB::Packed(packed), options)
                    .ok()?;
                let columns = Columns {
                    scales: &self.scales,
                    totals: &self.totals,
                    bias: &self.bias,
                };
                Settle {
                    sums,
                    scales: scale,
                    zeros: zero,
                    columns,
                    gelu,
                    out,
                }
                .dispatch();
            }
            #[cfg(test)]
            Packed::Full(packed) => {
                let view = NdTensorView::try_from_data([rows, input.width], input.plain.as_slice()).ok()?;
                let bias = Some(rten_gemm::BiasVector::Row(&self.bias));
                let options = GemmOptions {
                    bias,
                    ..GemmOptions::default()
                };
                engine
                    .full
                    .gemm(
                        out,
                        GemmInputA::Unpacked(view),
                        GemmInputB::Packed(packed),
                        options,
                    )
                    .ok()?;
                if gelu {
                    super::rows::ThroughGelu(out).dispatch();
                }
            }
        }
        Some(())
    }
}

fn view<'a, T>(side: &[usize; 2], numbers: &'a [T]) -> Result<NdTensorView<'a, T, 2>, LoadError> {
    NdTensorView::try_from_data(*side, numbers).map_err(|_| LoadError::tensor("layer", "its size is another"))
}

/// Adds the rows of a matrix in 32 bits, whatever its form in the file.
fn open(
    tensors: &Tensors<'_>,
    name: &str,
    outputs: usize,
    inputs: usize,
    weights: &mut Vec<f32>,
) -> Result<(), LoadError> {
    let begin = weights.len();
    weights.resize(begin + outputs * inputs, 0.0);
    let rows = weights
        .get_mut(begin..)
        .unwrap_or_default()
        .chunks_exact_mut(inputs);
    let numbers = format!("{name}.q");
    match tensors.kind(&numbers)? {
        Kind::U8 => {
            let blocks = tensors.blocks(name, outputs, inputs)?;
            rows.enumerate().for_each(|(at, row)| blocks.open(at, row));
        }
        Kind::I8 => {
            let q = tensors.i8(&numbers, &[outputs, inputs])?;
            let scales = tensors.f32(&format!("{name}.d"), &[outputs])?;
            for ((row, q), scale) in rows.zip(q.chunks_exact(inputs)).zip(scales) {
                row.iter_mut()
                    .zip(q)
                    .for_each(|(weight, q)| *weight = f32::from(*q) * scale);
            }
        }
        _ => return Err(LoadError::tensor(&numbers, "its kind is another")),
    }
    if weights.iter().skip(begin).any(|weight| weight.abs() > LARGEST) {
        return Err(LoadError::tensor(&numbers, "a number in it is out of all bounds"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: f32) -> Vec<f32> {
        (0..n)
            .map(|i| ((i as f32 + seed).sin() * 43758.547).fract())
            .collect()
    }

    /// A file with one matrix in eight bits.
    fn file(outputs: usize, inputs: usize) -> Vec<u8> {
        let (q, d, end) = (
            outputs * inputs,
            outputs * inputs + outputs * 4,
            outputs * inputs + outputs * 8,
        );
        let header = serde_json::json!({
            "m.q": { "dtype": "I8", "shape": [outputs, inputs], "data_offsets": [0, q] },
            "m.d": { "dtype": "F32", "shape": [outputs], "data_offsets": [q, d] },
            "m.bias": { "dtype": "F32", "shape": [outputs], "data_offsets": [d, end] },
        })
        .to_string();
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend(numbers(q, 0.5).iter().map(|x| (x * 127.0) as i8 as u8));
        file.extend(
            numbers(outputs, 0.1)
                .iter()
                .flat_map(|x| (x.abs() * 0.01).to_le_bytes()),
        );
        file.extend(numbers(outputs, 0.2).iter().flat_map(|x| x.to_le_bytes()));
        file
    }

    #[test]
    fn eight_bits_are_near_the_full_product() {
        for (outputs, inputs) in [(64, 64), (128, 64), (64, 128), (384, 1536), (1536, 384)] {
            let raw = file(outputs, inputs);
            let tensors = Tensors::open(&raw).unwrap();
            let open = |precision| {
                Linear::open(&tensors, &["m".to_owned()], outputs, inputs, 0.5, precision).unwrap()
            };
            let (eight, full, engine) = (open(Precision::Eight), open(Precision::Full), Engine::new());
            let cases = [1, 3, 20, 128]
                .into_iter()
                .flat_map(|rows| [Readers::One, Readers::Several].map(|readers| (rows, readers)));
            for (rows, readers) in cases {
                let x: Vec<f32> = numbers(rows * inputs, 0.7).iter().map(|x| x + 0.3).collect();
                let (mut input, mut sums) = (Input::default(), Vec::new());
                let (mut got, mut want) = (Vec::new(), Vec::new());
                input.take(&engine, &x, inputs, readers).unwrap();
                eight.apply(&engine, &input, false, &mut sums, &mut got).unwrap();
                full.apply(&engine, &input, false, &mut sums, &mut want).unwrap();
                let square = |sum: f32, x: f32| sum + x * x;
                let off = got.iter().zip(&want).map(|(a, b)| a - b).fold(0.0, square);
                let share = (off / want.iter().copied().fold(0.0, square)).sqrt();
                println!("{outputs} {inputs} {rows}: {share}");
                assert!(share < 0.01, "{outputs} {inputs} {rows}: {share}");
            }
        }
    }
}
