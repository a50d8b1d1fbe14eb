"""The encoder on several machines, with Ray: served over HTTP, or over the images of a whole dataset.

The only folder that imports ray, and only when one of its functions runs: everything else works without it. The client
of the served encoder, `clip_demo.models.remote_encoder`, needs no Ray either.
"""
