"""New sessions."""

from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState

from clip_demo.ui.page import build_ui


def test_a_new_session_describes_no_component_and_the_page_all(toy_backend, monkeypatch):
    demo, described = build_ui(toy_backend), []
    describe = BlocksConfig.config_for_block

    def record(number, *arguments):
        described.append(number)
        return describe(number, *arguments)

    monkeypatch.setattr(BlocksConfig, "config_for_block", staticmethod(record))
    session = SessionState(demo)
    assert described == [] and set(session.config_values) == set(demo.blocks)
    config = demo.get_config_file()
    assert len(config["components"]) > 100 and len(described) >= len(config["components"])


def test_a_session_has_components_of_its_own(toy_backend):
    demo = build_ui(toy_backend)
    first, second = SessionState(demo), SessionState(demo)
    state = next(number for number, block in demo.blocks.items() if block.stateful)
    first[state] = ("mine",)
    assert first[state] == ("mine",) != second[state]
    textbox = next(number for number, block in demo.blocks.items() if block.get_block_name() == "textbox")
    assert first[textbox] is second[textbox] is demo.blocks[textbox]
    first._update_value_in_config(textbox, "x")
    assert first.blocks_config.fns == demo.fns and first.blocks_config.blocks is not demo.blocks
