//! What visitors did on the pages: sessions that mostly look, sometimes hold tickets, and seldom check out.

use super::{
    chance::{Chance, Id, mix},
    season::{DAY, DAYS, FIRST_DAY, SECOND, Season, moment},
};
use lakehouse::{
    RecordBatch, SchemaRef,
    arrow::{
        array::{ArrayRef, Int64Array, StringBuilder, TimestampMicrosecondArray, new_null_array},
        error::ArrowError,
    },
};
use std::sync::Arc;

/// So many rows are one batch.
const BATCH: usize = 64 * 1024;
const NONE: u32 = u32::MAX;

const KINDS: [&str; 6] = [
    "page_view",
    "event_view",
    "search",
    "recommendation_shown",
    "hold_started",
    "checkout_started",
];
const PAGE: u8 = 0;
const VIEW: u8 = 1;
const SEARCH: u8 = 2;
const SHOWN: u8 = 3;
const HOLD: u8 = 4;
const CHECKOUT: u8 = 5;

/// (source, medium, campaign, referrer); the first is who came by themselves.
const SOURCES: [(&str, &str, &str, &str); 6] = [
    ("", "", "", ""),
    ("newsletter", "email", "season-opening", ""),
    ("instagram", "social", "spring", "https://www.instagram.com/"),
    ("google", "cpc", "brand", "https://www.google.com/"),
    ("city-guide", "referral", "tips", "https://city-guide.example.org/"),
    ("partner", "affiliate", "partners", "https://partner.example.org/"),
];

pub(super) struct Visits {
    season: Arc<Season>,
    /// How many interactions come before the end of each day.
    up_to: Vec<u64>,
    next_offsets: [u64; 2],
    as_they_came: bool,
}

struct Session {
    id: Id,
    visitor: Id,
    person: Option<Id>,
    source: usize,
}

struct Visit {
    at: i64,
    organizer: u32,
    event: u32,
    session: u32,
    kind: u8,
    offset: u64,
}

/// Who looks at what on one day: events in proportion to what they sell.
struct Attention<'a> {
    season: &'a Season,
    /// (lines sold before and with this one, the event)
    weights: Vec<(u64, usize)>,
    of_organizer: Vec<Vec<u32>>,
}

impl Attention<'_> {
    fn event(&self, chance: &mut Chance) -> Option<usize> {
        let (all, _) = self.weights.last()?;
        let place = chance.below(*all);
        let found = self.weights.partition_point(|(up_to, _)| *up_to <= place);
        self.weights.get(found).map(|(_, event)| *event)
    }
}

impl Visits {
    pub(super) fn new(season: Arc<Season>, interactions: u64, as_they_came: bool) -> Self {
        let lines = |day| season.sales_on(day).map(|(_, lines)| lines).sum::<u64>() as f64;
        let days = FIRST_DAY..FIRST_DAY + DAYS;
        let all: f64 = days.clone().map(lines).sum();
        let mut share = 0.0;
        let up_to = days.map(|day| {
            share += 0.3 / DAYS as f64 + 0.7 * lines(day) / all;
            (interactions as f64 * share).round() as u64
        });
        let up_to = up_to.collect();
        Self {
            season,
            up_to,
            next_offsets: [0; 2],
            as_they_came,
        }
    }

    pub(super) fn next_offsets(&self) -> [u64; 2] {
        self.next_offsets
    }

    /// The rows of one day, sorted as compaction would: by organizer, then by time.
    pub(super) fn day(&mut self, day: i64, schema: &SchemaRef) -> Result<Vec<RecordBatch>, ArrowError> {
        let place = (day - FIRST_DAY) as usize;
        let wanted = self.up_to[place] - place.checked_sub(1).map_or(0, |before| self.up_to[before]);
        let (sessions, mut visits) = self.sessions(day, wanted as usize);
        visits.sort_unstable_by_key(|visit| (visit.at, visit.session));
        for visit in &mut visits {
            let next = &mut self.next_offsets[visit.session as usize % 2];
            visit.offset = *next;
            *next += 1;
        }
        if !self.as_they_came {
            visits.sort_unstable_by_key(|visit| (visit.organizer, visit.at, visit.session));
        }
        visits
            .chunks(BATCH)
            .map(|rows| self.batch(rows, &sessions, schema))
            .collect()
    }

    fn sessions(&self, day: i64, wanted: usize) -> (Vec<Session>, Vec<Visit>) {
        let season = &*self.season;
        let mut chance = Chance::of(season.seed, 20_000 + day as u64);
        let mut attention = Attention {
            season,
            weights: Vec::new(),
            of_organizer: vec![vec![]; season.organizers.len()],
        };
        let mut all = 0;
        for (event, lines) in season.sales_on(day) {
            all += lines;
            attention.weights.push((all, event));
            attention.of_organizer[season.events[event].organizer].push(event as u32);
        }
        let (mut sessions, mut visits) = (Vec::new(), Vec::with_capacity(wanted + 64));
        while visits.len() < wanted {
            sessions.push(session(
                day,
                sessions.len() as u32,
                &attention,
                &mut chance,
                &mut visits,
            ));
        }
        visits.truncate(wanted);
        (sessions, visits)
    }

