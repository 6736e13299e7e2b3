//! The table as text: for people, for programs, for the threat model.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Line, Table};

impl Table {
    /// As columns for people, with a line that adds it up.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{:<28} {:<24} {:<18} {:>8} {:>8} {:>8}\n",
            "guest", "act", "outcome", "ms", "over ms", "MiB"
        );
        for line in &self.lines {
            let over = line
                .over()
                .map_or(String::new(), |over| format!("{over:.1}"));
            let _ = writeln!(
                text,
                "{:<28} {:<24} {:<18} {:>8.1} {:>8} {:>8.1}",
                line.attack.guest,
                line.act(),
                line.outcome(),
                line.seen.micros as f64 / 1e3,
                over,
                mib(line.seen.peak),
            );
            for complaint in &line.complaints {
                let _ = writeln!(text, "    NOT CONTAINED: {complaint}");
            }
        }
        text + &self.sum()
    }

    /// A row a guest, for the threat model.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| guest | acts | outcome | longest, ms | past its deadline, ms | peak, MiB |\n|---|---|---|---|---|---|\n",
        );
        let mut guests: Vec<&str> = Vec::new();
        for line in &self.lines {
            if !guests.contains(&line.attack.guest) {
                guests.push(line.attack.guest);
            }
        }
        for guest in guests {
            let lines = || self.lines.iter().filter(|l| l.attack.guest == guest);
            let mut outcomes: Vec<String> = Vec::new();
            for line in lines() {
                if !outcomes.contains(&line.outcome()) {
                    outcomes.push(line.outcome());
                }
            }
            let most = |value: fn(&Line) -> f64| lines().map(value).fold(0.0, f64::max);
            let over = most(|l| l.over().unwrap_or_default());
            let _ = writeln!(
                text,
                "| `{guest}` | {} | {} | {:.1} | {} | {:.0} |",
                lines().count(),
                outcomes.join(", "),
                most(|l| l.seen.micros as f64 / 1e3),
                match lines().any(|l| l.over().is_some()) {
                    true => format!("{over:.0}"),
                    false => String::new(),
                },
                most(|l| mib(l.seen.peak)),
            );
        }
        text + &self.sum()
    }

    fn sum(&self) -> String {
        let mut guests: Vec<_> = self.lines.iter().map(|l| l.attack.guest).collect();
        guests.sort_unstable();
        guests.dedup();
        let count = |kind: &str| self.lines.iter().filter(|l| l.seen.kind == kind).count();
        let broken = self
            .lines
            .iter()
            .filter(|l| !l.complaints.is_empty())
            .count();
        // The bound of those whose one instruction is long is another.
        let exact = self
            .lines
            .iter()
            .filter(|l| l.attack.one_instruction().is_zero());
        let over = exact.filter_map(Line::over).fold(0.0, f64::max);
        let beyond = self
            .lines
            .iter()
            .map(|l| mib(l.seen.peak) - (l.attack.limits.memory >> 20) as f64)
            .fold(f64::MIN, f64::max);
        format!(
            "\n{} acts of {} guests: {} stopped by a trap, {} by time, {} by memory, {} by a check; \
             {} refused at load, {} declined, {} harmless.\n\
             Longest past a deadline: {over:.1} ms of 50. Most memory beyond the limit: {beyond:.1} MiB of 32.\n\
             {}\n",
            self.lines.len(),
            guests.len(),
            count("trap"),
            count("time"),
            count("memory"),
            count("breach"),
            count("refused"),
            count("declined"),
            count("harmless"),
            match broken {
                0 => "All are contained.".to_owned(),
                n => format!("{n} ARE NOT CONTAINED."),
            }
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let line = |line: &Line| {
            json!({
                "guest": line.attack.guest,
                "act": line.act(),
                "outcome": line.seen.kind,
                "at": line.seen.phase,
                "ms": line.seen.micros as f64 / 1e3,
                "deadline-ms": line.attack.limits.time.as_millis() as u64,
                "peak-bytes": line.seen.peak,
                "memory-limit-bytes": line.attack.limits.memory,
                "batches": line.attack.batches,
                "faults": line.seen.faults,
                "complaints": line.complaints,
            })
        };
        json!(self.lines.iter().map(line).collect::<Vec<_>>())
    }
}

impl Line {
    fn act(&self) -> String {
        let act = self.attack.act.replace("\",\"bitmap\":\"", "-");
        match self.attack.adds {
            Some(data_type) => format!("{act} {data_type}").trim().to_owned(),
            None => act,
        }
    }

    fn outcome(&self) -> String {
        match self.seen.kind.as_str() {
            "refused" | "harmless" | "declined" => self.seen.kind.clone(),
            "" => "unknown".into(),
            kind => format!("{kind} in {}", self.seen.phase),
        }
    }

    /// Milliseconds past the deadline, for those that ran into it.
    fn over(&self) -> Option<f64> {
        let late = self.seen.kind == "time";
        let deadline = self.attack.limits.time.as_secs_f64() * 1e3;
        late.then(|| (self.seen.micros as f64 / 1e3 - deadline).max(0.0))
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
