#!/bin/sh
# In the build of an image: plugins.sh "a,b" removes all plugins from ./models but a and b, and tells what the rest takes.
# Folders that begin with "_" are libraries of several plugins, and stay.
set -eu

wanted=$(echo "$1" | tr ',' ' ')
for name in $wanted; do
    case "$name" in
        _* | */* | *.*) echo "PLUGINS: $name is no plugin" >&2 && exit 2 ;;
    esac
    [ -f "models/$name/__init__.py" ] || { echo "PLUGINS: there is no models/$name" >&2 && exit 2; }
done
for folder in models/*/; do
    name=$(basename "$folder")
    case "$name" in
        _*) ;;
        *)
            case " ${wanted:-$name} " in
                *" $name "*) ;;
                *) rm -r "$folder" ;;
            esac
            ;;
    esac
done
for folder in models/*/; do
    echo "plugin $(basename "$folder"): $(du -sk "$folder" | cut -f1) kB"
done
