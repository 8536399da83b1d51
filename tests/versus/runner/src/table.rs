//! The results, as a table to be put into docs/performance.md.

use crate::plan::{System, Test};
use crate::run::Measured;
use std::collections::BTreeMap;

/// All measurements.
#[derive(Debug, Default)]
pub(crate) struct Results {
    cells: BTreeMap<(&'static str, &'static str), Vec<f64>>,
    cpu: BTreeMap<(&'static str, &'static str), Vec<f64>>,
    others: Vec<f64>,
}

impl Results {
    /// Takes one measurement.
    pub(crate) fn add(&mut self, system: &System, test: &Test, measured: Measured) {
        let Measured { fields, others } = measured;
        self.others.extend(others);
        let key = (test.name, system.name);
        if let Some(value) = fields.get(test.field) {
            self.cells.entry(key).or_default().push(*value);
        }
        let of = |name: &str| fields.get(name).copied();
        if let (Some(client), Some(server)) =
            (of("client_cpu_s_per_mcall"), of("server_cpu_s_per_mcall"))
        {
            self.cpu.entry(key).or_default().push(client + server);
        }
    }

    /// Prints the medians, then the spread, then what each call cost.
    pub(crate) fn print(&self, systems: &[System], tests: &[Test], absent: &[&str]) {
        println!("Medians; in brackets the ratio to bare sockets:\n");
        self.grid(systems, tests, |system, test| {
            let value = median(self.cells.get(&(test.name, system))?);
            let base = self.cells.get(&(test.name, test.base));
            Some(format!("{}{}", short(value), against(value, base)))
        });
        println!("\nFrom the least to the most of all rounds:\n");
        self.grid(systems, tests, |system, test| {
            let values = self.cells.get(&(test.name, system))?;
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(0.0, f64::max);
            Some(format!("{}–{}", short(least), short(most)))
        });
        println!(
            "\nProcessor time of both sides for one call, us (an echo, a batch of 16 messages); in brackets the ratio \
             to bare sockets. This is the figure to trust when other programs used the machine:\n"
        );
        let timed: Vec<_> = tests.iter().map(Test::without_unit).collect();
        self.grid(systems, &timed, |system, test| {
            let value = median(self.cpu.get(&(test.name, system))?);
            let base = self.cpu.get(&(test.name, test.base));
            Some(format!("{}{}", short(value), against(value, base)))
        });
        if !absent.is_empty() {
            println!("\nNot built or not installed, and so left out: {}.", absent.join(", "));
        }
        if self.others.is_empty() {
            return;
        }
        let share = |share: f64| quantile(&self.others, share) * 100.0;
        println!(
            "\nOther programs used {:.0} % of the processors (median; {:.0} % to {:.0} %) meanwhile.",
            share(0.5),
            share(0.0),
            share(1.0)
        );
    }

    fn grid(
        &self,
        systems: &[System],
        tests: &[Test],
        cell: impl Fn(&'static str, &Test) -> Option<String>,
    ) {
        let names: Vec<_> = systems.iter().map(|system| system.name).collect();
        println!("| test | {} |", names.join(" | "));
        println!("|---|{}", "---|".repeat(names.len()));
        for test in tests {
            let cells: Vec<_> =
                names.iter().map(|name| cell(name, test).unwrap_or_default()).collect();
            if cells.iter().all(String::is_empty) {
                continue;
            }
            let comma = if test.unit.is_empty() { "" } else { ", " };
            println!("| {}{comma}{} | {} |", test.label, test.unit, cells.join(" | "));
        }
    }
}

/// The ratio to the base of the row, if it has one.
fn against(value: f64, base: Option<&Vec<f64>>) -> String {
    let Some(base) = base else { return String::new() };
    let ratio = value / median(base);
    let digits = if ratio < 0.095 { 4 } else { 2 };
    format!(" ({ratio:.digits$})")
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// Three figures or so.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2} M", v / 1e6),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
