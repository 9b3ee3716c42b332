# Azure's Prometheus scrapes the cluster.

locals {
  prometheus = contains(keys(var.targets), "cluster")
}

resource "azurerm_monitor_workspace" "this" {
  count = local.prometheus ? 1 : 0

  name                = "amw-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_monitor_data_collection_endpoint" "this" {
  count = local.prometheus ? 1 : 0

  name                = "dce-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  kind                = "Linux"
  tags                = var.tags
}

resource "azurerm_monitor_data_collection_rule" "metrics" {
  count = local.prometheus ? 1 : 0

  name                        = "dcr-${var.name}-metrics"
  resource_group_name         = var.resource_group_name
  location                    = var.location
  kind                        = "Linux"
  data_collection_endpoint_id = azurerm_monitor_data_collection_endpoint.this[0].id
  tags                        = var.tags

  data_sources {
    prometheus_forwarder {
      name    = "prometheus"
      streams = ["Microsoft-PrometheusMetrics"]
    }
  }

  destinations {
    monitor_account {
      name               = "workspace"
      monitor_account_id = azurerm_monitor_workspace.this[0].id
    }
  }

  data_flow {
    streams      = ["Microsoft-PrometheusMetrics"]
    destinations = ["workspace"]
  }
}

# Logs of containers, without which `oms_agent` sends nothing.
resource "azurerm_monitor_data_collection_rule" "logs" {
  count = local.prometheus ? 1 : 0

  name                = "dcr-${var.name}-logs"
  resource_group_name = var.resource_group_name
  location            = var.location
  kind                = "Linux"
  tags                = var.tags

  data_sources {
    extension {
      name           = "ContainerInsightsExtension"
      extension_name = "ContainerInsights"
      streams        = ["Microsoft-ContainerLogV2", "Microsoft-KubeEvents", "Microsoft-KubePodInventory"]
      extension_json = jsonencode({
        dataCollectionSettings = { interval = "1m", namespaceFilteringMode = "Off", enableContainerLogV2 = true }
      })
    }
  }

  destinations {
    log_analytics {
      name                  = "workspace"
      workspace_resource_id = azurerm_log_analytics_workspace.this.id
    }
  }

  data_flow {
    streams      = ["Microsoft-ContainerLogV2", "Microsoft-KubeEvents", "Microsoft-KubePodInventory"]
    destinations = ["workspace"]
  }
}

resource "azurerm_monitor_data_collection_rule_association" "this" {
  for_each = local.prometheus ? {
    metrics = azurerm_monitor_data_collection_rule.metrics[0].id
    logs    = azurerm_monitor_data_collection_rule.logs[0].id
  } : {}

  name                    = "dcra-${var.name}-${each.key}"
  target_resource_id      = var.targets.cluster
  data_collection_rule_id = each.value
}
