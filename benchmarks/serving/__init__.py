"""What serving costs beside the model, through Atoll, bare FastAPI, KServe, MLServer, LitServe and BentoML."""
