//! Metrics, asked over a made-up history: what they answer is what the lake's own tables say.

use super::{world::World, *};
use crate::metrics::{Compare, Filter, Grain, Metric, MetricQuery, Time, metrics};
use chrono::{DateTime, TimeDelta, Utc};
use lakehouse::arrow::array::AsArray;

async fn world() -> (World, Lake, Moment) {
    let mut world = World::new("metrics");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let runner = runner(&lake).await;
    (0..300).for_each(|_| world.step());
    world.tell(&lake).await;
    runner.run(false).await.unwrap();
    (0..100).for_each(|_| world.step());
    world.tell(&lake).await;
    let moment = runner.moment().await.unwrap();
    (world, lake, moment)
}

fn of(metric: &str) -> MetricQuery {
    MetricQuery {
        metrics: vec![metric.to_owned()],
        ..MetricQuery::default()
    }
}

async fn asked(moment: &Moment, query: &MetricQuery) -> Vec<String> {
    rows(moment, &query.sql().unwrap()).await
}

async fn number(moment: &Moment, sql: &str) -> i64 {
    let sql = format!("select cast(coalesce(sum(x), 0) as bigint) as x from ({sql})");
    let batches = moment.rows(&sql).await.unwrap();
    batches[0]
        .column(0)
        .as_primitive::<lakehouse::arrow::datatypes::Int64Type>()
        .value(0)
}

