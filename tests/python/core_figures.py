"""Holds every metric against the core's own tables: core_figures.py CORE_DB LAKE_FOLDER URL TOKEN

Each metric is said here a second time, in Python, over the rows that the core's database has now. What people did on
pages is no part of the core: it is read from the files of the lake's table of interactions. Prints how many figures of
each metric, other than nothing, were the same, or what differs.
"""

import json
import sqlite3
import sys
import urllib.request
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

from deltalake import DeltaTable

CORE, LAKE, URL, TOKEN = sys.argv[1:]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def ask(path, query=None):
    """The rows, and the position that they show."""
    request = urllib.request.Request(URL + path, data=query and json.dumps(query).encode())
    request.add_header("authorization", f"Bearer {TOKEN}")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as response:
        return json.load(response), int(response.headers.get("bilten-position", 0))


@cache
def zone(name):
    return ZoneInfo(name)


def local(micros, timezone_name):
    """A moment on the clocks of a place, without its zone."""
    moment = EPOCH + timedelta(microseconds=micros)
    return moment.astimezone(zone(timezone_name)).replace(tzinfo=None)


def total(column):
    return lambda rows: sum(row[column] for row in rows)


def share(numerator, denominator):
    def divided(rows):
        below = denominator(rows)
        return numerator(rows) / below if below else None

    return divided


def people(rows):
    return len({row["person_id"] for row in rows})


def returned(rows):
    return people(row for row in rows if row["orders"] > 1)


def net(*columns):
    first, *others = columns
    return lambda rows: sum(row[first] - sum(row[other] for other in others) for row in rows)


# What each metric is: whose rows, and one figure of many of them.
METRICS = {
    "tickets_sold": ("sales", net("sold_tickets", "cancelled_tickets")),
    "net_sales": ("sales", net("sold", "cancelled")),
    "gross_sales": ("sales", total("gross")),
    "discounts": ("sales", total("discount")),
    "fees": ("sales", total("fee")),
    "taxes": ("sales", total("tax")),
    "cancelled_sales": ("sales", total("cancelled")),
    "average_ticket": ("sales", share(total("sold"), total("sold_tickets"))),
    "orders_placed": ("orders", total("placed")),
    "orders_paid": ("orders", total("paid")),
    "orders_cancelled": ("orders", total("order_cancelled")),
    "orders_expired": ("expired", total("expired")),
    "average_order": ("orders", share(total("paid_minor"), total("paid"))),
    "seconds_to_payment": ("orders", share(total("seconds"), total("paid"))),
    "charged": ("money", total("charged")),
    "refunded": ("money", total("refunded")),
    "disputed": ("money", total("disputed")),
    "platform_fees": ("money", total("platform_fee")),
    "net_revenue": ("money", net("charged", "refunded", "disputed", "platform_fee")),
    "entries": ("doors", total("entry")),
    "exits": ("doors", total("exit")),
    "refused_scans": ("doors", total("refused")),
    "door_conflicts": ("doors", total("conflict")),
    "no_show_rate": ("ended", share(total("absent"), total("tickets"))),
    "new_buyers": ("people", people),
    "repeat_rate": ("people", share(returned, people)),
    "spend_a_buyer": ("people", share(total("spend"), people)),
    "sessions": ("sessions", len),
    "interactions": ("sessions", total("interactions")),
    "checkout_rate": ("sessions", share(total("checked_out"), len)),
    "event_visits": ("visits", total("viewed")),
    "holds": ("visits", total("held")),
    "checkouts": ("visits", total("checked_out")),
    "hold_rate": ("visits", share(total("held"), len)),
}
# The core does not keep when an order expired.
TIMELESS = {"expired"}


