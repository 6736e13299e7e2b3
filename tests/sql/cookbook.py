"""Asks pandas and Glovebox the same, line for line of docs/sql.md: `cookbook.py GLOVEBOX FOLDER docs/sql.md`.

Prints each difference and ends with 1 if there is one.
"""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

PROGRAM, FOLDER, MANUAL = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

ORDERS = {
    "id": [1, 2, 3, 4, 5, 6, 7, 8],
    "country": ["DE", "FR", None, "DE", "AT", "FR", "DE", "AT"],
    "price": [2.5, 1.25, 10.0, None, 7.75, 0.5, 3.0, 8.5],
    "quantity": [4, 3, 1, 2, 5, 7, 2, 3],
    "paid": [True, False, True, True, False, True, False, True],
    "parent": [3, 1, 8, 1, 2, 2, 5, 6],
}
TYPES = {"id": "int64", "country": "text", "price": "float64", "quantity": "int64", "paid": "boolean", "parent": "int64"}


def rows_of(result):
    if isinstance(result, pd.Series):
        result = result.to_frame()
    # What was grouped by is the index.
    if result.index.name is not None or result.index.nlevels > 1:
        result = result.reset_index()
    return [[None if pd.isna(cell) else cell for cell in row] for row in result.values.tolist()]


def alike(a, b):
    if a is None or b is None or isinstance(a, str) or isinstance(b, str):
        try:
            return math.isclose(float(a), float(b), rel_tol=1e-9)
        except (TypeError, ValueError):
            return a == b
    return math.isclose(a, b, rel_tol=1e-9)


def main():
    df = pd.DataFrame(ORDERS)
    with open(FOLDER / "in.jsonl", "w") as out:
        for row in df.values.tolist():
            cells = {name: None if pd.isna(cell) else cell for name, cell in zip(ORDERS, row)}
            out.write(json.dumps(cells) + "\n")
    columns = "".join(f"  {name}: {{ type: {kind} }}\n" for name, kind in TYPES.items())
    manifest = "name: orders\nsource: { jsonl: { path: in.jsonl } }\ncolumns:\n" + columns
    (FOLDER / "orders.yaml").write_text(manifest + "sink: { jsonl: { path: out.jsonl } }\n")
    lines = re.findall(r"^\| .* \| `(df.*)` \| `(SELECT .*)` \|$", MANUAL.read_text(), re.MULTILINE)
    different = 0
    for theirs, ours in lines:
        expected = rows_of(eval(theirs, {"df": df}))
        call = [PROGRAM, "query", "orders.yaml", ours, "--format", "jsonl"]
        ran = subprocess.run(call, cwd=FOLDER, capture_output=True, text=True)
        found = [list(json.loads(line).values()) for line in ran.stdout.splitlines()]
        in_order = re.search(r"ORDER BY [^()]*$", ours) or "OVER (ORDER BY id" in ours
        if not in_order:
            expected, found = sorted(expected, key=str), sorted(found, key=str)
        same = len(expected) == len(found) and all(
            len(a) == len(b) and all(map(alike, a, b)) for a, b in zip(expected, found)
        )
        if ran.returncode != 0 or not same:
            different += 1
            print(f"{theirs}\n{ours}\n{expected}\nnot {found}\n{ran.stderr}")
    print(f"{len(lines)} lines, {different} different")
    return 1 if different or not lines else 0


if __name__ == "__main__":
    sys.exit(main())
