"""Distributed training: devices, hosts, and the state that replicas and hosts share."""
