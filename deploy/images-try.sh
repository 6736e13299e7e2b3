#!/bin/bash
# Called by images.sh: what docker-compose.yml puts together, with the images' programs as the images' users
# and this machine's PostgreSQL. Says what it sees, and ends with an error at the first thing that is not so.
#
#   images-try.sh PLACE VERSION
set -euo pipefail
place=$1
version=$2
try=$place/try
binaries=$(dirname "$(find /usr/lib/postgresql -name initdb | sort | tail -n 1)")
user=postgres
containers=()
servers=()

tool() {
    buildah --storage-driver vfs --root "$place/storage" --runroot "$place/run" "$@"
}

end() {
    for server in "${servers[@]}"; do
        runuser -u "$user" -- "$binaries/pg_ctl" stop --silent --mode immediate -D "$server" || true
    done
    [ ${#containers[@]} -eq 0 ] || tool rm "${containers[@]}" > /dev/null
}
trap end EXIT

rm -rf "$try"
mkdir -p "$try"/{authority,ca,source,destination,load,api,audit,admin,load-state,state,checkpoints}
chmod 755 "$try"

init=$(tool from --pull-never "glovebox-init:$version")
containers+=("$init")
volumes=()
for volume in authority ca source destination load api audit admin; do
    volumes+=(--volume "$try/$volume:/out/$volume")
done
tool run --env POSTGRES_UID="$(id -u "$user")" "${volumes[@]}" "$init" -- sh /usr/local/bin/init.sh
chown 10001:10001 "$try"/{load-state,state,checkpoints}

# A server on an address of its own, as the image's entry point starts it first.
server() {
    local name=$1 address=$2 database=$3 data=$try/$1-data
    mkdir "$data"
    chown "$user:$user" "$data"
    local as=(runuser -u "$user" -- env PGHOST="$data" PGUSER=postgres PGPASSWORD="$(cat "$try/$name/superuser")")
    "${as[@]}" "$binaries/initdb" --auth=scram-sha-256 --username=postgres --no-sync \
        --pwfile="$try/$name/superuser" -D "$data" > "$try/$name.log"
    sed "s|'/tls/|'$try/$name/|; s|^listen_addresses = .*|listen_addresses = '$address'|" deploy/postgresql.conf \
        > "$data/postgresql.conf"
    cp deploy/pg_hba.conf "$data/pg_hba.conf"
    chown "$user:$user" "$data/postgresql.conf" "$data/pg_hba.conf"
    "${as[@]}" "$binaries/pg_ctl" start --silent --wait -D "$data" -l "$data/log" -o "-k $data"
    servers+=("$data")
    "${as[@]}" psql --quiet --command "CREATE DATABASE $database" postgres
    env PGHOST="$data" PGPASSWORD="$(cat "$try/$name/superuser")" POSTGRES_USER=postgres POSTGRES_DB="$database" \
        TLS="$try/$name" DATA=data sh "deploy/$name.sh"
}
server source 127.0.77.1 shop
server destination 127.0.77.2 warehouse

container=$(tool from --pull-never --add-host source:127.0.77.1 --add-host destination:127.0.77.2 "glovebox:$version")
containers+=("$container")
glovebox() {
    tool run --user 10001:10001 \
        --volume "$PWD/deploy/sales.yaml:/etc/glovebox/sales.yaml:ro" \
        --volume "$PWD/deploy/glovebox.yaml:/etc/glovebox/glovebox.yaml:ro" \
        --volume "$try/ca:/tls/ca:ro" \
        --volume "$try/load:/run/glovebox/load:ro" \
        --volume "$try/api:/run/glovebox/api:ro" \
        --volume "$try/audit:/run/glovebox/audit:ro" \
        --volume "$try/admin:/run/glovebox/admin" \
        --volume "$try/$state:/var/lib/glovebox" \
        --volume "$try/checkpoints:/var/lib/glovebox-checkpoints" \
        "$container" -- "$@"
}

state=load-state
[ "$(glovebox id -u)" = 10001 ]
glovebox glovebox --version
glovebox glovebox check --connect /etc/glovebox/sales.yaml
glovebox glovebox run /etc/glovebox/sales.yaml --resume

state=state
glovebox sh /usr/local/bin/admin.sh /etc/glovebox/glovebox.yaml /run/glovebox/admin/first-password
glovebox glovebox serve --config /etc/glovebox/glovebox.yaml > "$try/serve.log" 2>&1 &
serving=$!
until glovebox bash /usr/local/bin/healthcheck.sh 8000 2> /dev/null; do
    kill -0 "$serving" || { cat "$try/serve.log" >&2; exit 1; }
    sleep 0.2
done
echo "ready, as the image's own health check finds"
token=$(curl --silent --fail --data-urlencode username=admin \
    --data-urlencode "password@$try/admin/first-password" http://127.0.0.1:8000/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
rows=$(curl --silent --fail --header "Authorization: Bearer $token" http://127.0.0.1:8000/sales)
echo "$rows"
[ "$(grep -o '"customer_id"' <<< "$rows" | wc -l)" = 3 ]
# The server is some levels below buildah; others of this machine are not ours to stop.
below=$serving
while [ "$(ps -o comm= -p "$below")" != glovebox ]; do
    below=$(pgrep --parent "$below" | head -n 1)
done
kill -TERM "$below"
wait "$serving"
echo "served three masked rows, and stopped when told to"
