//! Two sinks on one table, whose partitions move between them, in whatever order chance brings.

use super::*;
use crate::{
    Error, Result,
    commit::{commit_one, freeze, prepare},
    erase, follow,
    maintain::compact,
    store::Outcome,
};
use domain::PersonId;
use random::Random;
use std::collections::{BTreeMap, BTreeSet};

const WORLDS: u64 = 6;
const STEPS: u64 = 60;
const PARTITIONS: u32 = 2;
/// Every so many rows are about somebody whom erasures take out.
const HERS: u64 = 5;

struct Sink {
    lake: Lake,
    /// The partitions it believes to own, and where in them it reads on.
    reads: BTreeMap<u32, u64>,
}

struct World {
    random: Random,
    sinks: [Sink; 2],
    index: usize,
    told: Vec<String>,
}

fn somebody() -> PersonId {
    "01900000-0000-7000-8000-000000000007".parse().unwrap()
}

/// More often than not both sinks believe to own a partition, which is when most can go wrong.
fn some_partitions(random: &mut Random) -> BTreeSet<u32> {
    (0..PARTITIONS).filter(|_| random.below(5) > 0).collect()
}

/// The log's records are what their offset says.
fn records(partition: u32, from: u64, count: u64) -> Publish {
    let values = (from..from + count).map(|offset| match offset % HERS {
        0 => {
            interaction(1, offset as usize).replace("\"person_id\":null", &format!("\"person_id\":\"{}\"", somebody()))
        }
        1 => "garbage".to_owned(),
        _ => interaction(1, offset as usize),
    });
    let values: Vec<String> = values.collect();
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    interactions_in(partition, &values, from)
}

impl Sink {
    async fn open(url: &str) -> Self {
        let options = LakeOptions {
            shared: true,
            answers: false,
            follow_interval: Duration::from_secs(3600),
            compact_open_files: 2,
            fsync: false,
            ..manual()
        };
        Self {
            lake: Lake::open(url, options).await.unwrap(),
            reads: BTreeMap::new(),
        }
    }

    async fn own(&mut self, owned: BTreeSet<u32>) {
        let named = owned.iter().map(|partition| (INTERACTIONS.to_owned(), *partition));
        self.lake.own(named.collect()).await.unwrap();
        let stands = |partition| (partition, self.lake.committed(INTERACTIONS, partition));
        self.reads = owned.into_iter().map(stands).collect();
    }

    async fn publish(&mut self, partition: u32, count: u64) {
        let Some(from) = self.reads.get_mut(&partition) else {
            return;
        };
        self.lake.publish(records(partition, *from, count)).await.unwrap();
        *from += count;
    }

