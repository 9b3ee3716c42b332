# Nothing is open that need not be: each part by itself, as the root module asks for it.

variables {
  name                = "atollci"
  resource_group_name = "rg-atollci"
  location            = "westeurope"
  tenant_id           = "11111111-1111-1111-1111-111111111111"
}

run "storage_takes_no_keys_and_no_strangers" {
  command = plan
  module {
    source = "./modules/storage"
  }
  variables {
    account_name      = "statollci"
    queues            = ["prediction-cpu"]
    share_name        = "atoll"
    share_mounted     = true
    share_gib         = 10
    replication       = "LRS"
    client_subnet_ids = ["/subscriptions/x/subnets/nodes"]
    operator_ips      = ["192.0.2.10"]
    private_endpoints = false
  }
  assert {
    condition = alltrue([for it in [azurerm_storage_account.jobs, azurerm_storage_account.files[0]] :
      !it.shared_access_key_enabled && !it.allow_nested_items_to_be_public && !it.local_user_enabled
      && !it.cross_tenant_replication_enabled && it.network_rules[0].default_action == "Deny"
    ])
    error_message = "no account may take keys, answer anybody, or be reached from anywhere"
  }
  assert {
    condition = (
      azurerm_storage_share.mounted[0].enabled_protocol == "NFS" && azurerm_storage_share.mounted[0].quota == 100
      && azurerm_storage_account.files[0].account_kind == "FileStorage" && !azurerm_storage_account.files[0].https_traffic_only_enabled
    )
    error_message = "what pods mount is NFS: premium, of 100 GiB or more, and without https, which NFS does not speak"
  }
  assert {
    condition     = length(coalesce(azurerm_storage_account.files[0].network_rules[0].ip_rules, [])) == 0
    error_message = "nobody mounts the share from outside the network"
  }
}

run "storage_with_private_endpoints_is_reached_by_nothing_else" {
  command = plan
  module {
    source = "./modules/storage"
  }
  variables {
    account_name      = "statollci"
    queues            = ["prediction-cpu"]
    share_name        = "atoll"
    share_mounted     = false
    share_gib         = 10
    replication       = "ZRS"
    client_subnet_ids = ["/subscriptions/x/subnets/nodes"]
    operator_ips      = ["192.0.2.10"]
    private_endpoints = true
  }
  assert {
    condition     = !azurerm_storage_account.jobs.public_network_access_enabled && azurerm_storage_account.jobs.https_traffic_only_enabled
    error_message = "the account must have no public address"
  }
  assert {
    condition     = length(azurerm_storage_account.files) == 0 && azurerm_storage_share.addressed[0].quota == 10
    error_message = "a share that is reached by its address lies beside the queues"
  }
}

run "the_registry_has_no_admin" {
  command = plan
  module {
    source = "./modules/registry"
  }
  variables {
    registry_name    = "cratollci"
    private_endpoint = false
    geo_locations    = []
  }
  assert {
    condition     = !azurerm_container_registry.this.admin_enabled && !azurerm_container_registry.this.anonymous_pull_enabled
    error_message = "who pushes or pulls must log in by Entra ID"
  }
  assert {
    condition     = azurerm_container_registry.this.sku == "Standard"
    error_message = "the dear tier must be asked for"
  }
}

run "a_private_registry_is_premium" {
  command = plan
  module {
    source = "./modules/registry"
  }
  variables {
    registry_name    = "cratollci"
    private_endpoint = true
    geo_locations    = ["northeurope"]
  }
  assert {
    condition = (
      azurerm_container_registry.this.sku == "Premium" && !azurerm_container_registry.this.public_network_access_enabled
      && length(azurerm_container_registry.this.georeplications) == 1
    )
    error_message = "private endpoints and copies need the tier Premium"
  }
}

run "the_vault_is_closed_and_cannot_be_purged" {
  command = plan
  module {
    source = "./modules/vault"
  }
  variables {
    vault_name        = "kv-atollci"
    client_subnet_ids = ["/subscriptions/x/subnets/nodes"]
    operator_ips      = ["192.0.2.10"]
    private_endpoint  = false
  }
  assert {
    condition = (
      azurerm_key_vault.this.rbac_authorization_enabled && azurerm_key_vault.this.purge_protection_enabled
      && azurerm_key_vault.this.network_acls[0].default_action == "Deny"
    )
    error_message = "the vault must go by roles, keep what was deleted, and refuse strangers"
  }
}

