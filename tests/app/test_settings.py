"""A person's settings survive a restart, damage and a home that cannot be written to."""

import json

from workbench.app.settings import UserSettings


def test_everything_is_kept(tmp_path):
    file = tmp_path / "config" / "settings.json"
    settings = UserSettings(file)
    settings.set_theme("dark")
    settings.set_key("undo", "Ctrl+U")
    project = tmp_path / "birds.workbench"
    project.mkdir()
    settings.remember(project)
    again = UserSettings(file)
    assert again.theme == "dark"
    assert again.keys == {"undo": "Ctrl+U"}
    assert again.recent == [project.resolve()]
    again.set_key("undo", None)
    assert UserSettings(file).keys == {}


def test_keys_stored_without_a_page_go_to_every_action_they_meant(tmp_path):
    file = tmp_path / "settings.json"
    stored = {"similar": "Ctrl+Y", "images_search": "/", "accept": "A", "mouths.accept": "E"}
    file.write_text(json.dumps({"keys": {"views.similar": "Ctrl+H", **stored, "undo": "Ctrl+U"}}))
    settings = UserSettings(file)
    wanted = {
        "images.similar": "Ctrl+Y",
        "views.similar": "Ctrl+H",  # stored under its full id already
        "images.search": "/",
        "views.accept": "A",
        "mouths.accept": "E",
        "undo": "Ctrl+U",
    }
    assert settings.keys == wanted
    settings.set_key("images.similar", None)
    del wanted["images.similar"]
    assert UserSettings(file).keys == wanted


def test_the_latest_project_is_first_and_missing_ones_are_left_out(tmp_path):
    settings = UserSettings(tmp_path / "settings.json")
    for name in "abca":
        (tmp_path / name).mkdir(exist_ok=True)
        settings.remember(tmp_path / name)
    assert [path.name for path in settings.recent] == ["a", "c", "b"]
    (tmp_path / "c").rmdir()
    settings.forget(tmp_path / "b")
    assert [path.name for path in settings.recent] == ["a"]


def test_a_damaged_file_is_set_aside(tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"theme": 12')
    settings = UserSettings(file)
    assert settings.theme == "system"
    settings.set_theme("light")
    assert json.loads(file.read_text())["theme"] == "light"
    assert (tmp_path / "settings.damaged").read_text() == '{"theme": 12'


def test_settings_work_without_a_writable_folder(tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = UserSettings(tmp_path / "file" / "settings.json")
    settings.set_theme("dark")
    assert settings.theme == "dark"
    assert UserSettings(None).recent == []
