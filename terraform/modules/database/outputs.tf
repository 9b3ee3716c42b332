output "id" {
  description = "Id of the server."
  value       = azurerm_postgresql_flexible_server.this.id
}

output "url" {
  description = "`DATABASE_URL` with PASSWORD in the place of the password."
  value       = "postgresql://${azurerm_postgresql_flexible_server.this.administrator_login}:PASSWORD@${var.server_name}.postgres.database.azure.com:5432/${azurerm_postgresql_flexible_server_database.this.name}?sslmode=require"
}
