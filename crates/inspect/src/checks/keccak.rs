//! Keccak-256 as Ethereum uses it (the padding of the competition, not that of SHA-3). For addresses only: one block.

/// The hash of a text shorter than 136 bytes.
pub(super) fn keccak256(text: &[u8]) -> [u8; 32] {
    const RATE: usize = 136;
    let mut block = [0u8; RATE];
    for (to, from) in block.iter_mut().zip(text) {
        *to = *from;
    }
    if let Some(pad) = block.get_mut(text.len()) {
        *pad ^= 1;
    }
    if let Some(last) = block.last_mut() {
        *last ^= 0x80;
    }
    let mut lanes = [0u64; 25];
    for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    permute(&mut lanes);
    let mut hash = [0; 32];
    for (to, lane) in hash.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
        *to = lane.to_le_bytes();
    }
    hash
}

/// Keccak-f[1600].
#[allow(
    clippy::indexing_slicing,
    reason = "every index is a remainder of five, or one of a table of 25"
)]
fn permute(lanes: &mut [u64; 25]) {
    const ROTATIONS: [u32; 24] = [
        1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
    ];
    const PLACES: [usize; 24] = [
        10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
    ];
    for constant in constants() {
        let mut parity = [0; 5];
        for (x, parity) in parity.iter_mut().enumerate() {
            *parity = (0..5).fold(0, |sum, y| sum ^ lanes[x + 5 * y]);
        }
        for (at, lane) in lanes.iter_mut().enumerate() {
            *lane ^= parity[(at + 4) % 5] ^ parity[(at + 1) % 5].rotate_left(1);
        }
        let mut moved = lanes[1];
        for (place, rotation) in PLACES.into_iter().zip(ROTATIONS) {
            let next = lanes[place];
            lanes[place] = moved.rotate_left(rotation);
            moved = next;
        }
        for row in lanes.as_chunks_mut::<5>().0 {
            let old = *row;
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        lanes[0] ^= constant;
    }
}

/// The constants of the 24 rounds, from the register that defines them.
fn constants() -> impl Iterator<Item = u64> {
    let mut register = 1u8;
    (0..24).map(move |_| {
        (0..7).fold(0u64, |constant, bit| {
            let set = u64::from(register & 1);
            register = register << 1 ^ if register & 0x80 == 0 { 0 } else { 0x71 };
            constant | set << ((1u32 << bit) - 1)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_and_of_a_word() {
        let hex = |text: &str| {
            keccak256(text.as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        assert_eq!(
            hex(""),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(
            hex("abc"),
            "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
        );
    }
}
