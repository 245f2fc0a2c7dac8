//! Counts what is done for a text, in bytes looked at, so that a test can say how much any text may cost without a clock.
//! Costs nothing but in tests.

#[cfg(test)]
thread_local! {
    static DONE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// So many bytes were looked at, or something that takes as long.
#[inline]
pub(super) fn note(bytes: u64) {
    #[cfg(test)]
    DONE.set(DONE.get() + bytes);
    #[cfg(not(test))]
    let _ = bytes;
}

/// So many bytes were copied, which takes a fraction of looking at each.
#[inline]
pub(super) fn note_copied(bytes: usize) {
    note(bytes as u64 / 16);
}

/// What was done since this was last asked, in this thread.
#[cfg(test)]
pub(in crate::scan) fn take() -> u64 {
    DONE.take()
}