class Core:
    """The core's rows at one position, as facts: dicts with dimensions, `at` (local), and amounts."""

    def __init__(self):
        core = sqlite3.connect(f"file:{CORE}?mode=ro", uri=True)
        core.row_factory = sqlite3.Row
        core.execute("begin")
        self.position = core.execute("select value from positions where name = 'committed'").fetchone()[0]
        self.read = lambda sql: [dict(row) for row in core.execute(sql)]
        self.events = {row["event_id"]: row for row in self.read("select * from events")}
        self.types = dict(core.execute("select ticket_type_id, name from ticket_types").fetchall())
        self.codes = dict(core.execute("select promo_code_id, code from promo_codes").fetchall())
        self.lists = dict(core.execute("select check_in_list_id, name from check_in_lists").fetchall())
        self.orders = self.read("select * from orders")
        self.visits, self.sessions = interactions()
        self.facts = {
            "sales": self.sales(),
            "orders": self.order_facts(),
            "expired": [{**self.of_order(row), "expired": 1} for row in self.orders if row["status"] == "expired"],
            "money": self.money(),
            "doors": self.doors(),
            "ended": self.ended(),
            "people": self.people(),
            "sessions": self.sessions,
            "visits": [self.of_event(row, row["first"]) for row in self.visits],
        }
        core.close()

    def of_event(self, row, micros=None):
        event = self.events.get(row["event_id"])
        known = {"title": event and event["title"], "category": event and event["category"]}
        at = None if micros is None else local(micros, event["timezone"] if event else "UTC")
        return {**row, **known, "at": at}

    def of_order(self, order, micros=None):
        named = {
            "channel": (order["source"] or "online").split(":")[0],
            "promo_code": self.codes.get(order["promo_code_id"]),
        }
        return {**self.of_event(order, micros), **named}

    def sales(self):
        facts = []
        for order in self.orders:
            if order["paid_at"] is None:
                continue
            for line in json.loads(order["lines"]):
                named = {"ticket_type_id": line["ticket_type_id"], "phase": line.get("phase")}
                named["ticket_type"] = self.types.get(line["ticket_type_id"])
                gross = line["unit_minor"] * line["quantity"]
                discount, fee, tax = (line.get(f"{part}_minor", 0) for part in ("discount", "fee", "tax"))
                sold = {"sold_tickets": line["quantity"], "gross": gross, "discount": discount, "fee": fee, "tax": tax}
                sold["sold"] = gross - discount + fee + tax
                nothing = dict.fromkeys([*sold, "cancelled_tickets", "cancelled"], 0)
                facts.append({**self.of_order(order, order["paid_at"]), **nothing, **named, **sold})
                if order["cancelled_at"] is not None:
                    back = {"cancelled_tickets": line["quantity"], "cancelled": sold["sold"]}
                    facts.append({**self.of_order(order, order["cancelled_at"]), **nothing, **named, **back})
        return facts

    def order_facts(self):
        facts = []
        none = {"placed": 0, "paid": 0, "order_cancelled": 0, "paid_minor": 0, "seconds": 0}
        for order in self.orders:
            facts.append({**self.of_order(order, order["placed_at"]), **none, "placed": 1})
            if order["paid_at"] is not None:
                seconds = (order["paid_at"] - order["placed_at"]) // 1_000_000
                paid = {"paid": 1, "paid_minor": order["total_minor"], "seconds": seconds}
                facts.append({**self.of_order(order, order["paid_at"]), **none, **paid})
            if order["cancelled_at"] is not None:
                facts.append({**self.of_order(order, order["cancelled_at"]), **none, "order_cancelled": 1})
        return facts

    def money(self):
        none = {"charged": 0, "refunded": 0, "disputed": 0, "platform_fee": 0}
        posted = {}
        for entry in self.read("select subject_id, posted_at from ledger_entries order by posted_at"):
            posted[entry["subject_id"]] = entry["posted_at"]
        facts = []

        def add(row, row_id, **amounts):
            facts.append({**self.of_event(row, posted.get(row_id)), **none, **amounts})

        for row in self.read("select * from payments where status in ('succeeded', 'unapplied')"):
            fee = row["platform_fee_minor"]
            add(row, row["payment_id"], charged=row["amount_minor"], platform_fee=fee)
        for row in self.read("select * from refunds where status = 'succeeded'"):
            add(row, row["refund_id"], refunded=row["amount_minor"])
        for row in self.read("select * from disputes where status in ('open', 'lost')"):
            add(row, row["dispute_id"], disputed=row["amount_minor"])
        return facts

    def doors(self):
        facts = []
        for row in self.read("select * from check_ins"):
            counts = row["accepted"] and row["annulled_at"] is None
            seen = {"entry": int(counts and row["kind"] == "entry"), "exit": int(counts and row["kind"] == "exit")}
            seen |= {"refused": int(not row["accepted"]), "conflict": int(row["conflicts_with"] is not None)}
            seen["check_in_list"] = self.lists.get(row["check_in_list_id"])
            facts.append({**self.of_event(row, row["scanned_at"]), **seen})
        return facts

    def ended(self):
        arrived = self.read(
            "select organizer_id, event_id, count(*) as tickets, sum(not exists (select 1 from check_ins c where"
            "  c.ticket_id = t.ticket_id and c.accepted = 1 and c.annulled_at is null and c.kind = 'entry')) as absent"
            " from tickets t where status = 'valid' group by organizer_id, event_id"
        )
        facts = []
        for row in arrived:
            event = self.events[row["event_id"]]
            if event["status"] == "ended" and row["absent"] < row["tickets"]:
                facts.append(self.of_event(row, event["starts_at"]))
        return facts

    def people(self):
        sources = {}
        for session in sorted(self.sessions, key=lambda session: (session["started"], session["session_id"])):
            if session["person_id"] and session["source"]:
                sources.setdefault(session["person_id"], session["source"])
        bought = defaultdict(list)
        for order in self.orders:
            if order["status"] == "paid":
                bought[order["organizer_id"], order["person_id"], order["currency"]].append(order)
        facts = []
        for (organizer, person, currency), orders in bought.items():
            first = min(orders, key=lambda order: (order["placed_at"], order["order_id"]))
            facts.append({
                "organizer_id": organizer,
                "person_id": person,
                "currency": currency,
                "at": local(first["placed_at"], "UTC"),
                "first_channel": (first["source"] or "online").split(":")[0],
                "first_source": sources.get(person),
                "orders": len(orders),
                "spend": sum(order["total_minor"] - order["refunded_minor"] for order in orders),
            })
        return facts


