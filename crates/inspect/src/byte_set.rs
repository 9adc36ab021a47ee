//! A set of bytes, in half a cache line.

/// Some of the 256 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    /// Every byte.
    pub(crate) const ALL: ByteSet = ByteSet([u64::MAX; 4]);

    /// Whether `byte` is one of them.
    #[inline(always)]
    pub(crate) fn has(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        word >> (byte & 63) & 1 != 0
    }

    /// Adds a byte.
    pub(crate) fn add(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    /// Adds all of another set.
    pub(crate) fn add_all(&mut self, other: ByteSet) {
        for (word, also) in self.0.iter_mut().zip(other.0) {
            *word |= also;
        }
    }

    /// Each of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(|byte| self.has(*byte))
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> ByteSet {
        let mut set = ByteSet::default();
        bytes.into_iter().for_each(|byte| set.add(byte));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_there_and_nothing_else() {
        let mut set: ByteSet = [0, 63, 64, b'a', 255].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, b'a', 255]);
        set.add_all([b'b'].into_iter().collect());
        assert_eq!(set.iter().count(), 6);
        assert_eq!(ByteSet::ALL.iter().count(), 256);
    }
}
