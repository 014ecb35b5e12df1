"""Asks in SQL through one of the doors for tools, and prints for each statement its rows and types, or what was wrong.

A statement is a text, or a list of a text and the values of its places."""

import contextlib
import datetime
import decimal
import json
import sys
from http import client as http_client

import adbc_driver_flightsql
import adbc_driver_flightsql.dbapi
import adbc_driver_manager
import psycopg
import pyarrow.ipc


def plain(value):
    """As JSON over HTTP has it."""
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            return value.isoformat()
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value


def from_postgres(cursor):
    columns = cursor.description or []
    rows = cursor.fetchall() if columns else []
    rows = [{column.name: plain(value) for column, value in zip(columns, row)} for row in rows]
    return {"rows": rows, "types": [column.type_code for column in columns]}


def from_arrow(table):
    return {"rows": [plain(row) for row in table.to_pylist()], "types": [str(field.type) for field in table.schema]}


def postgres(task):
    connection = psycopg.connect(
        host=task["host"],
        port=task["port"],
        user="ada@example.org",
        password=task["token"],
        dbname=task["organizer"] or "bilten",
        autocommit=True,
    )

    def ask(sql, values):
        return from_postgres(connection.execute(sql, values, prepare=True, binary=task["binary"]))

    return connection, ask


def flight_catalog(connection):
    """What the driver itself finds out."""
    tables = [
        {
            "name": f"{schema['db_schema_name']}.{table['table_name']}",
            "type": table["table_type"],
            "columns": [column["column_name"] for column in table["table_columns"]],
        }
        for catalog in connection.adbc_get_objects(depth="all").read_all().to_pylist()
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
        if schema["db_schema_name"] != "information_schema"
    ]
    assert set(connection.adbc_get_table_types()) == {"TABLE", "VIEW"}
    orders = connection.adbc_get_table_schema("orders", db_schema_filter="lake")
    assert str(orders.field("placed_at").type) == "timestamp[us, tz=UTC]"
    return {"rows": tables, "info": connection.adbc_get_info()}


def flight(task):
    options = {"username": "ada@example.org", "password": task["token"]}
    if task["bearer"]:
        options = {adbc_driver_flightsql.DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {task['token']}"}
    if task["organizer"]:
        prefix = adbc_driver_flightsql.DatabaseOptions.RPC_CALL_HEADER_PREFIX.value
        options[f"{prefix}bilten-organizer"] = task["organizer"]
    where = f"grpc://{task['host']}:{task['port']}"
    connection = adbc_driver_flightsql.dbapi.connect(where, db_kwargs=options, autocommit=True)

    def ask(sql, values):
        if sql == "catalog":
            return flight_catalog(connection)
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return from_arrow(cursor.fetch_arrow_table())

    return connection, ask


def http(task):
    connection = http_client.HTTPConnection(task["host"], task["port"])
    accept = "application/vnd.apache.arrow.stream"
    headers = {"authorization": f"Bearer {task['token']}", "content-type": "application/json", "accept": accept}

    def ask(sql, _):
        question = {"sql": sql, "organizer_id": task["organizer"]}
        connection.request("POST", "/v1/sql", json.dumps(question), headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            problem = json.loads(body)
            return {"error": problem["detail"], "code": problem["code"]}
        return from_arrow(pyarrow.ipc.open_stream(body).read_all())

    return contextlib.closing(connection), ask


def answer(ask, statement):
    sql, values = statement if isinstance(statement, list) else (statement, None)
    try:
        return ask(sql, values)
    except psycopg.Error as error:
        place = error.diag.statement_position
        return {"error": str(error), "code": error.sqlstate, "place": place and int(place)}
    except adbc_driver_manager.Error as error:
        return {"error": str(error), "code": error.status_code.name}


task = json.loads(sys.argv[1])
try:
    connection, ask = {"postgres": postgres, "flight": flight, "http": http}[task["door"]](task)
except (psycopg.Error, adbc_driver_manager.Error) as error:
    print(json.dumps([{"error": str(error), "code": "none"}]))
    sys.exit()
with connection:
    answers = [answer(ask, statement) for statement in task["statements"]]
print(json.dumps(answers))
