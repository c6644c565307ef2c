"""The extension for Visual Studio Code: that its launch configuration is the adapter's, and what it does by itself."""

import inspect
import json
import os
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest
from dap_programs import LETTERS

from foretrace.dap import launch
from foretrace.debug import Settings

EXTENSION = Path(__file__).parents[2] / "editors" / "vscode"
PACKAGE = json.loads((EXTENSION / "package.json").read_text())
[DEBUGGER] = PACKAGE["contributes"]["debuggers"]
PROPERTIES = DEBUGGER["configurationAttributes"]["launch"]["properties"]
SOURCE = f"""import os

{LETTERS}
class Box:
    size = 3

    async def open(self):
        def helper():
            return 1

        return helper()

print(count_letters('a', 'a'))
"""
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")


def run(code: str, folder: Path) -> object:
    """What an expression of JavaScript is, `extension` being the extension and `vscode` what it would find in the editor."""
    (folder / "vscode").mkdir()
    (folder / "vscode" / "index.js").write_text(
        "module.exports = { debug: {}, window: {}, workspace: {} };\nmodule.exports.debug.registerDebugAdapterTrackerFactory = () => {};"
    )
    program = f"""const vscode = require('vscode');
        const extension = require({json.dumps(str(EXTENSION / "extension.js"))});
        Promise.resolve({code}).then((value) => console.log(JSON.stringify(value)));"""
    done = subprocess.run(["node", "-e", program], env=os.environ | {"NODE_PATH": str(folder)}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_launch_configurations_are_what_the_adapter_reads() -> None:
    names = set(re.findall(r'arguments\.\w+\(\s*"(\w+)"', inspect.getsource(launch)))
    assert set(PROPERTIES) == names | {"port"}, "the port is the extension's own"


def test_defaults_are_those_of_the_adapter() -> None:
    defaults = {field.name: field.default for field in (*fields(launch.Launch), *fields(Settings))}
    for name, value in PROPERTIES.items():
        snake = re.sub("[A-Z]", lambda found: "_" + found[0].lower(), name)
        if "default" in value and name != "program":
            assert value["default"] == defaults[snake], name


def test_what_is_required_is_there_in_each_snippet() -> None:
    for snippet in DEBUGGER["configurationSnippets"]:
        assert set(DEBUGGER["configurationAttributes"]["launch"]["required"]) <= set(snippet["body"])
        assert set(snippet["body"]) <= set(PROPERTIES) | {"type", "request", "name"}


@needs_node
def test_the_function_at_the_cursor(tmp_path) -> None:
    lines = SOURCE.split("\n")
    found = run(f"{json.dumps(lines)}.map((_, at, all) => extension.functionAt(all, at))", tmp_path)
    told = dict(zip(lines, found, strict=True))
    assert (told["import os"], told["print(count_letters('a', 'a'))"], told["class Box:"], told["    size = 3"]) == ("",) * 4
    assert told["def count_letters(s, letter):"] == told["        n += int(c == letter)"] == "count_letters"
    assert told['    word = "berry"'] == "f"
    assert told["    async def open(self):"] == told["            return 1"] == told["        return helper()"] == "Box.open"


@needs_node
def test_it_starts_a_server_or_goes_to_one_that_runs(tmp_path) -> None:
    code = """(() => {
        vscode.DebugAdapterServer = class { constructor(port, host) { this.at = [port, host]; } };
        vscode.DebugAdapterExecutable = class { constructor(command, args) { this.run = [command, args]; } };
        vscode.workspace.getConfiguration = () => ({ get: () => ['foretrace', 'dap'] });
        const made = {};
        vscode.debug.registerDebugConfigurationProvider = (type, provider) => { made[type] = provider; };
        vscode.debug.registerDebugAdapterDescriptorFactory = (type, factory) => { Object.assign(made[type], factory); };
        extension.activate({ subscriptions: [] });
        const at = (configuration) => made.foretrace.createDebugAdapterDescriptor({ configuration });
        return [at({}), at({ port: 4711 })];
    })()"""
    assert run(code, tmp_path) == [{"run": ["foretrace", ["dap"]]}, {"at": [4711, "127.0.0.1"]}]


@needs_node
def test_it_says_what_to_do_where_the_server_cannot_be_started(tmp_path) -> None:
    code = """new Promise((resolve) => {
        vscode.window.showErrorMessage = resolve;
        vscode.debug.registerDebugConfigurationProvider = () => {};
        vscode.debug.registerDebugAdapterDescriptorFactory = () => {};
        vscode.debug.registerDebugAdapterTrackerFactory = (type, factory) => {
            factory.createDebugAdapterTracker().onError(new Error('spawn foretrace ENOENT'));
        };
        extension.activate({ subscriptions: [] });
    })"""
    said = 'foretrace: spawn foretrace ENOENT. Set "foretrace.command" to where it is installed.'
    assert run(code, tmp_path) == said


@needs_node
def test_without_a_configuration_it_debugs_the_function_at_the_cursor(tmp_path) -> None:
    code = f"""(async () => {{
        const document = {{ languageId: 'python', uri: {{ fsPath: '/x.py' }}, getText: () => {json.dumps(LETTERS)} }};
        vscode.window.activeTextEditor = {{ document, selection: {{ active: {{ line: 8 }} }} }};
        vscode.window.showInputBox = async () => "'r'";
        let provider;
        vscode.debug.registerDebugConfigurationProvider = (type, given) => {{ provider = given; }};
        vscode.debug.registerDebugAdapterDescriptorFactory = () => {{}};
        extension.activate({{ subscriptions: [] }});
        const kept = await provider.resolveDebugConfiguration(undefined, {{ type: 'foretrace', program: 'p' }});
        return [await provider.resolveDebugConfiguration(undefined, {{}}), kept];
    }})()"""
    made, kept = run(code, tmp_path)
    assert made == {
        "type": "foretrace",
        "request": "launch",
        "name": "Predict f",
        "program": "/x.py",
        "function": "f",
        "args": "'r'",
    }
    assert kept == {"type": "foretrace", "program": "p"}
