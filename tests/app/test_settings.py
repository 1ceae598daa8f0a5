"""A person's settings survive a restart, damage and a home that cannot be written to."""

import json

from workbench.app.settings import UserSettings


def test_everything_is_kept(tmp_path):
    file = tmp_path / "config" / "settings.json"
    settings = UserSettings(file)
    settings.set_theme("dark")
    settings.set_annotator("Ann")
    settings.set_key("undo", "Ctrl+U")
    project = tmp_path / "birds.workbench"
    project.mkdir()
    settings.remember(project)
    again = UserSettings(file)
    assert again.theme == "dark"
    assert again.annotator == "Ann"
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


def test_twelve_projects_are_remembered(tmp_path):
    settings = UserSettings(tmp_path / "settings.json")
    for number in range(14):
        (tmp_path / str(number)).mkdir()
        settings.remember(tmp_path / str(number))
    names = [path.name for path in UserSettings(tmp_path / "settings.json").recent]
    assert names == [str(number) for number in range(13, 1, -1)]


def test_an_unknown_theme_is_that_of_the_system(tmp_path):
    file = tmp_path / "settings.json"
    for stored, theme in (("light", "light"), ("dark", "dark"), ("neon", "system")):
        file.write_text(json.dumps({"theme": stored}))
        assert UserSettings(file).theme == theme


def test_settings_in_memory_leave_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = UserSettings(None)
    settings.set_theme("dark")
    settings.set_key("undo", "Ctrl+U")
    settings.remember(tmp_path)
    settings.forget(tmp_path)
    assert (settings.theme, settings.keys, settings.recent) == ("dark", {"undo": "Ctrl+U"}, [])
    assert list(tmp_path.iterdir()) == []
