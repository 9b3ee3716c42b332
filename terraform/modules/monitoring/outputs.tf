output "workspace_id" {
  description = "Id of the Log Analytics workspace."
  value       = azurerm_log_analytics_workspace.this.id
}

output "insights_id" {
  description = "Id of Application Insights."
  value       = azurerm_application_insights.this.id
}

output "insights_connection_string" {
  description = "`APPLICATIONINSIGHTS_CONNECTION_STRING`. Without a role at Application Insights it opens nothing."
  value       = azurerm_application_insights.this.connection_string
  sensitive   = true
}

output "alerts" {
  description = "Names of the alerts."
  value       = sort(concat(keys(azurerm_monitor_metric_alert.this), keys(azurerm_monitor_scheduled_query_rules_alert_v2.this)))
}
