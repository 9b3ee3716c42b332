# What an installation is that says no more than it has to.

variables {
  subscription_id = "00000000-0000-0000-0000-000000000000"
  tenant_id       = "11111111-1111-1111-1111-111111111111"
  alert_emails    = ["oncall@example.org"]
  # ci.tfvars says more; here the defaults are looked at.
  name         = "atoll"
  hosts        = ["cluster"]
  operators    = []
  operator_ips = []
  budget       = null
  github       = null
  cluster      = {}
  cache        = {}
}

run "the_cluster_scales_from_one_to_five_nodes_of_the_default_size" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  variables {
    resource_group_name = "rg-atoll"
    location            = "westeurope"
    subnet_id           = "/subscriptions/x/subnets/nodes"
    routed              = false
    workspace_id        = "/subscriptions/x/workspaces/log"
    cluster = {
      node_size = "Standard_DS2_v2", node_min = 1, node_max = 5, node_disk = { type = "Ephemeral", gib = 64 }, zones = []
      tier      = "Standard", api_cidrs = [], private = false, ingress = true, policy = true
    }
  }
  assert {
    condition = (
      azurerm_kubernetes_cluster.this.default_node_pool[0].auto_scaling_enabled
      && azurerm_kubernetes_cluster.this.default_node_pool[0].min_count == 1
      && azurerm_kubernetes_cluster.this.default_node_pool[0].max_count == 5
      && azurerm_kubernetes_cluster.this.default_node_pool[0].vm_size == "Standard_DS2_v2"
    )
    error_message = "the pool must scale from 1 to 5 nodes of the size asked for"
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.workload_autoscaler_profile[0].keda_enabled
    error_message = "the add-on KEDA must be on: workers are scaled by their queues"
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.oidc_issuer_enabled && azurerm_kubernetes_cluster.this.workload_identity_enabled
    error_message = "pods must be able to act as an identity"
  }
  assert {
    condition = (
      azurerm_kubernetes_cluster.this.local_account_disabled
      && azurerm_kubernetes_cluster.this.azure_active_directory_role_based_access_control[0].azure_rbac_enabled
    )
    error_message = "nobody may come in but by Entra ID"
  }
  assert {
    condition     = length(azurerm_kubernetes_cluster.this.api_server_access_profile) == 0
    error_message = "no networks were named, so none may be excluded"
  }
}

run "a_cluster_of_named_networks_lets_no_others_in" {
  command = plan
  module {
    source = "./modules/cluster"
  }
  variables {
    resource_group_name = "rg-atoll"
    location            = "westeurope"
    subnet_id           = "/subscriptions/x/subnets/nodes"
    routed              = true
    workspace_id        = "/subscriptions/x/workspaces/log"
    cluster = {
      node_size = "Standard_D4s_v5", node_min = 1, node_max = 5, node_disk = { type = "Managed", gib = 128 }, zones = ["1", "2"]
      tier      = "Standard", api_cidrs = ["192.0.2.10/32"], private = false, ingress = false, policy = false
    }
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.api_server_access_profile[0].authorized_ip_ranges == toset(["192.0.2.10/32"])
    error_message = "only the networks that were named may reach the API server"
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.network_profile[0].outbound_type == "userDefinedRouting"
    error_message = "with a firewall, routes must lead out"
  }
  assert {
    condition     = length(azurerm_kubernetes_cluster.this.web_app_routing) == 0
    error_message = "no ingress was asked for"
  }
}

run "every_queue_has_a_poison_queue" {
  command = plan
  assert {
    condition = toset(module.storage.queues) == toset([
      "prediction-cpu", "prediction-cpu-poison", "prediction-train", "prediction-train-poison",
      "training-cpu", "training-cpu-poison", "training-train", "training-train-poison",
      "submission-cpu", "submission-cpu-poison",
    ])
    error_message = "the queues are not those that Atoll uses"
  }
}

run "the_share_is_mounted_without_a_key" {
  command = plan
  assert {
    condition     = module.storage.share.mounted && module.storage.share.address == null
    error_message = "pods must mount the share"
  }
  assert {
    condition     = !contains(keys(module.identity.roles), "pods-files")
    error_message = "who mounts the share needs no role to read it by its address"
  }
}

run "the_priced_options_are_off" {
  command = plan
  assert {
    condition     = length(module.endpoints.names) == 0 && length(module.cache) == 0
    error_message = "private endpoints, and a second Redis beside the cluster's own, must be asked for"
  }
  assert {
    condition     = !module.network.routed && !var.network.ddos_protection
    error_message = "firewall and DDoS protection must be asked for"
  }
}

run "names_are_the_same_each_time" {
  command = plan
  assert {
    condition     = output.names.storage == "statoll${substr(sha256("00000000-0000-0000-0000-000000000000/atoll"), 0, 6)}"
    error_message = "a name that has to be unique must follow from subscription and name alone"
  }
  assert {
    condition     = length(output.names.storage) <= 22 && length(output.names.vault) <= 24
    error_message = "Azure refuses longer names"
  }
}

run "secrets_lie_in_the_vault_alone" {
  command = plan
  assert {
    condition     = toset(keys(output.secrets)) == toset(["database-url", "admin-key"])
    error_message = "the vault must be told what Atoll reads from it"
  }
  assert {
    condition     = strcontains(output.secrets["database-url"], ":PASSWORD@")
    error_message = "an output must not hold a password"
  }
}
