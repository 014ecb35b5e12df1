"""Asks over PostgreSQL's protocol with psycopg, each statement prepared on the server, and prints the answers as JSON."""

import datetime
import decimal
import json
import sys

import psycopg


def plain(value):
    """As JSON over HTTP has it."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return value


def answer(connection, statement, binary):
    sql, parameters = statement if isinstance(statement, list) else (statement, None)
    try:
        cursor = connection.execute(sql, parameters, prepare=True, binary=binary)
        names = [column.name for column in cursor.description or []]
        rows = cursor.fetchall() if names else []
        return {"rows": [{name: plain(value) for name, value in zip(names, row)} for row in rows]}
    except psycopg.Error as error:
        return {"error": str(error), "code": error.sqlstate}


task = json.loads(sys.argv[1])
with psycopg.connect(
    host=task["host"],
    port=task["port"],
    user="ada@example.org",
    password=task["token"],
    dbname=task["database"],
    autocommit=True,
) as connection:
    answers = [answer(connection, statement, task["binary"]) for statement in task["statements"]]
print(json.dumps(answers))
