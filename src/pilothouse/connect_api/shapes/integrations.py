"""Integrations, associations, sessions at integrations and their templates (connect-wire-api §3.5, §2.3)."""

from __future__ import annotations

from typing import Any

from pilothouse.connect_api.shapes.moments import moment
from pilothouse.integrations.contract import Template
from pilothouse.integrations.models import Association, Delegation, Integration


def integration(row: Integration) -> dict[str, Any]:
    """Without its secrets. Every publisher may use it, so ``permissions`` names nobody; it sets no variables."""
    return {
        "id": str(row.id),
        "guid": row.guid,
        "created_time": moment(row.created_at),
        "updated_time": moment(row.updated_at),
        "name": row.name,
        "description": row.description,
        "template": row.template,
        "auth_type": row.auth_type,
        "config": dict(row.config),
        "permissions": [],
        "environment_variables": [],
    }


def association(row: Association, *, content_guid: str) -> dict[str, Any]:
    return {
        "app_guid": content_guid,
        "content_guid": content_guid,
        "oauth_integration_guid": row.integration.guid,
        "oauth_integration_name": row.integration.name,
        "oauth_integration_description": row.integration.description,
        "oauth_integration_template": row.integration.template,
        "oauth_integration_auth_type": row.integration.auth_type,
        "created_time": moment(row.created_at),
    }


def oauth_session(row: Delegation, *, user_guid: str, integration_guid: str) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "guid": row.guid,
        "user_guid": user_guid,
        "oauth_integration_guid": integration_guid,
        "has_refresh_token": row.has_refresh_token,
        "created_time": moment(row.created_at),
        "updated_time": moment(row.updated_at),
    }


def template(made: Template) -> dict[str, Any]:
    words = list(enumerate(made.fields, 1))
    return {
        "id": made.id,
        "name": made.name,
        "description": made.description,
        "sections": [],
        "options": [
            {
                "name": word.name,
                "label": word.label,
                "description": word.description,
                "order": number,
                "type": "select",
                "values": list(word.values),
                "default": word.default,
            }
            for number, word in words
            if word.values
        ],
        "fields": [
            {
                "name": word.name,
                "label": word.label,
                "description": word.description,
                "order": number,
                "default": word.default,
                "secret": word.is_secret,
                "multiline": False,
            }
            for number, word in words
            if not word.values
        ],
        "environment_variables": [],
    }
