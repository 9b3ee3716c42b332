#!/usr/bin/env bash
# Plans, and applies what was approved; for .github/workflows/terraform.yml, and for a terminal that is signed in.
#
#   terraform.sh plan     writes the plan to the summary; outputs `changes` (true, false) and `digest`
#   terraform.sh apply    plans anew, and applies it if it is what APPROVED (a digest) stands for
#
# A saved plan holds secrets, and would have to be stored for the time until somebody approves. So what goes from one job to
# the other is the digest of its changes alone.
#
# TF_STATE_RESOURCE_GROUP, TF_STATE_ACCOUNT, TF_STATE_CONTAINER (tfstate), TF_STATE_KEY (atoll.tfstate): where the state is.
# TERRAFORM_VARIABLES: a .tfvars file's content. Exit code: 0 fine, 1 refused or failed, 2 wrong usage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../terraform"

task=${1:-}
case $task in plan | apply) ;; *) echo "usage: terraform.sh plan|apply" >&2 && exit 2 ;; esac
[ "$task" = plan ] || [ -n "${APPROVED:-}" ] || { echo "APPROVED is empty: plan first, and give the digest that it told" >&2 && exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
variables=()
if [ -n "${TERRAFORM_VARIABLES:-}" ]; then
  printf '%s\n' "$TERRAFORM_VARIABLES" > "$work/given.tfvars"
  variables+=("-var-file=$work/given.tfvars")
fi
# An empty secret is no password.
[ -n "${TF_VAR_database_password:-}" ] || unset TF_VAR_database_password

terraform init -backend-config="resource_group_name=${TF_STATE_RESOURCE_GROUP:?names where the state is}" \
  -backend-config="storage_account_name=${TF_STATE_ACCOUNT:?names the account that holds the state}" \
  -backend-config="container_name=${TF_STATE_CONTAINER:-tfstate}" -backend-config="key=${TF_STATE_KEY:-atoll.tfstate}"

code=0
terraform plan -detailed-exitcode -out="$work/plan" "${variables[@]}" || code=$?
[ "$code" = 0 ] || [ "$code" = 2 ] || exit 1 # 2: there are changes

terraform show -json "$work/plan" > "$work/plan.json"
digest=$(jq -cS '[(.resource_changes // [])[] | select(.change.actions != ["no-op"]) | {address, actions: .change.actions, after: .change.after}],
  [(.output_changes // {}) | to_entries[] | {key, actions: .value.actions}]' "$work/plan.json" | sha256sum | cut -d " " -f 1)

if [ "$task" = plan ]; then
  {
    echo "### Terraform: $([ "$code" = 2 ] && echo "what would change" || echo "nothing would change")"
    echo '```'
    terraform show -no-color "$work/plan" | head -c 900000
    echo '```'
    echo "Digest \`$digest\`"
  } >> "${GITHUB_STEP_SUMMARY:-/dev/stdout}"
  {
    echo "changes=$([ "$code" = 2 ] && echo true || echo false)"
    echo "digest=$digest"
  } >> "${GITHUB_OUTPUT:-/dev/stdout}"
  exit 0
fi

if [ "$digest" != "$APPROVED" ]; then
  echo "Refused: since it was approved, the plan has become another one ($digest, not $APPROVED). Start anew." >&2
  exit 1
fi
terraform apply -auto-approve "$work/plan"
