output "id" {
  description = "Id of the function app."
  value       = azurerm_function_app_flex_consumption.this.id
}

output "name" {
  description = "Name of the function app."
  value       = azurerm_function_app_flex_consumption.this.name
}

output "url" {
  description = "Address of the function app."
  value       = "https://${azurerm_function_app_flex_consumption.this.default_hostname}"
}

output "principal_id" {
  description = "The identity of the app."
  value       = azurerm_function_app_flex_consumption.this.identity[0].principal_id
}
