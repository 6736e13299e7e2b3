#!/bin/sh
# Makes what a deployment needs and no repository may hold: an authority, a certificate for each
# database, passwords and keys. Runs once; a second run changes nothing.
#
#   init.sh [FOLDER]            FOLDER is /out unless told
#   init.sh --renew [FOLDER]    new keys and certificates for the databases, by the same authority
#   init.sh --new-authority [FOLDER]     another authority, which clients trust beside the one before
#   init.sh --forget-authority [FOLDER]  nobody trusts the ones before the newest any more
#
# FOLDER/authority                  the authority's key, for nobody else
# FOLDER/ca/ca.pem                  its certificate, for everybody who connects
# FOLDER/source, FOLDER/destination a server's certificate, key and passwords, for its user
# FOLDER/load, api, audit, admin    what runs, the API, its audit log and its first user may know,
#                                   for the program's user
#
# POSTGRES_UID and GLOVEBOX_UID are the users of the images; without the right to give files away
# (`chown`), as in a test, they stay with whoever runs this.
set -eu
umask 077

renew=
case "${1:-}" in
--renew | --new-authority | --forget-authority)
    renew=${1#--}
    shift
    ;;
esac
out=${1:-/out}
postgres=${POSTGRES_UID:-999}
glovebox=${GLOVEBOX_UID:-10001}
servers="source destination"

made="$out/authority/made"
if [ -z "$renew" ] && [ -e "$made" ]; then
    echo "init: $out already exists; nothing to do"
    exit 0
fi
if [ -n "$renew" ] && [ ! -e "$made" ]; then
    echo "init: there is nothing to renew in $out; run init.sh without --$renew first" >&2
    exit 1
fi

# A server's passwords are in its database since its first start: others would lock everybody out, and
# another salt would mask everybody anew.
if [ -z "$renew" ]; then
    if [ ! -e "$out/authority/begun" ] && [ -e "$out/source/superuser" ]; then
        echo "init: $out has secrets, but none that this version has made; docs/deploy.md says how to" \
            "take them along" >&2
        exit 1
    fi
    mkdir -p "$out/authority"
    touch "$out/authority/begun"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

give() {
    if [ "$(id -u)" = 0 ] && [ "${INIT_KEEP_OWNER:-}" = "" ]; then
        chown -R "$1:$1" "$2"
    fi
}

# The newest comes first in ca.pem: openssl signs by that one. The key goes before, since a certificate without its
# key would be trusted for nothing, while a key without its certificate signs nothing.
authority() {
    mkdir -p "$out/authority" "$out/ca"
    openssl ecparam -name prime256v1 -genkey -noout -out "$out/authority/ca.key.new"
    openssl req -x509 -new -sha256 -days 3650 -key "$out/authority/ca.key.new" -out "$work/ca.pem" \
        -subj "/CN=glovebox deployment" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
        -addext "keyUsage=critical,keyCertSign,cRLSign"
    if [ -e "$out/ca/ca.pem" ] && [ -n "$renew" ]; then
        cat "$out/ca/ca.pem" >> "$work/ca.pem"
    fi
    mv "$out/authority/ca.key.new" "$out/authority/ca.key"
    trust "$work/ca.pem"
    chmod 755 "$out/ca"
}

# The authorities of this file, and no other.
trust() {
    cp "$1" "$out/ca/ca.pem.new"
    chmod 644 "$out/ca/ca.pem.new"
    mv "$out/ca/ca.pem.new" "$out/ca/ca.pem"
}

# A certificate for a server's name in the compose network, and for this machine's own.
certificate() {
    mkdir -p "$out/$1"
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
    openssl req -new -sha256 -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr"
    {
        echo "subjectAltName=DNS:$1,DNS:localhost"
        echo "basicConstraints=critical,CA:FALSE"
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=serverAuth"
    } > "$work/$1.ext"
    openssl x509 -req -sha256 -days 825 -in "$work/$1.csr" -CA "$out/ca/ca.pem" \
        -CAkey "$out/authority/ca.key" -CAserial "$work/serial" -CAcreateserial \
        -extfile "$work/$1.ext" -out "$work/$1.pem" 2> /dev/null
    # Whole or not at all, and with their owner; a server reads them when it is told to.
    for file in key pem; do
        cp "$work/$1.$file" "$out/$1/server.$file.new"
        give "$postgres" "$out/$1/server.$file.new"
        mv "$out/$1/server.$file.new" "$out/$1/server.$file"
    done
}

case "$renew" in
renew)
    for server in $servers; do
        certificate "$server"
    done
    echo "init: renewed the certificates of: $servers; have the servers read them: SIGHUP"
    exit 0
    ;;
new-authority)
    authority
    echo "init: there is another authority; let clients read ca.pem, then run init.sh --renew"
    exit 0
    ;;
forget-authority)
    openssl x509 -in "$out/ca/ca.pem" -out "$work/newest.pem"
    for server in $servers; do
        if ! openssl verify -CAfile "$work/newest.pem" "$out/$server/server.pem" > /dev/null 2>&1; then
            echo "init: the certificate of $server is not of the newest authority; run init.sh --renew first" >&2
            exit 1
        fi
    done
    trust "$work/newest.pem"
    echo "init: the newest authority alone is trusted now"
    exit 0
    ;;
esac

authority
for server in $servers; do
    certificate "$server"
done

# 32 random bytes as URL-safe base64, without a line end.
secret() {
    mkdir -p "$(dirname "$1")"
    openssl rand -base64 32 | tr '+/' '-_' | tr -d '\n' > "$1"
}
secret "$out/source/superuser"
secret "$out/source/extractor"
secret "$out/destination/superuser"
secret "$out/destination/loader"
secret "$out/destination/reader"

# The program looks a secret up as a file of its name; `source/extractor` is one of them.
mkdir -p "$out/load/source" "$out/load/destination" "$out/api/destination"
cp "$out/source/extractor" "$out/load/source/"
cp "$out/destination/loader" "$out/load/destination/"
cp "$out/destination/reader" "$out/api/destination/"
secret "$out/load/sales/customer-salt"
secret "$out/api/api/token-key"
secret "$out/audit/audit/signing-key"
secret "$out/admin/first-password"

for server in $servers; do
    give "$postgres" "$out/$server"
done
for service in load api audit admin; do
    give "$glovebox" "$out/$service"
done
# Last: without it, the next run begins anew.
touch "$made"
echo "init: created certificates and secrets in $out"
