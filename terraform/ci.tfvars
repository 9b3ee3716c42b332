# What the checks plan with: everything that can be on, on; made-up ids; documentation's addresses.
subscription_id = "00000000-0000-0000-0000-000000000000"
tenant_id       = "11111111-1111-1111-1111-111111111111"
name            = "atollci"
location        = "westeurope"
hosts           = ["cluster"]
alert_emails    = ["oncall@example.org"]
operators       = ["22222222-2222-2222-2222-222222222222"]
operator_ips    = ["192.0.2.10"]
budget          = { amount = 300, start = "2026-12-01" }
github          = { repository = "example/atoll" }
cache           = { enabled = true }
cluster         = { api_cidrs = ["192.0.2.10/32"] }
