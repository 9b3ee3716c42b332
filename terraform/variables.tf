# What every installation tells. The parts have their own variables in variables_parts.tf.

variable "subscription_id" {
  description = "Subscription that everything is made in."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.subscription_id))
    error_message = "subscription_id is a UUID in lower case; `az account show --query id -o tsv` prints it."
  }
}

variable "tenant_id" {
  description = "Tenant of Entra ID whose people and programs are let in."
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.tenant_id))
    error_message = "tenant_id is a UUID in lower case; `az account show --query tenantId -o tsv` prints it."
  }
}

variable "name" {
  description = "Name of the installation, a part of every resource's name."
  type        = string
  default     = "atoll"
  validation {
    condition     = can(regex("^[a-z][a-z0-9]{2,11}$", var.name))
    error_message = "name is 3 to 12 lower-case letters and digits and begins with a letter, e.g. atoll."
  }
}

variable "suffix" {
  description = "What makes names unique that must be so in the world; by default six digits of a hash of subscription and name."
  type        = string
  default     = null
  validation {
    condition     = var.suffix == null || can(regex("^[a-z0-9]{2,8}$", var.suffix))
    error_message = "suffix is 2 to 8 lower-case letters and digits, e.g. prod01."
  }
}

variable "location" {
  description = "Azure region, e.g. westeurope."
  type        = string
  default     = "westeurope"
  validation {
    condition     = can(regex("^[a-z0-9]+$", var.location))
    error_message = "location is a region's short name, e.g. westeurope; `az account list-locations -o table` lists them."
  }
}

variable "tags" {
  description = "More tags for every resource."
  type        = map(string)
  default     = {}
}

variable "hosts" {
  description = <<-TEXT
    What runs Atoll: `cluster` (Kubernetes with KEDA), `functions` (Azure Functions), or both, which then share queues,
    database and files: e.g. functions that answer, and a cluster that trains.
  TEXT
  type        = set(string)
  default     = ["cluster"]
  validation {
    condition     = length(var.hosts) > 0 && length(setsubtract(var.hosts, ["cluster", "functions"])) == 0
    error_message = "hosts holds cluster, functions, or both."
  }
}

variable "settings" {
  description = "More settings of Atoll (docs/settings.md), for the function app and in the output `cluster`. No secrets: they go into the vault."
  type        = map(string)
  default     = {}
  validation {
    condition = length(setintersection(keys(var.settings), [
      "ATOLL_ADMIN_KEY", "AzureWebJobsStorage", "CALLBACK_SECRET", "DATABASE_URL", "FILE_SHARE_CREDENTIAL", "REDIS_URL",
      "SSL_KEYFILE_PASSWORD",
    ])) == 0
    error_message = "settings holds a secret, which would lie in the state: put it into the vault (step 6 of docs/terraform.md)."
  }
  validation {
    condition     = alltrue([for key in keys(var.settings) : can(regex("^[A-Za-z][A-Za-z0-9_]*$", key))])
    error_message = "a key of settings is no name of a variable: letters, digits and underscores."
  }
}

variable "operators" {
  description = "Object ids in Entra ID of people or groups who run the cluster, fill the vault and upload data sets."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for id in var.operators : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id))])
    error_message = "operators holds object ids (UUIDs); `az ad signed-in-user show --query id -o tsv` prints yours."
  }
}

variable "operator_ips" {
  description = "Public IPv4 addresses from which operators reach vault and storage. Without any, only the network does."
  type        = set(string)
  default     = []
  validation {
    condition = alltrue([
      for ip in var.operator_ips :
      can(cidrhost("${ip}/32", 0)) && !can(regex("^(10\\.|127\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|0\\.)|:", ip))
    ])
    error_message = "operator_ips holds public IPv4 addresses without a mask, e.g. 192.0.2.10; Azure refuses private ones."
  }
}

variable "private_endpoints" {
  description = <<-TEXT
    What only the network reaches, by a private endpoint (priced): storage, vault, registry. Without it storage and vault
    are still closed but to our subnets and operator_ips. With registry, images must be pushed from within the network.
  TEXT
  type        = set(string)
  default     = []
  validation {
    condition     = length(setsubtract(var.private_endpoints, ["storage", "vault", "registry"])) == 0
    error_message = "private_endpoints holds some of storage, vault, registry."
  }
}

variable "github" {
  description = "Repository whose workflows deploy without a secret, from its environments named here; null for none."
  type = object({
    repository   = string
    environments = optional(set(string), ["production"])
  })
  default = null
  validation {
    condition     = var.github == null || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.github.repository))
    error_message = "github.repository is OWNER/NAME."
  }
  validation {
    condition     = var.github == null || try(length(var.github.environments) > 0, false)
    error_message = "github.environments names one environment at least: a token of any branch must not be enough."
  }
}

variable "alert_emails" {
  description = "Who gets alerts and the budget's warnings."
  type        = set(string)
  validation {
    condition     = length(var.alert_emails) > 0 && alltrue([for it in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", it))])
    error_message = "alert_emails holds one e-mail address at least: alerts that nobody reads are none."
  }
}

variable "budget" {
  description = "Amount a month, in the subscription's currency, and the first day of the first month; null for no budget."
  type = object({
    amount = number
    start  = string
  })
  default = null
  validation {
    condition = (
      var.budget == null ||
      try(var.budget.amount > 0 && can(regex("^20[0-9]{2}-(0[1-9]|1[0-2])-01$", var.budget.start)), false)
    )
    error_message = "budget is like { amount = 300, start = \"2026-12-01\" }: above 0, from the first day of a month."
  }
}
