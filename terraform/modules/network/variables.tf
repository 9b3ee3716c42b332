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

variable "address_space" {
  description = "Addresses of the virtual network, a /16."
  type        = string
}

variable "ingress_ports" {
  description = "Ports of the ingress that the internet may reach."
  type        = set(number)
}

variable "ingress_cidrs" {
  description = "Who may reach these ports: CIDRs, or [\"Internet\"]."
  type        = set(string)
}

variable "functions" {
  description = "Whether a subnet for a function app is made, with a NAT gateway: it has no other way out."
  type        = bool
}

variable "ddos_protection" {
  description = "Whether the network has a DDoS protection plan."
  type        = bool
}

variable "firewall" {
  description = "Whether what leaves the network goes through a firewall."
  type        = bool
}

variable "firewall_fqdns" {
  description = "Hosts that may be reached through the firewall, besides what the cluster itself needs."
  type        = set(string)
}
