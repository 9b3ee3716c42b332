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

variable "subscription_id" {
  description = "Subscription that the budget counts in."
  type        = string
}

variable "retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "daily_gib" {
  description = "GiB of logs a day, after which the rest of the day is dropped; -1 for any."
  type        = number
}

variable "emails" {
  description = "Who gets alerts and the budget's warnings."
  type        = set(string)
}

variable "budget" {
  description = "Amount a month in the subscription's currency, and the first month (its first day); null for no budget."
  type = object({
    amount = number
    start  = string
  })
}

variable "budget_groups" {
  description = "Resource groups whose cost the budget counts."
  type        = list(string)
}

variable "targets" {
  description = "Ids of what is watched: storage, and what there is of database, cache, cluster and functions."
  type        = map(string)
}

variable "diagnostics" {
  description = "Logs of resources that are kept: the resource's id and the categories."
  type = map(object({
    resource_id = string
    categories  = set(string)
  }))
}

variable "rule_groups" {
  description = "Groups of alert rules as in a rule file of Prometheus; they watch the cluster's metrics."
  type        = any
}