    async fn compact(&self, index: usize) {
        match compact(&self.lake, index).await {
            Ok(_) => {}
            // The other's upkeep has replaced a file that was to be merged.
            Err(Error::Unavailable(why)) if why.contains("faster") => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn waits(&self, index: usize) -> bool {
        let committing = self.lake.inner.tables[index].committing.try_lock().unwrap();
        committing.pending.is_some() || !self.lake.view().tables[index].frozen.is_empty()
    }

    /// A commit that does not come to its end: its files are written or not, it reaches the table or not.
    async fn fail_to_commit(&self, index: usize, written: bool, committed: bool) -> Result<()> {
        freeze(&self.lake, index)?;
        if !written {
            return Ok(());
        }
        let commit = prepare(&self.lake, index).await?;
        let table = &self.lake.inner.tables[index];
        let base = self.lake.view().tables[index].snapshot.clone();
        // Of one that comes too late nothing reaches the table.
        if committed && let Outcome::Overtaken(_) = table.store.commit(&base, &commit).await? {
            return Ok(());
        }
        table.committing.lock().await.pending = Some(commit);
        Ok(())
    }
}

impl World {
    async fn step(&mut self) {
        let who = self.random.below(2) as usize;
        let (index, random, sink) = (self.index, &mut self.random, &mut self.sinks[who]);
        let partition = random.below(u64::from(PARTITIONS)) as u32;
        let (choice, count) = (random.below(14), random.within(1..5));
        self.told.push(format!("{choice} by {who} ({partition}, {count})"));
        match choice {
            0..=3 => sink.publish(partition, count).await,
            4 | 5 => commit_one(&sink.lake, INTERACTIONS).await.unwrap(),
            6 => follow::table(&sink.lake, index).await.unwrap(),
            7 | 8 => sink.compact(index).await,
            9 if !sink.waits(index) => drop(erase::rewrite(&sink.lake, &[somebody()].into()).await.unwrap()),
            9 => {
                // It would wait for longer than this test has.
                let _ = tokio::time::timeout(
                    Duration::from_millis(100),
                    erase::rewrite(&sink.lake, &[somebody()].into()),
                )
                .await;
            }
            10 | 11 if !sink.waits(index) => {
                let (written, committed) = (random.below(2) > 0, random.below(2) > 0);
                self.told.push(format!("(written {written}, committed {committed})"));
                sink.fail_to_commit(index, written, committed).await.unwrap();
            }
            12 => {
                let owned = some_partitions(random);
                sink.own(owned).await;
            }
            13 => self.both_at_once(partition, count).await,
            _ => {}
        }
    }

    async fn both_at_once(&mut self, partition: u32, count: u64) {
        let [one, other] = &mut self.sinks;
        one.publish(partition, count).await;
        let (committed, ()) = tokio::join!(commit_one(&one.lake, INTERACTIONS), other.compact(self.index));
        committed.unwrap();
    }

    /// Each sink shows every row up to where it has read or the table stands, once; hers perhaps no more.
    async fn check(&self) {
        for sink in &self.sinks {
            let view = sink.lake.view();
            let shown = visible(&sink.lake, self.index).await;
            let mut expected = Vec::new();
            for partition in 0..PARTITIONS {
                let key = (INTERACTIONS.to_owned(), partition);
                let stands = |offsets: &crate::snapshot::Offsets| offsets.get(&key).copied().unwrap_or(0);
                let end = stands(&view.seen).max(stands(&view.tables[self.index].snapshot.offsets));
                expected.extend((0..end as i64).map(|offset| (i64::from(partition), offset)));
            }
            let hers = |row: &(i64, i64)| row.1 % HERS as i64 == 0;
            let once: BTreeSet<_> = shown.iter().collect();
            assert_eq!(once.len(), shown.len(), "shown twice: {shown:?}\n{:#?}", self.told);
            let others = |rows: &[(i64, i64)]| -> Vec<_> { rows.iter().copied().filter(|row| !hers(row)).collect() };
            assert_eq!(others(&shown), others(&expected), "{:#?}", self.told);
            assert!(shown.iter().all(|row| expected.contains(row)), "{:#?}", self.told);
        }
    }

    /// One sink goes on alone, and both come to the same end, without her.
    async fn settle(&mut self) {
        let seen = |sink: &Sink| sink.lake.view().seen.values().max().copied().unwrap_or(0);
        let end = self.sinks.iter().map(seen).max().unwrap() + 7;
        self.sinks[1].own(BTreeSet::new()).await;
        self.sinks[0].own((0..PARTITIONS).collect()).await;
        for partition in 0..PARTITIONS {
            let count = end - self.sinks[0].reads[&partition];
            self.sinks[0].publish(partition, count).await;
        }
        // What waits at the other may reach the table first: then the one learns of it, and commits once more.
        for who in [1, 0, 0] {
            commit_one(&self.sinks[who].lake, INTERACTIONS).await.unwrap();
            self.check().await;
        }
        self.sinks[0]
            .lake
            .erase_people(&[somebody()].into(), Duration::ZERO)
            .await
            .unwrap();
        self.sinks[1].lake.refresh().await.unwrap();
        self.check().await;
        let [one, other] = &self.sinks;
        let (one, other) = (
            visible(&one.lake, self.index).await,
            visible(&other.lake, self.index).await,
        );
        assert_eq!(one, other, "{:#?}", self.told);
        let others = (0..end as i64).filter(|offset| offset % HERS as i64 != 0).count();
        assert_eq!(one.len(), others * PARTITIONS as usize, "{one:?}\n{:#?}", self.told);
        assert!(
            one.iter().all(|row| row.1 % HERS as i64 != 0),
            "{one:?}\n{:#?}",
            self.told
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_is_visible_exactly_once_whatever_two_sinks_and_their_upkeep_do() {
    let mut seeds = Random::announced("two sinks on one table");
    for _ in 0..WORLDS {
        let (_place, url) = place();
        let mut world = World {
            random: Random::from_seed(seeds.below(u64::MAX)),
            sinks: [Sink::open(&url).await, Sink::open(&url).await],
            index: table_index(INTERACTIONS).unwrap(),
            told: Vec::new(),
        };
        for sink in &mut world.sinks {
            sink.own(some_partitions(&mut world.random)).await;
        }
        for _ in 0..STEPS {
            world.step().await;
            world.check().await;
        }
        world.settle().await;
    }
}
