# The rules of deployment/prometheus/rules.yml, where they have tests. A file of its own, since checkov cannot read an argument
# that is called `for`.

locals {
  severities = { critical = 1, warning = 2, info = 3 }
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
