"""The layers of the code, read from its imports, and what importing costs."""

import ast
import subprocess
import sys

import pytest

import clip_demo

# From the top down. A module may import from its own folder and from the layers below it.
LAYERS = [
    {"app", "__main__"},
    {"ui", "cli"},
    {"benchmark", "tiny_clip"},
    {"cluster"},
    {"__init__"},
    {"backend"},
    {"serving"},
    {"own_classes"},
    {"evaluation", "inside", "search"},
    {"linear_probe", "zero_shot"},
    {"features"},
    {"datasets"},
    {"models"},
    {"artifacts", "csv_text", "download", "numerics"},
    {"open_files", "paths", "progress", "switches"},
    {"errors"},
]
# The folders that may import a heavy package.
ALLOWED = {
    "gradio": {"ui"},
    "gradio_client": set(),
    "spaces": {"serving"},
    "torch": {"benchmark", "models", "tiny_clip"},
    "clip": {"benchmark", "models", "tiny_clip"},
    "open_clip": {"benchmark"},
    "ray": {"cluster"},
    "torchvision": {"datasets", "models", "tiny_clip"},
    "sklearn": {"evaluation", "linear_probe"},
    "scipy": {"evaluation"},
    "plotly": {"ui"},
}
FOLDERS = ["benchmark", "cli", "cluster", "datasets", "evaluation", "features", "inside", "linear_probe", "models"]
FOLDERS += [
    "own_classes",
    "search",
    "serving",
    "tiny_clip",
    "ui",
    "ui.explore",
    "ui.few_shot",
    "ui.inside",
    "ui.own_classes",
    "ui.prompt_lab",
    "ui.search",
    "zero_shot",
]


def part_of(path, root):
    """Return the folder of a file below clip_demo, or the file's own name."""
    parts = path.relative_to(root).with_suffix("").parts
    return parts[1] if parts[0] == "clip_demo" else parts[0]


def imports(path, root):
    """Yield for each import the package, or the part of clip_demo, and whether it is a part of clip_demo."""
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
            if name[0] != "clip_demo":
                yield name[0], False
            else:
                part = name[1] if len(name) > 1 else "__init__"
                # A public name of the package, such as Backend, is not a module.
                yield part if part in set().union(*LAYERS) else "__init__", True


def sources(root):
    return [root / "app.py", *sorted((root / "clip_demo").rglob("*.py"))]


def test_every_part_has_a_layer(repository):
    assert {part_of(path, repository) for path in sources(repository)} == set().union(*LAYERS)


def test_imports_go_down(repository):
    layer = {name: level for level, names in enumerate(LAYERS) for name in names}
    upward = []
    for path in sources(repository):
        here = part_of(path, repository)
        for name, ours in imports(path, repository):
            if ours and name != here and layer[name] <= layer[here]:
                upward.append(f"{path.relative_to(repository)} imports {name}")
    assert upward == []


def test_nothing_imports_the_training_of_the_built_in_model(repository):
    for path in sources(repository):
        if part_of(path, repository) != "tiny_clip":
            assert ("tiny_clip", True) not in set(imports(path, repository)), path


def test_heavy_packages_are_imported_where_they_belong(repository):
    misplaced = []
    for path in sources(repository):
        here = part_of(path, repository)
        for name, ours in imports(path, repository):
            if not ours and here not in ALLOWED.get(name, {here}):
                misplaced.append(f"{path.relative_to(repository)} imports {name}")
    assert misplaced == []


def test_importing_the_package_is_light():
    code = (
        "import sys, clip_demo, clip_demo.__main__\n"
        "print(sorted({'gradio', 'torch', 'torchvision', 'clip', 'ray', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_importing_a_folder_imports_nothing_heavy():
    heavy = {"gradio", "torch", "torchvision", "clip", "ray", "sklearn", "scipy"}
    folders = [name for name in FOLDERS if not name.startswith("ui")]
    code = (
        f"import sys, {', '.join(f'clip_demo.{name}' for name in folders)}\nprint(sorted({heavy} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_public_names_are_unique_and_documented():
    assert len(clip_demo.__all__) == len(set(clip_demo.__all__))
    for name in clip_demo.__all__:
        assert getattr(clip_demo, name).__doc__


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_says_what_it_holds(folder):
    module = __import__(f"clip_demo.{folder}", fromlist=["x"])
    assert len(module.__doc__.split()) > 5


def code_lines(path):
    """Count the lines of code, without blank lines, comments and docstrings."""
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
