#!/bin/sh
# The source database's first start: a table with rows, and a role that may read it and no more.
# Run by the image's entry point as the superuser; $TLS is where init.sh's files are.
set -eu
# psql reads the passwords itself: as its arguments, every process could see them.
export TLS="${TLS:-/tls}"
data=${DATA:-/data}

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set password `cat "$TLS/extractor"`
CREATE ROLE extractor LOGIN PASSWORD :'password';
ALTER ROLE extractor SET default_transaction_read_only = on;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO extractor;
CREATE TABLE public.sales (product text, price double precision, quantity bigint);
GRANT SELECT ON public.sales TO extractor;
SQL
# The file has a price that is no number; in a column of numbers that is none.
{
    echo "CREATE TEMPORARY TABLE raw (product text, price text, quantity bigint);"
    echo "COPY raw FROM STDIN (FORMAT csv, HEADER true);"
    cat "$data/sales.csv"
    printf '\\.\n'
    echo "INSERT INTO public.sales SELECT product,"
    echo "  CASE WHEN price ~ '^[0-9]+([.][0-9]+)?\$' THEN price::double precision END, quantity"
    echo "FROM raw;"
} | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"
