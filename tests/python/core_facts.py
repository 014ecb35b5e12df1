"""The core's rows as facts, each with its dimensions, `at` (on the clocks of the event) and amounts.

What people did on pages is no part of the core: it is read from the files of the lake's table of interactions. So is when
a ticket was cancelled; that it was, the core says.
"""

import json
import sqlite3
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from functools import cache
from math import floor, log10
from statistics import median
from zoneinfo import ZoneInfo

from aggregates import net, share, total
from deltalake import DeltaTable

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
MOST_ROWS = 200_000


@cache
def zone(name):
    return ZoneInfo(name)


def local(micros, timezone_name):
    """A moment on the clocks of a place, without its zone."""
    moment = EPOCH + timedelta(microseconds=micros)
    return moment.astimezone(zone(timezone_name)).replace(tzinfo=None)


class Core:
    """At one position."""

    def __init__(self, database, lake):
        core = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        core.row_factory = sqlite3.Row
        core.execute("begin")
        self.position = core.execute("select value from positions where name = 'committed'").fetchone()[0]
        self.read = lambda sql: [dict(row) for row in core.execute(sql)]
        self.events = {row["event_id"]: row for row in self.read("select * from events")}
        self.types = dict(core.execute("select ticket_type_id, name from ticket_types").fetchall())
        self.codes = dict(core.execute("select promo_code_id, code from promo_codes").fetchall())
        self.lists = dict(core.execute("select check_in_list_id, name from check_in_lists").fetchall())
        self.orders = self.read("select * from orders")
        self.visits, self.sessions = interactions(lake)
        self.voided = voided(lake)
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
            "capacity": [self.of_event(row) for row in self.capacity()],
            "attendance": [self.of_event(row) for row in self.attendance()],
            "presence": [self.of_event(row) for row in self.presence()],
            "payouts": self.payouts(),
            "attributed": self.attributed(),
        }
        bought = self.facts["people"]
        self.facts["buyers"] = [{**row, **habits(row)} for row in bought]
        self.facts["cohorts"] = list(self.cohorts())
        self.facts["pace"] = list(self.pace(self.facts["sales"]))
        self.facts["usual_pace"] = self.usual_pace(self.facts["pace"])
        self.facts["benchmark"] = list(benchmark(self.facts["sales"], self.events))
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
        facts, back = [], defaultdict(list)
        for ticket in self.read("select * from tickets where status = 'cancelled'"):
            back[ticket["order_id"]].append(ticket)
        for order in self.orders:
            if order["paid_at"] is None:
                continue
            amounts = ("sold_tickets", "gross", "discount", "fee", "tax", "sold", "cancelled_tickets", "cancelled")
            nothing = dict.fromkeys(amounts, 0)
            for line in json.loads(order["lines"]):
                named = {"ticket_type_id": line["ticket_type_id"], "phase": line.get("phase")}
                named["ticket_type"] = self.types.get(line["ticket_type_id"])
                gross = line["unit_minor"] * line["quantity"]
                discount, fee, tax = (line.get(f"{part}_minor", 0) for part in ("discount", "fee", "tax"))
                sold = {"sold_tickets": line["quantity"], "gross": gross, "discount": discount, "fee": fee, "tax": tax}
                sold["sold"] = gross - discount + fee + tax
                facts.append({**self.of_order(order, order["paid_at"]), **nothing, **named, **sold})
            for ticket in back[order["order_id"]]:
                named = {"ticket_type_id": ticket["ticket_type_id"], "phase": self.phase(order, ticket)}
                named["ticket_type"] = self.types.get(ticket["ticket_type_id"])
                taken = {"cancelled_tickets": 1, "cancelled": ticket["price_minor"]}
                facts.append({**self.of_order(order, self.voided[ticket["ticket_id"]]), **nothing, **named, **taken})
        return facts

    @staticmethod
    def phase(order, ticket):
        """The one in which a ticket was sold."""
        lines = json.loads(order["lines"])
        key = (ticket["ticket_type_id"], ticket["phase_pool_id"])
        return next(line.get("phase") for line in lines if (line["ticket_type_id"], line.get("phase_pool_id")) == key)

    def order_facts(self):
        facts = []
        none = {"placed": 0, "paid": 0, "order_cancelled": 0, "paid_minor": 0, "seconds": 0, "timed": 0}
        for order in self.orders:
            facts.append({**self.of_order(order, order["placed_at"]), **none, "placed": 1})
            if order["paid_at"] is not None:
                paid = {"paid": 1, "paid_minor": order["total_minor"]}
                if order["source"] is None and not order["reserved"] and order["total_minor"] > 0:
                    paid |= {"timed": 1, "seconds": (order["paid_at"] - order["placed_at"]) // 1_000_000}
                facts.append({**self.of_order(order, order["paid_at"]), **none, **paid})
            if order["cancelled_at"] is not None:
                facts.append({**self.of_order(order, order["cancelled_at"]), **none, "order_cancelled": 1})
        return facts

    def money(self):
        """Whose the money is comes from the ledger; what it was, from payments, refunds and disputes."""
        amounts = ("charged", "refunded", "pending_refund", "disputed", "open_dispute", "platform_fee", "net", "cash", "owed")
        none = dict.fromkeys(amounts, 0)
        facts = []

        def add(row, at, **amounts):
            facts.append({**self.of_event(row, at), **none, **amounts})

        payments = {row["payment_id"]: row for row in self.read("select * from payments")}
        refunds = {row["refund_id"]: row for row in self.read("select * from refunds")}
        posted = {}
        for entry in self.read("select * from ledger_entries where payment_id is not null order by posted_at"):
            payment, refund = payments[entry["payment_id"]], refunds.get(entry["subject_id"])
            posted[entry["subject_id"]] = entry["posted_at"]
            # In a till the organizer has what a provider would hold for the platform.
            cash = 0
            if payment["provider"] == "till" and payment["status"] == "succeeded":
                cash = payment["amount_minor"] if refund is None else 0
                if refund and refund["status"] == "succeeded" and entry["kind"] == "refund_paid":
                    cash = -refund["amount_minor"]
            owed = -entry["organizer_minor"]
            moved = {"platform_fee": -entry["platform_minor"], "net": owed + cash, "cash": cash, "owed": owed}
            add(payment, refund["requested_at"] if refund else entry["posted_at"], **moved)
        for row in payments.values():
            if row["status"] == "succeeded":
                add(row, posted[row["payment_id"]], charged=row["amount_minor"])
        for row in refunds.values():
            if row["status"] != "failed" and payments[row["payment_id"]]["status"] == "succeeded":
                pending = row["amount_minor"] if row["status"] == "pending" else 0
                add(row, row["requested_at"], refunded=row["amount_minor"], pending_refund=pending)
        for row in self.read("select * from disputes where status in ('open', 'lost')"):
            if payments[row["payment_id"]]["status"] == "succeeded":
                kind = "disputed" if row["status"] == "lost" else "open_dispute"
                add(row, posted[row["dispute_id"]], **{kind: row["amount_minor"]})
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

    def attendance(self):
        return self.read(
            "select organizer_id, event_id, count(*) as tickets, sum(not exists (select 1 from check_ins c where"
            "  c.ticket_id = t.ticket_id and c.accepted = 1 and c.annulled_at is null and c.kind = 'entry')) as absent"
            " from tickets t where status = 'valid' and blocked = 0 and not exists (select 1 from orders o where"
            "  o.order_id = t.order_id and o.status = 'pending' and o.awaits_approval = 1)"
            " group by organizer_id, event_id"
        )

    def presence(self):
        """As the core counts it itself, scan by scan."""
        return self.read(
            "select l.organizer_id, l.event_id, l.name as check_in_list, sum(a.inside) as inside"
            " from attendance a join check_in_lists l on l.check_in_list_id = a.check_in_list_id"
            " group by l.check_in_list_id, l.organizer_id, l.event_id, l.name"
        )

    def capacity(self):
        """Of pools that types take from; one whose types are all another's too is a part of that one."""
        takers = defaultdict(set)
        for row in self.read("select ticket_type_id, pools from ticket_types"):
            for pool in json.loads(row["pools"]):
                takers[pool["pool_id"]].add(row["ticket_type_id"])
        sold = defaultdict(int)
        for row in self.read("select ticket_type_id from tickets where status = 'valid'"):
            sold[row["ticket_type_id"]] += 1
        pools = defaultdict(list)
        known = self.read("select * from pools")
        limited = set().union(*(takers[pool["pool_id"]] for pool in known if pool["capacity"] is not None))
        for pool in known:
            if takers[pool["pool_id"]] and (pool["capacity"] is not None or takers[pool["pool_id"]] - limited):
                pools[pool["event_id"]].append(pool)

        def limit(pool):
            return (float("inf") if pool["capacity"] is None else pool["capacity"], pool["pool_id"])

        def is_part(own, other):
            inner, outer = takers[own["pool_id"]], takers[other["pool_id"]]
            return inner < outer or (inner == outer and limit(other) < limit(own))

        for pool in (pool for event in pools.values() for pool in event):
            if not any(is_part(pool, other) for other in pools[pool["event_id"]]):
                tickets = sum(sold[taker] for taker in takers[pool["pool_id"]])
                left = pool["capacity"] and max(pool["capacity"] - tickets, 0)
                yield {**pool, "pool": pool["name"], "sold": tickets, "left": left}

    def ended(self):
        facts = []
        for row in self.attendance():
            event = self.events[row["event_id"]]
            if event["status"] == "ended" and row["absent"] < row["tickets"]:
                facts.append(self.of_event(row, event["starts_at"]))
        return facts

    def payouts(self):
        none = {"earned": 0, "cash": 0, "paid_out": 0, "owed": 0, "at": None}
        facts = [{**none, **row, "at": None, "earned": row["net"]} for row in self.money()]
        for row in self.read("select organizer_id, currency, amount_minor from payouts"):
            facts.append({**none, **row, "paid_out": row["amount_minor"], "owed": -row["amount_minor"]})
        return facts

    def sourced(self):
        """Sessions of known people that name a source, by the time at which they first do."""
        known = [session for session in self.sessions if session["person_id"] and session["source"]]
        return sorted(known, key=lambda session: (session["source_at"], session["session_id"]))

    def attributed(self):
        touches = defaultdict(list)
        for session in self.sourced():
            touches[session["person_id"]].append(session)
        facts = []
        for order in self.orders:
            if order["status"] != "paid" or (order["source"] or "online").split(":")[0] != "online":
                continue
            placed = EPOCH + timedelta(microseconds=order["placed_at"])
            seen = [touch for touch in touches[order["person_id"]] if touch["source_at"] <= placed]
            named = {"touches": len(seen), "net": order["total_minor"] - order["refunded_minor"]}
            # Of a session that met another source after the order, the first one.
            last = max((last_touch(touch, placed) for touch in seen), key=lambda touch: touch[:2], default=None)
            for part in PARTS:
                named[f"first_{part}"] = seen[0][part] if seen else None
                named[f"last_{part}"] = last[2][part] if last else None
            facts.append({**self.of_event(order, order["placed_at"]), **named})
        return facts

    def cohorts(self):
        """Of those who first bought in a month, how many bought so many months later."""
        months = defaultdict(set)
        for order in self.orders:
            if order["status"] == "paid":
                placed = local(order["placed_at"], "UTC")
                months[order["organizer_id"], order["person_id"]].add(placed.year * 12 + placed.month - 1)
        cohorts = defaultdict(lambda: defaultdict(int))
        for (organizer, _), ordered in months.items():
            for month in ordered:
                cohorts[organizer, min(ordered)][month - min(ordered)] += 1
        newest = defaultdict(int)
        for (organizer, _), ordered in months.items():
            newest[organizer] = max(newest[organizer], *ordered)
        today = datetime.now(timezone.utc)
        last_over = today.year * 12 + today.month - 2
        for (organizer, first), later in cohorts.items():
            # Of a month that is not over, its new buyers alone are known.
            for months_later in range(max(min(newest[organizer], last_over) - first, 0) + 1):
                row = {"organizer_id": organizer, "months_later": months_later, "people": later[months_later]}
                after = {"came_back": row["people"], "may_come_back": later[0]} if months_later else NOBODY
                yield {**row, **after, "at": datetime(first // 12, first % 12 + 1, 1)}

    def pace(self, sales):
        """What each event had sold so many days before it begins."""
        days = defaultdict(lambda: [0, 0])
        for row in sales:
            event = self.events[row["event_id"]]
            left = (local(event["starts_at"], event["timezone"]).date() - row["at"].date()).days
            sold = days[row["organizer_id"], row["event_id"], row["currency"], left]
            sold[0] += row["sold_tickets"] - row["cancelled_tickets"]
            sold[1] += row["sold"] - row["cancelled"]
        running = defaultdict(lambda: [0, 0])
        for (organizer, event, currency, left), (tickets, minor) in sorted(days.items(), key=lambda day: -day[0][3]):
            so_far = running[event, currency]
            so_far[0] += tickets
            so_far[1] += minor
            row = {"organizer_id": organizer, "event_id": event, "currency": currency, "days_to_event": left}
            sold = {"tickets": tickets, "sales": minor, "tickets_so_far": so_far[0], "sales_so_far": so_far[1]}
            yield {**self.of_event(row), **sold}

    def usual_pace(self, pace):
        """For each event, what its organizer's other events, those that have ended, had sold on average so many days before
        they began. None if that are too many rows to write down."""
        past, ended = defaultdict(lambda: defaultdict(int)), defaultdict(set)
        own = defaultdict(lambda: defaultdict(int))
        for row in pace:
            if self.events[row["event_id"]]["status"] == "ended":
                past[row["organizer_id"]][row["days_to_event"]] += row["tickets"]
                own[row["event_id"]][row["days_to_event"]] += row["tickets"]
                ended[row["organizer_id"]].add(row["event_id"])
        if sum(len(past[event["organizer_id"]]) for event in self.events.values()) > MOST_ROWS:
            return None
        facts = []
        for event in self.events.values():
            organizer, tickets = event["organizer_id"], 0
            others = len(ended[organizer] - {event["event_id"]})
            for left, sold in sorted(past[organizer].items(), reverse=True):
                tickets += sold - own[event["event_id"]][left]
                row = {"organizer_id": organizer, "event_id": event["event_id"], "days_to_event": left}
                if others:
                    facts.append({**self.of_event(row), "usual_tickets_so_far": tickets / others})
        return facts

    def people(self):
        sources = {}
        for session in self.sourced():
            sources.setdefault(session["person_id"], (session["source_at"], session["source"]))
        bought, everything = defaultdict(list), defaultdict(list)
        for order in self.orders:
            if order["status"] == "paid":
                bought[order["organizer_id"], order["person_id"], order["currency"]].append(order)
                everything[order["organizer_id"], order["person_id"]].append(order)
        facts = []
        for (organizer, person, currency), orders in bought.items():
            first = min(orders, key=lambda order: (order["placed_at"], order["order_id"]))
            all_orders = everything[organizer, person]
            met_at, source = sources.get(person, (None, None))
            led = source and met_at <= min(order["placed_at"] for order in all_orders)
            is_first = currency == min((order["placed_at"], order["currency"]) for order in all_orders)[1]
            facts.append({
                "organizer_id": organizer,
                "person_id": person,
                "currency": currency,
                "first": int(is_first),
                "returned": int(is_first and len(all_orders) > 1),
                "at": local(first["placed_at"], "UTC"),
                "first_channel": (first["source"] or "online").split(":")[0],
                "first_source": source if led else None,
                "orders": len(orders),
                "last": max(order["placed_at"] for order in orders),
                "spend": sum(order["total_minor"] - order["refunded_minor"] for order in orders),
            })
        return facts


def last_touch(session, placed):
    """When, in which session and what: the last source that a session met before an order."""
    last = session["last"] if session["last"]["at"] <= placed else session | {"at": session["source_at"]}
    return last["at"], session["session_id"], last


def habits(row):
    """How often and how long ago somebody has bought, in words."""
    often = next(words for most, words in FREQUENCY if row["orders"] <= most)
    age = datetime.now(timezone.utc) - (EPOCH + timedelta(microseconds=row["last"]))
    return {"frequency": often, "recency": next(words for days, words in RECENCY if age < timedelta(days=days))}


NOBODY = {"came_back": 0, "may_come_back": 0}
FREQUENCY = [(1, "1 order"), (2, "2 orders"), (4, "3–4 orders"), (float("inf"), "5 or more orders")]
RECENCY = [(30, "0–1 months ago"), (91, "1–3 months ago"), (182, "3–6 months ago"), (365, "6–12 months ago")]
RECENCY.append((999_999, "over a year ago"))


def price(currency, minor):
    """As people say it. Of the currencies in the tests' worlds only these have other than two decimals."""
    return None if minor is None else minor / 10 ** {"JPY": 0, "KWD": 3}.get(currency, 2)


def two_digits(value):
    if not value:
        return value
    factor = 10.0 ** (1 - floor(log10(value)))
    return floor(value * factor + 0.5) / factor


def benchmark(sales, events):
    """Figures of organizers, and the median of the others where at least five have one."""
    groups, over = defaultdict(list), defaultdict(set)
    for event in events.values():
        if event["status"] == "ended":
            over[event["organizer_id"], event["currency"]].add(event["event_id"])
    for row in sales:
        groups[row["organizer_id"], row["currency"]].append(row)
    sold, left = total("sold_tickets"), net("sold_tickets", "cancelled_tickets")

    def ended(rows):
        return over[rows[0]["organizer_id"], rows[0]["currency"]]

    kinds = {
        "Tickets an event": share(
            lambda rows: left([row for row in rows if row["event_id"] in ended(rows)]), lambda rows: len(ended(rows))
        ),
        # Divided in the same order, since what is rounded may lie in the middle.
        "Average ticket": share(lambda rows: price(rows[0]["currency"], total("sold")(rows)), sold),
        "Part of tickets cancelled": share(total("cancelled_tickets"), sold),
        "Part of sales given as discounts": share(total("discount"), total("gross")),
    }
    for name, figure in kinds.items():
        values = {group: figure(rows) for group, rows in groups.items()}
        for (organizer, currency), value in values.items():
            if value is not None:
                known = [group for group, other in values.items() if group[1] == currency and other is not None]
                others = [values[group] for group in known if group[0] != organizer]
                usual = two_digits(median(others)) if len(others) >= 5 else None
                beside = value / usual if usual else None
                row = {"organizer_id": organizer, "currency": currency, "figure": name, "at": None}
                yield {**row, "value": value, "median": usual, "against_median": beside}


PARTS = ("source", "medium", "campaign")
STEPS = {"viewed": "event_view", "held": "hold_started", "checked_out": "checkout_started"}


def interactions(lake):
    """A fact for each session and event, and one for each session. Whatever came twice counts once."""
    table = DeltaTable(f"{lake}/interactions").to_pyarrow_table()
    rows = [row for row in table.to_pylist() if not row.get("_error")]
    once = {}
    for row in sorted(rows, key=lambda row: (row["_partition"], row["_offset"])):
        once.setdefault((row["day"], row["session_id"], row["interaction_id"]), row)
    sessions, visits = defaultdict(list), defaultdict(list)
    for row in sorted(once.values(), key=lambda row: (row["occurred_at"], row["interaction_id"])):
        key = (row["organizer_id"], row["day"], row["session_id"])
        sessions[key].append(row)
        if row["event_id"] is not None and row["kind"] in STEPS.values():
            visits[*key, row["event_id"]].append(row)
    facts = []
    for (organizer, day, session), seen in sessions.items():
        sourced = [row for row in seen if row["utm_source"] is not None]
        named, last = (sourced[0], sourced[-1]) if sourced else (None, None)
        facts.append({
            "organizer_id": organizer,
            "session_id": session,
            "at": datetime.combine(day, datetime.min.time()) if not isinstance(day, str) else datetime.fromisoformat(day),
            "source_at": named and named["occurred_at"],
            "person_id": max((row["person_id"] for row in seen if row["person_id"]), default=None),
            "interactions": len(seen),
            "seconds": whole_seconds(seen[-1]["occurred_at"] - seen[0]["occurred_at"]),
            "checked_out": int(any(row["kind"] == "checkout_started" for row in seen)),
            **{part: named and named[f"utm_{part}"] for part in PARTS},
            "last": last and {"at": last["occurred_at"], **{part: last[f"utm_{part}"] for part in PARTS}},
        })
    looked = []
    for (organizer, _, _, event), seen in visits.items():
        taken = {}
        for row in seen:
            taken.setdefault(row["kind"], row["occurred_at"])
        looked.append({
            "organizer_id": organizer,
            "event_id": event,
            "first": (seen[0]["occurred_at"] - EPOCH) // timedelta(microseconds=1),
            **{step: int(kind in taken) for step, kind in STEPS.items()},
            **between(taken, "event_view", "hold_started", "hold"),
            **between(taken, "hold_started", "checkout_started", "checkout"),
        })
    return looked, facts


def voided(lake):
    """When each ticket was cancelled: the core keeps that it was."""
    table = DeltaTable(f"{lake}/ticket_changes").to_pyarrow_table(columns=["ticket_id", "change_type", "occurred_at"])
    rows = [row for row in table.to_pylist() if row["change_type"] == "ticket.cancelled"]
    return {row["ticket_id"]: (row["occurred_at"] - EPOCH) // timedelta(microseconds=1) for row in rows}


def whole_seconds(time):
    return int(time / timedelta(seconds=1))


def between(taken, first, second, name):
    """The time from a step to the next. Who took them the other way round is not timed."""
    seconds = whole_seconds(taken[second] - taken[first]) if first in taken and second in taken else -1
    return {f"timed_{name}": int(seconds >= 0), f"seconds_to_{name}": max(seconds, 0)}
