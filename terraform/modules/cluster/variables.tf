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

variable "tenant_id" {
  description = "Tenant of Entra ID whose people and programs use the cluster."
  type        = string
}

variable "subnet_id" {
  description = "Subnet of the nodes."
  type        = string
}

variable "routed" {
  description = "Whether routes lead out of the subnet (a firewall); else the cluster's load balancer does."
  type        = bool
}

variable "cluster" {
  description = "The cluster, as the variable `cluster` of the root module."
  type = object({
    version   = optional(string)
    node_size = string
    node_min  = number
    node_max  = number
    node_disk = object({ type = string, gib = number })
    zones     = set(string)
    tier      = string
    api_cidrs = set(string)
    private   = bool
    ingress   = bool
    policy    = bool
  })
}

variable "workspace_id" {
  description = "Log Analytics workspace for the logs of containers."
  type        = string
}
