# What Azure itself measures or logs. What Atoll measures is watched by the rules in prometheus.tf.

locals {
  metric_alerts = {
    database-down = {
      target      = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "is_db_alive"
      aggregation = "Maximum", operator = "LessThan", threshold = 1, severity = 0, window = "PT5M"
      description = "The database does not answer: nothing is accepted and no job runs."
    }
    database-cpu = {
      target      = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "cpu_percent"
      aggregation = "Average", operator = "GreaterThan", threshold = 85, severity = 2, window = "PT15M"
      description = "The database is busy: choose a larger server, or look for slow statements in its log."
    }
    database-disk = {
      target      = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "storage_percent"
      aggregation = "Average", operator = "GreaterThan", threshold = 85, severity = 1, window = "PT15M"
      description = "The database's disk is nearly full: at 95 % the server becomes read-only."
    }
    storage-availability = {
      target      = "storage", namespace = "Microsoft.Storage/storageAccounts", metric = "Availability"
      aggregation = "Average", operator = "LessThan", threshold = 99, severity = 1, window = "PT15M"
      description = "Queues or blobs refuse requests."
    }
    share-availability = {
      target      = "share", namespace = "Microsoft.Storage/storageAccounts", metric = "Availability"
      aggregation = "Average", operator = "LessThan", threshold = 99, severity = 1, window = "PT15M"
      description = "The file share refuses requests."
    }
    cache-memory = {
      target      = "cache", namespace = "Microsoft.Cache/redisEnterprise", metric = "usedmemorypercentage"
      aggregation = "Maximum", operator = "GreaterThan", threshold = 90, severity = 3, window = "PT15M"
      description = "Redis is nearly full: what was not used for longest goes."
    }
    cluster-cpu = {
      target      = "cluster", namespace = "Microsoft.ContainerService/managedClusters", metric = "node_cpu_usage_percentage"
      aggregation = "Average", operator = "GreaterThan", threshold = 90, severity = 2, window = "PT15M"
      description = "All nodes are busy: the autoscaler is at its most, or cannot have more."
    }
    cluster-memory = {
      target      = "cluster", namespace = "Microsoft.ContainerService/managedClusters", metric = "node_memory_working_set_percentage"
      aggregation = "Average", operator = "GreaterThan", threshold = 90, severity = 2, window = "PT15M"
      description = "The nodes' memory is nearly full: pods will be put out."
    }
    cluster-unschedulable = {
      target      = "cluster", namespace = "Microsoft.ContainerService/managedClusters", metric = "cluster_autoscaler_unschedulable_pods_count"
      aggregation = "Average", operator = "GreaterThan", threshold = 0, severity = 2, window = "PT30M"
      description = "Pods have waited for a node for half an hour."
    }
  }

  # The Functions host records each call of a function as a request of its name.
  query_alerts = {
    functions-errors = {
      target      = "functions", severity = 1, window = "PT15M", frequency = "PT5M"
      description = "More than 1 % of the requests to the function app failed, of 20 or more."
      query       = <<-KQL
        AppRequests
        | where Name !endswith "-poison"
        | summarize failed = countif(toint(ResultCode) >= 500), total = count()
        | where total >= 20 and failed > 0.01 * total
      KQL
    }
    functions-dead-jobs = {
      target      = "functions", severity = 1, window = "PT15M", frequency = "PT5M"
      description = "A message reached a poison queue: its job is dead. `atoll jobs list` shows why."
      query       = <<-KQL
        AppRequests
        | where Name endswith "-poison"
      KQL
    }
  }
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each = { for key, alert in local.metric_alerts : key => alert if contains(keys(var.targets), alert.target) }

  name                = "${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  scopes              = [var.targets[each.value.target]]
  description         = each.value.description
  severity            = each.value.severity
  frequency           = "PT5M"
  window_size         = each.value.window
  tags                = var.tags

  criteria {
    metric_namespace = each.value.namespace
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = each.value.operator
    threshold        = each.value.threshold
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "this" {
  for_each = { for key, alert in local.query_alerts : key => alert if contains(keys(var.targets), alert.target) }

  name                    = "${var.name}-${each.key}"
  resource_group_name     = var.resource_group_name
  location                = var.location
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  description             = each.value.description
  severity                = each.value.severity
  evaluation_frequency    = each.value.frequency
  window_duration         = each.value.window
  auto_mitigation_enabled = true
  # The table is made when the first request is recorded.
  skip_query_validation = true
  tags                  = var.tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = 0
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }
}
