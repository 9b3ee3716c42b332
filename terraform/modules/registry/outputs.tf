output "id" {
  description = "Id of the registry."
  value       = azurerm_container_registry.this.id
}

output "name" {
  description = "Name of the registry."
  value       = azurerm_container_registry.this.name
}

output "login_server" {
  description = "Host name that image names begin with."
  value       = "${azurerm_container_registry.this.name}.azurecr.io"
}
