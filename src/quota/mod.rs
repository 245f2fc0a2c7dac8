//! (room: quota)

/// Proof that a call fits in every quota.
#[derive(Debug)]
pub struct Admission {
    _private: (),
}

#[cfg(test)]
impl Admission {
    pub(crate) const fn for_tests() -> Self {
        Self { _private: () }
    }
}
