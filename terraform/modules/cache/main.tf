# Redis, for what processes share and may lose: rate limits, cached results. Azure Managed Redis, since Azure Cache for
# Redis (azurerm_redis_cache) takes no new customers. It has no firewall, so it is reached by a private endpoint only.

resource "azurerm_managed_redis" "this" {
  name                      = var.cache_name
  resource_group_name       = var.resource_group_name
  location                  = var.location
  sku_name                  = var.sku
  high_availability_enabled = var.high_availability
  public_network_access     = "Disabled"
  tags                      = var.tags

  default_database {
    access_keys_authentication_enabled = true # Atoll logs in with the password of REDIS_URL
    client_protocol                    = "Encrypted"
    clustering_policy                  = "NoCluster" # plain clients, and scripts over several keys
    eviction_policy                    = "VolatileLRU"
  }
}
