"""BERT and DistilBERT classifiers as ONNX graphs: what `sentiment` and `hosted` share. Not a plugin.

It needs `onnx`, which serving never imports.
"""
