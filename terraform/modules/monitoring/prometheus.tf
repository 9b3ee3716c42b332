# Azure's Prometheus scrapes the cluster; the rules are those of deployment/prometheus/rules.yml, where they have tests.

locals {
  prometheus = contains(keys(var.targets), "cluster")
  severities = { critical = 1, warning = 2, info = 3 }
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

resource "azurerm_monitor_alert_prometheus_rule_group" "this" {
  for_each = { for group in var.rule_groups : group.name => group if local.prometheus }

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  cluster_name        = element(split("/", var.targets.cluster), -1)
  scopes              = [azurerm_monitor_workspace.this[0].id]
  interval            = "PT1M"
  rule_group_enabled  = true
  tags                = var.tags

  dynamic "rule" {
    for_each = each.value.rules
    content {
      alert       = try(rule.value.alert, null)
      record      = try(rule.value.record, null)
      expression  = rule.value.expr
      for         = try("PT${upper(rule.value.for)}", null) # 5m is PT5M
      severity    = try(local.severities[rule.value.labels.severity], null)
      labels      = try({ for key, value in rule.value.labels : key => tostring(value) }, null)
      annotations = try({ for key, value in rule.value.annotations : key => tostring(value) }, null)

      dynamic "action" {
        for_each = can(rule.value.alert) ? [azurerm_monitor_action_group.this.id] : []
        content {
          action_group_id = action.value
        }
      }

      dynamic "alert_resolution" {
        for_each = can(rule.value.alert) ? ["PT10M"] : []
        content {
          auto_resolved   = true
          time_to_resolve = alert_resolution.value
        }
      }
    }
  }
}