run "the_database_has_no_public_address" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    server_name        = "psql-atollci"
    virtual_network_id = "/subscriptions/x/vnet"
    subnet_id          = "/subscriptions/x/subnets/database"
    password           = null # the checks' stand-in of the provider sends write-only values back, which terraform refuses
    password_version   = 1
    postgresql = {
      version = "16", sku = "GP_Standard_D2ds_v5", storage_mb = 32768, backup_days = 14, high_availability = true, geo_backup = false
    }
  }
  assert {
    condition     = !azurerm_postgresql_flexible_server.this.public_network_access_enabled
    error_message = "only the network may reach the database"
  }
  assert {
    condition     = azurerm_postgresql_flexible_server.this.administrator_password == null && azurerm_postgresql_flexible_server.this.administrator_password_wo_version == 1
    error_message = "the password must not be in the state"
  }
  assert {
    condition     = azurerm_postgresql_flexible_server.this.high_availability[0].mode == "ZoneRedundant"
    error_message = "the second server must stand in another zone"
  }
  assert {
    condition     = azurerm_postgresql_flexible_server_configuration.this["require_secure_transport"].value == "on"
    error_message = "nothing may be sent unencrypted"
  }
}

run "a_burstable_server_has_no_second_one" {
  command = plan
  module {
    source = "./modules/database"
  }
  variables {
    server_name        = "psql-atollci"
    virtual_network_id = "/subscriptions/x/vnet"
    subnet_id          = "/subscriptions/x/subnets/database"
    password           = null
    password_version   = 1
    postgresql = {
      version = "16", sku = "B_Standard_B2s", storage_mb = 32768, backup_days = 14, high_availability = true, geo_backup = false
    }
  }
  expect_failures = [azurerm_postgresql_flexible_server.this]
}

run "the_cache_has_no_public_address" {
  command = plan
  module {
    source = "./modules/cache"
  }
  variables {
    cache_name        = "redis-atollci"
    sku               = "Balanced_B0"
    high_availability = false
  }
  assert {
    condition = (
      azurerm_managed_redis.this.public_network_access == "Disabled"
      && azurerm_managed_redis.this.default_database[0].client_protocol == "Encrypted"
    )
    error_message = "Redis must be reached by TLS, from the network"
  }
}

run "the_network_opens_the_ingress_and_nothing_else" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    address_space   = "10.60.0.0/16"
    ingress_ports   = [443]
    ingress_cidrs   = ["Internet"]
    functions       = true
    ddos_protection = false
    firewall        = false
    firewall_fqdns  = []
  }
  assert {
    condition = (
      length(azurerm_network_security_rule.ingress) == 1
      && azurerm_network_security_rule.ingress[0].destination_port_ranges == toset(["443"])
      && azurerm_network_security_rule.database.source_address_prefixes == toset(["10.60.0.0/20", "10.60.18.0/24"])
    )
    error_message = "the internet comes in by 443; only nodes and functions reach the database"
  }
  assert {
    condition     = alltrue([for it in azurerm_subnet.this : !it.default_outbound_access_enabled])
    error_message = "nothing may leave but by a way that was made for it"
  }
  assert {
    condition     = length(azurerm_nat_gateway.this) == 1 && length(azurerm_firewall.this) == 0 && length(azurerm_network_ddos_protection_plan.this) == 0
    error_message = "functions leave by a NAT gateway; what is priced is off"
  }
}

run "the_firewall_takes_the_place_of_the_gateway" {
  command = plan
  module {
    source = "./modules/network"
  }
  variables {
    address_space   = "10.61.0.0/16"
    ingress_ports   = []
    ingress_cidrs   = ["Internet"]
    functions       = true
    ddos_protection = true
    firewall        = true
    firewall_fqdns  = ["hooks.example.org"]
  }
  assert {
    condition = (
      length(azurerm_firewall.this) == 1 && length(azurerm_nat_gateway.this) == 0
      && length(azurerm_subnet_route_table_association.this) == 2
      && azurerm_firewall_policy.this[0].threat_intelligence_mode == "Deny"
    )
    error_message = "nodes and functions must leave by the firewall"
  }
  assert {
    condition     = length(azurerm_network_security_rule.ingress) == 0 && azurerm_subnet.firewall[0].address_prefixes[0] == "10.61.19.0/26"
    error_message = "no port was to be opened, and the firewall has its /26"
  }
  assert {
    condition     = azurerm_virtual_network.this.ddos_protection_plan[0].enable
    error_message = "the plan must protect the network"
  }
}
