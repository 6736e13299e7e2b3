"""Asks the same of Glovebox and of DuckDB: `duckdb_agrees.py GLOVEBOX FOLDER SEED COUNT`.

A table with nulls, duplicates and extreme values is generated, and so are queries: half of them over single rows,
which run as steps, half over all rows, by `glovebox query`. Queries are written so that both mean the same by them; what
they mean differently is in docs/sql.md. Prints each difference and ends with 1 if there is one.
"""

import datetime
import decimal
import json
import math
import random
import subprocess
import sys
from pathlib import Path

import duckdb

PROGRAM, FOLDER, SEED, COUNT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
RANDOM = random.Random(SEED)
ROWS = 400

COLUMNS = {
    "id": ("int64", "BIGINT"),
    "g": ("int64", "BIGINT"),
    "i": ("int64", "BIGINT"),
    "d": ('"decimal(12,3)"', "DECIMAL(12,3)"),
    "f": ("float64", "DOUBLE"),
    "t": ("text", "VARCHAR"),
    "u": ("text", "VARCHAR"),
    "b": ("boolean", "BOOLEAN"),
    "day": ("date", "DATE"),
}
TEXTS = ["", " ", "a", "A", "ab", "abc", "Zürich", "zürich", "山田", "a%b", "a_b", "x,y", 'q"q', "0", "-12", "12"]


def cell(column, row):
    if column == "id":
        return row
    if RANDOM.random() < 0.12:
        return None
    return {
        "g": lambda: RANDOM.randrange(6),
        "i": lambda: RANDOM.choice([0, 1, -1, 7, 2**53 + 1, -(2**62), 2**62, RANDOM.randrange(-1000, 1000)]),
        "d": lambda: decimal.Decimal(RANDOM.choice([0, 1, -1, 999_999_999_999, -999_999_999_999, RANDOM.randrange(-99_999, 99_999)])).scaleb(-3),
        "f": lambda: RANDOM.choice([0.0, -0.0, 1e300, -1e300, 1e-300, 0.1, RANDOM.uniform(-50, 50)]),
        "t": lambda: RANDOM.choice(TEXTS),
        "u": lambda: RANDOM.choice("pqrs"),
        "b": lambda: RANDOM.random() < 0.5,
        "day": lambda: datetime.date(1970, 1, 1) + datetime.timedelta(days=RANDOM.choice([0, -1, 19_000, 20_000, RANDOM.randrange(-20_000, 40_000)])),
    }[column]()


# Expressions by what they make. Small ones of i, so that nothing overflows.
def number(deep=0):
    simple = ["g", "id", "(i % 1000)", str(RANDOM.randrange(-20, 20)), "character_length(t)", "CAST(date_part('year', day) AS BIGINT)", "CAST(date_part('dow', day) AS BIGINT)", "ascii(t)"]
    if deep > 2 or RANDOM.random() < 0.4:
        return RANDOM.choice(simple)
    a, b = number(deep + 1), number(deep + 1)
    return RANDOM.choice(
        [
            f"({a} + {b})",
            f"({a} - {b})",
            f"({a} * 3)",
            f"abs({a})",
            f"coalesce({a}, {b})",
            f"nullif({a}, {b})",
            f"greatest({a}, {b})",
            f"least({a}, {b})",
            f"CASE WHEN {condition(deep + 1)} THEN {a} ELSE {b} END",
        ]
    )


def text(deep=0):
    if deep > 2 or RANDOM.random() < 0.4:
        return RANDOM.choice(["t", "u", "'k'", "CAST(g AS VARCHAR)", "CAST(day AS VARCHAR)"])
    a, b = text(deep + 1), text(deep + 1)
    return RANDOM.choice(
        [
            f"upper({a})",
            f"lower({a})",
            f"({a} || {b})",
            f"concat({a}, '-', {b})",
            f"substr({a}, 2)",
            f"substr({a}, 1, 2)",
            f"replace({a}, 'a', 'oo')",
            f"trim({a})",
            f"reverse({a})",
            f"left({a}, 2)",
            f"right({a}, 1)",
            f"coalesce({a}, {b})",
            f"split_part({a}, 'a', 1)",
            f"CASE WHEN {condition(deep + 1)} THEN {a} ELSE {b} END",
        ]
    )


def condition(deep=0):
    if deep > 2 or RANDOM.random() < 0.4:
        return RANDOM.choice(
            [
                "b",
                "g > 2",
                "i < 0",
                "d >= 0.5",
                "f < 1.5e0",
                "t IS NULL",
                "day > DATE '2000-01-01'",
                "t LIKE '%a%'",
                "t ILIKE 'Z%'",
                "u IN ('p', 'q')",
                "g BETWEEN 1 AND 3",
                "starts_with(t, 'a')",
                "t <> ''",
                "f < 1.5",
                "f > d",
                "(g IS NOT DISTINCT FROM 3)",
            ]
        )
    a, b = condition(deep + 1), condition(deep + 1)
    return RANDOM.choice([f"({a} AND {b})", f"({a} OR {b})", f"(NOT {a})", f"(({a}) IS TRUE)", f"{number(deep + 1)} < {number(deep + 1)}", f"{text(deep + 1)} = {text(deep + 1)}"])


