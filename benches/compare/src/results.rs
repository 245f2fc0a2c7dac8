//! What was measured, and the figures that follow from it.

use std::time::Duration;

use crate::contender::{Build, Contender};
use crate::idle::Memory;
use crate::load::Sample;
use crate::workload::Workload;

/// One line: a proxy under a workload.
#[derive(Debug)]
pub(crate) struct Line<T = Sample> {
    pub(crate) workload: Workload,
    pub(crate) contender: Contender,
    /// Empty where it did not take part or failed.
    pub(crate) samples: Vec<T>,
}

/// All lines of a run.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) loads: Vec<Line>,
    pub(crate) memory: Vec<Line<Memory>>,
    pub(crate) starts: Vec<Line<Duration>>,
}

impl<T> Line<T> {
    pub(crate) fn median(&self, value: impl Fn(&T) -> f64) -> Option<f64> {
        median(self.samples.iter().map(value).collect())
    }

    fn is(&self, workload: Workload, contender: Contender) -> bool {
        self.workload == workload && self.contender == contender
    }
}

impl Line {
    /// CPU time of the proxy for one request, in µs.
    pub(crate) fn cpu(&self) -> Option<f64> {
        if self.contender == Contender::Backend {
            return None;
        }
        self.median(cpu)
    }
}

impl Results {
    fn load(&self, workload: Workload, contender: Contender) -> Option<&Line> {
        self.loads.iter().find(|line| line.is(workload, contender))
    }

    /// CPU time beside Envoy's in the same row. The scan has no Envoy of its own and is held against that of
    /// the row to which it adds.
    pub(crate) fn to_envoy(&self, line: &Line) -> Option<f64> {
        let workload = match line.workload {
            Workload::Scan => Workload::Jwt,
            workload => workload,
        };
        let envoy = self.load(workload, Contender::Envoy)?;
        Some(line.cpu()? / envoy.cpu()?)
    }

    /// CPU time beside the other lictor's, slice by slice and sorted: those of one round lie close together
    /// in time, so the median of their ratios is calmer than the ratio of the medians, and their spread
    /// says how much of it is noise.
    pub(crate) fn to_base(&self, line: &Line) -> Vec<f64> {
        let base = line.contender.base();
        let base = base.and_then(|base| self.load(line.workload, base));
        let Some(base) = base else {
            return Vec::new();
        };
        let slices = line.samples.iter().zip(&base.samples);
        let mut ratios = slices
            .map(|(ours, theirs)| cpu(ours) / cpu(theirs))
            .collect::<Vec<_>>();
        ratios.sort_by(f64::total_cmp);
        ratios
    }

    /// What a proxy adds to the backend's own time, in µs, slice by slice as above.
    pub(crate) fn added(&self, line: &Line, time: impl Fn(&Sample) -> u64) -> Option<f64> {
        let bare = self.load(line.workload, Contender::Backend)?;
        let slices = line.samples.iter().zip(&bare.samples);
        median(
            slices
                .map(|(ours, bare)| time(ours) as f64 - time(bare) as f64)
                .collect(),
        )
    }

    /// The ratio to Envoy of the measured lictor in this configuration.
    pub(crate) fn ratio(
        &self,
        workload: Workload,
        contender: fn(Build) -> Contender,
    ) -> Option<f64> {
        self.to_envoy(self.load(workload, contender(Build::Main))?)
    }

    /// What tokens cost: the CPU time of the measured lictor with them beside that of itself without, slice by slice as above.
    pub(crate) fn of_tokens(&self, workload: Workload) -> Option<f64> {
        let with = self.load(workload, Contender::LictorToken(Build::Main))?;
        let without = self.load(workload, Contender::Lictor(Build::Main))?;
        let slices = with.samples.iter().zip(&without.samples);
        median(
            slices
                .map(|(with, without)| cpu(with) / cpu(without))
                .collect(),
        )
    }

    /// What the measured lictor adds to the median time at a fixed rate, in µs.
    pub(crate) fn added_at_rate(&self, contender: fn(Build) -> Contender) -> Option<f64> {
        let line = self.load(Workload::Rate, contender(Build::Main))?;
        self.added(line, |sample| sample.p50_micros)
    }

    /// A figure of the measured lictor's memory.
    pub(crate) fn memory(&self, workload: Workload, figure: fn(&Memory) -> f64) -> Option<f64> {
        let lictor = Contender::Lictor(Build::Main);
        let line = self.memory.iter().find(|line| line.is(workload, lictor))?;
        line.median(figure)
    }

    /// Milliseconds to the measured lictor's first answer.
    pub(crate) fn start(&self, contender: fn(Build) -> Contender) -> Option<f64> {
        let contender = contender(Build::Main);
        let line = self
            .starts
            .iter()
            .find(|line| line.is(Workload::Start, contender))?;
        line.median(millis)
    }
}

pub(crate) fn millis(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn cpu(sample: &Sample) -> f64 {
    sample.cpu_micros / sample.count
}

/// The middle of these values.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied();
    if values.len() % 2 == 1 {
        return upper;
    }
    let lower = values.get((values.len() / 2).checked_sub(1)?).copied();
    Some((lower? + upper?) / 2.0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn line(workload: Workload, contender: Contender, cpu: &[f64]) -> Line {
        let samples = cpu.iter().map(|cpu| Sample {
            count: 10.0,
            seconds: 1.0,
            cpu_micros: cpu * 10.0,
            p50_micros: *cpu as u64 * 2,
            p99_micros: *cpu as u64 * 3,
            rss_kib: 1024,
            peak_kib: 2048,
        });
        Line {
            workload,
            contender,
            samples: samples.collect(),
        }
    }

    pub(crate) fn loads(loads: Vec<Line>) -> Results {
        Results {
            loads,
            ..Results::default()
        }
    }

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn tokens_are_priced_within_their_row() {
        let lictor = Contender::Lictor(Build::Main);
        let tokens = Contender::LictorToken(Build::Main);
        let results = loads(vec![
            line(Workload::Plain, lictor, &[1.0]),
            line(Workload::PlainJwt, lictor, &[10.0, 20.0, 40.0]),
            line(Workload::PlainJwt, tokens, &[10.0, 21.0, 60.0]),
        ]);
        assert_eq!(results.of_tokens(Workload::PlainJwt), Some(1.05));
        assert_eq!(results.of_tokens(Workload::PlainJwtThousand), None);
    }

    #[test]
    fn added_time_is_that_above_the_backend() {
        let results = loads(vec![
            line(Workload::Rate, Contender::Backend, &[10.0, 20.0, 30.0]),
            line(
                Workload::Rate,
                Contender::Lictor(Build::Main),
                &[15.0, 26.0, 70.0],
            ),
        ]);
        assert_eq!(results.added_at_rate(Contender::Lictor), Some(12.0));
        assert_eq!(results.added_at_rate(Contender::LictorFull), None);
    }
}
