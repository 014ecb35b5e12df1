//! Progress of long work: a bar with rate and time left on a terminal, a plain line now and then elsewhere.

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

const LINE_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    done: u64,
    total: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(what, total));
        let now = Instant::now();
        Self {
            what,
            bar,
            done: 0,
            total,
            started: now,
            last_line: now,
        }
    }

    pub(crate) fn add(&mut self, count: u64) {
        self.done += count;
        match &self.bar {
            Some(bar) => bar.inc(count),
            None if self.last_line.elapsed() >= LINE_EVERY => self.line(),
            None => {}
        }
    }

    pub(crate) fn finish(mut self) {
        match self.bar.take() {
            Some(bar) => bar.finish(),
            None => self.line(),
        }
    }

    #[expect(clippy::print_stderr, reason = "this is the command line's own output")]
    fn line(&mut self) {
        self.last_line = Instant::now();
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = self.done as f64 / seconds;
        let left = Duration::from_secs_f64(self.total.saturating_sub(self.done) as f64 / rate.max(0.001));
        eprintln!(
            "{}: {} of {}, {}/s, {} left",
            self.what,
            HumanCount(self.done),
            HumanCount(self.total),
            HumanCount(rate as u64),
            HumanDuration(left)
        );
    }
}

fn bar(what: &'static str, total: u64) -> ProgressBar {
    let template = "{prefix} {wide_bar} {human_pos}/{human_len} {per_sec} {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style);
    bar.set_prefix(what);
    bar
}