def other():
    return RANDOM.choice(
        [
            "d + 1",
            "d * 2",
            "d - d",
            "-d",
            "abs(d)",
            "f + 1",
            "f * 0.5e0",
            "-f",
            "abs(f)",
            "sqrt(abs(f))",
            "CAST(d AS DOUBLE)",
            "i % 7",
            "i & 255",
            "b",
            "NOT b",
            "day",
            "f * 0.5",
            "CAST(date_trunc('month', day) AS DATE)",
            "date_part('month', day)",
            "TRY_CAST(t AS BIGINT)",
            "CAST(id AS DOUBLE) / 7",
            "floor(CAST(d AS DOUBLE))",
            "ceil(CAST(d AS DOUBLE))",
        ]
    )


def rowwise():
    made = [RANDOM.choice([number, text, other, condition])() for _ in range(RANDOM.randrange(1, 4))]
    columns = ", ".join(f"{expr} AS c{n}" for n, expr in enumerate(made))
    where = f" WHERE {condition()}" if RANDOM.random() < 0.7 else ""
    return f"SELECT id, {columns} FROM rows{where}"


def aggregate():
    return RANDOM.choice(
        [
            "count(*)",
            "count(t)",
            "count(DISTINCT t)",
            "sum(g)",
            "sum(i % 1000)",
            "sum(d)",
            "min(i)",
            "max(i)",
            "min(t)",
            "max(day)",
            "min(d)",
            "avg(CAST(g AS DOUBLE))",
            "avg(CAST(d AS DOUBLE))",
            "stddev(CAST(g AS DOUBLE))",
            "var_pop(CAST(id AS DOUBLE))",
            "bool_and(b)",
            "bool_or(b)",
            f"sum({number(2)})",
            f"count(*) FILTER (WHERE {condition(2)})",
            f"max(CASE WHEN {condition(2)} THEN g END)",
            "median(CAST(g AS DOUBLE))",
        ]
    )


def allrows():
    kind = RANDOM.randrange(8)
    where = f" WHERE {condition()}" if RANDOM.random() < 0.5 else ""
    if kind <= 2:
        keys = RANDOM.sample(["g", "u", "t", "b", "CAST(date_trunc('year', day) AS DATE)", "(id % 3)"], RANDOM.randrange(1, 3))
        named = ", ".join(f"{key} AS k{n}" for n, key in enumerate(keys))
        made = ", ".join(f"{aggregate()} AS c{n}" for n in range(RANDOM.randrange(1, 4)))
        having = " HAVING count(*) > 2" if RANDOM.random() < 0.3 else ""
        return f"SELECT {named}, {made} FROM rows{where} GROUP BY {', '.join(keys)}{having}"
    if kind == 3:
        return f"SELECT {', '.join(f'{aggregate()} AS c{n}' for n in range(3))} FROM rows{where}"
    if kind == 4:
        by = RANDOM.choice(["g", "t", "d", "day", number(1), text(1)])
        order = RANDOM.choice(["ASC NULLS FIRST", "ASC NULLS LAST", "DESC NULLS FIRST", "DESC NULLS LAST"])
        return f"SELECT id, {by} AS k FROM rows{where} ORDER BY k {order}, id LIMIT {RANDOM.randrange(1, 50)} OFFSET {RANDOM.randrange(5)}"
    if kind == 5:
        join = RANDOM.choice(["JOIN", "LEFT JOIN", "FULL JOIN"])
        on = RANDOM.choice(["a.g = b.id", "a.id = b.id + 1", "a.u = b.u AND a.id = b.id", "a.t = b.t AND a.g = b.g"])
        return f"SELECT a.id AS x, b.id AS y, a.t, b.d FROM rows a {join} rows b ON {on}"
    if kind == 6:
        window = RANDOM.choice(
            [
                "row_number() OVER (PARTITION BY g ORDER BY id)",
                "rank() OVER (ORDER BY u NULLS LAST)",
                "dense_rank() OVER (PARTITION BY b ORDER BY g NULLS FIRST)",
                "lag(t) OVER (ORDER BY id)",
                "lead(d, 2) OVER (PARTITION BY u ORDER BY id)",
                "sum(g) OVER (PARTITION BY u ORDER BY id)",
                "count(*) OVER (PARTITION BY g)",
                "sum(d) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
                "first_value(t) OVER (PARTITION BY g ORDER BY id)",
            ]
        )
        return f"SELECT id, {window} AS w FROM rows{where}"
    return RANDOM.choice(
        [
            f"SELECT DISTINCT g, u FROM rows{where}",
            f"SELECT id FROM rows WHERE g IN (SELECT g FROM rows WHERE {condition()})",
            f"SELECT id FROM rows WHERE NOT EXISTS (SELECT 1 FROM rows o WHERE o.id = rows.g AND o.b)",
            f"SELECT g AS v FROM rows{where} UNION SELECT id FROM rows WHERE id < 4",
            f"SELECT u, t FROM rows INTERSECT SELECT u, t FROM rows WHERE {condition()}",
            f"SELECT g FROM rows EXCEPT SELECT g FROM rows WHERE {condition()}",
            f"WITH s AS (SELECT g, count(*) AS n FROM rows{where} GROUP BY g) SELECT g, n FROM s WHERE n > (SELECT avg(n) FROM s)",
        ]
    )


