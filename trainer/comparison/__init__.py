"""Comparison of evaluated runs: numbers, settings, learning curves, images on which they differ"""
