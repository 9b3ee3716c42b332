#!/bin/sh
# In the build of an image: the user that Atoll runs as, its folders, and the system's library that LightGBM needs.
set -eu

groupadd --gid 10001 atoll
useradd --uid 10001 --gid 10001 --home-dir /state --no-create-home --shell /usr/sbin/nologin atoll
mkdir -p /state /share
chown 10001:10001 /state /share
case " $1 " in
    *" hosted "*)
        apt-get update -q
        apt-get install -q -y --no-install-recommends libgomp1
        rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
        ;;
esac
