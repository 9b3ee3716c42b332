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

variable "server_name" {
  description = "Name of the server, unique in the world."
  type        = string
}

variable "virtual_network_id" {
  description = "Network whose programs resolve the server's name."
  type        = string
}

variable "subnet_id" {
  description = "Subnet that is delegated to PostgreSQL; the server has an address in it and no other."
  type        = string
}

variable "postgresql" {
  description = "Version of PostgreSQL, size of the server and its disk, days that backups are kept, a second server that stands by, backups in another region."
  type = object({
    version           = string
    sku               = string
    storage_mb        = number
    backup_days       = number
    high_availability = bool
    geo_backup        = bool
  })
}

variable "password" {
  description = "Password of the server's user `atoll`. It is sent, and kept in no state or plan."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "password_version" {
  description = "Raise it to have a new password sent."
  type        = number
}
