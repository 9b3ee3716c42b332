# One installation of Atoll. docs/terraform.md leads from an empty subscription to /docs.

resource "azurerm_resource_group" "this" {
  name     = "rg-${var.name}"
  location = var.location
  tags     = local.tags
}

locals {
  place = {
    name                = var.name
    resource_group_name = azurerm_resource_group.this.name
    location            = azurerm_resource_group.this.location
    tags                = local.tags
  }
}

module "network" {
  source = "./modules/network"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  address_space       = var.network.address_space
  ingress_ports       = local.with_cluster ? var.network.ingress_ports : []
  ingress_cidrs       = var.network.ingress_cidrs
  functions           = local.with_functions
  ddos_protection     = var.network.ddos_protection
  firewall            = var.network.firewall
  firewall_fqdns      = var.network.firewall_fqdns
}

module "storage" {
  source = "./modules/storage"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  account_name        = "st${local.unique}"
  queues              = local.queues
  share_name          = var.storage.share_name
  share_gib           = var.storage.share_gib
  share_mounted       = local.share_mounted
  replication         = var.storage.replication
  client_subnet_ids   = module.network.client_subnet_ids
  operator_ips        = var.operator_ips
  private_endpoints   = contains(var.private_endpoints, "storage")
}

module "vault" {
  source = "./modules/vault"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  vault_name          = "kv-${local.unique}"
  tenant_id           = var.tenant_id
  client_subnet_ids   = module.network.client_subnet_ids
  operator_ips        = var.operator_ips
  private_endpoint    = contains(var.private_endpoints, "vault")
}

module "database" {
  source = "./modules/database"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  server_name         = "psql-${local.unique}"
  virtual_network_id  = module.network.id
  subnet_id           = module.network.subnet_ids["database"]
  postgresql          = var.database
  password            = var.database_password
  password_version    = var.database_password_version
}

module "cache" {
  source = "./modules/cache"
  count  = local.with_cache ? 1 : 0

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  cache_name          = "redis-${local.unique}"
  sku                 = var.cache.sku
  high_availability   = var.cache.high_availability
}

module "registry" {
  source = "./modules/registry"
  count  = local.with_cluster ? 1 : 0

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  registry_name       = "cr${local.unique}"
  private_endpoint    = contains(var.private_endpoints, "registry")
  geo_locations       = var.registry_geo_locations
}

module "endpoints" {
  source = "./modules/endpoints"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  virtual_network_id  = module.network.id
  subnet_id           = module.network.subnet_ids["endpoints"]
  endpoints = merge(
    contains(var.private_endpoints, "storage") ? {
      for part in ["queue", "blob", "table"] : part => {
        resource_id = module.storage.account_id
        part        = part
        zone        = "privatelink.${part}.core.windows.net"
      }
    } : {},
    contains(var.private_endpoints, "storage") ? {
      file = { resource_id = module.storage.share.account_id, part = "file", zone = "privatelink.file.core.windows.net" }
    } : {},
    contains(var.private_endpoints, "vault") ? {
      vault = { resource_id = module.vault.id, part = "vault", zone = "privatelink.vaultcore.azure.net" }
    } : {},
    local.with_cluster && contains(var.private_endpoints, "registry") ? {
      registry = { resource_id = module.registry[0].id, part = "registry", zone = "privatelink.azurecr.io" }
    } : {},
    local.with_cache ? {
      cache = { resource_id = module.cache[0].id, part = "redisEnterprise", zone = "privatelink.redis.azure.net" }
    } : {},
  )
}

module "cluster" {
  source = "./modules/cluster"
  count  = local.with_cluster ? 1 : 0

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  tenant_id           = var.tenant_id
  subnet_id           = module.network.subnet_ids["nodes"]
  routed              = module.network.routed
  cluster             = var.cluster
  workspace_id        = module.monitoring.workspace_id
}

module "functions" {
  source = "./modules/functions"
  count  = local.with_functions ? 1 : 0

  name                       = local.place.name
  resource_group_name        = local.place.resource_group_name
  location                   = local.place.location
  tags                       = local.place.tags
  app_name                   = "func-${local.unique}"
  functions                  = var.functions
  subnet_id                  = module.network.subnet_ids["functions"]
  packages_uri               = module.storage.packages_uri
  insights_connection_string = module.monitoring.insights_connection_string
  settings = merge(
    {
      ATOLL_STATE = "/tmp/atoll" # the package is read-only
      JOB_WORKERS = "cpu"        # PyTorch is no part of the package, and a training may take longer than ten minutes
    },
    local.settings,
    {
      AzureWebJobsStorage__accountName     = module.storage.account_name
      AzureWebJobsStorage__credential      = "managedidentity"
      AzureWebJobsStorage__blobServiceUri  = module.storage.blob_service_uri
      AzureWebJobsStorage__tableServiceUri = module.storage.table_service_uri
    },
    { for setting, secret in local.secrets : setting => "@Microsoft.KeyVault(SecretUri=${module.vault.uri}/secrets/${secret})" },
  )
}

module "monitoring" {
  source = "./modules/monitoring"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  subscription_id     = var.subscription_id
  retention_days      = var.logs.days
  daily_gib           = var.logs.daily_gib
  emails              = var.alert_emails
  budget              = var.budget
  budget_groups       = concat(["rg-${var.name}"], local.with_cluster ? ["rg-${var.name}-nodes"] : [])
  targets = merge(
    { storage = module.storage.account_id, database = module.database.id },
    local.share_mounted ? { share = module.storage.share.account_id } : {},
    local.with_cache ? { cache = module.cache[0].id } : {},
    local.with_cluster ? { cluster = module.cluster[0].id } : {},
    local.with_functions ? { functions = module.functions[0].id } : {},
  )
  diagnostics = merge(
    {
      vault    = { resource_id = module.vault.id, categories = ["AuditEvent"] }
      database = { resource_id = module.database.id, categories = ["PostgreSQLLogs"] }
      queues   = { resource_id = "${module.storage.account_id}/queueServices/default", categories = ["StorageDelete"] }
      blobs    = { resource_id = "${module.storage.account_id}/blobServices/default", categories = ["StorageWrite", "StorageDelete"] }
    },
    local.with_cluster ? {
      cluster = { resource_id = module.cluster[0].id, categories = ["kube-audit-admin", "guard", "cluster-autoscaler"] }
    } : {},
    local.with_cluster ? {
      registry = { resource_id = module.registry[0].id, categories = ["ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents"] }
    } : {},
  )
  rule_groups = try(yamldecode(file("${path.root}/../deployment/prometheus/rules.yml")).groups, [])
}
