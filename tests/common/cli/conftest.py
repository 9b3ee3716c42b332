from tests.common.client.job_server import gate, job_server

__all__ = ["gate", "job_server"]
