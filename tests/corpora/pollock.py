#!/usr/bin/env python3
"""Runs Glovebox over the polluted CSV files of the Pollock benchmark, and says what became of them.

The data is not here: FOLDER is a checkout of HPI-Information-Systems/Pollock, of which
`polluted_files/`, `pollock/` (its measures) and `pollock_weights.json` are read. Its measures need
chardet, numpy, joblib, multiset, price_parser and python-dateutil from PyPI.

    python3 tests/corpora/pollock.py FOLDER [--glovebox target/debug/glovebox] [--only PATTERN] [--headerless]

Two passes. The strict one reads with the defaults and the dialect that the benchmark states for each
file, and sorts files into: exact; rejected (some rows are set aside, and each stored row is right);
refused before the first row; ALTERED (a stored row is not in the clean file), but for the files of
AS_IT_STANDS, in which the rows are read as they stand and the clean file differs from them. The lenient one, with
`quotes: lenient` and `ragged: pad`, is scored by the benchmark's own measures, as its other systems
are that were told to carry on. Ends with 1 if a file is altered in the strict pass, or if the sums of
a report do not agree with the rows in the sink and the list of rejects.
"""

import argparse
import collections
import concurrent.futures
import csv
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SCORES = [  # as Pollock's README has them
    ("DuckDB 1.2", 9.961, 9.599),
    ("SQLite 3.39", 9.955, 9.375),
    ("pandas 1.4", 9.895, 9.431),
    ("Python csv 3.10", 9.721, 9.436),
]

HEADERLESS = "--headerless" in sys.argv

AS_IT_STANDS = {
    "file_multitable_same.csv": "the second table's header has as many fields as its rows",
    "file_quotation_char_0x27.csv": 'with quotes of another sign `""` are two characters of text',
}


def names_of(parameters):
    """Column names as Pollock's own loaders make them, each once: a sink has no two of a name."""
    names = [name.strip() for name in parameters["column_names"]]
    if not names:
        names = [f"col_{i}" for i in range(int(parameters["n_columns"]))] or ["col_0"]
    seen = collections.Counter()
    for i, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[i] = f"{name}_{seen[name]}"
    return names


def manifest(file, parameters, names, lenient, out):
    """The pipeline that reads a file as its parameters say, every column as text."""
    headers = int(parameters["header_lines"])
    source = {
        "path": str(file),
        "header": headers > 0 and not HEADERLESS,
        "skip": int(parameters["preamble_lines"]) + (headers if HEADERLESS else 0),
    }
    if headers > 1 and not HEADERLESS:
        source["header-rows"] = headers
    if parameters["delimiter"]:
        source["delimiter"] = parameters["delimiter"]
    if parameters["quotechar"]:
        source["quote"] = parameters["quotechar"]
    if parameters["escapechar"] not in ("", parameters["quotechar"], '"'):
        source["escape"] = parameters["escapechar"]
    if lenient:
        source |= {"quotes": "lenient", "ragged": "pad"}
    return json.dumps(
        {
            "name": "pollock",
            "source": {"csv": source},
            "columns": {name: {"type": "text"} for name in names},
            "sink": {
                "csv": {
                    "path": str(out / "out.csv"),
                    "header": int(parameters["header_lines"]) > 0,
                    "replace-with-nothing": True,
                }
            },
            "rejects": {"path": str(out / "rejects.jsonl")},
        }
    )