def interactions():
    """A fact for each session and event, and one for each session. Whatever came twice counts once."""
    table = DeltaTable(f"{LAKE}/interactions").to_pyarrow_table()
    rows = [row for row in table.to_pylist() if not row.get("_error")]
    once = {}
    for row in sorted(rows, key=lambda row: (row["_partition"], row["_offset"])):
        once.setdefault((row["day"], row["session_id"], row["interaction_id"]), row)
    sessions, visits = defaultdict(list), defaultdict(list)
    for row in sorted(once.values(), key=lambda row: (row["occurred_at"], row["interaction_id"])):
        key = (row["organizer_id"], row["day"], row["session_id"])
        sessions[key].append(row)
        if row["event_id"] is not None:
            visits[*key, row["event_id"]].append(row)
    facts = []
    for (organizer, day, session), seen in sessions.items():
        named = next((row for row in seen if row["utm_source"] is not None), None)
        facts.append({
            "organizer_id": organizer,
            "session_id": session,
            "at": datetime.combine(day, datetime.min.time()) if not isinstance(day, str) else datetime.fromisoformat(day),
            "started": seen[0]["occurred_at"],
            "person_id": max((row["person_id"] for row in seen if row["person_id"]), default=None),
            "interactions": len(seen),
            "checked_out": int(any(row["kind"] == "checkout_started" for row in seen)),
            **{part: named and named[f"utm_{part}"] for part in ("source", "medium", "campaign")},
        })
    looked = []
    for (organizer, _, _, event), seen in visits.items():
        kinds = {row["kind"] for row in seen}
        steps = {"viewed": "event_view", "held": "hold_started", "checked_out": "checkout_started"}
        looked.append({
            "organizer_id": organizer,
            "event_id": event,
            "first": (seen[0]["occurred_at"] - EPOCH) // timedelta(microseconds=1),
            **{step: int(kind in kinds) for step, kind in steps.items()},
        })
    return looked, facts


def truncated(at, grain):
    if at is None or grain is None:
        return None
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": day, "month": day.replace(day=1)}[grain].isoformat()


def expected(core, metric, dimensions, grain):
    facts, figure = METRICS[metric["name"]]
    keys = [*dimensions] + (["currency"] if metric["unit"] == "minor" and "currency" not in dimensions else [])
    groups = defaultdict(list)
    for row in core.facts[facts]:
        groups[(truncated(row["at"], grain), *(row[key] for key in keys))].append(row)
    return {key: figure(rows) for key, rows in groups.items()}, keys


def questions(metric):
    yield [], None
    yield ["organizer_id"], None
    for dimension in metric["dimensions"]:
        yield [dimension], None
    if METRICS[metric["name"]][0] not in TIMELESS:
        yield [], "day"
        yield ["organizer_id"], "month"


def same(a, b):
    if a is None or b is None:
        return a is b
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def differences(core, metrics):
    """None if the core has moved on meanwhile."""
    found, compared = [], defaultdict(int)
    for metric in metrics:
        for dimensions, grain in questions(metric):
            wanted, keys = expected(core, metric, dimensions, grain)
            query = {"metrics": [metric["name"]], "dimensions": dimensions, "limit": 50_000}
            rows, position = ask("/v1/metrics/query", query | ({"grain": grain} if grain else {}))
            if position != core.position:
                return None, compared
            shown = {(row.get("at"), *(row[key] for key in keys)): row[metric["name"]] for row in rows}
            for key in wanted.keys() | shown.keys():
                compared[metric["name"]] += bool(wanted.get(key))
                # A sum of no rows is null, and a count of none 0.
                if not same(wanted.get(key), shown.get(key)) and (wanted.get(key) or shown.get(key)):
                    found.append(f"{metric['name']} by {dimensions} {grain or ''} {key}: "
                                 f"the core says {wanted.get(key)}, the metric {shown.get(key)}")
    return found, compared


def main():
    metrics, _ = ask("/v1/metrics")
    unknown = [metric["name"] for metric in metrics if metric["name"] not in METRICS]
    if unknown:
        sys.exit(f"say what these are by the core's own tables: {', '.join(unknown)}")
    for _ in range(20):
        core = Core()
        found, compared = differences(core, metrics)
        if found is not None:
            break
    else:
        sys.exit("the core does not stand still")
    if found:
        sys.exit("\n".join(found[:40]) + f"\n{len(found)} differences")
    print(json.dumps({metric["name"]: compared[metric["name"]] for metric in metrics}))


main()
