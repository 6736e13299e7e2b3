#!/bin/sh
# Makes what a deployment needs and no repository may hold: an authority, a certificate for each
# database, passwords and keys. Runs once; a second run changes nothing.
#
#   init.sh [FOLDER]      FOLDER is /out unless told
#
# FOLDER/ca/ca.pem                  for everybody who connects
# FOLDER/source, FOLDER/destination a server's certificate, key and passwords, for its user
# FOLDER/glovebox                   what the program may know, for its user
#
# POSTGRES_UID and GLOVEBOX_UID are the users of the images; without the right to give files away
# (`chown`), as in a test, they stay with whoever runs this.
set -eu
umask 077

out=${1:-/out}
postgres=${POSTGRES_UID:-999}
glovebox=${GLOVEBOX_UID:-10001}

if [ -e "$out/glovebox/made" ]; then
    echo "init: $out already exists; nothing to do"
    exit 0
fi

work=$(mktemp -d)
# The authority's key goes with it: what it has signed stays good, and nothing else ever will be.
trap 'rm -rf "$work"' EXIT

openssl ecparam -name prime256v1 -genkey -noout -out "$work/ca.key"
openssl req -x509 -new -sha256 -days 3650 -key "$work/ca.key" -out "$work/ca.pem" \
    -subj "/CN=glovebox deployment" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" \
    -addext "keyUsage=critical,keyCertSign,cRLSign"
mkdir -p "$out/ca"
cp "$work/ca.pem" "$out/ca/ca.pem"
chmod 755 "$out/ca"
chmod 644 "$out/ca/ca.pem"

# A certificate for a server's name in the compose network, and for this machine's own.
certificate() {
    mkdir -p "$out/$1"
    openssl ecparam -name prime256v1 -genkey -noout -out "$out/$1/server.key"
    openssl req -new -sha256 -key "$out/$1/server.key" -subj "/CN=$1" -out "$work/$1.csr"
    {
        echo "subjectAltName=DNS:$1,DNS:localhost"
        echo "basicConstraints=critical,CA:FALSE"
        echo "keyUsage=critical,digitalSignature"
        echo "extendedKeyUsage=serverAuth"
    } > "$work/$1.ext"
    openssl x509 -req -sha256 -days 825 -in "$work/$1.csr" -CA "$work/ca.pem" \
        -CAkey "$work/ca.key" -CAcreateserial -extfile "$work/$1.ext" \
        -out "$out/$1/server.pem" 2> /dev/null
}
certificate source
certificate destination

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
mkdir -p "$out/glovebox/source" "$out/glovebox/destination"
cp "$out/source/extractor" "$out/glovebox/source/"
cp "$out/destination/loader" "$out/destination/reader" "$out/glovebox/destination/"
secret "$out/glovebox/sales/customer-salt"
secret "$out/glovebox/api/token-key"
secret "$out/glovebox/audit/signing-key"
secret "$out/glovebox/admin-password"

give() {
    if [ "$(id -u)" = 0 ] && [ "${INIT_KEEP_OWNER:-}" = "" ]; then
        chown -R "$1:$1" "$2"
    fi
}
give "$postgres" "$out/source"
give "$postgres" "$out/destination"
# Last: without it, the next run begins anew.
touch "$out/glovebox/made"
give "$glovebox" "$out/glovebox"
echo "init: created certificates and secrets in $out"
