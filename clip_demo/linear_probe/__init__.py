"""The linear probe: the head, its fit, the few-shot curve, the sweep of C, and the pipeline that runs them."""
