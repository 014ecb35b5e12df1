//! What was measured, as JSON for programs and as a Markdown table for people.

use crate::machine;
use serde_json::{Value, json};
use std::{fs, io::Write, path::Path, time::Duration};

pub(crate) struct Report {
    quick: bool,
    figures: Vec<Figure>,
    sizes: Vec<(String, f64)>,
    section: &'static str,
    compared: Vec<Compared>,
    engines: Vec<String>,
    table: Vec<Vec<String>>,
}

/// One question to three engines, in milliseconds.
struct Compared {
    question: String,
    ours: f64,
    duckdb: f64,
    chdb: f64,
}

struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    budget: Option<Budget>,
}

#[derive(Clone, Copy)]
pub(crate) struct Budget {
    limit: f64,
    is_most: bool,
}

pub(crate) fn at_most(limit: f64) -> Budget {
    Budget { limit, is_most: true }
}

pub(crate) fn at_least(limit: f64) -> Budget {
    Budget { limit, is_most: false }
}

impl Budget {
    fn text(self) -> String {
        format!("{} {}", if self.is_most { "≤" } else { "≥" }, number(self.limit))
    }

    /// How the figure stands to the budget, in words.
    fn verdict(self, value: f64) -> String {
        let met = if self.is_most {
            value <= self.limit
        } else {
            value >= self.limit
        };
        let ratio = if self.is_most {
            value / self.limit
        } else {
            self.limit / value.max(f64::MIN_POSITIVE)
        };
        match (met, self.limit == 0.0) {
            (true, _) => "met".to_owned(),
            (false, true) => format!("missed by {}", number(value)),
            (false, false) => format!("missed by a factor of {ratio:.2}"),
        }
    }
}

impl Report {
    pub(crate) fn new(quick: bool) -> Self {
        Self {
            quick,
            figures: Vec::new(),
            sizes: Vec::new(),
            section: "",
            compared: Vec::new(),
            engines: Vec::new(),
            table: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, what: impl Into<String>, value: f64, unit: &'static str, budget: Option<Budget>) {
        let figure = Figure {
            what: format!("{}{}", self.section, what.into()),
            value,
            unit,
            budget,
        };
        say(&format!("{}: {} {}", figure.what, number(value), unit));
        self.figures.push(figure);
    }

    pub(crate) fn compared(&mut self, question: &str, ours: f64, duckdb: f64, chdb: f64) {
        let compared = Compared {
            question: question.to_owned(),
            ours,
            duckdb,
            chdb,
        };
        say(&compared.row());
        self.compared.push(compared);
    }

    /// A row of a table of its own; the first one is its head.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        say(&cells.join(" | "));
        self.table.push(cells);
    }

    /// What was compared with.
    pub(crate) fn engines(&mut self, versions: &Value) {
        let names = versions.as_object().into_iter().flat_map(|names| names.values());
        self.engines = names.filter_map(Value::as_str).map(str::to_owned).collect();
    }

    /// What the names of the figures that follow begin with.
    pub(crate) fn section(&mut self, section: &'static str) {
        self.section = section;
    }

    /// Says why something was not measured.
    pub(crate) fn left_out(&mut self, what: &str, why: &str) {
        say(&format!("{what}: left out, {why}"));
    }

    pub(crate) fn size(&mut self, what: impl Into<String>, value: f64) {
        self.sizes.push((what.into(), value));
    }

    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let machine = machine::describe();
        let json = json!({
            "machine": machine, "quick": self.quick,
            "figures": self.figures.iter().map(Figure::json).collect::<Vec<_>>(),
            "engines": self.engines,
            "compared": self.compared.iter().map(Compared::json).collect::<Vec<_>>(),
            "table": self.table,
            "data_sizes": self.sizes.iter().map(|(what, value)| json!({ "what": what, "value": value })).collect::<Vec<_>>(),
        });
        fs::write(folder.join("bench.json"), serde_json::to_string_pretty(&json).unwrap()).unwrap();
        let markdown = self.markdown(&machine);
        fs::write(folder.join("bench.md"), &markdown).unwrap();
        say(&format!("\n{markdown}\nwritten to {}", folder.display()));
    }

    fn markdown(&self, machine: &[(String, String)]) -> String {
        let mut text = String::from("| what | measured | budget | |\n|---|---|---|---|\n");
        for figure in &self.figures {
            let (budget, verdict) = match figure.budget {
                Some(budget) => (budget.text(), budget.verdict(figure.value)),
                None => Default::default(),
            };
            text += &format!(
                "| {} | {} {} | {budget} | {verdict} |\n",
                figure.what,
                number(figure.value),
                figure.unit
            );
        }
        text += "\n";
        if !self.compared.is_empty() {
            text += "| question | Bilten | DuckDB | chDB | DuckDB ÷ Bilten | Bilten ÷ the better |\n|---|---|---|---|---|---|\n";
            self.compared
                .iter()
                .for_each(|compared| text += &format!("{}\n", compared.row()));
            text += &format!("\n- compared with: {}\n", self.engines.join(", "));
        }
        for (number, cells) in self.table.iter().enumerate() {
            text += &format!("| {} |\n", cells.join(" | "));
            if number == 0 {
                text += &format!("{}|\n", "|---".repeat(cells.len()));
            }
        }
        if !self.table.is_empty() {
            text += "\n";
        }
        for (what, value) in machine {
            text += &format!("- {what}: {value}\n");
        }
        let sizes: Vec<String> = self
            .sizes
            .iter()
            .map(|(what, value)| format!("{} {what}", number(*value)))
            .collect();
        text += &format!("- data: {}\n", sizes.join(", "));
        if self.quick {
            text += "- a quick run: a tenth of the load, only good to see that it runs\n";
        }
        text
    }
}

impl Compared {
    fn ratios(&self) -> (f64, f64) {
        (self.duckdb / self.ours, self.ours / self.duckdb.min(self.chdb))
    }

    fn row(&self) -> String {
        let Self {
            question,
            ours,
            duckdb,
            chdb,
        } = self;
        let (faster, slower) = self.ratios();
        format!("| {question} | {ours:.1} ms | {duckdb:.1} ms | {chdb:.1} ms | {faster:.2} | {slower:.2} |")
    }

    fn json(&self) -> Value {
        let (duckdb_to_ours, ours_to_better) = self.ratios();
        json!({
            "question": self.question, "ours_ms": self.ours, "duckdb_ms": self.duckdb, "chdb_ms": self.chdb,
            "duckdb_to_ours": duckdb_to_ours, "ours_to_better": ours_to_better,
        })
    }
}

impl Figure {
    fn json(&self) -> Value {
        json!({
            "what": self.what, "value": self.value, "unit": self.unit,
            "budget": self.budget.map(|budget| budget.limit),
            "verdict": self.budget.map(|budget| budget.verdict(self.value)),
        })
    }
}

/// Latencies, to be asked for percentiles.
#[derive(Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self(latencies)
    }

    /// In milliseconds.
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (percent / 100.0 * last as f64).round() as usize;
        self.0.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Digits that mean something, in groups of three.
fn number(value: f64) -> String {
    if value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
