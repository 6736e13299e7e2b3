"""The job of `csv` by DuckDB: rows without an id or an address are dropped, the last four characters
of `ssn` masked. Arguments: input, output."""

import sys

import duckdb

source, target = sys.argv[1:]
duckdb.execute(
    """
    COPY (
        SELECT id, first, last, email, substr(ssn, 1, 7) || 'XXXX' AS ssn, amount, joined
        FROM read_csv(?, types = {'joined': 'DATE', 'amount': 'DOUBLE'})
        WHERE id IS NOT NULL AND email IS NOT NULL
    ) TO '%s' (HEADER)
    """
    % target.replace("'", "''"),
    [source],
)
