//! What the filter bar offers: the values of each dimension that the range has most of, and the events that are nearest.

use super::{
    page::Of,
    panel::{Asking, objects},
    view::{FilterView, Link},
};
use futures::future::{join, join_all};

#[derive(Default)]
pub struct Choices {
    pub filters: Vec<FilterView>,
    pub events: Vec<Link>,
    /// Of events, by their ids.
    pub titles: Vec<(String, String)>,
}

const MOST_VALUES: usize = 50;
/// The ones nearest to now: what is past long ago is found by drilling down.
const EVENTS: &str = "select event_id, title, starts_on, status from staging.stg_events \
                      where status not in ('draft', 'cancelled') \
                      order by abs(cast(starts_at as bigint) - cast(now() as bigint)), event_id limit 100";

impl Asking {
    /// A list that can't be had is left empty: the figures matter more.
    pub async fn choices(&self, base: &str) -> Choices {
        let filters = join_all(self.page.filters.iter().map(|dimension| self.filter(dimension)));
        let (filters, events) = join(filters, self.events()).await;
        let named = |row: &super::columns::Row, name: &str| row.get(name)?.as_str().map(str::to_owned);
        let mut choices = Choices {
            filters,
            ..Choices::default()
        };
        for row in events {
            let (Some(id), Some(title)) = (named(&row, "event_id"), named(&row, "title")) else {
                continue;
            };
            let day = named(&row, "starts_on").unwrap_or_default();
            choices.events.push(Link {
                title: format!("{title}, {day}"),
                href: format!("{base}?{}", self.state.with("event_id", Some(id.clone())).query()),
                current: self.state.event(&self.page) == Some(&id),
            });
            choices.titles.push((id, title));
        }
        choices
    }

    async fn events(&self) -> Vec<super::columns::Row> {
        let wanted = self.page.of == Some(Of::Event) || self.state.filters.contains_key("event_id");
        if !wanted {
            return Vec::new();
        }
        let found = async { objects(self.session_sql(EVENTS).await?).await };
        found.await.unwrap_or_default()
    }

    async fn filter(&self, dimension: &str) -> FilterView {
        let mut asked = self.page.metrics().filter(|metric| metric.may_be_asked_by(dimension));
        let values = match asked.next() {
            Some(metric) => {
                self.largest(metric, self.state.range, dimension, MOST_VALUES, &[])
                    .await
            }
            None => Ok(Vec::new()),
        };
        FilterView::new(dimension, values.unwrap_or_default(), &self.state)
    }
}
