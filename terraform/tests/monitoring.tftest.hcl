# Who is woken by what.

variables {
  name                = "atollci"
  resource_group_name = "rg-atollci"
  location            = "westeurope"
  subscription_id     = "00000000-0000-0000-0000-000000000000"
  retention_days      = 30
  daily_gib           = 2
  emails              = ["oncall@example.org"]
  budget              = { amount = 300, start = "2026-12-01" }
  budget_groups       = ["rg-atollci", "rg-atollci-nodes"]
  diagnostics         = { vault = { resource_id = "/subscriptions/x/kv", categories = ["AuditEvent"] } }
  targets = {
    storage  = "/subscriptions/x/st"
    database = "/subscriptions/x/psql"
    cluster  = "/subscriptions/x/aks-atollci"
  }
  rule_groups = [
    {
      name = "jobs"
      rules = [
        { alert = "Dead", expr = "x > 0", for = "5m", labels = { severity = "critical" }, annotations = { summary = "dead" } },
        { record = "y", expr = "sum(x)" },
      ]
    },
    { name = "other", rules = [{ alert = "Now", expr = "z > 0", labels = { severity = "warning" } }] },
  ]
}

run "the_budget_counts_the_nodes_too_and_warns_in_time" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  assert {
    condition = (
      azurerm_consumption_budget_subscription.this[0].amount == 300
      && azurerm_consumption_budget_subscription.this[0].time_period[0].start_date == "2026-12-01T00:00:00Z"
      && one(azurerm_consumption_budget_subscription.this[0].filter[0].dimension).values == tolist(["rg-atollci", "rg-atollci-nodes"])
    )
    error_message = "the budget must count what the installation costs"
  }
  assert {
    condition     = contains([for it in azurerm_consumption_budget_subscription.this[0].notification : "${it.threshold_type} ${it.threshold}"], "Forecasted 100")
    error_message = "a warning must come before the money is spent"
  }
}

run "what_is_there_is_watched_and_nothing_else" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  assert {
    condition = toset(output.alerts) == toset([
      "cluster-cpu", "cluster-memory", "cluster-unschedulable", "database-cpu", "database-disk", "database-down", "storage-availability",
    ])
    error_message = "alerts must be those of database, storage and cluster"
  }
  assert {
    condition     = alltrue([for it in azurerm_monitor_metric_alert.this : length(it.action) == 1])
    error_message = "an alert that wakes nobody is none"
  }
}

run "rules_of_prometheus_become_rules_of_azure" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  assert {
    condition = (
      azurerm_monitor_alert_prometheus_rule_group.this["jobs"].rule[0].for == "PT5M"
      && azurerm_monitor_alert_prometheus_rule_group.this["jobs"].rule[0].severity == 1
      && azurerm_monitor_alert_prometheus_rule_group.this["jobs"].rule[0].expression == "x > 0"
      && length(azurerm_monitor_alert_prometheus_rule_group.this["jobs"].rule[1].action) == 0
      && azurerm_monitor_alert_prometheus_rule_group.this["other"].rule[0].for == null
      && azurerm_monitor_alert_prometheus_rule_group.this["other"].cluster_name == "aks-atollci"
    )
    error_message = "a rule must say the same in both"
  }
}

run "functions_are_watched_by_their_requests" {
  command = plan
  module {
    source = "./modules/monitoring"
  }
  variables {
    targets = { storage = "/subscriptions/x/st", database = "/subscriptions/x/psql", functions = "/subscriptions/x/func" }
    budget  = null
  }
  assert {
    condition     = contains(output.alerts, "functions-dead-jobs") && contains(output.alerts, "functions-errors")
    error_message = "dead jobs and errors of functions must be told of"
  }
  assert {
    condition     = length(azurerm_monitor_workspace.this) == 0 && length(azurerm_monitor_alert_prometheus_rule_group.this) == 0
    error_message = "without a cluster there is nothing for Prometheus to scrape"
  }
  assert {
    condition     = length(azurerm_consumption_budget_subscription.this) == 0
    error_message = "no budget was asked for"
  }
}
