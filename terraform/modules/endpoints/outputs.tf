output "names" {
  description = "The endpoints by name, and the zone that each is found in."
  value       = { for key, endpoint in var.endpoints : key => endpoint.zone }
}
