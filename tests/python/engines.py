"""DuckDB and chDB on the files of a lake, for comparison. Reads requests from standard input, one JSON object a line
({"engine", "sql"}), and answers each with {"ms", "rows"} or {"error"}.

Arguments: the lake's folder, how many threads each engine may use, and a folder with prepare_duckdb.sql and
prepare_chdb.sql. The files are those of each table's newest Delta version, and of its good rows only.
"""

import datetime
import json
import sys
import time
from pathlib import Path

import duckdb
from chdb.session import Session
from deltalake import DeltaTable


def good_files(table: Path) -> list[str]:
    files = [uri.removeprefix("file://") for uri in DeltaTable(table).file_uris()]
    return sorted(file for file in files if "_rejected=false" in file)


def statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [part for part in "\n".join(lines).split(";") if part.strip()]


def plain(value):
    """A value as JSON has it; times without a zone, and days, as text."""
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return value


class DuckDb:
    def __init__(self, tables: dict[str, list[str]], threads: int, prepare: str) -> None:
        self.connection = duckdb.connect(config={"threads": threads})
        for name, files in tables.items():
            self.connection.execute(
                f"create view {name} as select * from "
                f"read_parquet({files!r}, hive_partitioning = true, hive_types = {{'day': date}})"
            )
        for statement in statements(prepare):
            self.connection.execute(statement)

    def run(self, sql: str) -> list:
        return self.connection.execute(sql).fetchall()

    def version(self) -> str:
        return f"DuckDB {duckdb.__version__}"


class ChDb:
    def __init__(self, tables: dict[str, list[str]], threads: int, prepare: str) -> None:
        self.session = Session()
        for setting in [f"max_threads = {threads}", "use_hive_partitioning = 1", "max_query_size = 10000000",
                        "output_format_json_quote_64bit_integers = 0", "session_timezone = 'UTC'"]:
            self.session.query(f"set {setting}")
        for name, files in tables.items():
            root = Path(files[0]).parents[2]
            below = ",".join(str(Path(file).relative_to(root)) for file in files)
            self.session.query(f"create view {name} as select * from file('{root}/{{{below}}}', 'Parquet')")
        for statement in statements(prepare):
            self.session.query(statement)

    def run(self, sql: str) -> list:
        return json.loads(str(self.session.query(sql, "JSONCompact")))["data"]

    def version(self) -> str:
        return f"chDB {self.session.query('select version()')}".strip().replace('"', "")


def main() -> None:
    lake, threads, folder = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    tables = {path.name: good_files(path) for path in lake.iterdir() if (path / "_delta_log").exists()}
    tables = {name: files for name, files in tables.items() if files}
    engines = {
        "duckdb": DuckDb(tables, threads, (folder / "prepare_duckdb.sql").read_text()),
        "chdb": ChDb(tables, threads, (folder / "prepare_chdb.sql").read_text()),
    }
    print(json.dumps({name: engine.version() for name, engine in engines.items()}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        try:
            rows = engines[request["engine"]].run(request["sql"])
            taken = (time.perf_counter() - started) * 1e3
            answer = {"ms": taken, "rows": [[plain(value) for value in row] for row in rows]}
        except Exception as error:
            answer = {"error": str(error)[:2000]}
        print(json.dumps(answer), flush=True)


main()