def plain(value):
    """One spelling of what both mean."""
    if isinstance(value, decimal.Decimal):
        return float(value) if abs(value) < 2**53 else value
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return value


def alike(a, b):
    if a is None or b is None:
        return a is None and b is None
    if isinstance(a, bool) or isinstance(b, bool):
        return a == b
    try:
        a, b = decimal.Decimal(str(a)), decimal.Decimal(str(b))
    except decimal.InvalidOperation:
        return str(a) == str(b)
    if a == b:
        return True
    return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)


def key(row):
    return [(cell is None, str(round(float(cell), 6)) if isinstance(cell, float) else str(cell)) for cell in row]


def ours(query, is_step):
    if is_step:
        manifest = FOLDER / "step.yaml"
        columns = "".join(f"  {name}: {{ type: {kind} }}\n" for name, (kind, _) in COLUMNS.items())
        step = "steps:\n  - sql: |\n      " + query + "\n"
        sink = f"sink: {{ jsonl: {{ path: out.jsonl, replace-with-nothing: true }} }}\n"
        manifest.write_text(f"name: step\nsource: {{ jsonl: {{ path: in.jsonl }} }}\ncolumns:\n{columns}{step}{sink}")
        ran = subprocess.run([PROGRAM, "run", manifest.name], cwd=FOLDER, capture_output=True, text=True)
        lines = (FOLDER / "out.jsonl").read_text() if ran.returncode == 0 else ""
    else:
        ran = subprocess.run([PROGRAM, "query", "all.yaml", query, "--format", "jsonl"], cwd=FOLDER, capture_output=True, text=True)
        lines = ran.stdout
    if ran.returncode != 0:
        return None, ran.stderr
    rejected = ran.stdout if is_step and "+ 0 rejected" not in ran.stdout else ""
    return [list(json.loads(line, parse_float=float).values()) for line in lines.splitlines()], rejected


def main():
    table = [[cell(column, row) for column in COLUMNS] for row in range(ROWS)]
    with open(FOLDER / "in.jsonl", "w") as out:
        for row in table:
            cells = dict(zip(COLUMNS, row))
            cells["d"] = None if cells["d"] is None else str(cells["d"])
            cells["day"] = None if cells["day"] is None else cells["day"].isoformat()
            out.write(json.dumps(cells) + "\n")
    columns = "".join(f"  {name}: {{ type: {kind} }}\n" for name, (kind, _) in COLUMNS.items())
    (FOLDER / "all.yaml").write_text(f"name: all\nsource: {{ jsonl: {{ path: in.jsonl }} }}\ncolumns:\n{columns}sink: {{ jsonl: {{ path: out.jsonl }} }}\n")
    database = duckdb.connect()
    database.execute("CREATE TABLE rows (" + ", ".join(f"{name} {kind}" for name, (_, kind) in COLUMNS.items()) + ")")
    database.executemany("INSERT INTO rows VALUES (" + ", ".join("?" * len(COLUMNS)) + ")", table)
    different = 0
    for n in range(COUNT):
        is_step = n % 2 == 0
        query = rowwise() if is_step else allrows()
        theirs = [[plain(value) for value in row] for row in database.execute(query).fetchall()]
        found, told = ours(query, is_step)
        if found is None or told:
            problem = told
        else:
            if "ORDER BY k" not in query:
                theirs, found = sorted(theirs, key=key), sorted(found, key=key)
            pairs = list(zip(theirs, found))
            wrong = next(((a, b) for a, b in pairs if len(a) != len(b) or not all(map(alike, a, b))), None)
            problem = f"{len(theirs)} rows, not {len(found)}" if len(theirs) != len(found) else wrong and f"{wrong[0]}\nnot {wrong[1]}"
        if problem:
            different += 1
            print(f"{query}\n{problem}\n")
    print(f"{COUNT} queries, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
