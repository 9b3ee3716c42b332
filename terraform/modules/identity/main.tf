# Who may do what. All roles of the installation are here, in one list; none is wider than a resource.

resource "azurerm_user_assigned_identity" "this" {
  for_each = var.identities

  name                = "id-${var.name}-${each.key}"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

locals {
  federations = merge([
    for identity, it in var.identities : {
      for key, federation in it.federations : "${identity}-${key}" => merge(federation, { identity = identity })
    }
  ]...)
}

resource "azurerm_federated_identity_credential" "this" {
  for_each = local.federations

  name                      = each.key
  user_assigned_identity_id = azurerm_user_assigned_identity.this[each.value.identity].id
  audience                  = ["api://AzureADTokenExchange"]
  issuer                    = each.value.issuer
  subject                   = each.value.subject
}

resource "azurerm_role_assignment" "this" {
  for_each = var.roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = each.value.identity == null ? each.value.principal_id : azurerm_user_assigned_identity.this[each.value.identity].principal_id
  principal_type       = each.value.principal_type
}
