//! What an executor says of a range, in the counts that Ballista has for a task's metrics.

use ballista_core::serde::protobuf::operator_metric::Metric;
use ballista_core::serde::protobuf::{
    JobStageMetrics, NamedCount, OperatorMetric, OperatorMetricsSet, OperatorWithMetrics,
};

use crate::outcome::Outcome;

const ROWS: &str = "rows";
const BYTES: &str = "bytes";
/// Before the name of a declared column that no record of the range had.
const ABSENT: &str = "absent:";
/// Columns of a manifest, and a little more.
const MOST: usize = 1 << 16;

/// How far an executor is with a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) absent: Vec<String>,
}

impl Said {
    pub(crate) fn to_metrics(&self) -> Vec<OperatorMetric> {
        let counts = [(ROWS.to_owned(), self.rows), (BYTES.to_owned(), self.bytes)];
        let absent = self
            .absent
            .iter()
            .map(|name| (format!("{ABSENT}{name}"), 0));
        let counts = counts.into_iter().chain(absent);
        let metric = |(name, value)| OperatorMetric {
            partition: None,
            metric: Some(Metric::Count(NamedCount { name, value })),
        };
        counts.map(metric).collect()
    }

    pub(crate) fn to_set(&self) -> Vec<OperatorMetricsSet> {
        vec![OperatorMetricsSet {
            metrics: self.to_metrics(),
        }]
    }

    pub(crate) fn from_set(sets: Vec<OperatorMetricsSet>) -> Self {
        Said::from_metrics(sets.into_iter().flat_map(|set| set.metrics))
    }

    pub(crate) fn from_metrics(metrics: impl Iterator<Item = OperatorMetric>) -> Self {
        let mut said = Said::default();
        for metric in metrics.take(MOST) {
            let Some(Metric::Count(NamedCount { name, value })) = metric.metric else {
                continue;
            };
            match name.as_str() {
                ROWS => said.rows = value,
                BYTES => said.bytes = value,
                _ => said
                    .absent
                    .extend(name.strip_prefix(ABSENT).map(str::to_owned)),
            }
        }
        said
    }
}

/// What the scheduler says of its cluster, and of ranges that it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overview {
    /// Executors that live.
    pub(crate) executors: u32,
    /// Ranges that they can work on at a time.
    pub(crate) slots: u32,
    /// By the names of jobs.
    pub(crate) jobs: Vec<(String, Outcome, Said)>,
}

impl Overview {
    pub(crate) fn to_stages(&self) -> Vec<JobStageMetrics> {
        let operator = |(job, outcome, said): &(String, Outcome, Said)| OperatorWithMetrics {
            depth: 0,
            operator_type: outcome.to_text(),
            operator_desc: job.clone(),
            metrics: said.to_metrics(),
        };
        vec![JobStageMetrics {
            stage_id: self.executors,
            partitions: self.slots,
            operators: self.jobs.iter().map(operator).collect(),
        }]
    }

    pub(crate) fn from_stages(stages: Vec<JobStageMetrics>) -> Self {
        let Some(stage) = stages.into_iter().next() else {
            return Overview::default();
        };
        let job = |operator: OperatorWithMetrics| {
            let outcome = Outcome::from_text(&operator.operator_type);
            let said = Said::from_metrics(operator.metrics.into_iter());
            (operator.operator_desc, outcome, said)
        };
        Overview {
            executors: stage.stage_id,
            slots: stage.partitions,
            jobs: stage.operators.into_iter().map(job).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_arrives() {
        let said = Said {
            rows: 7,
            bytes: 512,
            absent: vec!["note".into(), "absent:rows".into()],
        };
        assert_eq!(Said::from_set(said.to_set()), said);
        let overview = Overview {
            executors: 2,
            slots: 4,
            jobs: vec![
                ("a".into(), Outcome::Done, said),
                ("b".into(), Outcome::Failed("a: b".into()), Said::default()),
            ],
        };
        assert_eq!(Overview::from_stages(overview.to_stages()), overview);
    }
}
