locals {
  with_cluster   = contains(var.hosts, "cluster")
  with_functions = contains(var.hosts, "functions")
  with_cache     = coalesce(var.cache.enabled, contains(var.hosts, "functions"))

  # The same for the same subscription and name, so that nothing has to remember it.
  suffix = coalesce(var.suffix, substr(sha256("${var.subscription_id}/${var.name}"), 0, 6))
  unique = "${var.name}${local.suffix}"

  tags = merge({ application = "atoll", installation = var.name, managed-by = "terraform" }, var.tags)

  # Queues as common/jobs/queues/names.py names them; tests/deployment/test_terraform.py compares the two.
  queue_parts = flatten([
    for service in var.storage.services : concat(
      [for pair in setproduct(["prediction", "training"], var.storage.workers) : { parts = concat(pair, service) }],
      contains(var.storage.workers, "cpu") ? [{ parts = concat(["submission", "cpu"], service) }] : [],
    )
  ])
  queue_texts = [for it in local.queue_parts : trim(replace(lower(join("-", it.parts)), "/[^a-z0-9]+/", "-"), "-")]
  queues = toset([
    for text in local.queue_texts :
    length(text) <= 56 ? text : "${trimsuffix(substr(text, 0, 47), "-")}-${substr(sha256(text), 0, 8)}"
  ])

  # Functions cannot mount a share without the account's key, so that with them everybody uses its address.
  share_mounted = local.with_cluster && !local.with_functions
  mount_path    = "/mnt/share"

  # Names of secrets in the vault, by the setting that each is for.
  secrets = merge(
    { DATABASE_URL = "database-url", ATOLL_ADMIN_KEY = "admin-key" },
    local.with_cache ? { REDIS_URL = "redis-url" } : {},
  )

  # Settings that both hosts share; none is a secret.
  settings = merge({
    AzureWebJobsStorage__queueServiceUri = module.storage.queue_service_uri
    FILE_SHARE                           = local.share_mounted ? local.mount_path : module.storage.share.address
  }, var.settings)
}
