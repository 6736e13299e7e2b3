"""Seven columns from one format into another, by polars (streaming) or by DuckDB, with the types given.
Arguments: `polars` or `duckdb`, input, output. Formats go by the names' endings. Without an input: only
what starting costs. With `count`, the rows of a Parquet file; with `make`, the same rows in each format."""

import sys

NAMES = ["id", "first", "last", "email", "ssn", "amount", "joined"]
TYPES = ["BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "DOUBLE", "DATE"]


def by_polars(source, target):
    import polars as pl

    if source is None:
        return
    kinds = {"BIGINT": pl.Int64, "VARCHAR": pl.String, "DOUBLE": pl.Float64, "DATE": pl.Date}
    schema = {name: kinds[kind] for name, kind in zip(NAMES, TYPES)}
    if source.endswith(".parquet"):
        rows = pl.scan_parquet(source)
    elif source.endswith(".jsonl"):
        rows = pl.scan_ndjson(source, schema=schema)
    else:
        rows = pl.scan_csv(source, schema=schema)
    if target.endswith(".parquet"):
        rows.sink_parquet(target, compression="zstd")
    elif target.endswith(".jsonl"):
        rows.sink_ndjson(target)
    else:
        rows.sink_csv(target)


def by_duckdb(source, target):
    import duckdb

    if source is None:
        return
    columns = "{%s}" % ", ".join(f"'{name}': '{kind}'" for name, kind in zip(NAMES, TYPES))
    if source.endswith(".parquet"):
        rows = "read_parquet(?)"
    elif source.endswith(".jsonl"):
        rows = f"read_json(?, format = 'newline_delimited', columns = {columns})"
    else:
        rows = f"read_csv(?, header = true, columns = {columns})"
    if target.endswith(".parquet"):
        how = "FORMAT parquet, COMPRESSION zstd"
    elif target.endswith(".jsonl"):
        how = "FORMAT json"
    else:
        how = "FORMAT csv, HEADER"
    target = target.replace("'", "''")
    duckdb.execute(f"COPY (SELECT * FROM {rows}) TO '{target}' ({how})", [source])


def make(source, folder):
    import gzip
    import shutil

    for ending in ["jsonl", "parquet"]:
        by_polars(source, f"{folder}/people.{ending}")
    with open(source, "rb") as rows, gzip.open(f"{folder}/people.csv.gz", "wb", 6) as packed:
        shutil.copyfileobj(rows, packed, 1 << 20)


def count(source, _):
    import polars as pl

    print(pl.scan_parquet(source).select(pl.len()).collect().item())


how, source, target, *_ = sys.argv[1:] + [None, None]
{"polars": by_polars, "duckdb": by_duckdb, "make": make, "count": count}[how](source, target)
