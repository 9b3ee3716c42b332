# One virtual network. Nothing in it has a public address but the ingress of the cluster, the NAT gateway and the firewall.

resource "azurerm_network_ddos_protection_plan" "this" {
  count = var.ddos_protection ? 1 : 0

  name                = "ddos-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_virtual_network" "this" {
  name                = "vnet-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = [var.address_space]
  tags                = var.tags

  dynamic "ddos_protection_plan" {
    for_each = azurerm_network_ddos_protection_plan.this
    content {
      id     = ddos_protection_plan.value.id
      enable = true
    }
  }
}

locals {
  # Pods have addresses of their own (overlay), so that a /20 is enough for any number of them.
  subnets = merge(
    {
      nodes = {
        prefix    = cidrsubnet(var.address_space, 4, 0)
        endpoints = ["Microsoft.Storage", "Microsoft.KeyVault"]
        service   = null
      }
      endpoints = { prefix = cidrsubnet(var.address_space, 8, 16), endpoints = [], service = null }
      database = {
        prefix    = cidrsubnet(var.address_space, 8, 17)
        endpoints = ["Microsoft.Storage"] # backups and write-ahead logs go there
        service   = "Microsoft.DBforPostgreSQL/flexibleServers"
      }
    },
    var.functions ? {
      functions = {
        prefix    = cidrsubnet(var.address_space, 8, 18)
        endpoints = ["Microsoft.Storage", "Microsoft.KeyVault"]
        service   = "Microsoft.App/environments"
      }
    } : {},
  )
}

resource "azurerm_subnet" "this" {
  for_each = local.subnets

  name                              = each.key
  resource_group_name               = var.resource_group_name
  virtual_network_name              = azurerm_virtual_network.this.name
  address_prefixes                  = [each.value.prefix]
  service_endpoints                 = each.value.endpoints
  default_outbound_access_enabled   = false
  private_endpoint_network_policies = "Enabled"

  dynamic "delegation" {
    for_each = each.value.service == null ? [] : [each.value.service]
    content {
      name = "service"
      service_delegation {
        name    = delegation.value
        actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
      }
    }
  }
}

resource "azurerm_network_security_group" "this" {
  for_each = local.subnets

  name                = "nsg-${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

# Azure's own rules let the network talk to itself and the load balancer probe; the internet comes in here only.
resource "azurerm_network_security_rule" "ingress" {
  count = length(var.ingress_ports) > 0 ? 1 : 0

  name                        = "ingress"
  resource_group_name         = var.resource_group_name
  network_security_group_name = azurerm_network_security_group.this["nodes"].name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_address_prefix       = contains(var.ingress_cidrs, "Internet") ? "Internet" : null
  source_address_prefixes     = contains(var.ingress_cidrs, "Internet") ? null : var.ingress_cidrs
  source_port_range           = "*"
  destination_address_prefix  = "*"
  destination_port_ranges     = [for port in var.ingress_ports : tostring(port)]
}

# Only the programs that need the database reach it.
resource "azurerm_network_security_rule" "database" {
  name                        = "postgresql"
  resource_group_name         = var.resource_group_name
  network_security_group_name = azurerm_network_security_group.this["database"].name
  priority                    = 100
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "Tcp"
  source_address_prefixes     = [for key in setintersection(keys(local.subnets), ["nodes", "functions"]) : local.subnets[key].prefix]
  source_port_range           = "*"
  destination_address_prefix  = local.subnets.database.prefix
  destination_port_ranges     = ["5432", "6432"]
}

resource "azurerm_network_security_rule" "database_itself" {
  name                        = "itself"
  resource_group_name         = var.resource_group_name
  network_security_group_name = azurerm_network_security_group.this["database"].name
  priority                    = 110
  direction                   = "Inbound"
  access                      = "Allow"
  protocol                    = "*"
  source_address_prefix       = local.subnets.database.prefix
  source_port_range           = "*"
  destination_address_prefix  = local.subnets.database.prefix
  destination_port_range      = "*"
}

resource "azurerm_network_security_rule" "database_others" {
  name                        = "others"
  resource_group_name         = var.resource_group_name
  network_security_group_name = azurerm_network_security_group.this["database"].name
  priority                    = 4000
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "*"
  source_address_prefix       = "VirtualNetwork"
  source_port_range           = "*"
  destination_address_prefix  = "*"
  destination_port_range      = "*"
}

resource "azurerm_subnet_network_security_group_association" "this" {
  for_each = local.subnets

  subnet_id                 = azurerm_subnet.this[each.key].id
  network_security_group_id = azurerm_network_security_group.this[each.key].id

  # A change of rules restarts nothing, but a subnet without them is open to the network for a moment.
  depends_on = [
    azurerm_network_security_rule.ingress,
    azurerm_network_security_rule.database,
    azurerm_network_security_rule.database_itself,
    azurerm_network_security_rule.database_others,
  ]
}

# ---- the way out of the function app; nodes leave through their load balancer
locals {
  nat = var.functions && !var.firewall
}

resource "azurerm_public_ip" "nat" {
  count = local.nat ? 1 : 0

  name                = "pip-${var.name}-nat"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway" "this" {
  count = local.nat ? 1 : 0

  name                = "ng-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  sku_name            = "Standard"
  tags                = var.tags
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  count = local.nat ? 1 : 0

  nat_gateway_id       = azurerm_nat_gateway.this[0].id
  public_ip_address_id = azurerm_public_ip.nat[0].id
}

resource "azurerm_subnet_nat_gateway_association" "functions" {
  count = local.nat ? 1 : 0

  subnet_id      = azurerm_subnet.this["functions"].id
  nat_gateway_id = azurerm_nat_gateway.this[0].id
}
