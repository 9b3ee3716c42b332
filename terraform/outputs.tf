# What people, workflows and manifests need to know. Nothing here is a secret.

output "names" {
  description = "Names of what was made."
  value = {
    resource_group = azurerm_resource_group.this.name
    cluster        = one(module.cluster[*].name)
    function_app   = one(module.functions[*].name)
    registry       = one(module.registry[*].name)
    vault          = module.vault.name
    cache          = one(module.cache[*].name)
    storage        = module.storage.account_name
  }
}

output "workflows" {
  description = "Variables of the GitHub environment, for the workflows that deploy."
  value = merge(
    {
      AZURE_TENANT_ID       = var.tenant_id
      AZURE_SUBSCRIPTION_ID = var.subscription_id
      AZURE_RESOURCE_GROUP  = azurerm_resource_group.this.name
    },
    var.github == null ? {} : { AZURE_CLIENT_ID = module.identity.client_ids["deploy"] },
    local.with_cluster ? {
      AKS_CLUSTER           = module.cluster[0].name
      AKS_NAMESPACE         = var.cluster.namespace
      REGISTRY_NAME         = module.registry[0].name
      REGISTRY_LOGIN_SERVER = module.registry[0].login_server
    } : {},
    local.with_functions ? { FUNCTION_APP = module.functions[0].name } : {},
  )
}

locals {
  azure = local.with_cluster ? {
    REGISTRY          = module.registry[0].login_server
    TENANT_ID         = var.tenant_id
    CLIENT_ID         = module.identity.client_ids["pods"]
    KEY_VAULT         = module.vault.name
    RESOURCE_GROUP    = azurerm_resource_group.this.name
    STORAGE_ACCOUNT   = module.storage.account_name
    QUEUE_SERVICE_URI = module.storage.queue_service_uri
    SHARE_ACCOUNT     = module.storage.share.account
    SHARE_PROTOCOL    = "nfs"
    FILE_SHARE        = module.storage.share.name
  } : null
}

output "azure" {
  description = "What Azure calls things here, for manifests."
  value       = local.azure
}

output "azure_env" {
  description = "The file deployment/kubernetes/components/azure/azure.env."
  value = local.azure == null ? null : join("\n", concat(
    ["# Written by `terraform output -raw azure_env`; none of it is a secret."],
    [for key, value in local.azure : "${key}=${value}"],
    [""],
  ))
}

output "cluster" {
  description = "What manifests must agree with: namespace, service accounts, queues, secrets by setting, the share, the ingress's class."
  value = local.with_cluster ? {
    namespace        = var.cluster.namespace
    service_accounts = var.cluster.service_accounts
    queues           = module.storage.queues
    secrets          = local.secrets
    share            = module.storage.share
    settings         = local.settings
    ingress_class    = var.cluster.ingress ? "webapprouting.kubernetes.azure.com" : null
  } : null
}

output "secrets" {
  description = "What the vault has to hold: by its name, how each secret looks; PASSWORD stands for what nobody but you knows."
  value = {
    for setting, secret in local.secrets : secret => {
      DATABASE_URL    = module.database.url
      REDIS_URL       = one(module.cache[*].url)
      ATOLL_ADMIN_KEY = "PASSWORD"
    }[setting]
  }
}

output "url" {
  description = "Address of the function app; the cluster's is that of its ingress."
  value       = one(module.functions[*].url)
}
