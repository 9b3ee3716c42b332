# Queues, blobs and the file share. No account has keys in use, answers anonymous requests, or is reached from networks
# that are not named. What is made here goes through Azure Resource Manager, so the accounts need not be reachable for it.

locals {
  soft_delete_days = 7
}

resource "azurerm_storage_account" "jobs" {
  name                              = var.account_name
  resource_group_name               = var.resource_group_name
  location                          = var.location
  account_kind                      = "StorageV2"
  account_tier                      = "Standard"
  account_replication_type          = var.replication
  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  public_network_access_enabled     = !var.private_endpoints
  tags                              = var.tags

  network_rules {
    default_action             = "Deny"
    bypass                     = ["AzureServices"]
    ip_rules                   = var.private_endpoints ? [] : var.operator_ips
    virtual_network_subnet_ids = var.private_endpoints ? [] : var.client_subnet_ids
  }

  blob_properties {
    delete_retention_policy {
      days = local.soft_delete_days
    }
    container_delete_retention_policy {
      days = local.soft_delete_days
    }
  }

  share_properties {
    retention_policy {
      days = local.soft_delete_days
    }
  }
}

# Atoll makes a queue when it first sends to it; KEDA and the Functions host want to look at it before.
resource "azurerm_storage_queue" "this" {
  for_each = toset(flatten([for queue in var.queues : [queue, "${queue}-poison"]]))

  name               = each.key
  storage_account_id = azurerm_storage_account.jobs.id
}

# The package of the function app.
resource "azurerm_storage_container" "packages" {
  name                  = "packages"
  storage_account_id    = azurerm_storage_account.jobs.id
  container_access_type = "private"
}

resource "azurerm_storage_share" "addressed" {
  count = var.share_mounted ? 0 : 1

  name               = var.share_name
  storage_account_id = azurerm_storage_account.jobs.id
  enabled_protocol   = "SMB"
  quota              = var.share_gib
}

# ---- the share that pods mount
# SMB would need the account's key on each node. NFS asks for none: who is in the network may mount it, and nobody else.
# NFS has no TLS of its own, so https must not be demanded; only our subnets reach the account.
resource "azurerm_storage_account" "files" {
  count = var.share_mounted ? 1 : 0

  name                              = "${var.account_name}nf"
  resource_group_name               = var.resource_group_name
  location                          = var.location
  account_kind                      = "FileStorage"
  account_tier                      = "Premium"
  account_replication_type          = var.replication
  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = false
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  public_network_access_enabled     = !var.private_endpoints
  tags                              = var.tags

  network_rules {
    default_action             = "Deny"
    bypass                     = ["AzureServices"]
    ip_rules                   = []
    virtual_network_subnet_ids = var.private_endpoints ? [] : var.client_subnet_ids
  }

  share_properties {
    retention_policy {
      days = local.soft_delete_days
    }
  }
}

resource "azurerm_storage_share" "mounted" {
  count = var.share_mounted ? 1 : 0

  name               = var.share_name
  storage_account_id = azurerm_storage_account.files[0].id
  enabled_protocol   = "NFS"
  quota              = max(var.share_gib, 100) # Azure sells no smaller one
}
