# PostgreSQL: jobs, versions, keys, leases. It has an address in our network only.

resource "azurerm_private_dns_zone" "this" {
  name                = "${var.server_name}.private.postgres.database.azure.com"
  resource_group_name = var.resource_group_name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  name                  = "link-${var.name}"
  resource_group_name   = var.resource_group_name
  private_dns_zone_name = azurerm_private_dns_zone.this.name
  virtual_network_id    = var.virtual_network_id
  tags                  = var.tags
}

resource "azurerm_postgresql_flexible_server" "this" {
  name                              = var.server_name
  resource_group_name               = var.resource_group_name
  location                          = var.location
  version                           = var.postgresql.version
  sku_name                          = var.postgresql.sku
  storage_mb                        = var.postgresql.storage_mb
  auto_grow_enabled                 = true
  backup_retention_days             = var.postgresql.backup_days
  geo_redundant_backup_enabled      = var.postgresql.geo_backup
  public_network_access_enabled     = false
  delegated_subnet_id               = var.subnet_id
  private_dns_zone_id               = azurerm_private_dns_zone.this.id
  administrator_login               = "atoll"
  administrator_password_wo         = var.password
  administrator_password_wo_version = var.password_version
  tags                              = var.tags

  authentication {
    password_auth_enabled         = true
    active_directory_auth_enabled = false # Atoll logs in with the password of DATABASE_URL
  }

  dynamic "high_availability" {
    for_each = var.postgresql.high_availability ? ["ZoneRedundant"] : []
    content {
      mode = high_availability.value
    }
  }

  lifecycle {
    # Azure chooses the zones, and swaps them when the other server takes over.
    ignore_changes = [zone, high_availability[0].standby_availability_zone]
    precondition {
      condition     = !var.postgresql.high_availability || !startswith(var.postgresql.sku, "B_")
      error_message = "A burstable server (B_...) cannot have a second one that stands by: choose e.g. GP_Standard_D2ds_v5."
    }
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.this]
}

resource "azurerm_postgresql_flexible_server_database" "this" {
  name      = "atoll"
  server_id = azurerm_postgresql_flexible_server.this.id
  charset   = "UTF8"
  collation = "en_US.utf8"
}

# What a person wants to know of the past, and what the checklists of auditors ask for.
resource "azurerm_postgresql_flexible_server_configuration" "this" {
  for_each = {
    require_secure_transport   = "on"
    log_checkpoints            = "on"
    log_lock_waits             = "on"
    log_min_duration_statement = "1000"
  }

  name      = each.key
  server_id = azurerm_postgresql_flexible_server.this.id
  value     = each.value
}
