"""Compares what `glovebox scan --json` says of generated columns with what they are.

Usage: measure.py LABELS SCAN [--markdown]. Prints recall, precision and the confusion table: what is
drafted as personal (confidence from 0.8 on), what somebody is asked about (from 0.3 on), and what is
passed over.
"""

import collections
import json
import sys

labels = json.load(open(sys.argv[1], encoding="utf-8"))
columns = json.load(open(sys.argv[2], encoding="utf-8"))["sources"][0]["columns"]
found = {column["column"]: column for column in columns}
assert found.keys() == labels.keys(), "other columns"

decisions = ["personal", "decide", "nothing found"]
table = collections.defaultdict(collections.Counter)
for name, label in labels.items():
    table[(not label["personal"], label["kind"])][found[name]["decision"]] += 1
total = {personal: collections.Counter() for personal in (True, False)}
for (other, _), counts in table.items():
    total[not other].update(counts)

hit, missed = total[True]["personal"], total[True].total() - total[True]["personal"]
wrong = total[False]["personal"]
asked = total[True]["decide"]
print(f"{len(labels)} columns, {total[True].total()} of them personal")
print(f"drafted: recall {hit / (hit + missed):.4f}, precision {hit / (hit + wrong):.4f}")
print(f"drafted or asked: recall {(hit + asked) / (hit + missed):.4f}, "
      f"precision {(hit + asked) / (hit + asked + wrong + total[False]['decide']):.4f}")
print()
print("| columns of | drafted as personal | asked about | passed over |")
print("|---|---|---|---|")
for title, personal in (("**all personal**", True), ("**all others**", False)):
    print(f"| {title} | " + " | ".join(str(total[personal][d]) for d in decisions) + " |")
for (_, kind), counts in sorted(table.items()):
    print(f"| {kind} | " + " | ".join(str(counts[d]) for d in decisions) + " |")
if "--wrong" in sys.argv:
    for name, label in sorted(labels.items()):
        column = found[name]
        if (column["decision"] == "personal") != label["personal"]:
            print(name, label, column["kind"], column["confidence"], column["share"], column["by"])
