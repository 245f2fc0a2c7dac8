//! What is revoked: by the policies, and by whoever holds the admin token. The latter is kept on disk.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::{Note, RevocationNote};
use crate::config;
use crate::model::{IdentityName, NameError, PrincipalId, RuleRef, TaskId, TenantId};
use crate::policy::{Revocation, Revocations, Subject};
use crate::proxy::Proxy;
use crate::replacement::replace;
use crate::telemetry::ControlMetrics;

/// The file below the state folder.
const FILE: &str = "revocations.json";

/// A file with more was not written by us: a hundred bytes for each of [`MOST`].
const MAX_BYTES: u64 = 16 << 20;

/// How many may be kept. Arbitrary; whoever has more wants a policy.
const MOST: usize = 10_000;

/// A revocation as the admin port takes it, and as the file keeps it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Form {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

/// Why a revocation is not taken, or not given back.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeskError {
    /// The form says nothing that can be revoked.
    #[error("{0}")]
    Form(String),
    /// Another stands under the name.
    #[error("there is a revocation `{0}` already; give this one another name, or delete that one")]
    Taken(String),
    /// It stands in a policy.
    #[error("`{0}` stands in a policy; delete it there")]
    OfPolicy(String),
    /// There is none.
    #[error("there is no revocation `{0}`")]
    Unknown(String),
    /// It could not be kept, so that it would be forgotten at the next start.
    #[error("it cannot be kept: {0}")]
    Unkept(#[from] io::Error),
}

/// Keeps them together, and has the proxy act on them.
pub(super) struct RevocationDesk {
    proxy: Arc<Proxy>,
    controls: ControlMetrics,
    path: PathBuf,
    held: Mutex<Held>,
}

/// By name.
#[derive(Default)]
struct Held {
    of_policies: BTreeMap<Arc<str>, Revocation>,
    by_hand: BTreeMap<String, Form>,
}

