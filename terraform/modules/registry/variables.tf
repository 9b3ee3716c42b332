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

variable "registry_name" {
  description = "Name of the registry: 5 to 50 letters and digits, unique in the world."
  type        = string
}

variable "private_endpoint" {
  description = "Whether only a private endpoint reaches the registry; it is then of the tier Premium."
  type        = bool
}

variable "geo_locations" {
  description = "Other regions with a copy of the registry; it is then of the tier Premium."
  type        = set(string)
}
