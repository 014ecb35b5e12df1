//! What each choice of the files' layout costs in bytes and brings in time: the same season in lakes that differ from
//! ours in one choice, and the same questions to all of them in turn.

use super::{
    SEED, Size, admin,
    compare::{ROUNDS, ask_ours, median},
    fill::{Written, fill},
    geometric_mean,
    questions::{self, Subject},
    season::Season,
    subject,
};
use crate::{machine, report::Report};
use lakehouse::{Compression, Lake, LakeOptions, Layout, PageRanges, Principal, ZstdLevel};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A lake that differs in one choice.
struct Variant {
    name: &'static str,
    written: Written,
    footer_cache_bytes: usize,
}

fn variants() -> Vec<Variant> {
    let ours = Layout::default;
    let variant = |name, layout| Variant {
        name,
        written: Written {
            layout,
            as_they_came: false,
        },
        footer_cache_bytes: LakeOptions::default().footer_cache_bytes,
    };
    let groups = |group_rows| Layout { group_rows, ..ours() };
    let ranges = |page_ranges| Layout { page_ranges, ..ours() };
    let compressed = |compression| Layout { compression, ..ours() };
    // What writers of Parquet do unless they are told otherwise.
    let library = Layout {
        compression: Compression::SNAPPY,
        group_rows: 1 << 20,
        own_encodings: false,
        bloom_filters: false,
        page_ranges: PageRanges::All,
    };
    let mut before = variant("before: the library's, as rows came", library);
    before.written.as_they_came = true;
    let mut as_they_came = variant("not sorted", ours());
    as_they_came.written.as_they_came = true;
    let no_footers = Variant {
        footer_cache_bytes: 0,
        ..variant("footers read each time", ours())
    };
    vec![
        before,
        variant("after: ours", ours()),
        as_they_came,
        variant("groups of 8 k rows", groups(8 << 10)),
        variant("groups of 64 k rows", groups(64 << 10)),
        variant("groups of 1 M rows", groups(1 << 20)),
        variant("snappy", compressed(Compression::SNAPPY)),
        variant("zstd 3", compressed(Compression::ZSTD(ZstdLevel::try_new(3).unwrap()))),
        variant(
            "the library's encodings",
            Layout {
                own_encodings: false,
                ..ours()
            },
        ),
        variant(
            "no bloom filters",
            Layout {
                bloom_filters: false,
                ..ours()
            },
        ),
        variant("no ranges of pages", ranges(PageRanges::None)),
        variant("ranges of all pages", ranges(PageRanges::All)),
        no_footers,
    ]
}

/// What is asked, and by whom.
struct Asked {
    name: &'static str,
    principal: Principal,
    sql: Vec<String>,
}

fn asked(subject: &Subject) -> [Asked; 5] {
    let raw = |part: &str| {
        let all = questions::all(subject).into_iter();
        let some = all.filter(|question| !question.is_dashboard && question.name.contains(part));
        some.map(|question| question.ours).collect::<Vec<_>>()
    };
    let of = |name, principal, sql| Asked { name, principal, sql };
    let month = "select kind, count(*) as seen, count(distinct session_id) as sessions from interactions
        where day >= date '2026-09-01' and day < date '2026-10-01' group by kind";
    let event = "select kind, count(*) as seen, max(occurred_at) as latest from interactions where event_id = '{event}' group by kind";
    [
        of("ten raw questions", admin(), raw("raw")),
        of("one order", admin(), raw("one order")),
        of("one person", admin(), raw("one person")),
        of("an organizer's month", subject.principal(), vec![month.to_owned()]),
        of("one event", admin(), vec![subject.fill_in(event)]),
    ]
}

pub(crate) fn measure(size: &Size, report: &mut Report) {
    let folder = TempDir::with_prefix("bilten-layout-").unwrap();
    Runtime::new().unwrap().block_on(async {
        size.report(report);
        let mut lakes = Vec::new();
        for (number, variant) in variants().into_iter().enumerate() {
            let folder = folder.path().join(number.to_string());
            let url = format!("file://{}", folder.display());
            let season = Season::new(SEED, size.order_lines);
            let rate = fill(&url, season, size.interactions, &variant.written).await;
            let options = LakeOptions {
                footer_cache_bytes: variant.footer_cache_bytes,
                ..super::options()
            };
            lakes.push((
                variant,
                rate,
                machine::bytes(&folder, ".parquet"),
                Lake::open(&url, options).await.unwrap(),
            ));
        }
        let asked = asked(&subject(&lakes[0].3, size).await);
        let mut head = vec!["layout".to_owned(), "bytes".to_owned(), "written, rows/s".to_owned()];
        head.extend(asked.iter().map(|asked| format!("{}, ms", asked.name)));
        report.row(head);
        let mut rows: Vec<Vec<String>> = lakes
            .iter()
            .map(|(variant, rate, bytes, _)| {
                let name = variant.name.to_owned();
                vec![
                    name,
                    format!("{} M", bytes / 1_000_000),
                    format!("{} k", (rate / 1e3).round()),
                ]
            })
            .collect();
        for asked in &asked {
            for (row, took) in rows.iter_mut().zip(times(&lakes, asked).await) {
                row.push(format!("{took:.1}"));
            }
        }
        rows.into_iter().for_each(|row| report.row(row));
        for (.., lake) in lakes {
            lake.close().await.unwrap();
        }
    });
}

/// For each lake the geometric mean of what its questions take at the median, in milliseconds.
async fn times(lakes: &[(Variant, f64, u64, Lake)], asked: &Asked) -> Vec<f64> {
    let mut medians = vec![Vec::new(); lakes.len()];
    for sql in &asked.sql {
        let mut times = vec![Vec::new(); lakes.len()];
        for round in 0..=ROUNDS {
            for (times, (.., lake)) in times.iter_mut().zip(lakes) {
                let (_, took) = ask_ours(lake, &asked.principal, sql).await;
                if round > 0 {
                    times.push(took.as_secs_f64() * 1e3);
                }
            }
        }
        medians
            .iter_mut()
            .zip(times)
            .for_each(|(all, times)| all.push(median(times)));
    }
    medians.iter().map(|medians| geometric_mean(medians)).collect()
}
