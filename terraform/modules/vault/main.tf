# Secrets. Terraform makes the vault and never sees what is in it: people put secrets there, programs read them.

resource "azurerm_key_vault" "this" {
  name                          = var.vault_name
  resource_group_name           = var.resource_group_name
  location                      = var.location
  tenant_id                     = var.tenant_id
  sku_name                      = "standard"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 7
  public_network_access_enabled = !var.private_endpoint
  tags                          = var.tags

  network_acls {
    default_action             = "Deny"
    bypass                     = "AzureServices"
    ip_rules                   = var.private_endpoint ? [] : var.operator_ips
    virtual_network_subnet_ids = var.private_endpoint ? [] : var.client_subnet_ids
  }
}
