"""Measures rows by pycanon: k, distinct l, entropy l rounded down, and t, one to a line."""

import sys

import pandas
from pycanon import anonymity

file, quasi, sensitive = sys.argv[1:]
rows = pandas.read_csv(file, keep_default_na=False)
quasi = quasi.split(",")
print(anonymity.k_anonymity(rows, quasi))
print(anonymity.l_diversity(rows, quasi, [sensitive]))
print(anonymity.entropy_l_diversity(rows, quasi, [sensitive]))
print(anonymity.t_closeness(rows, quasi, [sensitive]))
