output "id" {
  description = "Id of the cache."
  value       = azurerm_managed_redis.this.id
}

output "name" {
  description = "Name of the cache."
  value       = azurerm_managed_redis.this.name
}

output "url" {
  description = "`REDIS_URL` with PASSWORD in the place of the key."
  value       = "rediss://:PASSWORD@${azurerm_managed_redis.this.hostname}:10000/0"
}
