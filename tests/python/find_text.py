"""Looks for texts in every byte of the files below a folder, and in every value of those that are Parquet, whose pages
are compressed. A file that goes meanwhile is as if it had gone before. Prints, as JSON, the files in which each text was
found, and how much was looked at.

    find_text.py FOLDER TEXT...
"""

import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 16 << 20


def in_bytes(path, texts):
    longest = max(len(text) for text in texts)
    found, before = set(), b""
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            window = before + chunk
            found.update(text for text in texts if text in window)
            before = window[-longest:]
    return found


def buffers(array):
    """The bytes of all values, of nested ones too."""
    for buffer in array.buffers():
        if buffer is not None:
            yield buffer.to_pybytes()


def in_values(path, texts):
    found = set()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for column in batch.columns:
                if pa.types.is_dictionary(column.type):
                    column = column.dictionary_decode()
                for values in buffers(column):
                    found.update(text for text in texts if text in values)
    return found


def main():
    folder, texts = pathlib.Path(sys.argv[1]), [text.encode() for text in sys.argv[2:]]
    found, files, values = {text: [] for text in texts}, 0, 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            here = in_bytes(path, texts)
            if path.suffix == ".parquet":
                here |= in_values(path, texts)
        except FileNotFoundError:
            continue
        files += 1
        values += path.suffix == ".parquet"
        for text in here:
            found[text].append(str(path.relative_to(folder)))
    print(json.dumps({"found": {text.decode(): where for text, where in found.items()}, "files": files, "parquet": values}))


main()