impl RevocationDesk {
    /// With those that were kept below this folder, and those of the policies.
    ///
    /// # Errors
    /// When they cannot be read: to go on without them would let pass what was revoked.
    pub(super) fn open(
        folder: &Path,
        of_policies: Vec<Revocation>,
        proxy: Arc<Proxy>,
        controls: ControlMetrics,
    ) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let desk = Self {
            held: Mutex::new(Held {
                of_policies: BTreeMap::new(),
                by_hand: read(&path)?,
            }),
            proxy,
            controls,
            path,
        };
        desk.of_policies(of_policies);
        Ok(desk)
    }

    /// The policies say these and no others.
    pub(super) fn of_policies(&self, revocations: Vec<Revocation>) {
        let mut held = self.held();
        held.of_policies = by_name(revocations);
        self.act_on(&held);
    }

    /// Policies that are not in force yet, or will not be, say these too.
    pub(super) fn also(&self, revocations: Vec<Revocation>) {
        let mut held = self.held();
        held.of_policies.append(&mut by_name(revocations));
        self.act_on(&held);
    }

    /// Revokes by hand, and keeps it.
    pub(super) fn revoke(&self, form: &[u8]) -> Result<(), DeskError> {
        let form: Form = serde_json::from_slice(form).map_err(|error| {
            DeskError::Form(format!(
                "the body is no revocation: {error}; write e.g. {{\"name\": \"lost-laptop\", \"principal\": \"ana@acme\"}}"
            ))
        })?;
        let _valid = form.revocation().map_err(DeskError::Form)?;
        let mut held = self.held();
        let name = form.name.clone();
        if held.of_policies.contains_key(&*name) || held.by_hand.contains_key(&name) {
            return Err(DeskError::Taken(name));
        }
        if held.by_hand.len() >= MOST {
            return Err(DeskError::Form(format!(
                "{MOST} revocations are kept already; write them into a policy"
            )));
        }
        let mut by_hand = held.by_hand.clone();
        by_hand.insert(name, form);
        self.keep(&mut held, by_hand)
    }

    /// Gives back what was revoked by hand.
    pub(super) fn restore(&self, name: &str) -> Result<(), DeskError> {
        let mut held = self.held();
        let mut by_hand = held.by_hand.clone();
        if by_hand.remove(name).is_none() {
            let name = name.to_owned();
            return Err(match held.of_policies.contains_key(&*name) {
                true => DeskError::OfPolicy(name),
                false => DeskError::Unknown(name),
            });
        }
        self.keep(&mut held, by_hand)
    }

    /// All that hold.
    pub(super) fn report(&self) -> serde_json::Value {
        let all = self.proxy.revocations();
        let told = all.all().iter().map(|revocation| {
            let place = revocation.rule.place.as_ref().map(ToString::to_string);
            serde_json::json!({
                "name": &*revocation.rule.name,
                "subject": revocation.subject.to_string(),
                "since": revocation.since.map(|since| since.to_string()),
                "place": place,
            })
        });
        serde_json::json!({ "revocations": told.collect::<Vec<_>>() })
    }

    /// Writes down what is revoked by hand from now on, and acts on it: what could not be kept does not count.
    fn keep(&self, held: &mut Held, by_hand: BTreeMap<String, Form>) -> Result<(), DeskError> {
        write(&self.path, &by_hand)?;
        held.by_hand = by_hand;
        self.act_on(held);
        Ok(())
    }

    /// Has the proxy act on what holds now, and tells what is new in it and what is gone.
    fn act_on(&self, held: &Held) {
        let all = held.all();
        let old = self.proxy.revocations();
        if old.all() == all {
            return;
        }
        self.controls.revoked(all.len());
        self.proxy.revoke(Revocations::new(all.clone()));
        self.tell("revoked", &all, old.all());
        self.tell("restored", old.all(), &all);
    }

    /// Tells of those that are in one list and not in the other.
    fn tell(&self, event: &'static str, these: &[Revocation], others: &[Revocation]) {
        // Where it stands says nothing of what it does.
        fn said(it: &Revocation) -> (&str, String, Option<Timestamp>) {
            (&it.rule.name, it.subject.to_string(), it.since)
        }
        let others: HashSet<_> = others.iter().map(said).collect();
        let is_among = |this: &Revocation| others.contains(&said(this));
        for revocation in these.iter().filter(|this| !is_among(this)) {
            let Revocation { rule, subject, .. } = revocation;
            let place = rule.place.as_ref().map(ToString::to_string);
            tracing::warn!(name = %rule.name, %subject, place, "{event}");
            let note = RevocationNote {
                event,
                name: Arc::clone(&rule.name),
                subject: subject.to_string().into(),
                place: place.map(Box::from),
            };
            self.proxy.parts().audit.note(Note::Revocation(note));
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn all(&self) -> Vec<Revocation> {
        let by_hand = self
            .by_hand
            .values()
            .filter_map(|form| form.revocation().ok());
        self.of_policies.values().cloned().chain(by_hand).collect()
    }
}

impl Form {
    fn revocation(&self) -> Result<Revocation, String> {
        if !config::is_name(&self.name) {
            return Err("`name`: up to 64 letters, digits and `-`".to_owned());
        }
        let text = |value: &Option<String>| {
            value
                .as_deref()
                .filter(|text| !text.is_empty())
                .map(Box::from)
        };
        let subject = Subject {
            agent: text(&self.agent),
            identity: checked("identity", self.identity.as_deref(), IdentityName::new)?,
            key: text(&self.key),
            principal: checked("principal", self.principal.as_deref(), PrincipalId::new)?,
            task: checked("task", self.task.as_deref(), TaskId::new)?,
            tenant: checked("tenant", self.tenant.as_deref(), TenantId::new)?,
        };
        if subject == Subject::default() {
            return Err(
                "say who or what: `principal`, `identity`, `tenant`, `key`, `agent` or `task`"
                    .to_owned(),
            );
        }
        Ok(Revocation {
            rule: Arc::new(RuleRef {
                name: Arc::from(&*self.name),
                place: None,
            }),
            subject,
            since: self.since,
        })
    }
}

fn checked<T>(
    field: &str,
    value: Option<&str>,
    new: impl Fn(&str) -> Result<T, NameError>,
) -> Result<Option<T>, String> {
    value
        .map(|text| new(text).map_err(|error| format!("`{field}`: {error}")))
        .transpose()
}

fn by_name(revocations: Vec<Revocation>) -> BTreeMap<Arc<str>, Revocation> {
    let named = |revocation: Revocation| (Arc::clone(&revocation.rule.name), revocation);
    revocations.into_iter().map(named).collect()
}

fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Form>> {
    let shown = path.display();
    let length = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
        Ok(metadata) => metadata.len(),
    };
    if length > MAX_BYTES {
        return Err(anyhow!("`{shown}` is larger than {MAX_BYTES} bytes"));
    }
    let text = fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
    let remedy = || {
        format!(
            "`{shown}` holds what was revoked by hand and cannot be read; mend it, or move it away and nothing is"
        )
    };
    let forms: Vec<Form> = serde_json::from_slice(&text).with_context(remedy)?;
    for form in &forms {
        form.revocation()
            .map_err(|error| anyhow!("{error}"))
            .with_context(remedy)?;
    }
    let named = |form: Form| (form.name.clone(), form);
    Ok(forms.into_iter().map(named).collect())
}

fn write(path: &Path, forms: &BTreeMap<String, Form>) -> io::Result<()> {
    let forms: Vec<_> = forms.values().collect();
    replace(path, &serde_json::to_vec_pretty(&forms)?)
}
