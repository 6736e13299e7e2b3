#!/bin/bash
# Builds the images of docker-compose.yml, and tries them, on a Debian machine that has neither an
# engine for containers nor a registry: with buildah, as root. docs/deploy.md says what came of it.
#
#   images.sh bases     the images that the Dockerfile starts from: Debian by debootstrap, and with this
#                       machine's Rust. Where a registry is at hand, its images are better: leave this out
#   images.sh build     `glovebox` and `glovebox-init`, with size and time; with $FEATURES, such as `cluster`
#   images.sh try       makes secrets, starts two PostgreSQL, loads from one into the other, serves and probes,
#                       everything but the databases from the images and as their users
#
# Everything lies in $GLOVEBOX_IMAGES (/var/tmp/glovebox-images unless told); delete it afterwards.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
place=${GLOVEBOX_IMAGES:-/var/tmp/glovebox-images}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml host/Cargo.toml 2> /dev/null | head -n 1)
debian=docker.io/library/$(sed -n 's/^FROM \(debian:[^ ]*\) AS glovebox$/\1/p' deploy/Dockerfile)
rust=docker.io/library/$(sed -n 's/^FROM \(rust:[^ ]*\) AS build$/\1/p' deploy/Dockerfile)
mkdir -p "$place"
# Short names are Docker's, as Docker reads them.
printf 'unqualified-search-registries = ["docker.io"]\n' > "$place/registries.conf"
export CONTAINERS_REGISTRIES_CONF=$place/registries.conf BUILDAH_ISOLATION=chroot

tool() {
    buildah --storage-driver vfs --root "$place/storage" --runroot "$place/run" "$@"
}

size() {
    tool images --format '{{.Size}}' "$1"
}

bases() {
    [ -e "$place/debian/etc/debian_version" ] \
        || debootstrap --variant=minbase bookworm "$place/debian" > "$place/debootstrap.log"
    rm -rf "$place"/debian/var/cache/apt/archives/*.deb "$place"/debian/var/lib/apt/lists/*
    local container home=${RUSTUP_HOME:-$HOME/.rustup} toolchain
    container=$(tool from scratch)
    tool add --quiet "$container" "$place/debian" /
    tool config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd bash "$container"
    tool commit --quiet --rm "$container" "$debian"

    toolchain=$(basename "$(rustc --print sysroot)")
    container=$(tool from --pull-never "$debian")
    tool run "$container" -- sh -c 'apt-get update -qq \
        && apt-get install -qq --yes --no-install-recommends ca-certificates gcc libc6-dev make \
        && rm -rf /var/lib/apt/lists/*' > "$place/rust-base.log" 2>&1
    rm -rf "$place/rust"
    mkdir -p "$place/rust/rustup/toolchains" "$place/rust/cargo/bin"
    cp -aL "$(rustc --print sysroot)" "$place/rust/rustup/toolchains/$toolchain"
    cp -a "$home/settings.toml" "$place/rust/rustup/"
    cp -a "${CARGO_HOME:-$HOME/.cargo}/bin/." "$place/rust/cargo/bin/"
    tool add --quiet "$container" "$place/rust" /usr/local
    # Whom this machine trusts for downloads, the image trusts too.
    tool copy --quiet "$container" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
    tool config --env RUSTUP_HOME=/usr/local/rustup --env CARGO_HOME=/usr/local/cargo \
        --env RUSTUP_TOOLCHAIN="$toolchain" --env CARGO_HTTP_CAINFO=/etc/ssl/certs/ca-certificates.crt \
        --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    tool commit --quiet --rm "$container" "$rust"
    rm -rf "$place/rust"
    echo "$debian $(size "$debian"), $rust $(size "$rust")"
}

build() {
    local target began
    for target in init glovebox; do
        local name=glovebox
        [ "$target" = glovebox ] || name=glovebox-$target
        began=$SECONDS
        tool build --pull-never --quiet --build-arg FEATURES="${FEATURES:-}" --target "$target" --file deploy/Dockerfile --tag "$name:$version" . \
            > "$place/build-$target.log" 2>&1
        echo "$name:$version: $(size "$name:$version"), built in $((SECONDS - began)) s"
    done
}

case ${1:-} in
    bases | build) "$1" ;;
    try) exec bash deploy/images-try.sh "$place" "$version" ;;
    *) sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2 ;;
esac
