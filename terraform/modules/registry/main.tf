# Images. Whoever pushes or pulls logs in by Entra ID: there is no admin user, and no anonymous pull.

locals {
  premium = var.private_endpoint || length(var.geo_locations) > 0
}

resource "azurerm_container_registry" "this" {
  name                          = var.registry_name
  resource_group_name           = var.resource_group_name
  location                      = var.location
  sku                           = local.premium ? "Premium" : "Standard"
  admin_enabled                 = false
  anonymous_pull_enabled        = false
  public_network_access_enabled = !var.private_endpoint
  zone_redundancy_enabled       = local.premium
  data_endpoint_enabled         = local.premium
  retention_policy_in_days      = local.premium ? 30 : null
  tags                          = var.tags

  dynamic "georeplications" {
    for_each = var.geo_locations
    content {
      location                = georeplications.value
      zone_redundancy_enabled = true
      tags                    = var.tags
    }
  }
}
