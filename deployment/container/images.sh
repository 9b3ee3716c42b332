#!/bin/sh
# Builds both images of deployment/Dockerfile, atoll:slim and atoll:functions (other names: ATOLL_IMAGE,
# ATOLL_FUNCTIONS_IMAGE), by docker or podman. What is given goes to both builds:
#   sh deployment/container/images.sh --build-arg EXTRAS=aws
# Where ../shared/lab is, no registry of images can be reached, and stand-ins are built on: Debian's Python 3.11 under the
# name of Python's image and, instead of the Functions image, Python 3.13 of this machine (Debian's, where there is none)
# with Microsoft's worker library in its place and without the Functions host.
set -eu

cd "$(dirname "$0")/../.."
lab=../shared/lab/containers
slim=${ATOLL_IMAGE:-atoll:slim}
functions=${ATOLL_FUNCTIONS_IMAGE:-atoll:functions}

build() { # TARGET NAME [OPTION...]
    target=$1 name=$2
    shift 2
    echo "building $name"
    "$engine" build -f deployment/Dockerfile --target "$target" -t "$name" "$@" .
    "$engine" image inspect --format "$name: {{.Size}} bytes" "$name"
}

if [ ! -x "$lab/base_image.sh" ]; then
    engine=$(command -v docker || command -v podman) || { echo "neither docker nor podman is installed" >&2; exit 1; }
    build slim "$slim" "$@"
    build functions "$functions" "$@"
    exit
fi

engine=podman
CONTAINERS_CONF=$(readlink -f "$lab/containers.conf")
export CONTAINERS_CONF
authorities=/etc/ssl/certs/ca-certificates.crt
# The format docker keeps the health check.
options="--pull=never --network=host --format docker --volume $authorities:$authorities:ro"
debian=$(sed -n 's/^ARG PYTHON_IMAGE=//p' deployment/Dockerfile)
"$lab/base_image.sh" "$debian"
"$lab/base_image.sh" "$(sed -n 's/^ARG FUNCTIONS_IMAGE=//p' deployment/Dockerfile)"
# shellcheck disable=SC2086 # several options
build slim "$slim" $options "$@"

find="from tests.conformance.environment import LIBRARY, find_python_313 as f; print(f() or '', LIBRARY)"
read -r python library <<EOF
$(.venv/bin/python -c "$find")
EOF
if [ -n "$library" ]; then
    base="lab-functions:python3.13"
    # As in the image that it stands for: the worker in its folder, Python below /opt.
    # shellcheck disable=SC2086
    "$engine" build $options --volume "$(dirname "$(dirname "$python")"):/from:ro" -t "$base" -f - . <<EOF
FROM $debian
RUN cp -a /from /opt/python3.13 \\
    && cd /opt/python3.13/lib && rm -rf python3.13/test python3.13/config-* python3.13/site-packages/*.pth \\
    && ln -s /opt/python3.13/lib/libpython3.13.so.1.0 /usr/lib/ \\
    && ln -sf /opt/python3.13/bin/python3.13 /usr/local/bin/python \\
    && ln -sf /opt/python3.13/bin/python3.13 /usr/local/bin/python3 \\
    && printf '#!/bin/sh\nexec python -m pip "\$@"\n' >/usr/local/bin/pip && chmod +x /usr/local/bin/pip
RUN python -m pip install --quiet --target /azure-functions-host/workers/python/3.13/LINUX/X64 $library
EOF
    set -- --build-arg "PYTHON_IMAGE=$base" --build-arg "FUNCTIONS_IMAGE=$base" "$@"
fi
# shellcheck disable=SC2086
build functions "$functions" $options "$@"
