//! The same questions to three engines in turn: ours, DuckDB and chDB, on the same files with as many threads. What they
//! answer has to be the same before anybody's time is taken.

use super::questions::{self, Question};
use lakehouse::{
    Lake, Principal, RecordBatch,
    arrow::json::{ArrayWriter, WriterBuilder, writer::JsonArray},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tests::python::python;

/// After one that warms up.
pub(super) const ROUNDS: usize = 5;
pub(super) const THREADS: usize = 2;

/// Milliseconds of each engine, the median of all rounds.
pub(super) struct Compared {
    pub(super) ours: f64,
    pub(super) duckdb: f64,
    pub(super) chdb: f64,
}

/// Python with the others in it.
pub(super) struct Others {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(super) versions: Value,
}

impl Others {
    pub(super) fn start(lake: &Path) -> Self {
        let mut child = Command::new(python())
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/engines.py"))
            .arg(lake)
            .arg(THREADS.to_string())
            .arg(questions::folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python can be run");
        let requests = child.stdin.take().unwrap();
        let mut others = Self {
            answers: BufReader::new(child.stdout.take().unwrap()),
            requests,
            child,
            versions: Value::Null,
        };
        others.versions = others.read();
        others
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).expect("the engines answer")
    }

    /// Its rows, and how many milliseconds they took.
    fn ask(&mut self, engine: &str, sql: &str) -> (Vec<Value>, f64) {
        writeln!(self.requests, "{}", json!({ "engine": engine, "sql": sql })).unwrap();
        let mut answer = self.read();
        assert!(answer["error"].is_null(), "{engine}: {}\n{sql}", answer["error"]);
        let took = answer["ms"].as_f64().unwrap();
        match answer["rows"].take() {
            Value::Array(rows) => (rows, took),
            other => panic!("{engine} answers {other}"),
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) async fn ask_ours(lake: &Lake, principal: &Principal, sql: &str) -> (Vec<RecordBatch>, Duration) {
    let started = Instant::now();
    let rows = async { lake.session(principal).sql(sql).await?.collect().await };
    let rows = rows.await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    (rows, started.elapsed())
}

/// Asks all three, one after the other, round by round.
pub(super) async fn compare(lake: &Lake, principal: &Principal, others: &mut Others, question: &Question) -> Compared {
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        let (rows, took) = ask_ours(lake, principal, &question.ours).await;
        let duckdb = others.ask("duckdb", &question.duckdb);
        let chdb = others.ask("chdb", &question.chdb);
        if round == 0 {
            let ours = canonical(plain(&rows));
            assert_eq!(ours, canonical(duckdb.0), "{}: ours and DuckDB's", question.name);
            assert_eq!(ours, canonical(chdb.0), "{}: ours and chDB's", question.name);
            continue;
        }
        times[0].push(took.as_secs_f64() * 1e3);
        times[1].push(duckdb.1);
        times[2].push(chdb.1);
    }
    let [ours, duckdb, chdb] = times.map(median);
    Compared { ours, duckdb, chdb }
}

pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Rows as lists of values.
fn plain(batches: &[RecordBatch]) -> Vec<Value> {
    let mut writer: ArrayWriter<Vec<u8>> = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, JsonArray>(Vec::new());
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    let text = writer.into_inner();
    let rows: Vec<Value> = serde_json::from_slice(if text.is_empty() { b"[]" } else { &text }).unwrap();
    let names = batches.first().map(|batch| batch.schema());
    let names: Vec<String> = names
        .iter()
        .flat_map(|schema| schema.fields().iter().map(|f| f.name().clone()))
        .collect();
    rows.into_iter()
        .map(|row| names.iter().map(|name| row[name].clone()).collect())
        .collect()
}

/// In an order and a form of their own: numbers to nine digits, and a day's begin as the day.
fn canonical(rows: Vec<Value>) -> Vec<String> {
    let value = |value: &Value| match (value.as_f64(), value.as_str()) {
        (Some(number), _) => format!("{number:.9e}"),
        (_, Some(text)) => text.trim_end_matches("T00:00:00").to_owned(),
        _ => value.to_string(),
    };
    let row = |row: &Value| {
        row.as_array()
            .map(|row| row.iter().map(value).collect::<Vec<_>>().join(" | "))
    };
    let mut rows: Vec<String> = rows.iter().filter_map(row).collect();
    rows.sort();
    rows
}
