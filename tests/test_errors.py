"""The exceptions that a user can cause."""

import clip_demo
from clip_demo import errors


def test_all_are_value_errors_and_public():
    for name, error in vars(errors).items():
        if isinstance(error, type):
            assert issubclass(error, errors.ClipDemoError) and getattr(clip_demo, name) is error
    assert issubclass(errors.ClipDemoError, ValueError)


def test_a_head_error_is_an_artifact_error_and_what_a_user_typed_an_input_error():
    assert issubclass(errors.HeadError, errors.ArtifactError)
    assert not issubclass(errors.ArtifactError, errors.InputError)
    for name in ("Classnames", "Template", "PromptTooLong", "IndexRange", "Image", "Option"):
        assert issubclass(getattr(errors, f"{name}Error"), errors.InputError)
