# The parts, each with defaults that a small installation can live with.

variable "network" {
  description = <<-TEXT
    Addresses of the virtual network (a /16); ports that the ingress opens, and to whom; priced options, off by default:
    ddos_protection (a plan costs about 2,900 USD a month, for up to 100 addresses), firewall (about 900 USD a month and
    traffic) with more hosts that may be reached through it.
  TEXT
  type = object({
    address_space   = optional(string, "10.60.0.0/16")
    ingress_ports   = optional(set(number), [443])
    ingress_cidrs   = optional(set(string), ["Internet"])
    ddos_protection = optional(bool, false)
    firewall        = optional(bool, false)
    firewall_fqdns  = optional(set(string), [])
  })
  default = {}
  validation {
    condition     = can(cidrhost(var.network.address_space, 0)) && endswith(var.network.address_space, "/16")
    error_message = "network.address_space is a /16, e.g. 10.60.0.0/16."
  }
  validation {
    condition     = !contains(["10.244.0.0/16", "10.245.0.0/16"], var.network.address_space)
    error_message = "network.address_space must not be 10.244.0.0/16 or 10.245.0.0/16: pods and services have these."
  }
  validation {
    condition     = alltrue([for port in var.network.ingress_ports : contains([80, 443], port)])
    error_message = "network.ingress_ports holds 443, and 80 where http is redirected or certificates are asked for by it."
  }
  validation {
    condition = (
      alltrue([for it in var.network.ingress_cidrs : it == "Internet" || can(cidrhost(it, 0))])
      && (length(var.network.ingress_cidrs) == 1 || !contains(var.network.ingress_cidrs, "Internet"))
    )
    error_message = "network.ingress_cidrs is [\"Internet\"] or holds CIDRs, e.g. 192.0.2.0/24."
  }
}

