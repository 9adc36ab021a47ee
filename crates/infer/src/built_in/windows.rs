//! The windows that a text is read in (FORMAT.md, 3).

use std::ops::Range;

/// Windows over `n` pieces: one of all that fit into `body`; else windows as long as that, `stride` apart, and a last
/// one that ends with the pieces.
pub(super) fn windows(n: usize, body: usize, stride: usize) -> impl Iterator<Item = Range<usize>> {
    let last = n.saturating_sub(body);
    (0..last)
        .step_by(stride.max(1))
        .chain([last])
        .map(move |begin| begin..(begin + body).min(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_reference() {
        let of = |n| windows(n, 126, 96).map(|w| (w.start, w.end)).collect::<Vec<_>>();
        assert_eq!(of(0), [(0, 0)]);
        assert_eq!(of(126), [(0, 126)]);
        assert_eq!(of(127), [(0, 126), (1, 127)]);
        assert_eq!(of(222), [(0, 126), (96, 222)]);
        assert_eq!(of(223), [(0, 126), (96, 222), (97, 223)]);
    }

    #[test]
    fn every_piece_is_in_one() {
        for n in 0..1000 {
            let mut covered = 0;
            for window in windows(n, 126, 96) {
                assert!(window.start <= covered && window.end <= n);
                assert_eq!(window.len(), n.min(126));
                covered = covered.max(window.end);
            }
            assert_eq!(covered, n);
        }
    }
}
