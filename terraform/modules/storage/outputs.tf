output "account_id" {
  description = "Id of the account of queues and blobs."
  value       = azurerm_storage_account.jobs.id
}

output "account_name" {
  description = "Name of the account of queues and blobs."
  value       = azurerm_storage_account.jobs.name
}

output "queue_service_uri" {
  description = "`AzureWebJobsStorage__queueServiceUri`."
  value       = "https://${azurerm_storage_account.jobs.name}.queue.core.windows.net"
}

output "blob_service_uri" {
  description = "Address of the blobs."
  value       = "https://${azurerm_storage_account.jobs.name}.blob.core.windows.net"
}

output "table_service_uri" {
  description = "Address of the tables, in which the Functions host keeps events of its own."
  value       = "https://${azurerm_storage_account.jobs.name}.table.core.windows.net"
}

output "packages_uri" {
  description = "Address of the container for packages."
  value       = "https://${azurerm_storage_account.jobs.name}.blob.core.windows.net/${azurerm_storage_container.packages.name}"
}

output "queues" {
  description = "Names of all queues, poison queues included."
  value       = sort(keys(azurerm_storage_queue.this))
}

output "share" {
  description = "The file share: its account, its name, and its address where it is not mounted."
  value = {
    account_id = var.share_mounted ? azurerm_storage_account.files[0].id : azurerm_storage_account.jobs.id
    account    = var.share_mounted ? azurerm_storage_account.files[0].name : azurerm_storage_account.jobs.name
    name       = var.share_name
    mounted    = var.share_mounted
    address    = var.share_mounted ? null : "https://${azurerm_storage_account.jobs.name}.file.core.windows.net/${var.share_name}"
  }
}
