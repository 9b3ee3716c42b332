"""AWS Batch: a job queue is a partition, files travel through a bucket."""
