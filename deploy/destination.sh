#!/bin/sh
# The destination database's first start: a role that loads, and a role of the API's that reads what
# was loaded and nothing else. Run by the image's entry point as the superuser.
set -eu
# psql reads the passwords itself: as its arguments, every process could see them.
export TLS="${TLS:-/tls}"

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\set loader `cat "$TLS/loader"`
\set reader `cat "$TLS/reader"`
CREATE ROLE loader LOGIN PASSWORD :'loader';
CREATE ROLE reader LOGIN PASSWORD :'reader';
ALTER ROLE reader SET default_transaction_read_only = on;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON DATABASE :"DBNAME" TO loader;
GRANT CREATE, USAGE ON SCHEMA public TO loader;
GRANT USAGE ON SCHEMA public TO reader;
ALTER DEFAULT PRIVILEGES FOR ROLE loader IN SCHEMA public GRANT SELECT ON TABLES TO reader;
SQL