fn grains(metric: &Metric) -> Vec<Option<Grain>> {
    let all = [
        None,
        Some(Grain::Month),
        Some(Grain::Week),
        Some(Grain::Day),
        Some(Grain::Hour),
        Some(Grain::Minute),
    ];
    let finest = match metric.time {
        Time::Whole => 1,
        Time::Day(_) => 4,
        Time::Instant(_) => 6,
    };
    all[..finest].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_answers_by_each_dimension_at_each_grain_and_its_parts_add_up() {
    let (_world, _lake, moment) = world().await;
    for metric in metrics() {
        let adds_up = metric.about.expression.starts_with("sum(");
        let total = |query: MetricQuery| {
            let sql = format!("select {} as x from ({})", metric.name, query.sql().unwrap());
            let moment = &moment;
            async move { number(moment, &sql).await }
        };
        let whole = total(of(&metric.name)).await;
        for grain in grains(metric) {
            let query = MetricQuery {
                grain,
                limit: Some(50_000),
                ..of(&metric.name)
            };
            let sum = total(query).await;
            assert!(
                !adds_up || sum == whole,
                "{} at {grain:?}: {sum} and not {whole}",
                metric.name
            );
        }
        for dimension in metric.dimensions.iter().cloned().chain(["organizer_id".to_owned()]) {
            let query = MetricQuery {
                dimensions: vec![dimension.clone()],
                ..of(&metric.name)
            };
            let sum = total(query).await;
            assert!(
                !adds_up || sum == whole,
                "{} by {dimension}: {sum} and not {whole}",
                metric.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sales_are_what_valid_tickets_of_paid_orders_cost_in_each_currency() {
    let (_world, _lake, moment) = world().await;
    let told = rows(
        &moment,
        "select tickets.currency as currency, sum(price_minor) as net_sales, count(*) as tickets_sold
         from lake.tickets as tickets join lake.orders as orders on tickets.order_id = orders.order_id
         where tickets.status = 'valid' and orders.status = 'paid' group by tickets.currency",
    )
    .await;
    let query = MetricQuery {
        metrics: vec!["net_sales".into(), "tickets_sold".into()],
        ..MetricQuery::default()
    };
    assert!(!told.is_empty());
    assert_eq!(asked(&moment, &query).await, told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_of_several_marts_stand_in_one_row_and_beside_what_came_before() {
    let (_world, _lake, moment) = world().await;
    let day = |text: &str| Some(text.parse().unwrap());
    let query = MetricQuery {
        metrics: vec!["tickets_sold".into(), "orders_paid".into(), "entries".into()],
        dimensions: vec!["event_id".into()],
        from: day("2026-05-02"),
        to: day("2026-05-03"),
        compare_to: Some(Compare::Previous),
        order_by: Some("-tickets_sold".into()),
        ..MetricQuery::default()
    };
    let sql = query.sql().unwrap();
    let unique = format!("select count(*) - count(distinct event_id) as x from ({sql})");
    assert_eq!(number(&moment, &unique).await, 0, "one row an event");
    let before = format!("select tickets_sold_before as x from ({sql})");
    let alone = MetricQuery {
        from: day("2026-05-01"),
        to: day("2026-05-02"),
        ..of("tickets_sold")
    };
    let alone = format!("select tickets_sold as x from ({})", alone.sql().unwrap());
    let there = number(&moment, &alone).await;
    assert!(there > 0);
    assert_eq!(number(&moment, &before).await, there);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_takes_texts_as_they_are_and_rows_without_a_value() {
    let (_world, _lake, moment) = world().await;
    let only = |values: &[Option<&str>]| MetricQuery {
        filters: vec![Filter {
            dimension: "phase".into(),
            values: values.iter().map(|value| value.map(str::to_owned)).collect(),
        }],
        ..of("tickets_sold")
    };
    let sum = async |query: MetricQuery| {
        number(
            &moment,
            &format!("select tickets_sold as x from ({})", query.sql().unwrap()),
        )
        .await
    };
    let hostile = only(&[Some("' or 1 = 1 --"), Some("x'); drop table orders; --")]);
    assert_eq!(sum(hostile).await, 0);
    let whole = sum(of("tickets_sold")).await;
    let phases = moment
        .texts("select distinct phase from marts.sales where phase is not null")
        .await
        .unwrap();
    let phases: Vec<Option<&str>> = phases.iter().map(|phase| Some(phase.as_str())).collect();
    let with = match phases.is_empty() {
        true => 0,
        false => sum(only(&phases)).await,
    };
    assert_eq!(with + sum(only(&[None])).await, whole);
}

#[test]
fn what_can_not_be_asked_is_said_where_it_was_asked() {
    let pointer = |query: MetricQuery| query.sql().unwrap_err().pointer;
    assert_eq!(pointer(of("happiness")), "/metrics/0");
    assert_eq!(pointer(MetricQuery::default()), "/metrics");
    let by = |dimension: &str| MetricQuery {
        dimensions: vec![dimension.to_owned()],
        ..of("net_sales")
    };
    assert_eq!(pointer(by("gate")), "/dimensions/0");
    assert_eq!(pointer(by("event_id\" from x; --")), "/dimensions/0");
    let finer = MetricQuery {
        grain: Some(Grain::Hour),
        ..of("net_revenue")
    };
    assert_eq!(pointer(finer), "/grain");
    let order = MetricQuery {
        order_by: Some("tickets_sold; --".into()),
        ..of("net_sales")
    };
    assert_eq!(pointer(order), "/order_by");
    let before = MetricQuery {
        compare_to: Some(Compare::Previous),
        ..of("net_sales")
    };
    assert_eq!(pointer(before), "/compare_to");
    let between = |from: &str, to: &str, compare_to| MetricQuery {
        from: Some(from.parse().unwrap()),
        to: Some(to.parse().unwrap()),
        compare_to,
        ..of("new_buyers")
    };
    assert_eq!(pointer(between("-262143-01-01", "2026-01-01", None)), "/from");
    assert_eq!(pointer(between("2026-01-01", "+262142-12-31", None)), "/to");
    let before = between("0001-01-01", "2026-01-01", Some(Compare::Previous));
    assert_eq!(pointer(before), "/compare_to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_over_the_whole_calendar_answers_what_no_range_does() {
    let (_world, _lake, moment) = world().await;
    for metric in metrics().iter().filter(|metric| metric.time != Time::Whole) {
        let whole = MetricQuery {
            from: "0001-01-01".parse().ok(),
            to: "9999-12-31".parse().ok(),
            ..of(&metric.name)
        };
        let answer = asked(&moment, &whole).await;
        assert_eq!(answer, asked(&moment, &of(&metric.name)).await, "{}", metric.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_answer_what_whole_ranges_do_one_by_one() {
    let (_world, _lake, moment) = world().await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let spans = [
        (at("2026-05-01T15:00:00Z"), at("2026-05-01T16:00:00Z")),
        (at("2026-05-01T12:30:00Z"), at("2026-05-01T13:30:00Z")),
        (at("2026-04-01T12:30:00Z"), at("2026-04-01T13:30:00Z")),
    ];
    let query = MetricQuery {
        filters: vec![Filter {
            dimension: "title".into(),
            values: ["Event 0", "Event 1", "Event 2"]
                .map(|title| Some(title.to_owned()))
                .into(),
        }],
        ..of("net_sales")
    };
    let answer = rows(&moment, &query.spans_sql(&spans, Some("EUR")).unwrap()).await;
    let mut wanted = Vec::new();
    for (place, (from, to)) in spans.iter().enumerate() {
        let bound = |at: &DateTime<Utc>| format!("timestamp '{}'", at.format("%Y-%m-%dT%H:%M:%SZ"));
        let sql = format!(
            "select {place} as span, cast(sum(sold_minor - cancelled_minor) as double) as value
             from marts.sales join staging.stg_events using (event_id)
             where title in ('Event 0', 'Event 1', 'Event 2') and sales.currency = 'EUR'
                 and minute_at >= {} and minute_at < {}
             having count(*) > 0",
            bound(from),
            bound(to)
        );
        wanted.extend(rows(&moment, &sql).await);
    }
    assert!(!wanted.is_empty());
    assert_eq!(answer, wanted);
    for metric in metrics().iter().filter(|metric| metric.time != Time::Whole) {
        rows(&moment, &of(&metric.name).spans_sql(&spans, Some("EUR")).unwrap()).await;
    }
    let many: Vec<_> = (0..9)
        .map(|week| (spans[0].0 - TimeDelta::weeks(week), spans[0].1 - TimeDelta::weeks(week)))
        .collect();
    assert!(
        query.spans_sql(&many, Some("EUR")).unwrap().len() < 8 * 1024,
        "a query has at most 16 KiB"
    );
}

/// A moment of a world without history, but for these rows of a mart.
async fn given(mart: &str, rows: &str) -> (World, Lake, Moment) {
    let world = World::new("nothing");
    let lake = Lake::open(&world.url(), manual()).await.unwrap();
    let moment = runner(&lake).await.moment().await.unwrap();
    let rows = moment.rows(&format!("select * from (values {rows}")).await.unwrap();
    let moment = moment.given([(("marts".to_owned(), mart.to_owned()), rows[0].clone())]);
    (world, lake, moment)
}

async fn by(moment: &Moment, metric: &str, dimensions: &[&str]) -> Vec<String> {
    let query = MetricQuery {
        dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
        ..of(metric)
    };
    asked(moment, &query).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_so_far_are_those_that_are_left_after_cancellations() {
    let sold = "('e1', 30, 100, 100), ('e1', 2, -40, 60), ('e2', 30, 5, 5))
        as t(event_id, days_to_event, tickets, tickets_so_far)";
    let (_world, _lake, moment) = given("events_compared", sold).await;
    let metric = "tickets_so_far";
    assert_eq!(by(&moment, metric, &[]).await, ["{\"tickets_so_far\":65}"]);
    let events = [
        "{\"event_id\":\"e1\",\"tickets_so_far\":60}",
        "{\"event_id\":\"e2\",\"tickets_so_far\":5}",
    ];
    assert_eq!(by(&moment, metric, &["event_id"]).await, events);
    let days = [
        "{\"event_id\":\"e1\",\"days_to_event\":2,\"tickets_so_far\":60}",
        "{\"event_id\":\"e1\",\"days_to_event\":30,\"tickets_so_far\":100}",
        "{\"event_id\":\"e2\",\"days_to_event\":30,\"tickets_so_far\":5}",
    ];
    assert_eq!(by(&moment, metric, &["event_id", "days_to_event"]).await, days);
    let several = [
        "{\"days_to_event\":2,\"tickets_so_far\":60}",
        "{\"days_to_event\":30,\"tickets_so_far\":null}",
    ];
    assert_eq!(by(&moment, metric, &["days_to_event"]).await, several);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_paid_in_the_shop_has_no_time_to_pay() {
    let orders = "(3, 1, 60), (9, 0, 0)) as t(paid, timed_payments, seconds_to_payment)";
    let (_world, _lake, moment) = given("order_flow_by_day", orders).await;
    let told = by(&moment, "seconds_to_payment", &[]).await;
    assert_eq!(told, ["{\"seconds_to_payment\":60.0}"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_came_back_counts_and_the_first_month_does_not() {
    let cohorts = "(0, 100, 100), (1, 10, 100), (0, 100, 100), (1, 0, 100)) as t(months_later, people, cohort_people)";
    let (_world, _lake, moment) = given("cohorts", cohorts).await;
    assert_eq!(by(&moment, "retention", &[]).await, ["{\"retention\":0.05}"]);
    let later = [
        "{\"months_later\":0,\"retention\":null}",
        "{\"months_later\":1,\"retention\":0.05}",
    ];
    assert_eq!(by(&moment, "retention", &["months_later"]).await, later);
}
