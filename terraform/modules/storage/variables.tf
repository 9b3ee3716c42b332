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

variable "account_name" {
  description = "Name of the account for queues and blobs: 3 to 22 lower-case letters and digits, unique in the world."
  type        = string
}

variable "queues" {
  description = "Names of the queues that carry jobs; each gets a poison queue beside it."
  type        = set(string)
}

variable "share_name" {
  description = "Name of the file share."
  type        = string
}

variable "share_mounted" {
  description = "Whether the share is mounted (NFS, in an account of its own) or reached by its address (REST)."
  type        = bool
}

variable "share_gib" {
  description = "Size of the share in GiB."
  type        = number
}

variable "replication" {
  description = "Copies that Azure keeps: LRS in one data centre, ZRS in three."
  type        = string
}

variable "client_subnet_ids" {
  description = "Subnets whose programs may reach the accounts."
  type        = list(string)
}

variable "operator_ips" {
  description = "Public addresses of people who may reach the accounts."
  type        = set(string)
}

variable "private_endpoints" {
  description = "Whether the accounts have private endpoints; then nothing else reaches them."
  type        = bool
}
