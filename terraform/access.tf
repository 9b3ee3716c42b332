# Who may do what: programs by their identities, people by their accounts, workflows by GitHub's tokens.

locals {
  # What Atoll does with each service, wherever it runs.
  atoll_roles = merge(
    {
      queues  = { scope = module.storage.account_id, role = "Storage Queue Data Contributor" }
      secrets = { scope = module.vault.id, role = "Key Vault Secrets User" }
      metrics = { scope = module.monitoring.insights_id, role = "Monitoring Metrics Publisher" }
    },
    # By its address a share is open to whoever has this role, whatever its files say.
    local.share_mounted ? {} : {
      files = { scope = module.storage.share.account_id, role = "Storage File Data Privileged Contributor" }
    },
  )

  cluster_roles = local.with_cluster ? merge(
    { for key, it in local.atoll_roles : "pods-${key}" => merge(it, { identity = "pods", principal_id = null }) },
    {
      nodes-pull = { scope = module.registry[0].id, role = "AcrPull", identity = null, principal_id = module.cluster[0].kubelet_principal_id }
    },
  ) : {}

  functions_roles = local.with_functions ? {
    for key, it in merge(local.atoll_roles, {
      # The host keeps its leases and keys in blobs and its events in tables; the plan reads the package.
      blobs  = { scope = module.storage.account_id, role = "Storage Blob Data Owner" }
      tables = { scope = module.storage.account_id, role = "Storage Table Data Contributor" }
    }) : "functions-${key}" => merge(it, { identity = null, principal_id = module.functions[0].principal_id })
  } : {}

  deploy_roles = var.github == null ? {} : {
    for key, it in merge(
      local.with_cluster ? {
        push   = { scope = module.registry[0].id, role = "AcrPush" }
        login  = { scope = module.cluster[0].id, role = "Azure Kubernetes Service Cluster User Role" }
        deploy = { scope = module.cluster[0].id, role = "Azure Kubernetes Service RBAC Cluster Admin" } # namespace, KEDA's resources
      } : {},
      local.with_functions ? {
        publish = { scope = module.functions[0].id, role = "Website Contributor" }
      } : {},
    ) : "deploy-${key}" => merge(it, { identity = "deploy", principal_id = null })
  }

  operator_roles = merge([
    for id in var.operators : {
      for key, it in merge(
        {
          secrets = { scope = module.vault.id, role = "Key Vault Secrets Officer" }
          queues  = { scope = module.storage.account_id, role = "Storage Queue Data Contributor" }
        },
        local.share_mounted ? {} : {
          files = { scope = module.storage.share.account_id, role = "Storage File Data Privileged Contributor" }
        },
        local.with_cluster ? {
          push  = { scope = module.registry[0].id, role = "AcrPush" }
          login = { scope = module.cluster[0].id, role = "Azure Kubernetes Service Cluster User Role" }
          admin = { scope = module.cluster[0].id, role = "Azure Kubernetes Service RBAC Cluster Admin" }
        } : {},
      ) : "operator-${id}-${key}" => merge(it, { identity = null, principal_id = id, principal_type = null })
    }
  ]...)
}

module "identity" {
  source = "./modules/identity"

  name                = local.place.name
  resource_group_name = local.place.resource_group_name
  location            = local.place.location
  tags                = local.place.tags
  identities = merge(
    local.with_cluster ? {
      pods = {
        federations = {
          # KEDA looks at the queues as the pods do: TriggerAuthentication names their identity.
          for account in concat([for it in var.cluster.service_accounts : "${var.cluster.namespace}:${it}"], ["kube-system:keda-operator"]) :
          replace(account, ":", "-") => {
            issuer  = module.cluster[0].oidc_issuer_url
            subject = "system:serviceaccount:${account}"
          }
        }
      }
    } : {},
    var.github == null ? {} : {
      deploy = {
        federations = {
          for environment in try(var.github.environments, []) : environment => {
            issuer  = "https://token.actions.githubusercontent.com"
            subject = "repo:${var.github.repository}:environment:${environment}"
          }
        }
      }
    },
  )
  roles = merge(
    { for key, it in local.cluster_roles : key => merge(it, { principal_type = "ServicePrincipal" }) },
    { for key, it in local.functions_roles : key => merge(it, { principal_type = "ServicePrincipal" }) },
    { for key, it in local.deploy_roles : key => merge(it, { principal_type = "ServicePrincipal" }) },
    local.operator_roles,
  )
}
