# The control endpoint: faults, request log, token log, configuration.
"""Plain HTTP on the lab's own address, for tests."""
from __future__ import annotations

from collections.abc import Callable

from . import jose, web
from .config import Config, ConfigError
from .faults import FaultError, FaultPlan
from .notary import Notary
from .weather import Weather, told


class ControlService:
    """Never subject to faults itself."""

    name = "control"

    def __init__(self, config: Config, faults: FaultPlan, log: web.RequestLog,
                 notary: Notary, endpoints: dict[str, frozenset[str]],
                 weather: Weather,
                 revoke: Callable[[str, int], bool]) -> None:
        self._config, self._faults, self._log = config, faults, log
        self._weather, self._revoke = weather, revoke
        self._notary, self._endpoints = notary, endpoints

    def decorate(self, request: web.Request, response: web.Response) -> None:
        """The control endpoint adds no headers."""

    def route(self, request: web.Request) -> web.Endpoint:
        actions = {
            ("GET", "/health"): lambda r: web.json_response({"ready": True}),
            ("GET", "/endpoints"): lambda r: web.json_response(
                {name: sorted(w) for name, w in sorted(self._endpoints.items())}),
            ("GET", "/faults"): lambda r: web.json_response(
                {"faults": self._faults.as_json()}),
            ("POST", "/faults"): self._add,
            ("DELETE", "/faults"): lambda r: web.json_response(
                {"removed": self._faults.clear()}),
            ("GET", "/weather"): lambda r: web.json_response(
                self._weather.report()),
            ("POST", "/weather"): self._set_weather,
            ("DELETE", "/weather"): self._clear_weather,
            ("GET", "/log"): lambda r: web.json_response(
                {"log": self._log.since(_since(r))}),
            ("DELETE", "/log"): self._clear_log,
            ("GET", "/tokens"): lambda r: web.json_response(
                {"tokens": self._notary.tokens(_since(r))}),
            ("POST", "/revoke"): self._revoke_one,
            ("GET", "/config"): lambda r: web.json_response(
                self._config.public()),
            ("POST", "/config"): self._change}
        action = actions.get((request.method, request.path))
        if action is None and request.method == "DELETE" \
                and request.path.startswith("/faults/"):
            action = self._remove
        return "control", action or web.not_found

    def _add(self, request: web.Request) -> web.Response:
        try:
            found = jose.parse(request.body, "body")
            rules = [self._faults.add(row, self._endpoints) for row in
                     (found if isinstance(found, list) else [found])]
        except (jose.JoseError, FaultError) as error:
            raise web.Problem(400, "malformed", str(error)) from None
        return web.json_response({"faults": [r.as_json() for r in rules]}, 201)

    def _remove(self, request: web.Request) -> web.Response:
        text = request.path.rsplit("/", 1)[1]
        if not text.isdigit() or not self._faults.clear(int(text)):
            return web.not_found(request)
        return web.json_response({"removed": 1})

    def _set_weather(self, request: web.Request) -> web.Response:
        try:
            self._weather.set(jose.parse(request.body, "body"))
        except (jose.JoseError, FaultError) as error:
            raise web.Problem(400, "malformed", str(error)) from None
        return web.json_response(self._weather.report(), 201)

    def _clear_weather(self, _: web.Request) -> web.Response:
        report = self._weather.clear()
        print(told(report), flush=True)
        return web.json_response(report)

    def _clear_log(self, _: web.Request) -> web.Response:
        self._log.clear()
        return web.json_response({})

    def _revoke_one(self, request: web.Request) -> web.Response:
        try:
            found = jose.parse_object(request.body, "body")
            done = self._revoke(found["serial"], int(found.get("reason", 0)))
        except (jose.JoseError, KeyError, TypeError, ValueError,
                AttributeError) as error:
            raise web.Problem(400, "malformed", str(error)) from None
        return web.json_response({"revoked": done}, 200 if done else 404)

    def _change(self, request: web.Request) -> web.Response:
        try:
            self._config.change(jose.parse_object(request.body, "body"))
        except (jose.JoseError, ConfigError, TypeError, AttributeError) as error:
            raise web.Problem(400, "malformed", str(error)) from None
        return web.json_response(self._config.public())


def _since(request: web.Request) -> int:
    text = request.query.get("since", ["0"])[0]
    return int(text) if text.isascii() and text.isdigit() else 0
