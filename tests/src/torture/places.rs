//! Two and three programs at one place, started, stopped and killed at random: what one of them has
//! reported as stored is there, once, whatever the others do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::{Line, Seeded};
use crate::pipeline::{Pipeline, Running};
use crate::postgres::Postgres;
use crate::sqlite;

/// Programs that write to one place.
const PROGRAMS: usize = 3;
/// The numbers of two batches' rows lie so far apart.
const APART: usize = 1_000_000;
/// Starts between two looks at what is stored.
const BETWEEN_LOOKS: u32 = 15;
/// How often the last calls may be refused because another one is at it.
const PATIENCE: u32 = 200;

/// Where several programs write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A table in an SQLite file, which the first of them makes.
    Sqlite,
    /// A table on a PostgreSQL server, likewise.
    Postgres,
    /// A CSV file.
    Csv,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 3] = [Place::Sqlite, Place::Postgres, Place::Csv];

    fn name(self) -> &'static str {
        match self {
            Place::Sqlite => "one SQLite table",
            Place::Postgres => "one PostgreSQL table",
            Place::Csv => "one CSV file",
        }
    }

    fn sink(self, database: &str) -> String {
        match self {
            Place::Sqlite => "sqlite: { path: out.db, table: things }".into(),
            Place::Csv => "csv: { path: out.csv, mode: append }".into(),
            Place::Postgres => {
                let server = Postgres::shared();
                format!("postgres: {{ {}, table: things }}", server.place(database))
            }
        }
    }
}

/// A program: a pipeline of its own that loads one batch after the other.
struct Program {
    name: String,
    /// The batch that it is at.
    batch: usize,
}

struct Trial<'a> {
    place: Place,
    rows: usize,
    pipeline: Pipeline,
    database: String,
    programs: Vec<Program>,
    batches: usize,
    /// Batches that a program has reported as stored.
    reported: Vec<usize>,
    time: Duration,
    random: &'a mut Seeded,
    line: &'a mut Line,
}

/// Starts programs at one place so often.
pub fn at_one_place(place: Place, starts: u32, rows: usize, random: &mut Seeded) -> Line {
    let mut line = Line {
        target: place.name().into(),
        fault: "two or three programs at once".into(),
        ..Line::default()
    };
    let database = match place {
        Place::Postgres => Postgres::shared().database("places"),
        Place::Sqlite | Place::Csv => String::new(),
    };
    let pipeline = Pipeline::empty().env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password());
    let programs = (0..PROGRAMS).map(|number| Program {
        name: format!("program{number}"),
        batch: 0,
    });
    let mut trial = Trial {
        place,
        rows,
        pipeline,
        database,
        programs: programs.collect(),
        batches: 0,
        reported: Vec::new(),
        time: Duration::from_millis(300),
        random,
        line: &mut line,
    };
    for program in 0..PROGRAMS {
        trial.prepare(program);
    }
    let mut next_look = BETWEEN_LOOKS;
    while trial.line.fired < starts && trial.line.wrong.is_empty() {
        trial.round();
        if trial.line.fired >= next_look {
            next_look = trial.line.fired + BETWEEN_LOOKS;
            trial.look();
        }
    }
    trial.finish();
    line
}

