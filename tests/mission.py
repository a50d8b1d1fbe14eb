"""ViT-B/32 and CIFAR-100 from servers on loopback, with a small archive of each in place of the official one.

As a script it gets them ready in a process of its own, which a test may kill::

    python tests/mission.py SETTINGS.json [PATIENCE]
"""

import hashlib
import json
import pickle
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

SIZES = {"train": 300, "test": 40}  # images in the archive: three of each class, and one of the first 40 classes
# The early head of the program has 20 images of each class and 1,000 test images.
EARLY_TRAIN, EARLY_TEST = 2, 30


def small_cifar100(dataset):
    """Return an archive like CIFAR-100's with the first few images of each class, and the settings that name it."""
    from helpers import cifar100_archive

    from clip_demo.datasets.cifar100 import CIFAR100_CLASSNAMES, CIFAR100_COARSE_NAMES, CIFAR100_COARSE_OF

    files, names = {}, {"fine_label_names": list(CIFAR100_CLASSNAMES), "coarse_label_names": CIFAR100_COARSE_NAMES}
    for split, size in SIZES.items():
        labels, classes = dataset.labels(split), min(size, 100)
        members = [np.flatnonzero(labels == label)[: size // classes] for label in range(classes)]
        chosen = np.sort(np.concatenate(members))
        fine = labels[chosen].tolist()
        data = dataset.pixels(chosen, split).transpose(0, 3, 1, 2).reshape(len(chosen), 3072)
        files[split] = pickle.dumps(
            {"data": data, "fine_labels": fine, "coarse_labels": [CIFAR100_COARSE_OF[each] for each in fine]}
        )
    files["meta"] = pickle.dumps(names)
    archive = cifar100_archive(files)
    return archive, {
        "sha256": hashlib.sha256(archive).hexdigest(),
        "archive_md5": hashlib.md5(archive).hexdigest(),
        "md5": {name: hashlib.md5(data).hexdigest() for name, data in files.items()},
        "bytes": {name: len(data) for name, data in files.items()},
        "size": len(archive),
    }


def settings_of(weights, archive, cifar100):
    """Return the settings of two servers: that of the weights, and that of CIFAR-100's archive."""
    return {
        "weights": [hashlib.sha256(weights.data).hexdigest(), len(weights.data)],
        "weights_address": f"http://127.0.0.1:{weights.server_port}/{{sha256}}/{{file}}",
        "cifar100": cifar100,
        "cifar100_address": f"http://127.0.0.1:{archive.server_port}/cifar-100-python.tar.gz",
        "sizes": SIZES,
    }


def apply(settings, put):
    """Let the program use the servers; `put` sets an attribute of an object, such as `monkeypatch.setattr`."""
    from torchvision.datasets import CIFAR100

    from clip_demo.datasets import cifar100 as module
    from clip_demo.datasets.cifar100 import Cifar100
    from clip_demo.download import RemoteFile
    from clip_demo.linear_probe import pipeline
    from clip_demo.linear_probe.fit import fit_head
    from clip_demo.models import sources

    put(sources, "ARCHIVES", sources.ARCHIVES | {"ViT-B/32": tuple(settings["weights"])})
    put(sources, "ADDRESSES", (settings["weights_address"],))
    put(sources, "TIMM", {})
    put(sources, "TRANSFORMERS", {})
    served = settings["cifar100"]
    address = (settings["cifar100_address"],)
    put(module, "ARCHIVE", RemoteFile("cifar-100-python.tar.gz", served["sha256"], served["size"], address))
    put(CIFAR100, "url", "http://127.0.0.1:1/")
    put(CIFAR100, "tgz_md5", served["archive_md5"])
    put(CIFAR100, "train_list", [["train", served["md5"]["train"]]])
    put(CIFAR100, "test_list", [["test", served["md5"]["test"]]])
    put(CIFAR100, "meta", CIFAR100.meta | {"md5": served["md5"]["meta"]})
    put(Cifar100, "download_bytes", served["size"])
    put(Cifar100, "file_bytes", served["bytes"])
    put(Cifar100, "sizes", settings["sizes"])
    # On the features of random weights, a fit takes all of its iterations, and minutes.
    put(fit_head, "__kwdefaults__", {**fit_head.__kwdefaults__, "max_iter": 10})
    put(pipeline, "EARLY_TRAIN", EARLY_TRAIN)
    put(pipeline, "EARLY_TEST", EARLY_TEST)


def main(settings, patience="inf"):
    """Get all ready in this process, and print each new state; encode slowly enough to be killed meanwhile."""
    from clip_demo.backend import Backend
    from clip_demo.features import extract
    from clip_demo.features.shards import Shards
    from clip_demo.models.clip_model import ClipModel
    from clip_demo.serving.probe_job import Plan

    apply(json.loads(Path(settings).read_text()), setattr)
    extract.SMALL_BATCH, Shards.__init__.__defaults__ = 16, (16,)  # images of a batch, and of a shard
    encode = ClipModel.encode_images
    ClipModel.encode_images = lambda self, inputs: time.sleep(0.05) or encode(self, inputs)
    backend = Backend.open("auto")
    backend.preparation.start(Plan(head_only=True, patience=float(patience)))
    said = None
    while (job := backend.preparation.status).running:
        if (job.step, job.state) != said:
            said = (job.step, job.state)
            print(*said, flush=True)
        time.sleep(0.01)
    print(job.state, job.message, flush=True)
    print(json.dumps({"head": backend.head("cifar100", "ViT-B/32").provenance.n_train}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
