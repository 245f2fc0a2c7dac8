//! Whether each control works, as the operator needs to read it.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::telemetry::{GaugeVec, Registry, RegistryError};

/// How one control is. The words are the operator's: what is wrong and where to look, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It works in part, as configured: calls are served, and somebody should look.
    Degraded(Cow<'static, str>),
    /// It works.
    Ready,
    /// It does not work, so no calls should come here.
    Unready(Cow<'static, str>),
}

impl Condition {
    /// The word that stands in the report.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Degraded(_) => "degraded",
            Self::Ready => "ready",
            Self::Unready(_) => "unready",
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Self::Degraded(why) | Self::Unready(why) => Some(why),
            Self::Ready => None,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Degraded(_) => 1,
            Self::Unready(_) => 2,
        }
    }
}

/// The owner's end of one control's condition. A clone is another handle on the same one.
#[derive(Debug, Clone)]
pub struct Control(Arc<Mutex<Condition>>);

impl Control {
    /// Says how the control is from now on.
    pub fn set(&self, condition: Condition) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = condition;
    }

    fn condition(&self) -> Condition {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The conditions of all controls, in the order in which they were named.
#[derive(Debug)]
pub struct Health {
    sources: Vec<(&'static str, Source)>,
    conditions: GaugeVec,
    started: AtomicBool,
}

impl Health {
    /// Knows no control yet, and registers the metric that tells their conditions.
    ///
    /// # Errors
    /// When the metric's name is taken.
    pub fn new(registry: &Registry) -> Result<Self, RegistryError> {
        Ok(Self {
            sources: Vec::new(),
            conditions: registry.gauge_vec(
                "lictor_control_condition",
                "How a control is: 0 ready, 1 degraded, 2 unready.",
                &["control"],
            )?,
            started: AtomicBool::new(false),
        })
    }

    /// Names a control that its owner reports on.
    pub fn control(&mut self, name: &'static str, condition: Condition) -> Control {
        let control = Control(Arc::new(Mutex::new(condition)));
        self.sources.push((name, Source::Told(control.clone())));
        control
    }

    /// Names a control that is asked whenever somebody wants to know. The closure must not block.
    pub fn ask(
        &mut self,
        name: &'static str,
        condition: impl Fn() -> Condition + Send + Sync + 'static,
    ) {
        self.sources
            .push((name, Source::Asked(Box::new(condition))));
    }

    /// How every control is now.
    pub(super) fn report(&self) -> Report {
        let controls: Vec<_> = self
            .sources
            .iter()
            .map(|(name, source)| (*name, source.condition()))
            .collect();
        for (name, condition) in &controls {
            self.conditions
                .with_label_values(&[name])
                .set(condition.rank().into());
        }
        let report = Report(controls);
        if report.is_ready() {
            self.started.store(true, Ordering::Relaxed);
        }
        report
    }

    /// Whether all controls were ready, or degraded, at the same time once.
    pub(super) fn has_started(&self) -> bool {
        self.started.load(Ordering::Relaxed) || self.report().is_ready()
    }
}

enum Source {
    Asked(Box<dyn Fn() -> Condition + Send + Sync>),
    Told(Control),
}

impl Source {
    fn condition(&self) -> Condition {
        match self {
            Self::Asked(ask) => ask(),
            Self::Told(control) => control.condition(),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked(_) => f.write_str("Asked"),
            Self::Told(control) => f.debug_tuple("Told").field(control).finish(),
        }
    }
}

/// How every control was at one moment.
pub(super) struct Report(Vec<(&'static str, Condition)>);

impl Report {
    /// Whether calls should come here.
    pub(super) fn is_ready(&self) -> bool {
        self.0
            .iter()
            .all(|(_, condition)| !matches!(condition, Condition::Unready(_)))
    }

    /// `{"status":"degraded","controls":{"keys":{"status":"degraded","why":"..."}}}`
    pub(super) fn to_json(&self) -> String {
        let status = self
            .0
            .iter()
            .map(|(_, condition)| condition)
            .max_by_key(|condition| condition.rank())
            .map_or("ready", Condition::as_str);
        let controls: Vec<_> = self
            .0
            .iter()
            .map(|(name, condition)| {
                let mut control = serde_json::json!({ "status": condition.as_str() });
                if let (Some(why), Some(control)) = (condition.why(), control.as_object_mut()) {
                    control.insert("why".to_owned(), why.into());
                }
                format!("{}:{control}", serde_json::Value::from(*name))
            })
            .collect();
        // Put together by hand to keep the order in which the controls were named.
        format!(
            "{{\"status\":\"{status}\",\"controls\":{{{}}}}}\n",
            controls.join(",")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_control_is_the_status_and_degraded_still_serves() {
        let registry = Registry::new().unwrap();
        let mut health = Health::new(&registry).unwrap();
        let policy = health.control("policy", Condition::Unready("not loaded".into()));
        health.ask("keys", || {
            Condition::Degraded("keys of `corp` are \"old\"".into())
        });
        assert!(!health.report().is_ready());
        assert!(!health.has_started());
        policy.set(Condition::Ready);
        let report = health.report();
        assert!(report.is_ready());
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "status": "degraded",
                "controls": {
                    "policy": {"status": "ready"},
                    "keys": {"status": "degraded", "why": "keys of `corp` are \"old\""},
                },
            })
        );
        let metrics = registry.encode();
        assert!(metrics.contains(r#"lictor_control_condition{control="keys"} 1"#));
        // Started once is started for good: a later failure is no reason to wait for a start.
        policy.set(Condition::Unready("gone".into()));
        assert!(health.has_started());
        assert!(!health.report().is_ready());
    }
}
