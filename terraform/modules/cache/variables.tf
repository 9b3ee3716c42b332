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

variable "cache_name" {
  description = "Name of the cache, unique in its region."
  type        = string
}

variable "sku" {
  description = "Size, e.g. Balanced_B0."
  type        = string
}

variable "high_availability" {
  description = "Whether a second node stands by."
  type        = bool
}