impl Trial<'_> {
    /// Gives a program its manifest and its next batch.
    fn prepare(&mut self, program: usize) {
        let batch = self.batches;
        self.batches += 1;
        let Some(at) = self.programs.get_mut(program) else {
            return;
        };
        at.batch = batch;
        let name = &at.name;
        let manifest = format!(
            "name: {name}\nsource: {{ csv: {{ path: {name}.csv }} }}\ncolumns: {{ id: {{ type: int64 \
             }}, note: {{ type: text }} }}\ncredentials: [env]\nsink:\n  {}\n",
            self.place.sink(&self.database)
        );
        let mut input = String::from("id,note\n");
        let note = "lorem ipsum dolor ".repeat(10);
        for row in 0..self.rows {
            let _ = writeln!(input, "{},{note}", batch * APART + row);
        }
        self.pipeline.write(&format!("{name}.yaml"), manifest);
        self.pipeline.write(&format!("{name}.csv"), input);
    }

    fn chance(&mut self, of: f64) -> bool {
        self.random.share() < of
    }

    fn moment(&mut self) -> Duration {
        self.time.mul_f64(1.2 * self.random.share())
    }

    fn start(&mut self, program: usize) -> Option<(usize, Running, Instant)> {
        let name = &self.programs.get(program)?.name;
        let manifest = format!("{name}.yaml");
        let running = self.pipeline.start(&["run", &manifest, "--resume"]);
        self.line.fired += 1;
        Some((program, running, Instant::now()))
    }

    /// Starts two or three, now and then the same one twice, and ends some of them.
    fn round(&mut self) {
        let third = self.chance(0.5);
        // A file does not remember a batch that is run again.
        let twice = self.chance(0.25) && self.place != Place::Csv;
        let mut order: Vec<usize> = (0..PROGRAMS).collect();
        order.rotate_left((self.random.share() * PROGRAMS as f64) as usize);
        order.truncate(if third { 3 } else { 2 });
        if twice {
            order.truncate(2);
            order.extend(order.first().copied());
        }
        let mut started = Vec::new();
        for program in order {
            started.extend(self.start(program));
            let pause = self.moment() / 4;
            std::thread::sleep(pause);
        }
        let mut done = Vec::new();
        for (program, running, since) in started {
            let signal = match self.random.share() {
                share if share < 0.3 => Some("KILL"),
                share if share < 0.5 => Some("INT"),
                _ => None,
            };
            if let Some(signal) = signal {
                let pause = self.moment();
                std::thread::sleep(pause);
                running.signal(signal);
            }
            let ran = running.end();
            if signal.is_none() && ran.code == Some(0) {
                self.time = (self.time + since.elapsed()) / 2;
            }
            match ran.code {
                Some(0) => done.push(program),
                Some(1 | 2) | None => {
                    self.line.late += u32::from(signal.is_none());
                    let _ = writeln!(self.line.said, "{}", ran.stderr.trim_end());
                }
                Some(code) => self
                    .line
                    .wrong
                    .push(format!("a start ended with {code}: {}", ran.stderr)),
            }
        }
        done.sort_unstable();
        done.dedup();
        for program in done {
            self.report(program);
        }
        if self.place == Place::Csv {
            self.look_for_unreported();
        }
    }

    fn report(&mut self, program: usize) {
        if let Some(at) = self.programs.get(program) {
            self.reported.push(at.batch);
            self.prepare(program);
        }
    }

    /// A file remembers no run: one that was killed behind its last step is not to be run again.
    fn look_for_unreported(&mut self) {
        let found = self.found();
        for program in 0..PROGRAMS {
            let batch = self.programs.get(program).map(|p| p.batch);
            if batch.is_some_and(|batch| found.contains_key(&batch)) {
                self.report(program);
            }
        }
    }

    /// By batch: how many rows are stored, and how many different ones.
    fn found(&self) -> BTreeMap<usize, (usize, usize)> {
        let sql = format!(
            "SELECT CAST(id / {APART} AS TEXT), CAST(count(*) AS TEXT), \
             CAST(count(DISTINCT id) AS TEXT) FROM things GROUP BY id / {APART}"
        );
        let rows = match self.place {
            Place::Csv => return self.found_in_file(),
            Place::Sqlite if !self.pipeline.path("out.db").exists() => return BTreeMap::new(),
            Place::Sqlite => {
                let file = self.pipeline.path("out.db");
                let there = "SELECT name FROM sqlite_schema WHERE name = 'things'";
                if sqlite::query(&file, there).is_empty() {
                    return BTreeMap::new();
                }
                sqlite::query(&file, &sql)
            }
            Place::Postgres => {
                let server = Postgres::shared();
                if server.query(&self.database, "SELECT to_regclass('things')::text") == [[None]] {
                    return BTreeMap::new();
                }
                server.query(&self.database, &sql)
            }
        };
        let number = |cell: Option<&Option<String>>| -> usize {
            let text = cell.and_then(Option::as_deref);
            text.and_then(|text| text.parse().ok())
                .unwrap_or(usize::MAX)
        };
        rows.iter()
            .map(|row| {
                (
                    number(row.first()),
                    (number(row.get(1)), number(row.get(2))),
                )
            })
            .collect()
    }

    fn found_in_file(&self) -> BTreeMap<usize, (usize, usize)> {
        if !self.pipeline.path("out.csv").exists() {
            return BTreeMap::new();
        }
        let text = self.pipeline.read("out.csv");
        let mut ids: Vec<usize> = text
            .lines()
            .skip(1)
            .map(|line| {
                let id = line.split(',').next();
                id.and_then(|id| id.parse().ok()).unwrap_or(usize::MAX)
            })
            .collect();
        ids.sort_unstable();
        let mut found: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        let mut before = None;
        for id in ids {
            let (rows, different) = found.entry(id / APART).or_default();
            *rows += 1;
            *different += usize::from(before != Some(id));
            before = Some(id);
        }
        found
    }

    /// Compares what is stored with what was reported.
    fn look(&mut self) {
        let found = self.found();
        self.line.compared += 1;
        for batch in &self.reported {
            let rows = found.get(batch).copied().unwrap_or_default();
            if rows != (self.rows, self.rows) {
                self.line.wrong.push(format!(
                    "batch {batch} was reported as stored, and of its {} rows there are {} ({} \
                     different ones)",
                    self.rows, rows.0, rows.1
                ));
            }
        }
        for (batch, (rows, different)) in found {
            let half = self.place == Place::Csv && rows != self.rows;
            if rows != different || rows > self.rows || half {
                self.line.wrong.push(format!(
                    "of batch {batch} there are {rows} rows, {different} different ones"
                ));
            }
        }
        if !self.line.wrong.is_empty() {
            self.line.wrong.push(self.line.said.clone());
        }
        self.line.said.clear();
    }

    /// Lets every program end its batch, alone.
    fn finish(&mut self) {
        for program in 0..PROGRAMS {
            let mut left = PATIENCE;
            while let Some(name) = self.programs.get(program).map(|p| p.name.clone()) {
                let manifest = format!("{name}.yaml");
                let ran = self.pipeline.call(&["run", &manifest, "--resume"]);
                left -= 1;
                if ran.code == Some(0) {
                    self.line.resumed += u32::from(ran.stdout.contains("by an earlier start"));
                    self.report(program);
                    break;
                }
                if left == 0 {
                    self.line
                        .wrong
                        .push(format!("{name} did not come to its end: {}", ran.stderr));
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        self.look();
    }
}
