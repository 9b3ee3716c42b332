# Kubernetes with KEDA. People log in by Entra ID and may do what their Azure roles say; pods are identities (workload
# identity), so that neither a kubeconfig nor a pod holds a secret.

resource "azurerm_user_assigned_identity" "this" {
  name                = "id-${var.name}-cluster"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "subnet" {
  scope                = var.subnet_id
  role_definition_name = "Network Contributor" # load balancers and routes
  principal_id         = azurerm_user_assigned_identity.this.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_kubernetes_cluster" "this" {
  name                              = "aks-${var.name}"
  resource_group_name               = var.resource_group_name
  location                          = var.location
  node_resource_group               = "${var.resource_group_name}-nodes"
  dns_prefix                        = var.name
  kubernetes_version                = var.cluster.version
  sku_tier                          = var.cluster.tier
  automatic_upgrade_channel         = "patch"
  node_os_upgrade_channel           = "NodeImage"
  local_account_disabled            = true
  role_based_access_control_enabled = true
  oidc_issuer_enabled               = true
  workload_identity_enabled         = true
  azure_policy_enabled              = var.cluster.policy
  run_command_enabled               = false
  private_cluster_enabled           = var.cluster.private
  image_cleaner_enabled             = true
  image_cleaner_interval_hours      = 48
  cost_analysis_enabled             = var.cluster.tier != "Free"
  tags                              = var.tags

  default_node_pool {
    name                        = "default"
    vm_size                     = var.cluster.node_size
    auto_scaling_enabled        = true
    min_count                   = var.cluster.node_min
    max_count                   = var.cluster.node_max
    vnet_subnet_id              = var.subnet_id
    zones                       = var.cluster.zones
    os_sku                      = "AzureLinux"
    os_disk_type                = var.cluster.node_disk.type
    os_disk_size_gb             = var.cluster.node_disk.gib
    max_pods                    = 60
    node_public_ip_enabled      = false
    temporary_name_for_rotation = "rotating"
    tags                        = var.tags

    upgrade_settings {
      max_surge                = "1"
      drain_timeout_in_minutes = 30 # a training may take its time to give its job back
    }
  }

  auto_scaler_profile {
    expander                      = "least-waste"
    scan_interval                 = "10s"
    scale_down_delay_after_add    = "10m"
    scale_down_unneeded           = "10m"
    skip_nodes_with_system_pods   = false # else one node never goes
    skip_nodes_with_local_storage = false # caches may be lost
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this.id]
  }

  azure_active_directory_role_based_access_control {
    tenant_id          = var.tenant_id
    azure_rbac_enabled = true
  }

  dynamic "api_server_access_profile" {
    for_each = !var.cluster.private && length(var.cluster.api_cidrs) > 0 ? [var.cluster.api_cidrs] : []
    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    load_balancer_sku   = "standard"
    outbound_type       = var.routed ? "userDefinedRouting" : "loadBalancer"
    pod_cidr            = "10.244.0.0/16"
    service_cidr        = "10.245.0.0/16"
    dns_service_ip      = "10.245.0.10"
  }

  workload_autoscaler_profile {
    keda_enabled = true
  }

  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = "2m"
  }

  storage_profile {
    file_driver_enabled         = true
    disk_driver_enabled         = true
    blob_driver_enabled         = false
    snapshot_controller_enabled = false
  }

  dynamic "web_app_routing" {
    for_each = var.cluster.ingress ? [[]] : []
    content {
      dns_zone_ids = web_app_routing.value
    }
  }

  oms_agent {
    log_analytics_workspace_id      = var.workspace_id
    msi_auth_for_monitoring_enabled = true
  }

  monitor_metrics {}

  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    duration    = 4
    day_of_week = "Sunday"
    start_time  = "02:00"
    utc_offset  = "+00:00"
  }

  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    duration    = 4
    day_of_week = "Sunday"
    start_time  = "02:00"
    utc_offset  = "+00:00"
  }

  lifecycle {
    # The autoscaler counts nodes; patches come by themselves.
    ignore_changes = [default_node_pool[0].node_count, kubernetes_version]
  }

  depends_on = [azurerm_role_assignment.subnet]
}
