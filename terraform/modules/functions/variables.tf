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

variable "app_name" {
  description = "Name of the function app, unique in the world: its address is NAME.azurewebsites.net."
  type        = string
}

variable "functions" {
  description = "The function app, as the variable `functions` of the root module."
  type = object({
    python        = string
    memory_mb     = number
    instances_max = number
    always_ready  = number
    concurrency   = number
  })
}

variable "subnet_id" {
  description = "Subnet that is delegated to the app; storage, vault and database are reached from it."
  type        = string
}

variable "packages_uri" {
  description = "Address of the container that the package lies in."
  type        = string
}

variable "settings" {
  description = "Application settings; those of docs/settings.md."
  type        = map(string)
}

variable "insights_connection_string" {
  description = "Where the app's telemetry goes."
  type        = string
  sensitive   = true
}
