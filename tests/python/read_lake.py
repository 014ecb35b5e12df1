"""Reads a lake's tables with deltalake and with Polars, and prints what each finds as JSON.

Arguments: the lake's folder, and a JSON file that says which column of each table of changes is money.
"""

import datetime
import json
import sys
from pathlib import Path

import polars
from deltalake import DeltaTable

ORDER = ["order_id", "status", "total_minor", "currency", "placed_at", "first_quantity"]


def with_deltalake(path: Path) -> polars.DataFrame:
    """What deltalake itself reads, as Arrow; Polars only counts it."""
    return polars.from_arrow(DeltaTable(str(path)).to_pyarrow_table())


def with_polars(path: Path) -> polars.DataFrame:
    return polars.scan_delta(str(path)).collect()


def micros(value: datetime.datetime | None) -> int | None:
    if value is None:
        return None
    since = value.astimezone(datetime.timezone.utc) - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return since // datetime.timedelta(microseconds=1)


def summary(rows: polars.DataFrame, money: str | None) -> dict:
    def total(column: str) -> int | None:
        return int(rows[column].sum()) if len(rows) else None

    return {
        "rows": len(rows),
        "versions": total("entity_version"),
        "seq": rows["seq"].max(),
        "money": total(money) if money else None,
        "organizers": rows["organizer_id"].n_unique(),
        "recorded_at": micros(rows["recorded_at"].max()),
    }


def orders(changes: polars.DataFrame) -> list[dict]:
    newest = changes.sort("entity_version").group_by("entity_id").last().sort("order_id")
    found = []
    for row in newest.iter_rows(named=True):
        row["placed_at"] = micros(row["placed_at"])
        row["first_quantity"] = row["lines"][0]["quantity"]
        found.append({name: row[name] for name in ORDER})
    return found


def read(lake: Path, tables: dict, reader) -> dict:
    def good(table: str) -> polars.DataFrame:
        rows = reader(lake / table)
        return rows.filter(polars.col("_error").is_null())

    found = {table: summary(good(table), money) for table, money in tables.items()}
    seen = good("interactions")
    found["interactions"] = {
        "rows": len(seen),
        "ids": seen["interaction_id"].n_unique(),
        "received_at": micros(seen["received_at"].max()),
    }
    sales = reader(lake / "marts" / "sales")
    found["marts/sales"] = {"organizers": sales["organizer_id"].n_unique(), "money": int(sales["sold_minor"].sum())}
    return {"tables": found, "orders": orders(good("order_changes"))}


def main() -> None:
    lake, tables = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    readers = {"deltalake": with_deltalake, "polars": with_polars}
    print(json.dumps({name: read(lake, tables, reader) for name, reader in readers.items()}))


if __name__ == "__main__":
    main()
