#!/bin/sh
# Makes the secrets of compose.yaml in deployment/.secrets, which git and images leave out: keys, passwords and, for
# https, a certificate for localhost (NAMES=a.example.org,b.example.org for others). What is there stays as it is: put a
# certificate of your own there before or after, as tls.crt and tls.key.
set -eu

folder=$(cd "$(dirname "$0")/.." && pwd)/.secrets
umask 077
mkdir -p "$folder"
cd "$folder"
# Only the owner may enter the folder. The files themselves are for any user, since containers read them as users of
# their own.
chmod 700 .
umask 022

random() { openssl rand -hex 24; }
[ -s admin_key ] || random >admin_key
[ -s grafana_password ] || random >grafana_password
[ -s database_password ] || random >database_password
[ -s database_url ] || echo "postgresql://atoll:$(cat database_password)@postgres/atoll" >database_url
if [ ! -s tls.crt ] || [ ! -s tls.key ]; then
    names=DNS:localhost,IP:127.0.0.1
    for name in $(echo "${NAMES:-}" | tr ',' ' '); do names=$names,DNS:$name; done
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=atoll \
        -addext "subjectAltName=$names" -keyout tls.key -out tls.crt 2>/dev/null
    chmod 644 tls.key
fi
echo "secrets are in $folder"
