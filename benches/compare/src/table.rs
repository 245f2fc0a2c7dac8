//! What was measured, as Markdown.

use std::fmt::Write as _;

use crate::contender::Contender;
use crate::load::Sample;
use crate::workload::Workload;

/// One line: a proxy under a workload.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) workload: Workload,
    pub(crate) contender: Contender,
    /// Empty where it did not take part or failed.
    pub(crate) samples: Vec<Sample>,
}

impl Line {
    fn cpu(&self) -> Option<f64> {
        self.median(|sample| sample.cpu_micros / sample.count)
    }

    fn median(&self, value: impl Fn(&Sample) -> f64) -> Option<f64> {
        let mut values = self.samples.iter().map(value).collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        median(&values)
    }

    /// CPU time beside another line's, slice by slice.
    fn ratios(&self, base: &Self) -> Vec<f64> {
        let cpu = |sample: &Sample| sample.cpu_micros / sample.count;
        let slices = self.samples.iter().zip(&base.samples);
        slices
            .map(|(ours, theirs)| cpu(ours) / cpu(theirs))
            .collect()
    }
}

/// The middle of sorted values.
fn median(values: &[f64]) -> Option<f64> {
    let upper = values.get(values.len() / 2).copied();
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = values.get((values.len() / 2).checked_sub(1)?).copied();
    Some((lower? + upper?) / 2.0)
}

/// The table.
pub(crate) fn render(lines: &[Line]) -> String {
    let mut text = String::from(
        "| workload | proxy | CPU µs | to Envoy | per second | p50 µs | p99 µs | RSS MiB | peak MiB | core busy |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut last = None;
    for line in lines {
        let title = match last {
            Some(workload) if workload == line.workload => "",
            _ => line.workload.title(),
        };
        last = Some(line.workload);
        let reference = reference(lines, line.workload);
        let ratio = line.cpu().zip(reference).map(|(cpu, envoy)| cpu / envoy);
        let cells = [
            number(line.cpu(), 1),
            number(ratio, 2),
            number(line.median(|sample| sample.count / sample.seconds), 0),
            number(line.median(|sample| sample.p50_micros as f64), 0),
            number(line.median(|sample| sample.p99_micros as f64), 0),
            number(line.median(|sample| sample.rss_kib as f64 / 1024.0), 1),
            number(line.median(|sample| sample.peak_kib as f64 / 1024.0), 1),
            percent(line.median(|sample| sample.cpu_micros / 1e6 / sample.seconds)),
        ];
        let name = line.contender.name();
        let _ = writeln!(text, "| {title} | {name} | {} |", cells.join(" | "));
    }
    text.push_str(&builds(lines));
    text
}

/// What the measured lictor costs beside the other one; empty without another.
///
/// Slice by slice, since those of one round lie close together in time: the median of their ratios is
/// calmer than the ratio of the medians, and their spread says how much of it is noise.
fn builds(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let mut others = lines.iter().filter(|base| base.workload == line.workload);
        let base = others.find(|base| line.contender.base() == Some(base.contender));
        let Some(mut ratios) = base.map(|base| line.ratios(base)) else {
            continue;
        };
        ratios.sort_by(f64::total_cmp);
        let (Some(middle), Some(least), Some(most)) =
            (median(&ratios), ratios.first(), ratios.last())
        else {
            continue;
        };
        if text.is_empty() {
            text.push_str(
                "\n| workload | proxy | to lictor-base | least | most |\n|---|---|--:|--:|--:|\n",
            );
        }
        let (title, name) = (line.workload.title(), line.contender.name());
        let _ = writeln!(
            text,
            "| {title} | {name} | {middle:.3} | {least:.3} | {most:.3} |"
        );
    }
    text
}

/// Envoy's CPU time under this workload; the scan has none of its own and is held against the row
/// that it adds to.
fn reference(lines: &[Line], workload: Workload) -> Option<f64> {
    let workload = match workload {
        Workload::Scan => Workload::Jwt,
        Workload::Jwt | Workload::Large | Workload::Plain | Workload::Stream | Workload::Tls => {
            workload
        }
    };
    let mut found = lines.iter().filter(|line| line.workload == workload);
    found.find(|line| line.contender == Contender::Envoy)?.cpu()
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

    fn line(workload: Workload, contender: Contender, cpu: &[f64]) -> Line {
        let samples = cpu.iter().map(|cpu| Sample {
            count: 10.0,
            seconds: 1.0,
            cpu_micros: cpu * 10.0,
            p50_micros: 1,
            p99_micros: 2,
            rss_kib: 1024,
            peak_kib: 2048,
        });
        Line {
            workload,
            contender,
            samples: samples.collect(),
        }
    }

    #[test]
    fn ratio_is_of_medians_and_the_scan_borrows_its_reference() {
        let table = render(&[
            line(Workload::Jwt, Contender::Envoy, &[50.0, 40.0, 90.0]),
            line(Workload::Jwt, Contender::Nginx, &[]),
            line(Workload::Scan, Contender::LictorScan(Build::Main), &[25.0]),
        ]);
        assert!(table.contains("| Envoy | 50.0 | 1.00 |"), "{table}");
        assert!(table.contains("|  | nginx | – | – |"), "{table}");
        assert!(
            table.contains("| lictor, scan on | 25.0 | 0.50 |"),
            "{table}"
        );
        assert!(!table.contains("lictor-base"), "{table}");
    }

    #[test]
    fn two_lictors_are_compared_slice_by_slice() {
        let table = render(&[
            line(
                Workload::Plain,
                Contender::Lictor(Build::Main),
                &[9.0, 30.0, 10.0],
            ),
            line(
                Workload::Plain,
                Contender::Lictor(Build::Base),
                &[10.0, 30.0, 20.0],
            ),
        ]);
        let found = table.contains("| lictor | 0.900 | 0.500 | 1.000 |");
        assert!(found, "{table}");
    }
}
