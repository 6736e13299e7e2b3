#!/bin/sh
# Adds the API's first user, `admin`, with the password that init.sh has made; once.
#
#   admin.sh CONFIG PASSWORD_FILE
set -eu
config=$1
password=$2

if glovebox user --config "$config" list | grep -q '^admin[[:space:]]'; then
    echo "admin: the user already exists"
    exit 0
fi
glovebox user --config "$config" add admin --role admin < "$password"
