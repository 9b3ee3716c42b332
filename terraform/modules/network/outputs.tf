output "id" {
  description = "Id of the virtual network."
  value       = azurerm_virtual_network.this.id
}

output "subnet_ids" {
  description = "Ids of the subnets: nodes, endpoints, database and, with a function app, functions."
  value       = { for key, subnet in azurerm_subnet.this : key => subnet.id }

  # Whoever uses a subnet comes after its rules and its way out.
  depends_on = [
    azurerm_subnet_network_security_group_association.this,
    azurerm_subnet_nat_gateway_association.functions,
    azurerm_nat_gateway_public_ip_association.this,
    azurerm_subnet_route_table_association.this,
    azurerm_route.out,
  ]
}

output "client_subnet_ids" {
  description = "Ids of the subnets whose programs use storage and vault."
  value       = [for key in ["nodes", "functions"] : azurerm_subnet.this[key].id if contains(keys(azurerm_subnet.this), key)]
}

output "routed" {
  description = "Whether routes, not a load balancer, are the way out."
  value       = var.firewall
}
