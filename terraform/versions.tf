terraform {
  # Write-only arguments, by which the database's password stays out of the state, came with 1.11.
  required_version = ">= 1.11"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.65"
    }
  }

  # Which account holds the state is told by `terraform init -backend-config=backend.hcl`; see backend.example.hcl.
  backend "azurerm" {
    use_azuread_auth = true
  }
}

provider "azurerm" {
  subscription_id     = var.subscription_id
  storage_use_azuread = true # accounts take no keys

  features {
    storage {
      # Queues and shares are made through Azure Resource Manager: the accounts may be out of this machine's reach.
      data_plane_available = false
    }
    key_vault {
      # Leaving, and coming back with the same name, within the days that a deleted vault is kept.
      purge_soft_delete_on_destroy    = false
      recover_soft_deleted_key_vaults = true
    }
    resource_group {
      # Azure adds things of its own, e.g. Application Insights its smart detection; they must not keep anybody from leaving.
      prevent_deletion_if_contains_resources = false
    }
  }
}
