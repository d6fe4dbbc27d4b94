#!/bin/sh
# Builds the image without Docker, with buildah, on a base that debootstrap makes of this machine's Debian once, and
# tries its commands. What it makes stays in .image/.
set -eu

cd "${0%/*}/.."
STORE=$PWD/.image
BASE=attemptlog-base
PAGES='/opt/attemptlog/lib/python*/site-packages/attemptlog/console/pages/dist/index.html'

fail() {
    echo "$1" >&2
    exit 1
}

check_tools() {
    for tool in buildah debootstrap; do
        command -v "$tool" > /dev/null ||
            fail "$tool is missing: install Debian's package of that name, or build with Docker as deploy/Dockerfile says."
    done
    [ "$(id -u)" = 0 ] || fail 'Only root can build the image without Docker, because debootstrap makes a root file system.'
}

images() {
    buildah --storage-driver vfs --root "$STORE/storage" --runroot "$STORE/run" "$@"
}

# The same Debian as this machine's, from where this machine gets it.
make_base() {
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Release: $release" 'Component: main' | head -n 1)
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    echo "Making a base of $release …"
    debootstrap --variant=minbase --include=python3-venv,ca-certificates "$release" "$root" "$mirror" \
        > "$STORE/debootstrap.log" 2>&1 || fail "debootstrap failed: see $STORE/debootstrap.log."
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    container=$(images from scratch)
    images add --quiet "$container" "$root" / > /dev/null
    images config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    images commit --quiet --rm "$container" "$BASE" > /dev/null
}

# Downloads are trusted as on this machine; the certificates are not kept in the image.
build() {
    echo 'Building the image …'
    images bud --isolation chroot --volume /etc/ssl/certs:/etc/ssl/certs:ro --build-arg BASE="localhost/$BASE" \
        ${EXTRAS:+--build-arg "EXTRAS=$EXTRAS"} \
        --ignorefile deploy/Dockerfile.dockerignore --file deploy/Dockerfile --tag attemptlog . \
        > "$STORE/build.log" 2>&1 || fail "The image could not be built: see $STORE/build.log."
    images rmi --prune > /dev/null # the one before
}

try() {
    container=$(images from attemptlog)
    trap 'images rm "$container" > /dev/null' EXIT
    says 'attemptlog ' --version
    says '"asyncapi"' schema asyncapi
    for command in ingest consume migrate topics doctor audit 'dead-letters list' 'sessions gaps' 'export run' console; do
        says 'is not set' $command
    done
    says "'attemptlog[local]'" up
    images run --isolation chroot "$container" -- sh -c "ls $PAGES" > /dev/null 2>&1 ||
        fail 'The image has no pages of the console.'
}

says() {
    wanted=$1
    shift
    said=$(images run --isolation chroot "$container" -- attemptlog "$@" 2>&1) || true
    case $said in
        *"$wanted"*) ;;
        *) fail "In the image, attemptlog $* does not say $wanted, but: $said" ;;
    esac
}

check_tools
mkdir -p "$STORE"
images inspect --type image "$BASE" > /dev/null 2>&1 || make_base
build
try
images images --format '{{.Name}} {{.Size}}'
