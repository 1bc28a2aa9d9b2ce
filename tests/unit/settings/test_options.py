"""Every option is typed, documented and closed; the example file is valid."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from pilothouse.settings import Settings
from pilothouse.settings.layers import SECTIONS
from pilothouse.settings.options import LoadGroup, StageOption

MODELS: list[type[BaseModel]] = [*SECTIONS.values(), LoadGroup, StageOption]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_every_option_says_what_it_does(model: type[BaseModel]) -> None:
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, f"{model.__name__}.{name} has no sentence"
        assert field.description.rstrip().endswith((".", "?")), f"{model.__name__}.{name}: {field.description}"


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
def test_no_section_takes_unknown_options_or_can_be_changed(model: type[BaseModel]) -> None:
    assert model.model_config.get("extra") == "forbid"
    assert model.model_config.get("frozen") is True


def test_every_secret_may_also_be_given_as_a_file() -> None:
    for room, section in SECTIONS.items():
        for name, field in section.model_fields.items():
            if SecretStr in getattr(field.annotation, "__args__", (field.annotation,)):
                assert f"{name}_file" in section.model_fields, f"{room}.{name}"


def test_settings_can_not_be_changed_after_they_were_read() -> None:
    with pytest.raises(ValidationError):
        Settings().server.port = 1


def test_settings_survive_a_round_trip() -> None:
    assert Settings.model_validate_json(Settings().model_dump_json()) == Settings()
