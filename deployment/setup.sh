#!/usr/bin/env bash
# Makes what Atoll needs on Azure without Terraform: a cluster with KEDA, queues, share, vault, database, identity.
#
#   deployment/setup.sh                  prints the commands and runs none
#   deployment/setup.sh --run            runs them, one after the other; each may be run again
#   deployment/setup.sh --run --from 7   goes on with step 7
#
# Settings by environment: NAME (atoll; letters and digits, unique in Azure), LOCATION (westeurope), DATASETS (a folder
# to upload; none), TORCH_INDEX_URL (where pip finds PyTorch for CPUs).
# Priced options, off by default (list prices; look them up before you say yes):
#   --ddos       DDoS network protection, about 2,900 dollars a month for up to 100 addresses
#   --firewall   Azure Firewall, Standard, about 1.25 dollars an hour and 0.016 a GB; it is made, and nothing is led through
#                it yet: rules and routes are yours to add, or Terraform's (firewall = true)
# Needs az (signed in, with a subscription chosen), kubectl, kubelogin, openssl, and the right to assign roles.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run=no from=1 ddos=no firewall=no steps=12
usage() { sed -n '2,15s/^# \{0,1\}//p' "deployment/setup.sh"; }
while [ $# -gt 0 ]; do
  case $1 in
    --run) run=yes ;;
    --dry-run) run=no ;;
    --from) from=${2:?--from needs the number of a step}; shift ;;
    --ddos) ddos=yes ;;
    --firewall) firewall=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "setup.sh: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
name=${NAME:-atoll} location=${LOCATION:-westeurope}
[[ $name =~ ^[a-z][a-z0-9]{2,15}$ ]] || { echo "setup.sh: NAME=$name is not 3 to 16 lower-case letters and digits" >&2; exit 2; }
[[ $from =~ ^[0-9]+$ ]] || { echo "setup.sh: --from $from is no number" >&2; exit 2; }
if [ "$from" -lt 1 ] || [ "$from" -gt "$steps" ]; then echo "setup.sh: --from $from: there are steps 1 to $steps" >&2; exit 2; fi
[ -z "${DATASETS:-}" ] || [ -d "$DATASETS" ] || { echo "setup.sh: DATASETS=$DATASETS is no folder" >&2; exit 2; }
if [ "$run" = yes ]; then
  for tool in az kubectl kubelogin openssl; do
    command -v "$tool" > /dev/null || { echo "setup.sh: $tool is not installed" >&2; exit 2; }
  done
fi

group=$name cluster=$name registry=${name}registry storage=${name}storage files=${name}files vault=$name-vault
database=$name-database identity=$name-pods number=0
# What `ask` finds out.
subnet='' issuer='' storage_id='' client_id='' principal_id='' tenant_id='' vault_id='' cluster_id='' me='' pod=''

step() { # step WHAT: announces the next step
  number=$((number + 1))
  printf '\n# %d. %s\n' "$number" "$1"
}
show() { # show COMMAND...: as it can be typed; what `ask` found out stands in it by name
  local word line=''
  for word in "$@"; do
    case $word in
      '' | *[!A-Za-z0-9_./:=@%+,\$-]*) if [[ $word == *\$* ]]; then word="\"$word\""; else word="'${word//\'/\'\\\'\'}'"; fi ;;
      *\$*) word="\"$word\"" ;;
    esac
    line+=" $word"
  done
  printf '%s' "${line# }"
}
do_() { # do_ COMMAND...: prints a command, and runs it where that is wanted
  show "$@"
  printf '\n'
  if [ "$run" = yes ] && [ "$number" -ge "$from" ]; then "$@"; fi
}
ask() { # ask VARIABLE COMMAND...: keeps what a command answers; without --run its name stands for it
  local variable=$1
  shift
  # shellcheck disable=SC2016  # is shown, not run
  printf '%s=$(%s)\n' "$variable" "$(show "$@")"
  # Steps that are skipped answer too: later ones ask for it.
  if [ "$run" = yes ]; then printf -v "$variable" '%s' "$("$@")"; else printf -v "$variable" '%s' "\$$variable"; fi
}

step "Resource group"
do_ az group create --name "$group" --location "$location"

step "Network: nodes, and private addresses of storage and database"
do_ az network vnet create --resource-group "$group" --name "$name" --address-prefixes 10.1.0.0/16
do_ az network vnet subnet create --resource-group "$group" --vnet-name "$name" --name nodes --address-prefixes 10.1.0.0/20 \
  --service-endpoints Microsoft.Storage
