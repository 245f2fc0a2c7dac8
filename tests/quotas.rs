//! Quotas on the wire: what a caller is told, and what the agent never sees.

#![cfg(test)]

use serde_json::json;

use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::Upstream;

mod support;

/// Anybody may read pages, as far as these quotas go.
fn policy(quotas: &str) -> String {
    format!(
        "lictor: v1\nrules:\n  pages: {{ allow: \"http:GET /**\", from: {{ anonymous: true }} }}\n{quotas}"
    )
}

struct Stage {
    lictor: Lictor,
    agent: Upstream,
}

impl Stage {
    async fn new(quotas: &str) -> Self {
        let agent = Upstream::json(json!({"ok": true})).await;
        let setup = Setup::new(agent.address).policy(policy(quotas));
        let lictor = setup.start().await;
        Self { lictor, agent }
    }

    async fn get(&self, path: &str) -> Message {
        self.lictor.client().await.get(path).await
    }
}

/// The parameters of a quota in a list such as `"q";r=1;t=5`.
fn told(message: &Message, field: &str, quota: &str) -> Vec<(String, u64)> {
    let list = message.field(field).unwrap_or_default();
    let name = format!("\"{quota}\"");
    let items = list.split(", ").map(|item| item.split(';'));
    for mut item in items {
        if item.next() == Some(&name) {
            let parameters = item.filter_map(|parameter| parameter.split_once('='));
            return parameters
                .map(|(key, value)| (key.to_owned(), value.parse().unwrap()))
                .collect();
        }
    }
    panic!("{quota} is not in {list:?}")
}

fn one(message: &Message, quota: &str, key: &str) -> u64 {
    let field = if matches!(key, "q" | "w") {
        "ratelimit-policy"
    } else {
        "ratelimit"
    };
    let told = told(message, field, quota);
    told.into_iter().find(|(name, _)| name == key).unwrap().1
}

#[tokio::test]
async fn a_window_and_a_budget_are_told_and_kept_apart() {
    let stage = Stage::new(
        "quotas:\n  fast: { window: 3/min, per: source, on: \"http:GET /fast/**\" }\n  \
         day: { calendar: 5/day, zone: Asia/Kathmandu, per: source }\nhttp: { rateLimitFields: both }\n",
    )
    .await;
    for left in (0..3).rev() {
        let got = stage.get("/fast/a").await;
        assert_eq!(got.status(), 200);
        assert_eq!((one(&got, "fast", "q"), one(&got, "fast", "w")), (3, 60));
        assert_eq!((one(&got, "day", "q"), one(&got, "day", "w")), (5, 86_400));
        assert_eq!(one(&got, "fast", "r"), left);
        assert_eq!(one(&got, "day", "r"), left + 2);
        assert!(one(&got, "fast", "t") <= 60 && one(&got, "day", "t") <= 86_400);
        assert_eq!(got.field("x-ratelimit-limit"), Some("3"));
        assert_eq!(got.field("x-ratelimit-remaining"), Some(&*left.to_string()));
    }
    let refused = stage.get("/fast/a").await;
    assert_eq!(refused.status(), 429);
    assert!(refused.text().contains("RATE_LIMIT_EXCEEDED"));
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait) && one(&refused, "fast", "t") <= wait);
    assert_eq!(
        (one(&refused, "fast", "r"), one(&refused, "day", "r")),
        (0, 2)
    );

    // The refused call took nothing of the day.
    for _ in 0..2 {
        assert_eq!(stage.get("/slow").await.status(), 200);
    }
    let spent = stage.get("/slow").await;
    assert_eq!(spent.status(), 429);
    assert!(spent.text().contains("QUOTA_EXCEEDED"), "{}", spent.text());
    let wait: u64 = spent.field("retry-after").unwrap().parse().unwrap();
    assert!((1..=86_400).contains(&wait) && one(&spent, "day", "t") == wait);
    assert_eq!(stage.agent.requests().len(), 5);

    let records = support::eventually("seven audit records", async || {
        let records = stage.lictor.audit();
        (records.len() >= 7).then_some(records)
    })
    .await;
    let refused: Vec<_> = records
        .iter()
        .filter(|record| record["status"] == 429)
        .map(|record| (record["reason"].clone(), record["quota"].clone()))
        .collect();
    assert_eq!(
        refused,
        [
            (json!("rate-limited"), json!("fast")),
            (json!("quota-exhausted"), json!("day"))
        ]
    );
}

#[tokio::test]
async fn counters_outlive_a_reload_and_take_new_numbers() {
    let quotas = |count: u32| format!("quotas:\n  day: {{ calendar: {count}/day, per: source }}\n");
    let stage = Stage::new(&quotas(2)).await;
    for _ in 0..2 {
        assert_eq!(stage.get("/").await.status(), 200);
    }
    assert_eq!(stage.get("/").await.status(), 429);
    stage.lictor.rewrite_policy(&policy(&quotas(3)));
    let got = support::eventually("the new number", async || {
        let got = stage.get("/").await;
        (got.status() == 200).then_some(got)
    })
    .await;
    assert_eq!((one(&got, "day", "q"), one(&got, "day", "r")), (3, 0));
    assert_eq!(stage.get("/").await.status(), 429);
}
