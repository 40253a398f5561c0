"""Distributed training: devices, hosts, and what replicas and hosts share."""