do_ az network vnet subnet create --resource-group "$group" --vnet-name "$name" --name database \
  --address-prefixes 10.1.16.0/24 --delegations Microsoft.DBforPostgreSQL/flexibleServers
ask subnet az network vnet subnet show --resource-group "$group" --vnet-name "$name" --name nodes --query id --output tsv

step "Priced options: DDoS protection ($ddos), firewall ($firewall)"
if [ "$ddos" = yes ]; then
  do_ az network ddos-protection create --resource-group "$group" --name "$name" --vnets "$name"
fi
if [ "$firewall" = yes ]; then
  do_ az network vnet subnet create --resource-group "$group" --vnet-name "$name" --name AzureFirewallSubnet \
    --address-prefixes 10.1.17.0/26
  do_ az network firewall create --resource-group "$group" --name "$name" --vnet-name "$name" --sku AZFW_VNet --tier Standard
fi

step "Registry, and the images (the second one has torch and trains)"
do_ az acr create --resource-group "$group" --name "$registry" --sku Basic --admin-enabled false
do_ az acr build --registry "$registry" --image atoll:latest --file deployment/Dockerfile --target slim \
  --build-arg EXTRAS="azure-monitor kubernetes" .
do_ az acr build --registry "$registry" --image atoll-train:latest --file deployment/Dockerfile --target slim \
  --build-arg EXTRAS="azure-monitor kubernetes" --build-arg TORCH=cpu \
  --build-arg PIP_EXTRA_INDEX_URL="${TORCH_INDEX_URL:-}" .

step "Cluster: 1 to 5 nodes, with KEDA, workload identity, Key Vault and nginx"
do_ az aks create --resource-group "$group" --name "$cluster" --tier standard --node-vm-size Standard_DS2_v2 \
  --node-count 1 --enable-cluster-autoscaler --min-count 1 --max-count 5 \
  --network-plugin azure --network-plugin-mode overlay --network-policy cilium --network-dataplane cilium \
  --pod-cidr 10.244.0.0/16 --vnet-subnet-id "$subnet" \
  --enable-managed-identity --enable-oidc-issuer --enable-workload-identity --enable-keda --enable-app-routing \
  --enable-addons azure-keyvault-secrets-provider --attach-acr "$registry" --enable-aad --enable-azure-rbac \
  --disable-local-accounts --auto-upgrade-channel patch --generate-ssh-keys
ask cluster_id az aks show --resource-group "$group" --name "$cluster" --query id --output tsv
ask me az ad signed-in-user show --query id --output tsv
do_ az role assignment create --assignee-object-id "$me" --assignee-principal-type User \
  --role "Azure Kubernetes Service RBAC Cluster Admin" --scope "$cluster_id"
ask issuer az aks show --resource-group "$group" --name "$cluster" --query oidcIssuerProfile.issuerUrl --output tsv

step "Queues, each with its poison queue"
do_ az storage account create --resource-group "$group" --name "$storage" --sku Standard_ZRS --kind StorageV2 \
  --min-tls-version TLS1_2 --allow-blob-public-access false --allow-shared-key-access false \
  --vnet-name "$name" --subnet nodes --default-action Deny
ask storage_id az storage account show --resource-group "$group" --name "$storage" --query id --output tsv
for queue in prediction-cpu training-cpu submission-cpu prediction-train training-train; do
  for each in "$queue" "$queue-poison"; do
    # By Azure's management: the account itself takes no calls from outside the network.
    do_ az rest --method put --uri "$storage_id/queueServices/default/queues/$each?api-version=2024-01-01" --body '{}'
  done
done

step "File share (NFS: reached from the nodes' network only, without a key)"
do_ az storage account create --resource-group "$group" --name "$files" --sku Premium_ZRS --kind FileStorage \
  --https-only false --min-tls-version TLS1_2 --allow-shared-key-access false --vnet-name "$name" --subnet nodes \
  --default-action Deny
do_ az storage share-rm create --resource-group "$group" --storage-account "$files" --name atoll --quota 100 \
  --enabled-protocols NFS --root-squash NoRootSquash

step "Identity of the pods, which KEDA takes too"
do_ az identity create --resource-group "$group" --name "$identity"
ask client_id az identity show --resource-group "$group" --name "$identity" --query clientId --output tsv
ask principal_id az identity show --resource-group "$group" --name "$identity" --query principalId --output tsv
ask tenant_id az account show --query tenantId --output tsv
for subject in atoll:atoll kube-system:keda-operator; do
  do_ az identity federated-credential create --resource-group "$group" --identity-name "$identity" \
    --name "${subject/:/-}" --issuer "$issuer" --subject "system:serviceaccount:$subject" \
    --audiences api://AzureADTokenExchange
