"""Tasks as SparkApplications (sparkoperator.k8s.io/v1beta2) of the Spark operator on Kubernetes."""
