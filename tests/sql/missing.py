"""Has pandas and the step `missing` fill the same tables: `missing.py GLOVEBOX FOLDER SEED TABLES`.

Prints each difference and ends with 1 if there is one.
"""

import math
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd

PROGRAM, FOLDER = sys.argv[1], Path(sys.argv[2])
SEED, TABLES = int(sys.argv[3]), int(sys.argv[4])

MANIFEST = """name: fill
source: {{ csv: {{ path: in.csv }} }}
columns:
  id: {{ type: int64 }}
  shop: {{ type: text }}
  at: {{ type: {at} }}
  a: {{ type: float64 }}
  b: {{ type: float64 }}
  c: {{ type: text }}
steps:
  - missing: {{ {how} }}
sink: {{ csv: {{ path: out.csv }} }}
rejects: {{ path: rejects.jsonl }}
"""


def table(numbers):
    rows = numbers.randint(0, 60)
    cell = lambda make: None if numbers.random() < 0.4 else make()
    days = numbers.random() < 0.5
    moment = lambda: numbers.randint(0, 30)
    frame = pd.DataFrame(
        {
            "id": range(rows),
            "shop": [cell(lambda: numbers.choice("xyz")) for _ in range(rows)],
            "at": [moment() for _ in range(rows)],
            "a": [cell(lambda: numbers.randint(-9, 9) / 2) for _ in range(rows)],
            "b": [cell(lambda: float(numbers.randint(0, 3))) for _ in range(rows)],
            "c": [cell(lambda: numbers.choice(["k", "l", "m"])) for _ in range(rows)],
        }
    ).astype({"shop": object, "a": float, "b": float, "c": object})
    return frame, days


def ordered(frame):
    return frame.sort_values("at", kind="stable")


def line(group):
    """Between the one before and the one after, by how far apart they are; where two are at one place, the first."""
    known = [(x, y) for x, y in zip(group["at"], group["a"]) if not pd.isna(y)]
    places = list(zip(group["at"], group["a"]))
    filled = []
    for i, (x, y) in enumerate(places):
        if pd.isna(y):
            before = [p for p in places[:i] if not pd.isna(p[1])]
            after = [p for p in places[i:] if not pd.isna(p[1])]
            if before and after:
                (x0, y0), (x1, y1) = before[-1], after[0]
                y = y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        filled.append(y)
    return pd.Series(filled, index=group.index, dtype=float)


def most(values):
    found = values.mode()
    return found.iloc[0] if len(found) else None


def by(frame, column, how, grouped):
    if not grouped:
        return how(frame)
    parts = [how(group) for _, group in frame.groupby("shop", dropna=False)]
    return pd.concat(parts) if parts else frame[column]


WAYS = {
    "a: { value: -0.5 }": lambda f, g: f.assign(a=f.a.fillna(-0.5)),
    "c: { value: \"it's\" }": lambda f, g: f.assign(c=f.c.fillna("it's")),
    "a: drop, c: drop": lambda f, g: f.dropna(subset=["a", "c"]),
    "b: reject": lambda f, g: f.dropna(subset=["b"]),
    "a: { mean: true BY }": lambda f, g: f.assign(a=by(f, "a", lambda p: p.a.fillna(p.a.mean()), g)),
    "a: { median: true BY }": lambda f, g: f.assign(a=by(f, "a", lambda p: p.a.fillna(p.a.median()), g)),
    "b: { mode: true BY }": lambda f, g: f.assign(b=by(f, "b", lambda p: p.b.fillna(most(p.b)), g)),
    "c: { mode: true BY }": lambda f, g: f.assign(c=by(f, "c", lambda p: p.c.map(lambda v: most(p.c) if pd.isna(v) else v), g)),
    "a: { previous: true, order: at BY }": lambda f, g: f.assign(a=by(f, "a", lambda p: ordered(p).a.ffill(), g)),
    "c: { previous: true, order: at BY }": lambda f, g: f.assign(c=by(f, "c", lambda p: ordered(p).c.ffill(), g)),
    "a: { interpolate: linear, order: at BY }": lambda f, g: f.assign(a=by(f, "a", lambda p: line(ordered(p)), g)),
}
# Several columns at once, each by its own rows.
WAYS["a: { mean: true BY }, b: { previous: true, order: at }, c: mode"] = lambda f, g: f.assign(
    a=by(f, "a", lambda p: p.a.fillna(p.a.mean()), g),
    b=ordered(f).b.ffill(),
    c=f.c.map(lambda v: most(f.c) if pd.isna(v) else v),
)


def alike(a, b):
    if pd.isna(a) or pd.isna(b):
        return pd.isna(a) and pd.isna(b)
    if isinstance(a, str) or isinstance(b, str):
        return a == b
    return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=1e-12)


numbers = random.Random(SEED)
compared = different = 0
for _ in range(TABLES):
    frame, days = table(numbers)
    written = frame.copy()
    if days:
        written["at"] = [f"2024-01-{1 + day:02}" for day in frame["at"]]
    written.to_csv(FOLDER / "in.csv", index=False)
    for how, pandas in WAYS.items():
        grouped = numbers.random() < 0.6
        written = how.replace(" BY", ", by: [shop]" if grouped else "")
        manifest = MANIFEST.format(how=written, at="date" if days else "int64")
        (FOLDER / "m.yaml").write_text(manifest)
        ran = subprocess.run([PROGRAM, "run", "m.yaml"], cwd=FOLDER, capture_output=True, text=True)
        compared += 1
        expected = pandas(frame, grouped).sort_index().drop(columns="at")
        if ran.returncode != 0:
            # Not one row is left: what was there stays, and the program says so.
            same = len(expected) == 0 and ran.returncode == 3
        else:
            found = pd.read_csv(FOLDER / "out.csv").drop(columns="at")
            pairs = zip(expected.values.tolist(), found.values.tolist())
            same = len(found) == len(expected) and all(all(map(alike, *pair)) for pair in pairs)
        if not same:
            different += 1
            print(f"{written}: {ran.returncode} {ran.stderr}", frame, expected, sep="\n")
print(f"{compared} compared, {different} different")
sys.exit(different > 0)