variable "cluster" {
  description = <<-TEXT
    Kubernetes: version (by default Azure's), size and number of nodes, their disk, zones (none: Azure chooses), tier of the
    API server (Free, Standard with a promise of 99.95 %, Premium), networks that reach the API server (none: all, by Entra
    ID), private (only our network reaches it), ingress (Azure's nginx), policy (Azure's checks of manifests), and the
    service accounts that may act as Atoll.
  TEXT
  type = object({
    version   = optional(string)
    node_size = optional(string, "Standard_DS2_v2")
    node_min  = optional(number, 1)
    node_max  = optional(number, 5)
    node_disk = optional(object({ type = string, gib = number }), { type = "Ephemeral", gib = 64 })
    zones     = optional(set(string), [])
    tier      = optional(string, "Standard")
    api_cidrs = optional(set(string), [])
    private   = optional(bool, false)
    ingress   = optional(bool, true)
    policy    = optional(bool, true)

    namespace        = optional(string, "atoll")
    service_accounts = optional(set(string), ["atoll"])
  })
  default = {}
  validation {
    condition = (
      var.cluster.node_min >= 1 && var.cluster.node_min <= var.cluster.node_max && var.cluster.node_max <= 100
      && floor(var.cluster.node_min) == var.cluster.node_min && floor(var.cluster.node_max) == var.cluster.node_max
    )
    error_message = "cluster.node_min and node_max are whole numbers, 1 <= node_min <= node_max <= 100."
  }
  validation {
    condition     = can(regex("^Standard_[A-Z]+[0-9]+", var.cluster.node_size))
    error_message = "cluster.node_size is a size of virtual machine, e.g. Standard_DS2_v2; `az vm list-sizes -l REGION` lists them."
  }
  validation {
    condition     = contains(["Ephemeral", "Managed"], var.cluster.node_disk.type) && var.cluster.node_disk.gib >= 30
    error_message = "cluster.node_disk is like { type = \"Managed\", gib = 128 }: Ephemeral or Managed, 30 GiB or more."
  }
  validation {
    condition     = contains(["Free", "Standard", "Premium"], var.cluster.tier)
    error_message = "cluster.tier is Free, Standard or Premium."
  }
  validation {
    condition     = alltrue([for it in var.cluster.api_cidrs : can(cidrhost(it, 0))])
    error_message = "cluster.api_cidrs holds CIDRs, e.g. 192.0.2.10/32."
  }
  validation {
    condition     = !var.cluster.private || length(var.cluster.api_cidrs) == 0
    error_message = "cluster.api_cidrs has no effect with cluster.private: leave one of them out."
  }
  validation {
    condition = alltrue([
      for it in setunion([var.cluster.namespace], var.cluster.service_accounts) : can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", it))
    ]) && length(var.cluster.service_accounts) > 0
    error_message = "cluster.namespace and service_accounts are names of Kubernetes: lower-case letters, digits, hyphens; one account at least."
  }
}

variable "functions" {
  description = <<-TEXT
    The function app (Flex Consumption): Python, memory of an instance in MB, most instances, instances that are always there
    for requests (priced, 0 for none), requests that an instance answers at once.
  TEXT
  type = object({
    python        = optional(string, "3.12")
    memory_mb     = optional(number, 2048)
    instances_max = optional(number, 40)
    always_ready  = optional(number, 0)
    concurrency   = optional(number, 16)
  })
  default = {}
  validation {
    condition     = contains(["3.11", "3.12", "3.13"], var.functions.python)
    error_message = "functions.python is 3.11, 3.12 or 3.13: those that Atoll runs on."
  }
  validation {
    condition     = contains([512, 2048, 4096], var.functions.memory_mb)
    error_message = "functions.memory_mb is 512, 2048 or 4096: the sizes of the plan."
  }
  validation {
    condition     = var.functions.instances_max >= 1 && var.functions.instances_max <= 1000
    error_message = "functions.instances_max is 1 to 1000."
  }
  validation {
    condition     = var.functions.always_ready >= 0 && var.functions.always_ready <= var.functions.instances_max
    error_message = "functions.always_ready is 0 to instances_max."
  }
  validation {
    condition     = var.functions.concurrency >= 1 && var.functions.concurrency <= 1000
    error_message = "functions.concurrency is 1 to 1000."
  }
}

variable "storage" {
  description = <<-TEXT
    Copies that Azure keeps (LRS in one data centre, ZRS in three); name and GiB of the file share; classes of workers that
    run jobs; services: what processes with `SERVICE_MODEL` serve, one list each, since their queues have names of their own
    (the empty list is a process that serves everything).
  TEXT
  type = object({
    replication = optional(string, "LRS")
    share_name  = optional(string, "atoll")
    share_gib   = optional(number, 100)
    workers     = optional(set(string), ["cpu", "train"])
    services    = optional(list(list(string)), [[]])
  })
  default = {}
  validation {
    condition     = contains(["LRS", "ZRS"], var.storage.replication)
    error_message = "storage.replication is LRS or ZRS: premium file shares have no copies in other regions."
  }
  validation {
    condition     = can(regex("^[a-z0-9](-?[a-z0-9])+$", var.storage.share_name)) && length(var.storage.share_name) >= 3 && length(var.storage.share_name) <= 63
    error_message = "storage.share_name is 3 to 63 lower-case letters, digits and single hyphens."
  }
  validation {
    condition     = var.storage.share_gib >= 1 && var.storage.share_gib <= 102400
    error_message = "storage.share_gib is 1 to 102400."
  }
  validation {
    condition     = length(var.storage.workers) > 0 && length(setsubtract(var.storage.workers, ["cpu", "train"])) == 0
    error_message = "storage.workers holds cpu, train, or both: the classes of JOB_WORKERS."
  }
  validation {
    condition     = length(var.storage.services) > 0
    error_message = "storage.services holds one list at least; [[]] is one process that serves everything."
  }
}

variable "database" {
  description = <<-TEXT
    PostgreSQL: version, size, disk in MB, days that backups are kept, a second server in another zone that stands by (not
    for sizes that begin with B_), backups in the paired region (cannot be changed later).
  TEXT
  type = object({
    version           = optional(string, "16")
    sku               = optional(string, "B_Standard_B2s")
    storage_mb        = optional(number, 32768)
    backup_days       = optional(number, 14)
    high_availability = optional(bool, false)
    geo_backup        = optional(bool, false)
  })
  default = {}
  validation {
    condition     = contains(["14", "15", "16", "17"], var.database.version)
    error_message = "database.version is 14, 15, 16 or 17."
  }
  validation {
    condition     = can(regex("^(B|GP|MO)_Standard_[A-Za-z0-9_]+$", var.database.sku))
    error_message = "database.sku is like B_Standard_B2s, GP_Standard_D2ds_v5 or MO_Standard_E2ds_v5."
  }
  validation {
    condition     = contains([for power in range(15, 26) : pow(2, power)], var.database.storage_mb)
    error_message = "database.storage_mb is a power of two from 32768."
  }
  validation {
    condition     = var.database.backup_days >= 7 && var.database.backup_days <= 35
    error_message = "database.backup_days is 7 to 35."
  }
}

variable "database_password" {
  description = <<-TEXT
    Password of the database's user, by TF_VAR_database_password. Needed when the server is made, and with a raised
    database_password_version. It is kept in no state or plan.
  TEXT
  type        = string
  default     = null
  sensitive   = true
  ephemeral   = true
  validation {
    condition     = var.database_password == null || can(regex("^[A-Za-z0-9._~-]{24,128}$", var.database_password))
    error_message = "database_password is 24 to 128 letters, digits and . _ ~ -, which need no escapes in an address; `openssl rand -hex 24` makes one."
  }
}

variable "database_password_version" {
  description = "Raise it to change the database's password."
  type        = number
  default     = 1
}

variable "cache" {
  description = <<-TEXT
    Redis (Azure Managed Redis) for what processes share: whether there is one (by default with functions only: the manifests
    for a cluster bring their own), its size, a second node that stands by.
  TEXT
  type = object({
    enabled           = optional(bool)
    sku               = optional(string, "Balanced_B0")
    high_availability = optional(bool, false)
  })
  default = {}
  validation {
    condition     = can(regex("^(Balanced_B|ComputeOptimized_X|MemoryOptimized_M)[0-9]+$", var.cache.sku))
    error_message = "cache.sku is like Balanced_B0, ComputeOptimized_X3 or MemoryOptimized_M10."
  }
}

variable "registry_geo_locations" {
  description = "Other regions with a copy of the registry (priced: the tier becomes Premium)."
  type        = set(string)
  default     = []
}

variable "logs" {
  description = "Days that logs are kept, and GiB a day after which the rest of the day is dropped (-1 for any)."
  type = object({
    days      = optional(number, 30)
    daily_gib = optional(number, 2)
  })
  default = {}
  validation {
    condition     = var.logs.days >= 30 && var.logs.days <= 730
    error_message = "logs.days is 30 to 730."
  }
  validation {
    condition     = var.logs.daily_gib == -1 || var.logs.daily_gib > 0
    error_message = "logs.daily_gib is above 0, or -1 for any."
  }
}
