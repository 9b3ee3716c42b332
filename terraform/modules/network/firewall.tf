# The priced option: what nodes and functions send to the internet goes through a firewall that knows where it may go.

resource "azurerm_subnet" "firewall" {
  count = var.firewall ? 1 : 0

  name                            = "AzureFirewallSubnet" # Azure asks for this name
  resource_group_name             = var.resource_group_name
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [cidrsubnet(var.address_space, 10, 76)]
  default_outbound_access_enabled = false
}

resource "azurerm_public_ip" "firewall" {
  count = var.firewall ? 1 : 0

  name                = "pip-${var.name}-firewall"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_firewall_policy" "this" {
  count = var.firewall ? 1 : 0

  name                     = "fwp-${var.name}"
  resource_group_name      = var.resource_group_name
  location                 = var.location
  sku                      = "Standard"
  threat_intelligence_mode = "Deny"
  tags                     = var.tags

  dns {
    proxy_enabled = true
  }
}

resource "azurerm_firewall_policy_rule_collection_group" "this" {
  count = var.firewall ? 1 : 0

  name               = "atoll"
  firewall_policy_id = azurerm_firewall_policy.this[0].id
  priority           = 200

  application_rule_collection {
    name     = "hosts"
    priority = 200
    action   = "Allow"

    rule {
      name                  = "cluster"
      source_addresses      = [local.subnets.nodes.prefix]
      destination_fqdn_tags = ["AzureKubernetesService"]
      protocols {
        type = "Https"
        port = 443
      }
    }

    dynamic "rule" {
      for_each = length(var.firewall_fqdns) > 0 ? [var.firewall_fqdns] : []
      content {
        name              = "others"
        source_addresses  = [var.address_space]
        destination_fqdns = rule.value
        protocols {
          type = "Https"
          port = 443
        }
      }
    }
  }

  network_rule_collection {
    name     = "azure"
    priority = 100
    action   = "Allow"

    # Storage, vault, registry, Entra ID and monitoring; the cluster's tunnel to its API server.
    rule {
      name                  = "services"
      source_addresses      = [var.address_space]
      destination_addresses = ["AzureCloud.${var.location}", "AzureActiveDirectory", "AzureMonitor"]
      destination_ports     = ["443", "9000"]
      protocols             = ["TCP"]
    }
    rule {
      name                  = "tunnel"
      source_addresses      = [local.subnets.nodes.prefix]
      destination_addresses = ["AzureCloud.${var.location}"]
      destination_ports     = ["1194"]
      protocols             = ["UDP"]
    }
    rule {
      name              = "time"
      source_addresses  = [local.subnets.nodes.prefix]
      destination_fqdns = ["ntp.ubuntu.com"]
      destination_ports = ["123"]
      protocols         = ["UDP"]
    }
  }
}

resource "azurerm_firewall" "this" {
  count = var.firewall ? 1 : 0

  name                = "fw-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  firewall_policy_id  = azurerm_firewall_policy.this[0].id
  threat_intel_mode   = "Deny"
  tags                = var.tags

  ip_configuration {
    name                 = "public"
    subnet_id            = azurerm_subnet.firewall[0].id
    public_ip_address_id = azurerm_public_ip.firewall[0].id
  }

  depends_on = [azurerm_firewall_policy_rule_collection_group.this]
}

resource "azurerm_route_table" "this" {
  count = var.firewall ? 1 : 0

  name                          = "rt-${var.name}"
  resource_group_name           = var.resource_group_name
  location                      = var.location
  bgp_route_propagation_enabled = false
  tags                          = var.tags
}

resource "azurerm_route" "out" {
  count = var.firewall ? 1 : 0

  name                   = "out"
  resource_group_name    = var.resource_group_name
  route_table_name       = azurerm_route_table.this[0].name
  address_prefix         = "0.0.0.0/0"
  next_hop_type          = "VirtualAppliance"
  next_hop_in_ip_address = azurerm_firewall.this[0].ip_configuration[0].private_ip_address
}

resource "azurerm_subnet_route_table_association" "this" {
  for_each = var.firewall ? setintersection(keys(local.subnets), ["nodes", "functions"]) : []

  subnet_id      = azurerm_subnet.this[each.key].id
  route_table_id = azurerm_route_table.this[0].id
}
