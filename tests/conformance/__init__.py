"""Does the Azure Functions entry point work under Microsoft's own worker library, and is the deployment complete?"""
