# Azure Functions on the plan Flex Consumption: it costs by use, scales each kind of trigger apart, and lies in our network.
# The app's own identity opens storage and vault: references to a vault can name no other one in this resource.

resource "azurerm_service_plan" "this" {
  name                = "plan-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  name                                           = var.app_name
  resource_group_name                            = var.resource_group_name
  location                                       = var.location
  service_plan_id                                = azurerm_service_plan.this.id
  runtime_name                                   = "python"
  runtime_version                                = var.functions.python
  instance_memory_in_mb                          = var.functions.memory_mb
  maximum_instance_count                         = var.functions.instances_max
  http_concurrency                               = var.functions.concurrency
  storage_container_type                         = "blobContainer"
  storage_container_endpoint                     = var.packages_uri
  storage_authentication_type                    = "SystemAssignedIdentity"
  virtual_network_subnet_id                      = var.subnet_id
  https_only                                     = true
  webdeploy_publish_basic_authentication_enabled = false
  tags                                           = var.tags

  dynamic "always_ready" {
    for_each = var.functions.always_ready > 0 ? [var.functions.always_ready] : []
    content {
      name           = "http"
      instance_count = always_ready.value
    }
  }

  identity {
    type = "SystemAssigned"
  }

  site_config {
    application_insights_connection_string = var.insights_connection_string
    http2_enabled                          = true
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"
    remote_debugging_enabled               = false
  }

  app_settings = merge(var.settings, {
    # The provider would put a connection string here that no key fits; empty, the settings with `__` count. Whatever
    # publishes takes it out, since hosts of 2026 take the empty one for one (github.com/Azure/azure-functions-host/issues/11787).
    AzureWebJobsStorage                       = ""
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "Authorization=AAD"
  })

  lifecycle {
    # The package is put there by the deployment.
    ignore_changes = [zip_deploy_file]
  }
}
