"""The graph model: what the stages of the coming Spark jobs will take, by the graph that they form.

After Scheinert et al., "Enel: Context-Aware Dynamic Scaling of Distributed Dataflow Jobs using Graph Propagation",
IPCCC 2021. PyTorch trains it (`fitting`); numpy alone answers (`model`).
"""
