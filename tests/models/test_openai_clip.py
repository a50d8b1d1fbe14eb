"""The import of openai-clip."""

import subprocess
import sys

import torch

from clip_demo.models.openai_clip import import_clip

clip = import_clip()


def test_the_real_pkg_resources_is_not_replaced():
    # openai-clip takes `packaging` from pkg_resources, which recent versions of setuptools do not have.
    module = sys.modules.get("pkg_resources")
    assert module is None or hasattr(module, "require")
    assert clip.clip.packaging.version.parse("1.8.0") < clip.clip.packaging.version.parse(torch.__version__)


def test_concurrent_imports_all_get_the_complete_module():
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from clip_demo.models.openai_clip import import_clip\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print([len(each.available_models()) for each in pool.map(lambda _: import_clip(), range(4))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.stdout.strip() == "[9, 9, 9, 9]", out.stderr
