"""Holds every metric against the core's own tables: core_figures.py CORE_DB LAKE_FOLDER URL TOKEN

Each metric is said here a second time, in Python, over the rows that the core's database has now. Prints how many
figures of each metric, other than nothing, were the same, or what differs.
"""

import json
import sys
import urllib.request
from collections import defaultdict

from aggregates import limited, mean, net, of_one_figure, online, people, share, so_far, total
from core_facts import Core

CORE, LAKE, URL, TOKEN = sys.argv[1:]

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
    "seconds_to_payment": ("orders", share(total("seconds"), total("timed"))),
    "charged": ("money", total("charged")),
    "refunded": ("money", total("refunded")),
    "disputed": ("money", total("disputed")),
    "platform_fees": ("money", total("platform_fee")),
    "net_revenue": ("money", total("net")),
    "open_disputes": ("money", total("open_dispute")),
    "entries": ("doors", total("entry")),
    "exits": ("doors", total("exit")),
    "refused_scans": ("doors", total("refused")),
    "door_conflicts": ("doors", total("conflict")),
    "no_show_rate": ("ended", share(total("absent"), total("tickets"))),
    "new_buyers": ("people", total("first")),
    "repeat_rate": ("people", share(total("returned"), total("first"))),
    "spend_a_buyer": ("people", share(total("spend"), len)),
    "sessions": ("sessions", len),
    "interactions": ("sessions", total("interactions")),
    "checkout_rate": ("sessions", share(total("checked_out"), len)),
    "event_visits": ("visits", total("viewed")),
    "holds": ("visits", total("held")),
    "checkouts": ("visits", total("checked_out")),
    "hold_rate": ("visits", share(total("held"), len)),
    "hold_checkout_rate": ("visits", share(total("checked_out"), total("held"))),
    "seconds_to_hold": ("visits", share(total("seconds_to_hold"), total("timed_hold"))),
    "seconds_to_checkout": ("visits", share(total("seconds_to_checkout"), total("timed_checkout"))),
    "inside": ("presence", total("inside")),
    "pending_refunds": ("money", total("pending_refund")),
    "absent": ("ended", total("absent")),
    "capacity": ("capacity", limited(total("capacity"))),
    "tickets_left": ("capacity", limited(total("left"))),
    "part_sold": ("capacity", limited(share(total("sold"), total("capacity")))),
    "valid_tickets": ("attendance", total("tickets")),
    "arrived": ("attendance", net("tickets", "absent")),
    "arrival_rate": ("attendance", share(net("tickets", "absent"), total("tickets"))),
    "online_orders_placed": ("orders", online("placed")),
    "online_orders_paid": ("orders", online("paid")),
    "payment_rate": ("orders", share(online("paid"), online("placed"))),
    "earned": ("payouts", total("earned")),
    "paid_out": ("payouts", total("paid_out")),
    "cash": ("payouts", total("cash")),
    "owed": ("payouts", total("owed")),
    "interactions_a_session": ("sessions", mean("interactions")),
    "seconds_a_session": ("sessions", mean("seconds")),
    "attributed_orders": ("attributed", len),
    "attributed_sales": ("attributed", total("net")),
    "touches_an_order": ("attributed", mean("touches")),
    "buyers": ("buyers", people),
    "orders_a_buyer": ("buyers", share(total("orders"), people)),
    "buyers_spend": ("buyers", total("spend")),
    "cohort_buyers": ("cohorts", total("people")),
    "retention": ("cohorts", share(total("came_back"), total("may_come_back"))),
    "tickets_so_far": ("pace", so_far("tickets")),
    "sales_so_far": ("pace", so_far("sales")),
    "usual_tickets_so_far": ("usual_pace", mean("usual_tickets_so_far")),
    "own_figure": ("benchmark", of_one_figure(mean("value"))),
    "platform_median": ("benchmark", of_one_figure(mean("median"))),
    "against_median": ("benchmark", of_one_figure(mean("against_median"))),
}
# The core does not keep when an order expired; the others are of all time.
TIMELESS = {"capacity", "expired", "attendance", "presence", "payouts", "buyers", "pace", "usual_pace", "benchmark"}




def ask(path, query=None):
    """The rows, and the position that they show."""
    request = urllib.request.Request(URL + path, data=query and json.dumps(query).encode())
    request.add_header("authorization", f"Bearer {TOKEN}")
    request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request) as response:
        return json.load(response), int(response.headers.get("bilten-position", 0))


def truncated(at, grain):
    if at is None or grain is None:
        return None
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return {"day": day, "month": day.replace(day=1)}[grain].isoformat()


def expected(core, metric, dimensions, grain):
    facts, figure = METRICS[metric["name"]]
    by_currency = metric["unit"] == "minor" or facts == "benchmark"
    keys = [*dimensions] + (["currency"] if by_currency and "currency" not in dimensions else [])
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
        if core.facts[METRICS[metric["name"]][0]] is None:
            continue
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
    # The one mart that is computed now and then.
    ask("/v1/transforms/benchmark/run", {"full": False})
    unknown = [metric["name"] for metric in metrics if metric["name"] not in METRICS]
    if unknown:
        sys.exit(f"say what these are by the core's own tables: {', '.join(unknown)}")
    for _ in range(20):
        core = Core(CORE, LAKE)
        found, compared = differences(core, metrics)
        if found is not None:
            break
    else:
        sys.exit("the core does not stand still")
    if found:
        sys.exit("\n".join(found[:40]) + f"\n{len(found)} differences")
    print(json.dumps({metric["name"]: compared[metric["name"]] for metric in metrics}))


main()
