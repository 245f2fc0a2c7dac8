//! How much is held, in all and by each tenant.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{Reason, Refusal, TenantId};

use super::config::Config;

/// There is no room for what the call would make us remember. Nothing that is remembered gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFull {
    /// The memory is full.
    #[error("the ledger is full")]
    All,
    /// The tenant's share is full.
    #[error("the tenant's share of the ledger is full")]
    Tenant,
}

/// What cannot be known or remembered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] LedgerFull),
    /// The store that processes share gives no answer, and why.
    #[error("whose it is cannot be known: {0}")]
    Unavailable(Box<str>),
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::new(Reason::Overloaded).detail(error)
    }
}

impl From<LedgerFull> for Refusal {
    fn from(full: LedgerFull) -> Self {
        Self::new(Reason::Overloaded).detail(full)
    }
}

/// Counts the entries of all tables.
#[derive(Debug)]
pub(super) struct Room {
    entries: usize,
    per_tenant: usize,
    // One lock for all: it is taken only when something is remembered or forgotten, for a few
    // instructions, and always after the lock of a shard.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

impl Room {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            entries: config.entries,
            per_tenant: config.per_tenant,
            held: Mutex::default(),
        }
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.lock().all
    }

    /// Whether so many more would fit now.
    pub(super) fn fits(&self, tenant: &TenantId, more: usize) -> Result<(), LedgerFull> {
        self.lock().fits(self, tenant, more)
    }

    pub(super) fn take(&self, tenant: &TenantId) -> Result<(), LedgerFull> {
        let mut held = self.lock();
        held.fits(self, tenant, 1)?;
        held.all += 1;
        match held.by_tenant.get_mut(tenant) {
            Some(count) => *count += 1,
            None => {
                held.by_tenant.insert(tenant.clone(), 1);
            }
        }
        Ok(())
    }

    pub(super) fn give_back(&self, tenant: &TenantId) {
        let mut held = self.lock();
        held.all = held.all.saturating_sub(1);
        if let Some(count) = held.by_tenant.get_mut(tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.by_tenant.remove(tenant);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // The counts are whole at every point where a panic could happen.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn fits(&self, room: &Room, tenant: &TenantId, more: usize) -> Result<(), LedgerFull> {
        let of_tenant = self.by_tenant.get(tenant).copied().unwrap_or(0);
        if self.all.saturating_add(more) > room.entries {
            return Err(LedgerFull::All);
        }
        if of_tenant.saturating_add(more) > room.per_tenant {
            return Err(LedgerFull::Tenant);
        }
        Ok(())
    }
}