    fn batch(&self, rows: &[Visit], sessions: &[Session], schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let season = &self.season;
        let session = |row: &Visit| &sessions[row.session as usize];
        let event = |row: &Visit| (row.event != NONE).then(|| &season.events[row.event as usize].id);
        let source = |row: &Visit| Some(SOURCES[session(row).source]).filter(|(source, ..)| !source.is_empty());
        let columns = schema.fields().iter().map(|field| -> ArrayRef {
            let text = |width: usize, write: &dyn Fn(&Visit, &mut StringBuilder)| {
                let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * width);
                rows.iter().for_each(|row| write(row, &mut builder));
                Arc::new(builder.finish()) as ArrayRef
            };
            let ids = |id: &dyn for<'a> Fn(&'a Visit) -> Id| text(36, &|row, to| to.append_value(id(row).as_str()));
            let numbers = |number: &dyn Fn(&Visit) -> i64| Arc::new(rows.iter().map(number).collect::<Int64Array>());
            let times = |after: i64| {
                let times = rows.iter().map(|row| row.at + after);
                Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC"))
            };
            match field.name().as_str() {
                "interaction_id" => {
                    ids(&|row| Id::at(row.at, mix(season.seed, row.offset * 2 + u64::from(row.session) % 2)))
                }
                "kind" => text(12, &|row, to| to.append_value(KINDS[row.kind as usize])),
                "organizer_id" => ids(&|row| season.organizers[row.organizer as usize].id),
                "event_id" => text(36, &|row, to| to.append_option(event(row).map(Id::as_str))),
                "visitor_id" => ids(&|row| session(row).visitor),
                "person_id" => text(20, &|row, to| {
                    to.append_option(session(row).person.as_ref().map(Id::as_str))
                }),
                "session_id" => ids(&|row| session(row).id),
                "occurred_at" => times(-150_000),
                "received_at" | "_ingested_at" => times(0),
                "url" => text(60, &|row, to| match event(row) {
                    Some(event) => to.append_value(format!("https://shop.example.org/events/{event}")),
                    None => to.append_value("https://shop.example.org/"),
                }),
                "referrer" => text(20, &|row, to| {
                    let referrer = source(row).map(|(.., referrer)| referrer);
                    to.append_option(referrer.filter(|referrer| !referrer.is_empty()));
                }),
                "utm_source" => text(8, &|row, to| to.append_option(source(row).map(|(source, ..)| source))),
                "utm_medium" => text(8, &|row, to| {
                    to.append_option(source(row).map(|(_, medium, ..)| medium))
                }),
                "utm_campaign" => text(8, &|row, to| {
                    to.append_option(source(row).map(|(_, _, campaign, _)| campaign))
                }),
                "properties" => text(4, &|row, to| match row.kind {
                    SEARCH => to.append_value(["{\"q\":\"jazz\"}", "{\"q\":\"comedy\"}"][row.offset as usize % 2]),
                    _ => to.append_value("{}"),
                }),
                "_topic" => text(12, &|_, to| to.append_value(lakehouse::INTERACTIONS)),
                "_partition" => numbers(&|row| i64::from(row.session % 2)),
                "_offset" => numbers(&|row| row.offset as i64),
                _ => new_null_array(field.data_type(), rows.len()),
            }
        });
        RecordBatch::try_new(Arc::clone(schema), columns.collect())
    }
}

fn session(day: i64, number: u32, attention: &Attention<'_>, chance: &mut Chance, visits: &mut Vec<Visit>) -> Session {
    let season = attention.season;
    let event = Some(())
        .filter(|()| chance.percent(85))
        .and_then(|()| attention.event(chance));
    let organizer = event.map_or_else(
        || chance.skewed(season.organizers.len(), 2.0),
        |event| season.events[event].organizer,
    );
    let mut at = moment(day, chance);
    let id = Id::at(at, chance.next());
    // Who consents is known again by the same id; who does not gets another one every day.
    let visitor = match chance.percent(60) {
        true => {
            let place = chance.skewed(season.organizers[organizer].people * 4, 1.3) as u64;
            Id::at(FIRST_DAY * DAY, mix(season.seed, mix(50_000 + organizer as u64, place)))
        }
        false => Id::at(at, chance.next()),
    };
    let buys = chance.percent(4) && event.is_some();
    let steps = 1 + (-(1.0 - chance.share()).ln() * 5.2) as usize;
    let mut visit = |event: Option<usize>, kind: u8, chance: &mut Chance| {
        visits.push(Visit {
            at: at.min(day * DAY + DAY - 1),
            organizer: organizer as u32,
            event: event.map_or(NONE, |event| event as u32),
            session: number,
            kind,
            offset: 0,
        });
        at += (3 + chance.below(50) as i64) * SECOND + chance.below(1_000_000) as i64;
    };
    let others = &attention.of_organizer[organizer];
    for step in 0..steps {
        match (event, chance.below(10)) {
            (Some(event), 0..=4) => visit(Some(event), VIEW, chance),
            (Some(_), 5 | 6) => visit(Some(chance.one_of(others) as usize), VIEW, chance),
            (_, 7) => visit(None, SEARCH, chance),
            (_, 8) if step > 0 => visit(None, SHOWN, chance),
            _ => visit(None, PAGE, chance),
        }
    }
    if buys {
        visit(event, VIEW, chance);
        visit(event, HOLD, chance);
        if chance.percent(70) {
            visit(event, CHECKOUT, chance);
        }
    }
    Session {
        id,
        visitor,
        person: (buys || chance.percent(15)).then(|| season.person(organizer, chance)),
        source: if chance.percent(55) {
            0
        } else {
            1 + chance.skewed(SOURCES.len() - 1, 1.3)
        },
    }
}
