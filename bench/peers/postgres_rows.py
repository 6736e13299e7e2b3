"""The job of `postgres` by the script that most people write first: a row at a time by psycopg2.
Arguments: input, table, how many rows. The connection is libpq's environment."""

import base64
import csv
import hmac
import itertools
import sys

import psycopg2

KEY = b"a salt for the benchmark"

source, table, rows = sys.argv[1:]
with (
    psycopg2.connect("") as connection,
    connection.cursor() as cursor,
    open(source, newline="", encoding="utf-8") as file,
):
    for row in itertools.islice(csv.DictReader(file), int(rows)):
        if not row["id"] or not row["email"]:
            continue
        row["ssn"] = row["ssn"][:7] + "XXXX"
        digest = hmac.digest(KEY, row["email"].encode(), "sha256")
        row["email"] = base64.urlsafe_b64encode(digest).decode()
        cursor.execute(
            f"INSERT INTO {table} VALUES (%s, %s, %s, %s, %s, %s, %s)", list(row.values())
        )
