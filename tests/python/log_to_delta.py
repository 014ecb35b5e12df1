"""What people write in Python to bring a topic into Delta: confluent-kafka reads, pyarrow parses, deltalake commits.

Each commit carries the offsets it reaches as application transactions, as Bilten's do, so that both promise the same.
Usage: log_to_delta.py BROKER TOPIC FOLDER; prints the rows and the seconds from the first poll to the last commit.
"""

import io
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from confluent_kafka import Consumer, TopicPartition
from deltalake import CommitProperties, Transaction, write_deltalake

COMMIT_ROWS = 200_000
TIMES = ("occurred_at", "received_at")
TEXTS = (
    "interaction_id kind organizer_id event_id visitor_id person_id session_id url referrer utm_source utm_medium"
    " utm_campaign properties"
).split()
SCHEMA = pa.schema([(name, pa.string()) for name in TEXTS] + [(name, pa.int64()) for name in TIMES])


def rows(messages):
    """The messages as columns, and where each came from."""
    lines = io.BytesIO(b"\n".join(message.value() for message in messages))
    parse = pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error")
    table = pj.read_json(lines, parse_options=parse, read_options=pj.ReadOptions(block_size=16 << 20))
    for name in TIMES:
        column = table[name].cast(pa.timestamp("us", tz="UTC"))
        table = table.set_column(table.schema.get_field_index(name), name, column)
    table = table.append_column("_partition", pa.array([m.partition() for m in messages], pa.int64()))
    table = table.append_column("_offset", pa.array([m.offset() for m in messages], pa.int64()))
    return table.append_column("day", pc.strftime(table["received_at"], format="%Y-%m-%d"))


def main(broker, topic, folder):
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": "log-to-delta",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 65536,
        }
    )
    partitions = consumer.list_topics(topic).topics[topic].partitions
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p))[1] for p in partitions}
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    left, done, reached, waiting = sum(ends.values()), 0, {}, []
    started = time.monotonic()
    while done < left:
        waiting += consumer.consume(num_messages=10_000, timeout=1.0)
        if len(waiting) >= COMMIT_ROWS or done + len(waiting) >= left:
            for message in waiting:
                reached[message.partition()] = message.offset() + 1
            transactions = [Transaction(f"py:{topic}:{p}", offset) for p, offset in reached.items()]
            properties = CommitProperties(app_transactions=transactions)
            write_deltalake(
                folder, rows(waiting), mode="append", partition_by=["day"], commit_properties=properties
            )
            done += len(waiting)
            waiting = []
    print(done, time.monotonic() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
