#!/usr/bin/env bash
# Rolls images out to the cluster that kubectl points to, asks the new pods, and goes back by itself where they do not answer.
#
#   aks.sh NAME=IMAGE@sha256:DIGEST...      NAME is what the manifests call the image: atoll, atoll-train
#
# "Back" is the manifest that answered last, whole: images, settings and scalers. It is kept in the config map atoll-release.
# What a failed release added anew stays, and is listed; the database's migrations stay, too.
#
# OVERLAY (deployment/kubernetes/overlays/aks), NAMESPACE (atoll),
# ATOLL_URL the address of the ingress, ATOLL_KEY a key for smoke.py, PATIENCE (10m) for pods to be ready.
# Exit code: 0 rolled out; 1 failed, and the old release is back (or there was none); 2 wrong usage; 3 not even the old one answers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

[ $# -gt 0 ] || { echo "usage: aks.sh NAME=IMAGE@sha256:DIGEST..." >&2 && exit 2; }
for given in "$@"; do
  [[ $given =~ ^[a-z0-9-]+=[^@]+@sha256:[0-9a-f]{64}$ ]] || {
    echo "$given is not NAME=IMAGE@sha256:DIGEST (a tag can be moved; it is not taken)" >&2 && exit 2
  }
done
: "${ATOLL_URL:?is the address at which the new pods are asked}"
overlay=${OVERLAY:-deployment/kubernetes/overlays/aks}
namespace=${NAMESPACE:-atoll}
patience=${PATIENCE:-10m}
[ -f "$overlay/kustomization.yaml" ] || { echo "there is no $overlay/kustomization.yaml" >&2 && exit 2; }

mkdir -p build
work=$(mktemp -d build/release.XXXXXX)
trap 'rm -rf "$work"' EXIT
# The overlay may have put a registry before the name already; what is replaced is what it ends with.
kubectl kustomize "$overlay" > "$work/overlay.yaml"
{
  echo "apiVersion: kustomize.config.k8s.io/v1beta1"
  echo "kind: Kustomization"
  echo "resources: [../../$overlay]"
  echo "images:"
  for given in "$@"; do
    image=${given#*=}
    sed -nE "s#^ *(- )?image: \"?(([^ \"]*/)?${given%%=*})([:@][^/\"]*)?\"?\$#\2#p" "$work/overlay.yaml" | sort -u | while read -r name; do
      echo "  - {name: \"$name\", newName: \"${image%@*}\", digest: \"${image#*@}\"}"
    done
  done
} > "$work/kustomization.yaml"
kubectl kustomize "$work" > "$work/new.yaml"
for given in "$@"; do
  grep -qF "image: ${given#*=}" "$work/new.yaml" || { echo "$overlay uses no image named ${given%%=*}" >&2 && exit 2; }
done

put() { # put FILE [OPTION...]
  kubectl apply --server-side --field-manager=atoll-release --force-conflicts -f "$@"
}
ready() {
  kubectl rollout status deployment --namespace "$namespace" --timeout "$patience" && "${PYTHON:-python3}" "$here/smoke.py" "$ATOLL_URL"
}

echo "--- Would the cluster take it?"
kubectl get namespace "$namespace" > /dev/null 2>&1 || kubectl create namespace "$namespace"
put "$work/new.yaml" --dry-run=server > "$work/kinds.txt"

echo "--- Roll out $*"
kubectl get configmap atoll-release --namespace "$namespace" -o "jsonpath={.data.manifest\.yaml}" > "$work/old.yaml" 2> "$work/none.txt" || true
if put "$work/new.yaml" && ready; then
  kubectl create configmap atoll-release --namespace "$namespace" --from-file="manifest.yaml=$work/new.yaml" --dry-run=client -o yaml |
    kubectl apply --server-side --field-manager=atoll-release --force-conflicts -f -
  echo "--- Rolled out"
  exit 0
fi

echo "--- It does not answer as it should" >&2
kubectl get pods --namespace "$namespace" -o wide >&2 || true
kubectl get events --namespace "$namespace" --field-selector type=Warning --sort-by=.lastTimestamp >&2 || true
if ! [ -s "$work/old.yaml" ]; then
  echo "--- This was the first release: there is nothing to go back to" >&2
  exit 1
fi
echo "--- Go back" >&2
if put "$work/old.yaml" && ready; then
  echo "--- The old release is back" >&2
  exit 1
fi
echo "--- The old release does not answer either: a person has to look" >&2
exit 3
