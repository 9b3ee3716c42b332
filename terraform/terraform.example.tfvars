# Copy to terraform.tfvars and fill in; variables.tf tells what each one means, and what else there is.
subscription_id = "CHANGEME" # az account show --query id -o tsv
tenant_id       = "CHANGEME" # az account show --query tenantId -o tsv
name            = "atoll"
location        = "westeurope"
hosts           = ["cluster"]
alert_emails    = ["CHANGEME@example.org"]
operators       = ["CHANGEME"] # az ad signed-in-user show --query id -o tsv
operator_ips    = ["CHANGEME"] # your public address
# budget        = { amount = 300, start = "2026-12-01" }
# github        = { repository = "OWNER/NAME" }
