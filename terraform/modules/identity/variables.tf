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

variable "identities" {
  description = "Identities by name: who may act as each, as pairs of issuer and subject of a token (no secret)."
  type = map(object({
    federations = map(object({
      issuer  = string
      subject = string
    }))
  }))
}

variable "roles" {
  description = "What may be done by whom: a role at a scope, for one of `identities` or for another principal."
  type = map(object({
    scope          = string
    role           = string
    identity       = optional(string)
    principal_id   = optional(string)
    principal_type = optional(string, "ServicePrincipal")
  }))
}
