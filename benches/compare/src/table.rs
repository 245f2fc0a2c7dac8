//! What was measured, as Markdown.

use std::fmt::Write as _;

use crate::contender::Contender;
use crate::idle::Memory;
use crate::results::{Line, Results, median, millis};
use crate::target;
use crate::workload::Workload;

/// The tables that have something to tell.
pub(crate) fn render(results: &Results) -> String {
    let mut text = String::new();
    for table in [
        loads(results),
        builds(results),
        rate(results),
        memory(results),
        starts(results),
        target::render(results),
    ] {
        text.push_str(&table);
    }
    text.trim_start().to_owned()
}

fn loads(results: &Results) -> String {
    let mut table = Table::new(
        "| workload | proxy | CPU µs | to Envoy | per second | p50 µs | p99 µs | RSS MiB | peak MiB | core busy |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for line in &results.loads {
        let busy = line.median(|sample| sample.cpu_micros / 1e6 / sample.seconds);
        table.line(
            line,
            &[
                number(line.cpu(), 1),
                number(results.to_envoy(line), 2),
                number(line.median(|sample| sample.count / sample.seconds), 0),
                number(line.median(|sample| sample.p50_micros as f64), 0),
                number(line.median(|sample| sample.p99_micros as f64), 0),
                number(line.median(|sample| sample.rss_kib as f64 / 1024.0), 1),
                number(line.median(|sample| sample.peak_kib as f64 / 1024.0), 1),
                percent(busy),
            ],
        );
    }
    table.text
}

/// What the measured lictor costs beside the other one; empty without another.
fn builds(results: &Results) -> String {
    let mut table = Table::new(
        "| workload | proxy | CPU to lictor-base | least | most |\n|---|---|--:|--:|--:|\n",
    );
    for line in &results.loads {
        let ratios = results.to_base(line);
        if let (Some(least), Some(most)) = (ratios.first().copied(), ratios.last().copied()) {
            let cells = [median(ratios), Some(least), Some(most)];
            table.line(line, &cells.map(|ratio| number(ratio, 3)));
        }
    }
    table.text
}

/// What each proxy adds at a fixed rate.
fn rate(results: &Results) -> String {
    let mut table = Table::new(
        "| workload | proxy | p50 µs | p99 µs | added at p50 | added at p99 |\n|---|---|--:|--:|--:|--:|\n",
    );
    let lines = results.loads.iter();
    for line in lines.filter(|line| line.workload == Workload::Rate) {
        let added = |time: fn(&crate::load::Sample) -> u64| {
            results
                .added(line, time)
                .filter(|_| line.contender != Contender::Backend)
        };
        table.line(
            line,
            &[
                number(line.median(|sample| sample.p50_micros as f64), 0),
                number(line.median(|sample| sample.p99_micros as f64), 0),
                number(added(|sample| sample.p50_micros), 0),
                number(added(|sample| sample.p99_micros), 0),
            ],
        );
    }
    table.text
}

fn memory(results: &Results) -> String {
    let mut table = Table::new(
        "| workload | proxy | MiB without | MiB with | KiB per connection | MiB after |\n|---|---|--:|--:|--:|--:|\n",
    );
    for line in &results.memory {
        table.line(
            line,
            &[
                number(line.median(Memory::empty_mib), 1),
                number(line.median(|memory| memory.full_kib as f64 / 1024.0), 1),
                number(line.median(Memory::kib_per_connection), 1),
                number(line.median(|memory| memory.after_kib as f64 / 1024.0), 1),
            ],
        );
    }
    table.text
}

fn starts(results: &Results) -> String {
    let mut table =
        Table::new("| workload | proxy | first answer, ms | slowest |\n|---|---|--:|--:|\n");
    for line in &results.starts {
        let slowest = line.samples.iter().max().map(millis);
        table.line(line, &[number(line.median(millis), 1), number(slowest, 1)]);
    }
    table.text
}

/// A table whose lines name their workload where it changes; empty until it has a line.
struct Table {
    head: &'static str,
    text: String,
    last: Option<Workload>,
}

impl Table {
    fn new(head: &'static str) -> Self {
        Self {
            head,
            text: String::new(),
            last: None,
        }
    }

    fn line<T, const N: usize>(&mut self, line: &Line<T>, cells: &[String; N]) {
        let title = match self.last.replace(line.workload) {
            Some(last) if last == line.workload => "",
            Some(_) => line.workload.title(),
            None => {
                self.text.push('\n');
                self.text.push_str(self.head);
                line.workload.title()
            }
        };
        let name = line.contender.name();
        let _ = writeln!(self.text, "| {title} | {name} | {} |", cells.join(" | "));
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Build;
    use crate::results::tests::{line, loads};

    #[test]
    fn ratio_is_of_medians_and_the_scan_borrows_its_reference() {
        let table = render(&loads(vec![
            line(Workload::Jwt, Contender::Envoy, &[50.0, 40.0, 90.0]),
            line(Workload::Jwt, Contender::Nginx, &[]),
            line(Workload::Scan, Contender::LictorScan(Build::Main), &[25.0]),
        ]));
        assert!(table.contains("| Envoy | 50.0 | 1.00 |"), "{table}");
        assert!(table.contains("|  | nginx | – | – |"), "{table}");
        let scan = "| lictor, scan on | 25.0 | 0.50 |";
        assert!(table.contains(scan), "{table}");
        assert!(!table.contains("lictor-base"), "{table}");
    }

    #[test]
    fn two_lictors_are_compared_slice_by_slice() {
        let lictor = Contender::Lictor;
        let table = render(&loads(vec![
            line(Workload::Plain, lictor(Build::Main), &[9.0, 30.0, 10.0]),
            line(Workload::Plain, lictor(Build::Base), &[10.0, 30.0, 20.0]),
        ]));
        let found = table.contains("| lictor | 0.900 | 0.500 | 1.000 |");
        assert!(found, "{table}");
    }
}
