# Copy to backend.hcl and name the account that step 3 of docs/terraform.md made.
resource_group_name  = "rg-atoll-state"
storage_account_name = "CHANGEME"
container_name       = "tfstate"
key                  = "atoll.tfstate"
