#!/bin/sh
# A role of Easel's own, which owns its database and nothing else. PostgreSQL's image runs this once, on an empty volume.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --set=password="$POSTGRES_EASEL_PASSWORD" <<'SQL'
CREATE ROLE easel LOGIN PASSWORD :'password';
CREATE DATABASE easel OWNER easel ENCODING 'UTF8' TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
SQL
