"""Azure Machine Learning: a compute is a partition, a task is a command job, files travel through a blob container."""
