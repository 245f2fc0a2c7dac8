//! What lictor has promised itself, and whether it holds.

use std::fmt::Write as _;

use crate::contender::Build;
use crate::contender::Contender::{self, Lictor, LictorFull};
use crate::idle::Memory;
use crate::results::Results;
use crate::workload::Workload;

/// A figure that may not be larger.
struct Target {
    what: &'static str,
    seen: Option<f64>,
    most: f64,
    unit: &'static str,
}

/// The targets that this run can tell about; empty if there is none.
pub(crate) fn render(results: &Results) -> String {
    let mut text = String::new();
    for target in targets(results) {
        let Some(seen) = target.seen else {
            continue;
        };
        if text.is_empty() {
            text.push_str("\n| target | at most | measured | holds |\n|---|--:|--:|---|\n");
        }
        let Target {
            what, most, unit, ..
        } = target;
        let holds = if seen <= most { "yes" } else { "**no**" };
        let _ = if unit.is_empty() {
            writeln!(text, "| {what} | {most:.2} | {seen:.2} | {holds} |")
        } else {
            writeln!(
                text,
                "| {what} | {most:.0} {unit} | {seen:.1} {unit} | {holds} |"
            )
        };
    }
    text
}

fn targets(results: &Results) -> Vec<Target> {
    let ratio = |what, workload, contender: fn(Build) -> Contender, most| Target {
        what,
        seen: results.ratio(workload, contender),
        most,
        unit: "",
    };
    let memory = |what, workload, figure: fn(&Memory) -> f64, most, unit| Target {
        what,
        seen: results.memory(workload, figure),
        most,
        unit,
    };
    let rate = |what, contender: fn(Build) -> Contender| Target {
        what,
        seen: results.added_at_rate(contender),
        most: 120.0,
        unit: "µs",
    };
    let start = |what, contender: fn(Build) -> Contender| Target {
        what,
        seen: results.start(contender),
        most: 20.0,
        unit: "ms",
    };
    vec![
        ratio(
            "HTTP/1.1 keep-alive, CPU to Envoy",
            Workload::Plain,
            Lictor,
            0.50,
        ),
        Target {
            what: "a token that comes again, CPU to none",
            seen: results.of_tokens(Workload::PlainJwt),
            most: 1.05,
            unit: "",
        },
        ratio("the same over TLS 1.3", Workload::Tls, Lictor, 0.55),
        ratio("HTTP/2 over TLS 1.3", Workload::H2, Lictor, 0.60),
        ratio("TLS 1.3 handshakes", Workload::Handshake, Lictor, 0.65),
        ratio("SSE, per event", Workload::Stream, Lictor, 0.85),
        ratio("10 MiB bodies", Workload::Large, Lictor, 0.80),
        ratio(
            "everything on over TLS, to Envoy plain with nothing on",
            Workload::Everything,
            LictorFull,
            0.75,
        ),
        rate("added at p50, 4,000 requests a second", Lictor),
        rate("the same with everything on over TLS", LictorFull),
        memory(
            "memory without connections",
            Workload::Idle,
            Memory::empty_mib,
            15.0,
            "MiB",
        ),
        memory(
            "an idle connection",
            Workload::Idle,
            Memory::kib_per_connection,
            16.0,
            "KiB",
        ),
        memory(
            "an idle TLS connection",
            Workload::IdleTls,
            Memory::kib_per_connection,
            28.0,
            "KiB",
        ),
        start("first answer after start", Lictor),
        start("the same with everything on over TLS", LictorFull),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{line, loads};

    #[test]
    fn targets_are_judged_where_they_were_measured() {
        let text = render(&loads(vec![
            line(Workload::Plain, Contender::Envoy, &[100.0]),
            line(Workload::Plain, Lictor(Build::Main), &[50.0]),
            line(Workload::Tls, Contender::Envoy, &[100.0]),
            line(Workload::Tls, Lictor(Build::Main), &[56.0]),
        ]));
        assert!(
            text.contains("CPU to Envoy | 0.50 | 0.50 | yes |"),
            "{text}"
        );
        assert!(text.contains("TLS 1.3 | 0.55 | 0.56 | **no** |"), "{text}");
        assert_eq!(text.lines().count(), 5, "{text}");
        assert_eq!(render(&Results::default()), "");
    }
}
