"""Prints the rows of an XLSX or Parquet file as JSON objects."""

import json
import sys

path = sys.argv[1]
if path.endswith(".xlsx"):
    import openpyxl

    rows = list(openpyxl.load_workbook(path, read_only=True).active.values)
    rows = [dict(zip(rows[0], row)) for row in rows[1:]]
else:
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path).to_pylist()
json.dump(rows, sys.stdout, default=str)
