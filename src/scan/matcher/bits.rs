//! A set of numbers of sixteen bits: pairs of bytes, or hashes. Eight KiB, so that a look-up stays in a near cache.

/// One bit for each number.
pub(super) struct Bits(Box<[u64; Self::WORDS]>);

impl Bits {
    const WORDS: usize = (1 << 16) / 64;

    pub(super) fn insert(&mut self, number: u16) {
        if let Some(word) = self.0.get_mut(usize::from(number) / 64) {
            *word |= 1 << (number % 64);
        }
    }

    #[inline]
    pub(super) fn contain(&self, number: u16) -> bool {
        let word = self.0.get(usize::from(number) / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 != 0)
    }
}

impl Default for Bits {
    fn default() -> Self {
        Self(Box::new([0; Self::WORDS]))
    }
}

impl std::fmt::Debug for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bits")
    }
}