def run(glovebox, file, parameters, lenient, out):
    """Exit code, what was said, report, rows of the sink (its header first), rejects."""
    names = names_of(parameters)
    (out / "pipeline.yaml").write_text(manifest(file, parameters, names, lenient, out))
    done = subprocess.run(
        [glovebox, "run", out / "pipeline.yaml", "--report", out / "report.json"],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    if done.returncode != 0:
        return done.returncode, done.stderr, None, [], []
    report = json.loads((out / "report.json").read_text())
    with open(out / "out.csv", newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    return 0, done.stderr, report, rows, rejects


def clean_rows(path):
    with open(path, newline="", encoding="utf-8-sig") as f:
        return list(csv.reader(f))


def strict(glovebox, folder, file):
    """What became of a file that was read by the defaults, and its rules of rejects."""
    parameters = json.loads((folder / "parameters" / f"{file.name}_parameters.json").read_text())
    with tempfile.TemporaryDirectory() as out:
        code, said, report, rows, rejects = run(glovebox, file, parameters, False, pathlib.Path(out))
    if code != 0:
        return file.name, "refused", {said.strip().splitlines()[0] if said.strip() else str(code): 1}
    headers = min(1, int(parameters["header_lines"]))
    stored, counts = rows[headers:], report["rows"]
    rules = collections.Counter(v["rule"] for r in rejects for v in r["violations"])
    if (counts["stored"], counts["rejected"]) != (len(stored), len(rejects)) or counts["read"] != (
        counts["stored"] + counts["filtered"] + counts["rejected"]
    ):
        return file.name, "SUMS", rules
    width = len(names_of(parameters))
    clean = clean_rows(folder / "clean" / file.name)[headers:]
    expected = collections.Counter(tuple(row) for row in clean)
    strangers = [row for row in stored if expected[tuple(row[:width])] == 0]
    if strangers:
        known = file.name in AS_IT_STANDS
        return file.name, "as it stands" if known else "ALTERED", rules
    missing = expected.total() - len(stored)
    if rejects:
        return file.name, "rejected", rules
    return file.name, "exact" if missing == 0 else "MISSING", rules


def lenient(glovebox, folder, file):
    """The ten measures of Pollock for a file that was read leniently."""
    import pollock.metrics as metrics

    metrics.normalize_cell = normalized
    parameters = json.loads((folder / "parameters" / f"{file.name}_parameters.json").read_text())
    with tempfile.TemporaryDirectory() as out:
        out = pathlib.Path(out)
        code, _, _, _, _ = run(glovebox, file, parameters, True, out)
        if code != 0:
            return file.name, [0.0] * 10
        loaded = out / "loaded.csv"
        loaded.write_bytes((out / "out.csv").read_bytes())
        measures = metrics.header_record_cell_measures_csv(folder / "clean" / file.name, loaded)
    return file.name, [1.0, *measures]


@functools.cache
def normalized(cell):
    from pollock.data_types import normalize_cell

    return normalize_cell(cell)


def main():
    about = __doc__.splitlines()[0]
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("folder", type=pathlib.Path, help="a checkout of Pollock")
    parser.add_argument("--glovebox", default="target/debug/glovebox", help="the program")
    parser.add_argument("--only", default="", help="files whose names match this pattern")
    parser.add_argument("--headerless", action="store_true", help="read all as `header: false`")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="files at a time")
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.folder))
    folder = arguments.folder / "polluted_files"
    files = sorted(f for f in (folder / "csv").iterdir() if re.search(arguments.only, f.name))
    if not files:
        parser.error(f"there is no such file in {folder / 'csv'}")

    with concurrent.futures.ProcessPoolExecutor(arguments.jobs) as pool:
        outcomes = collections.defaultdict(list)
        for name, outcome, rules in pool.map(
            functools.partial(strict, arguments.glovebox, folder), files, chunksize=8
        ):
            outcomes[outcome].append((name, rules))
        print(f"strict, {len(files)} files:")
        for outcome, those in sorted(outcomes.items(), key=lambda o: -len(o[1])):
            rules = sum((collections.Counter(r) for _, r in those), collections.Counter())
            print(f"  {outcome:12} {len(those):5} {dict(rules.most_common(5))}")
            if outcome not in ("exact", "rejected"):
                print("            ", ", ".join(name for name, _ in those[:12]))
        wrong = {"ALTERED", "SUMS", "MISSING"} & set(outcomes)
        if arguments.headerless:
            return 1 if wrong else 0

        scores = dict(
            pool.map(functools.partial(lenient, arguments.glovebox, folder), files, chunksize=8)
        )
    simple = sum(sum(s) for s in scores.values()) / len(scores)
    weights = json.loads((arguments.folder / "pollock_weights.json").read_text())
    weight = sum(weights.get(name, -1) for name in scores)
    weighted = sum(sum(s) * weights.get(name, -1) for name, s in scores.items()) / weight
    print("lenient, scored by Pollock's measures (simple, weighted; the most is 10):")
    for system, a, b in [("Glovebox", simple, weighted), *SCORES]:
        print(f"  {system:16} {a:6.3f} {b:6.3f}")
    for name, score in sorted(scores.items(), key=lambda s: sum(s[1]))[:8]:
        print(f"  lowest: {name} {sum(score):.3f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
