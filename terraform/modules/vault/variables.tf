variable "name" {
  description = "Name of the installation; every resource's name has it."
  type        = string
}

variable "resource_group_name" {
  description = "Resource group that everything lies in."
  type        = string
}

variable "location" {
  description = "Azure region."
  type        = string
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "vault_name" {
  description = "Name of the vault: 3 to 24 letters, digits and hyphens, unique in the world."
  type        = string
}

variable "tenant_id" {
  description = "Tenant of Entra ID whose people and programs use the vault."
  type        = string
}

variable "client_subnet_ids" {
  description = "Subnets whose programs may reach the vault."
  type        = list(string)
}

variable "operator_ips" {
  description = "Public addresses of people who may reach the vault."
  type        = set(string)
}

variable "private_endpoint" {
  description = "Whether only a private endpoint reaches the vault."
  type        = bool
}
