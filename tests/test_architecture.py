"""The arrows of the house, read from the imports, and what importing costs."""

import ast
import subprocess
import sys

import pytest

import clip_demo

# From the top down: a room may import what stands below it, never above.
FLOORS = [
    {"app", "tiny", "__main__"},
    {"ui", "verbs", "__init__"},
    {"bench"},
    {"reproduce"},
    {"backend"},
    {"builds"},
    {"lab"},
    {"stored"},
    {"evaluation", "probe_builder", "shelf"},
    {"fetch", "loading", "model", "paired", "probe", "zero_shot"},
    {"store"},
    {"dataset", "features", "results"},
    {"batches"},
    {"encoder", "names", "numerics", "prompts", "turns"},
    {"errors", "metadata", "paths"},
]
# Within one floor, and here only: the package's front door, and the trainer's use of the command line's peers.
ALLOWED_HOMES = {
    "gradio": {"ui"},
    "gradio_client": set(),
    "torch": {"bench", "model", "tiny"},
    "clip": {"bench", "model", "tiny"},
    "torchvision": {"model", "dataset", "tiny"},
    "sklearn": {"probe"},
}


def room(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return parts[1] if parts[0] == "clip_demo" else parts[0]


def imports(path, root):
    """Yield (top-level package or room of ours, is ours)."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names = [base] if len(base) > 1 or base[0] != "clip_demo" else [[*base, a.name] for a in node.names]
        else:
            continue
        for name in names:
            ours = name[0] == "clip_demo"
            yield (name[1] if len(name) > 1 else "__init__") if ours else name[0], ours


def sources(root):
    return [root / "app.py", *sorted((root / "clip_demo").rglob("*.py"))]


def test_every_room_has_a_floor(repository):
    rooms = {room(path, repository) for path in sources(repository)}
    assert rooms == set().union(*FLOORS)


def test_arrows_point_down(repository):
    floor = {name: level for level, names in enumerate(FLOORS) for name in names}
    upward = []
    for path in sources(repository):
        here = room(path, repository)
        for name, ours in imports(path, repository):
            if ours and name in floor and name != here and floor[name] <= floor[here]:
                upward.append(f"{here} -> {name} in {path.name}")
    assert upward == []


def test_heavy_packages_have_one_home(repository):
    homeless = []
    for path in sources(repository):
        here = room(path, repository)
        for name, ours in imports(path, repository):
            if not ours and here not in ALLOWED_HOMES.get(name, {here}):
                homeless.append(f"{name} in {path.name}")
    assert homeless == []


def test_import_loads_neither_gradio_nor_torch():
    code = (
        "import sys, clip_demo, clip_demo.__main__\n"
        "print(sorted({'gradio', 'torch', 'torchvision', 'clip', 'sklearn'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_public_names_exist_once_and_say_what_they_are():
    assert len(clip_demo.__all__) == len(set(clip_demo.__all__))
    for name in clip_demo.__all__:
        assert getattr(clip_demo, name).__doc__


@pytest.mark.parametrize("package", ["clip_demo", "clip_demo.images", "clip_demo.lab", "clip_demo.ui"])
def test_packages_say_what_they_are(package):
    module = __import__(package, fromlist=["x"])
    assert len(module.__doc__.split()) > 5


def code_lines(path):
    """Count the lines that hold code: documentation may be as long as it has to be."""
    text = path.read_text()
    documented = set()
    for node in ast.walk(ast.parse(text)):
        first = node.body[0] if getattr(node, "body", None) and isinstance(node.body, list) else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            documented |= set(range(first.lineno, first.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and i not in documented for i, line in lines)


def test_files_and_functions_stay_small(repository):
    assert {path.name: n for path in sources(repository) if (n := code_lines(path)) > 250} == {}
    long = {}
    for path in sources(repository):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                code = node.body[ast.get_docstring(node) is not None :]
                if code and (n := code[-1].end_lineno - code[0].lineno + 1) > 45:
                    long[f"{path.name}:{node.name}"] = n
    assert long == {}
