# What differs with what runs Atoll.

variables {
  name   = "atollci"
  github = { repository = "example/atoll", environments = ["staging", "production"] }
}

run "functions_alone_need_no_cluster" {
  command = plan
  variables {
    hosts    = ["functions"]
    cache    = {}
    settings = { ANONYMOUS_SCOPES = "predict" }
  }
  assert {
    condition     = length(module.cluster) == 0 && length(module.registry) == 0 && length(module.functions) == 1
    error_message = "nothing of a cluster may be made"
  }
  assert {
    condition     = startswith(module.storage.share.address, "https://") && strcontains(module.storage.share.address, ".file.core.windows.net/")
    error_message = "functions read the share by its address"
  }
  assert {
    condition     = module.identity.roles["functions-files"] == "Storage File Data Privileged Contributor"
    error_message = "functions must be let into the share"
  }
  assert {
    condition     = contains(keys(module.network.subnet_ids), "functions")
    error_message = "the app must lie in the network"
  }
  assert {
    condition     = module.endpoints.names["cache"] == "privatelink.redis.azure.net" && contains(keys(output.secrets), "redis-url")
    error_message = "functions share a Redis, which has no firewall and so a private endpoint"
  }
  assert {
    condition     = !contains(keys(output.workflows), "AKS_CLUSTER") && output.cluster == null && output.azure == null
    error_message = "what is not there must not be told of"
  }
}

run "the_function_app_holds_no_secret" {
  command = plan
  module {
    source = "./modules/functions"
  }
  variables {
    resource_group_name        = "rg-atoll"
    location                   = "westeurope"
    app_name                   = "func-atoll"
    subnet_id                  = "/subscriptions/x/subnets/functions"
    packages_uri               = "https://stx.blob.core.windows.net/packages"
    insights_connection_string = "InstrumentationKey=x"
    settings                   = { DATABASE_URL = "@Microsoft.KeyVault(SecretUri=https://kv-x.vault.azure.net/secrets/database-url)" }
    functions                  = { python = "3.12", memory_mb = 2048, instances_max = 40, always_ready = 1, concurrency = 16 }
  }
  assert {
    condition     = azurerm_service_plan.this.sku_name == "FC1" && azurerm_service_plan.this.os_type == "Linux"
    error_message = "the plan must be Flex Consumption"
  }
  assert {
    condition = (
      azurerm_function_app_flex_consumption.this.storage_authentication_type == "SystemAssignedIdentity"
      && azurerm_function_app_flex_consumption.this.storage_access_key == null
      && azurerm_function_app_flex_consumption.this.app_settings["AzureWebJobsStorage"] == ""
    )
    error_message = "the app must open storage by its identity"
  }
  assert {
    condition     = startswith(azurerm_function_app_flex_consumption.this.app_settings["DATABASE_URL"], "@Microsoft.KeyVault(")
    error_message = "a secret must be a reference to the vault"
  }
  assert {
    condition = (
      azurerm_function_app_flex_consumption.this.https_only
      && !azurerm_function_app_flex_consumption.this.webdeploy_publish_basic_authentication_enabled
    )
    error_message = "no http, no password to publish with"
  }
  assert {
    condition     = azurerm_function_app_flex_consumption.this.always_ready[0].name == "http"
    error_message = "what is always there answers requests"
  }
}

run "both_share_files_by_their_address" {
  command = plan
  variables {
    hosts = ["cluster", "functions"]
  }
  assert {
    condition     = !module.storage.share.mounted && output.cluster.settings["FILE_SHARE"] == module.storage.share.address
    error_message = "cluster and functions must see the same files"
  }
  assert {
    condition     = contains(keys(module.identity.roles), "pods-files") && contains(keys(module.identity.roles), "functions-files")
    error_message = "both must be let into the share"
  }
}

run "workflows_deploy_from_their_environments_alone" {
  command = plan
  variables {
    hosts = ["cluster"]
  }
  assert {
    condition     = toset(keys(output.workflows)) == toset(["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AKS_CLUSTER", "AKS_NAMESPACE", "REGISTRY_NAME", "REGISTRY_LOGIN_SERVER"])
    error_message = "the workflows read other variables"
  }
  assert {
    condition     = startswith(output.azure.REGISTRY, "cratollci") && startswith(output.azure.SHARE_ACCOUNT, output.azure.STORAGE_ACCOUNT)
    error_message = "manifests must be told the names that were chosen"
  }
}

run "subjects_name_environments_and_service_accounts" {
  command = plan
  module {
    source = "./modules/identity"
  }
  variables {
    resource_group_name = "rg-atoll"
    location            = "westeurope"
    identities = {
      deploy = { federations = { production = { issuer = "https://token.actions.githubusercontent.com", subject = "repo:example/atoll:environment:production" } } }
      pods   = { federations = { keda = { issuer = "https://oidc", subject = "system:serviceaccount:kube-system:keda-operator" } } }
    }
    roles = {
      pods-queues = { scope = "/subscriptions/x/st", role = "Storage Queue Data Contributor", identity = "pods" }
      person      = { scope = "/subscriptions/x/kv", role = "Key Vault Secrets Officer", principal_id = "22222222-2222-2222-2222-222222222222", principal_type = null }
    }
  }
  assert {
    condition     = azurerm_federated_identity_credential.this["deploy-production"].subject == "repo:example/atoll:environment:production"
    error_message = "a workflow must come from its environment"
  }
  assert {
    condition     = alltrue([for it in azurerm_federated_identity_credential.this : it.audience == tolist(["api://AzureADTokenExchange"])])
    error_message = "tokens must be meant for Azure"
  }
  assert {
    condition     = azurerm_role_assignment.this["person"].principal_id == "22222222-2222-2222-2222-222222222222"
    error_message = "people have roles by their own id"
  }
}
