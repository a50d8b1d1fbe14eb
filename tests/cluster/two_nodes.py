"""A Ray cluster of two nodes with one core each on this machine; prints its address, and the processes of each node."""

import json
import time

from ray.cluster_utils import Cluster

import psutil  # isort: skip  (Ray brings it)

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
head = [each.pid for each in psutil.Process().children(recursive=True)]
cluster.add_node(num_cpus=1)
node = [each.pid for each in psutil.Process().children(recursive=True) if each.pid not in head]
print(json.dumps({"address": cluster.address, "head": head, "node": node}), flush=True)
while True:
    time.sleep(1)