done
do_ az role assignment create --assignee-object-id "$principal_id" --assignee-principal-type ServicePrincipal \
  --role "Storage Queue Data Contributor" --scope "$storage_id"

step "Vault and database; the password and the admin key are made here and kept there"
do_ az keyvault create --resource-group "$group" --name "$vault" --enable-rbac-authorization true
ask vault_id az keyvault show --name "$vault" --query id --output tsv
do_ az role assignment create --assignee-object-id "$me" --assignee-principal-type User --role "Key Vault Secrets Officer" \
  --scope "$vault_id"
do_ az role assignment create --assignee-object-id "$principal_id" --assignee-principal-type ServicePrincipal \
  --role "Key Vault Secrets User" --scope "$vault_id"
host=$database.postgres.database.azure.com
if [ "$run" = yes ] && [ "$number" -ge "$from" ]; then
  # Files that only their owner reads: every user of the machine sees command lines. az reads what stands behind an @.
  secrets=$(mktemp -d) && trap 'rm -rf "$secrets"' EXIT
  # Kept in the vault before they are used, and never made anew: this step may be run again, whatever became of it.
  if ! az keyvault secret show --vault-name "$vault" --name database-url --output none 2> /dev/null; then
    openssl rand -hex 32 | tr -d '\n' > "$secrets/admin-key"
    printf 'postgresql://atoll:%s@%s/atoll?sslmode=require' "$(openssl rand -hex 24)" "$host" > "$secrets/database-url"
    for secret in admin-key database-url; do
      az keyvault secret set --vault-name "$vault" --name "$secret" --file "$secrets/$secret" --output none
    done
    rm "$secrets/database-url"
  fi
  if ! az postgres flexible-server show --resource-group "$group" --name "$database" --output none 2> /dev/null; then
    az keyvault secret download --vault-name "$vault" --name database-url --file "$secrets/database-url"
    sed -E 's|^postgresql://atoll:([^@]+)@.*|\1|' "$secrets/database-url" | tr -d '\n' > "$secrets/password"
    az postgres flexible-server create --resource-group "$group" --name "$database" --tier Burstable \
      --sku-name Standard_B2s --version 17 --admin-user atoll --admin-password "@$secrets/password" --vnet "$name" \
      --subnet database --private-dns-zone "$database.private.postgres.database.azure.com" --database-name atoll --yes
  fi
else
  echo "az postgres flexible-server create --name $database --admin-password (made) ...   # $host"
  echo "az keyvault secret set --vault-name $vault --name database-url --file (made)"
  echo "az keyvault secret set --vault-name $vault --name admin-key --file (made)"
fi

step "What the manifests need to know"
environment=deployment/kubernetes/components/azure/azure.env
written=$(cat << END
# What Azure calls things here; none of it is a secret. Written by deployment/setup.sh.
REGISTRY=$registry.azurecr.io
TENANT_ID=$tenant_id
CLIENT_ID=$client_id
KEY_VAULT=$vault
RESOURCE_GROUP=$group
STORAGE_ACCOUNT=$storage
QUEUE_SERVICE_URI=https://$storage.queue.core.windows.net
SHARE_ACCOUNT=$files
SHARE_PROTOCOL=nfs
FILE_SHARE=atoll
END
)
printf 'cat > %s << END\n%s\nEND\n' "$environment" "$written"
if [ "$run" = yes ]; then printf '%s\n' "$written" > "$environment"; fi

step "Atoll"
do_ az aks get-credentials --resource-group "$group" --name "$cluster" --overwrite-existing
do_ kubelogin convert-kubeconfig --login azurecli
do_ kubectl apply -k deployment/kubernetes/overlays/aks
do_ kubectl --namespace atoll rollout status deployment --timeout 10m
do_ kubectl --namespace atoll get ingress atoll

step "Data sets, onto the share that all pods mount (DATASETS=${DATASETS:-none})"
if [ -n "${DATASETS:-}" ]; then
  # Through a pod: the share is reached from the cluster alone.
  do_ kubectl --namespace atoll exec deploy/atoll-scheduler -- mkdir -p /mnt/share/datasets
  ask pod kubectl --namespace atoll get pod --selector app.kubernetes.io/component=scheduler \
    --output 'jsonpath={.items[0].metadata.name}'
  do_ kubectl --namespace atoll cp "$DATASETS/." "$pod:/mnt/share/datasets"
fi
printf '\n# The key of the first administrator: az keyvault secret show --vault-name %s --name admin-key --query value\n' "$vault"
