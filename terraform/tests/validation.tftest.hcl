# Values that Azure would refuse, or that would do harm, are refused before anything is planned. Each run has one wrong value of
# several variables at once, and fails if any of them is taken.

run "the_first_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    subscription_id   = "mine"
    tenant_id         = "contoso.com"
    name              = "Atoll-Production"
    suffix            = "Prod"
    location          = "West Europe"
    hosts             = ["vm"]
    settings          = { DATABASE_URL = "postgresql://x" }
    operators         = ["me@example.org"]
    operator_ips      = ["192.168.1.2"]
    private_endpoints = ["database"]
    github            = { repository = "atoll" }
    alert_emails      = []
    budget            = { amount = 300, start = "2026-12-15" }
    network           = { address_space = "10.0.0.0/24" }
    cluster           = { node_min = 6, node_max = 5 }
    functions         = { python = "3.10" }
    storage           = { replication = "GRS" }
    database          = { version = "9.6" }
    database_password = "short"
    cache             = { sku = "C1" }
    logs              = { days = 7 }
  }
  expect_failures = [var.subscription_id, var.tenant_id, var.name, var.suffix, var.location, var.hosts, var.settings, var.operators, var.operator_ips, var.private_endpoints, var.github, var.alert_emails, var.budget, var.network, var.cluster, var.functions, var.storage, var.database, var.database_password, var.cache, var.logs]
}

run "the_second_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    hosts             = []
    settings          = { "A B" = "x" }
    operator_ips      = ["192.0.2.0/24"]
    github            = { repository = "example/atoll", environments = [] }
    budget            = { amount = 0, start = "2026-12-01" }
    network           = { address_space = "10.244.0.0/16" }
    cluster           = { node_min = 0 }
    functions         = { memory_mb = 1024 }
    storage           = { share_name = "My Share" }
    database          = { sku = "Basic" }
    database_password = "with@a/few:signs@that/break:addresses"
    logs              = { daily_gib = 0 }
  }
  expect_failures = [var.hosts, var.settings, var.operator_ips, var.github, var.budget, var.network, var.cluster, var.functions, var.storage, var.database, var.database_password, var.logs]
}

run "the_third_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    network   = { ingress_ports = [22] }
    cluster   = { node_max = 2.5 }
    functions = { instances_max = 0 }
    storage   = { share_gib = 0 }
    database  = { storage_mb = 40000 }
  }
  expect_failures = [var.network, var.cluster, var.functions, var.storage, var.database]
}

run "the_fourth_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    network   = { ingress_cidrs = ["Internet", "192.0.2.0/24"] }
    cluster   = { node_size = "large" }
    functions = { instances_max = 2, always_ready = 3 }
    storage   = { workers = ["gpu"] }
    database  = { backup_days = 1 }
  }
  expect_failures = [var.network, var.cluster, var.functions, var.storage, var.database]
}

run "the_fifth_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    cluster   = { node_disk = { type = "Managed", gib = 10 } }
    functions = { concurrency = 0 }
    storage   = { services = [] }
  }
  expect_failures = [var.cluster, var.functions, var.storage]
}

run "the_sixth_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    cluster = { tier = "Gold" }
  }
  expect_failures = [var.cluster]
}

run "the_seventh_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    cluster = { api_cidrs = ["me"] }
  }
  expect_failures = [var.cluster]
}

run "the_eighth_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    cluster = { private = true, api_cidrs = ["192.0.2.10/32"] }
  }
  expect_failures = [var.cluster]
}

run "the_ninth_wrong_value_of_each_variable_is_refused" {
  command = plan
  variables {
    cluster = { namespace = "Atoll_1" }
  }
  expect_failures = [var.cluster]
}
