//! What the filter bar offers: the values of each dimension that the range has most of, and the events that are nearest.

use super::{
    names::with_day,
    page::Of,
    panel::{Asking, objects},
    view::{FilterView, Link},
};
use futures::future::{join, join_all};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Choices {
    pub filters: Vec<FilterView>,
    pub events: Vec<Link>,
    /// Of the events that are filtered for, by their ids.
    pub names: BTreeMap<String, String>,
}

const MOST_VALUES: usize = 50;
const EVENT: &str = "event_id";
/// The ones nearest to now: what is past long ago is found by drilling down.
const EVENTS: &str = "select event_id, title, starts_on, status from staging.stg_events \
                      where status not in ('draft', 'cancelled') \
                      order by abs(cast(starts_at as bigint) - cast(now() as bigint)), event_id limit 100";

impl Asking {
    /// Nothing to choose, but the names of what is shown.
    pub async fn chosen(&self) -> Choices {
        let mut choices = Choices::default();
        self.name(&mut choices).await;
        choices
    }

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
                title: with_day(&title, &day, self.today()).unwrap_or(title),
                href: format!("{base}?{}", self.state.with("event_id", Some(id.clone())).query()),
                current: self.state.event(&self.page) == Some(&id),
            });
        }
        self.name(&mut choices).await;
        choices
    }

    /// Events are chosen by their ids, and read by their names.
    async fn name(&self, choices: &mut Choices) {
        let set = self.state.filters.get(EVENT).into_iter().flatten().flatten();
        let mut ids: BTreeSet<String> = set.cloned().collect();
        let of_events = || choices.filters.iter().filter(|filter| filter.dimension == EVENT);
        ids.extend(of_events().flat_map(|filter| filter.options.iter().map(|option| option.value.clone())));
        let names = self.event_names(&ids).await.into_iter();
        choices.names = names.map(|(id, name)| (id, name.with_day)).collect();
        for filter in choices.filters.iter_mut().filter(|filter| filter.dimension == EVENT) {
            for option in &mut filter.options {
                if let Some(name) = choices.names.get(&option.value) {
                    option.label.clone_from(name);
                }
            }
        }
    }

    async fn events(&self) -> Vec<super::columns::Row> {
        if self.page.of != Some(Of::Event) {
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
