"""Demo page: upload an image or use the camera, on this machine only."""
