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

variable "virtual_network_id" {
  description = "Network whose programs resolve the names."
  type        = string
}

variable "subnet_id" {
  description = "Subnet in which the endpoints have their addresses."
  type        = string
}

variable "endpoints" {
  description = "What gets an address in the network: by a name, the resource, its part (`queue`, `vault`, ...) and its DNS zone."
  type = map(object({
    resource_id = string
    part        = string
    zone        = string
  }))
}
