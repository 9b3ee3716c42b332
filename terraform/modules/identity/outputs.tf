output "client_ids" {
  description = "Client ids of the identities."
  value       = { for key, identity in azurerm_user_assigned_identity.this : key => identity.client_id }
}

output "roles" {
  description = "What may be done by whom."
  value       = { for key, role in var.roles : key => role.role }
}
