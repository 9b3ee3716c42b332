#!/usr/bin/env bash
# Publishes a package to a function app, asks it, and goes back by itself where it does not answer.
#
#   functions.sh PACKAGE.zip
#
# The plan (Flex consumption) has no slots. "Back" is the package that answered last; it is kept as a blob beside Terraform's state.
#
# RESOURCE_GROUP, FUNCTION_APP, ATOLL_URL, ATOLL_KEY a key for smoke.py,
# RELEASES_ACCOUNT and RELEASES_CONTAINER (releases) where the last package is kept, SETTLE_S (30) before the first question.
# Exit code: 0 published; 1 failed, and the old package is back (or there was none); 2 wrong usage; 3 not even the old one answers.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

package=${1:-}
[ -s "$package" ] || { echo "usage: functions.sh PACKAGE.zip" >&2 && exit 2; }
: "${RESOURCE_GROUP:?}" "${FUNCTION_APP:?}" "${ATOLL_URL:?}" "${RELEASES_ACCOUNT:?}"
kept=(--auth-mode login --only-show-errors --account-name "$RELEASES_ACCOUNT" --container-name "${RELEASES_CONTAINER:-releases}" --name "$FUNCTION_APP.zip")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

publish() { # publish PACKAGE
  # Terraform's provider leaves an empty AzureWebJobsStorage behind each time, in which the host may see a connection string.
  az functionapp config appsettings delete --only-show-errors --resource-group "$RESOURCE_GROUP" --name "$FUNCTION_APP" \
    --setting-names AzureWebJobsStorage --output none
  # The package brings what it needs, by hash: nothing is built, or fetched, in Azure.
  az functionapp deployment source config-zip --only-show-errors --resource-group "$RESOURCE_GROUP" --name "$FUNCTION_APP" --src "$1" --build-remote false
}
ready() {
  sleep "${SETTLE_S:-30}" # instances with the old package end a little later
  "${PYTHON:-python3}" "$here/smoke.py" "$ATOLL_URL"
}

# Not being able to tell whether there is one is a reason to stop; that there is none is not.
exists=$(az storage blob exists "${kept[@]}" --query exists --output tsv)
if [ "$exists" = true ]; then
  az storage blob download "${kept[@]}" --file "$work/old.zip" > /dev/null
fi

echo "--- Publish $(basename "$package") to $FUNCTION_APP"
if publish "$package" && ready; then
  az storage blob upload "${kept[@]}" --file "$package" --overwrite > /dev/null
  echo "--- Published"
  exit 0
fi

echo "--- It does not answer as it should" >&2
if ! [ -s "$work/old.zip" ]; then
  echo "--- This was the first release: there is nothing to go back to" >&2
  exit 1
fi
echo "--- Go back" >&2
if publish "$work/old.zip" && ready; then
  echo "--- The old package is back" >&2
  exit 1
fi
echo "--- The old package does not answer either: a person has to look" >&2
exit 3
