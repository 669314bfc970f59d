"""A wheel is read and unpacked without running it, and a hostile one is refused by name."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from tests.fixtures.wheels import make_wheel
from workbench.errors import PluginError
from workbench.plugin_home import wheel as wheels
from workbench.plugin_home.wheel import read_wheel, unpack

_POINTS = {"extra": "tenfold_extra.main"}
_FILES = {"tenfold_extra/__init__.py": "", "tenfold_extra/main.py": "X = 1\n"}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path, "tenfold-extra", "1.2", _FILES, entry_points=_POINTS, requires=["numpy"])


def test_what_a_wheel_says_of_itself_is_read_without_running_it(wheel: Path) -> None:
    facts = read_wheel(wheel)

    assert (facts.name, facts.version, facts.author) == ("tenfold-extra", "1.2", "Ada Lovelace")
    assert (facts.licence, facts.summary) == ("Apache-2.0", "A plugin made in a test")
    assert [(each.name, each.module) for each in facts.entry_points] == [("extra", "tenfold_extra.main")]
    assert (facts.requires, facts.missing) == (("numpy",), ())
    assert {"tenfold_extra/main.py"} < {each.name for each in facts.files} and facts.size_bytes > 0


def test_its_modules_are_unpacked_and_scripts_are_left_out(tmp_path: Path) -> None:
    data = "tenfold_extra-1.2.data"
    files = {**_FILES, f"{data}/purelib/more.py": "Y = 2\n", f"{data}/scripts/run": "#!/bin/sh\n"}
    wheel = make_wheel(tmp_path, "tenfold-extra", "1.2", files, entry_points=_POINTS)

    unpack(wheel, tmp_path / "site")

    assert (tmp_path / "site" / "tenfold_extra" / "main.py").read_text() == "X = 1\n"
    assert (tmp_path / "site" / "more.py").read_text() == "Y = 2\n"
    assert not list((tmp_path / "site").rglob("run"))


@pytest.mark.parametrize(
    "name", ["../out.py", "/etc/out.py", "a/../../out.py", "c:out.py", "a\\..\\out.py", "nul.py", "a./b.py"]
)
def test_a_file_that_would_be_written_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    wheel = make_wheel(tmp_path / "in", "tenfold-extra", "1.2", {**_FILES, name: ""}, entry_points=_POINTS)

    for use in (read_wheel, lambda path: unpack(path, tmp_path / "site")):
        with pytest.raises(PluginError, match="written elsewhere"):
            use(wheel)

    assert not list(tmp_path.rglob("out.py")) and not Path("/etc/out.py").exists()


@pytest.mark.parametrize("name", ["workbench/plugin.py", "json.py", "plugins/gguf_quantize.py", "ui/app.py"])
def test_modules_that_would_take_the_place_of_others_are_refused(tmp_path: Path, name: str) -> None:
    wheel = make_wheel(tmp_path, "tenfold-extra", "1.2", {**_FILES, name: ""}, entry_points=_POINTS)

    with pytest.raises(PluginError, match="take the place"):
        read_wheel(wheel)


def test_a_file_that_is_not_what_the_record_says_is_refused(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path, "tenfold-extra", "1.2", _FILES, entry_points=_POINTS, false_hash_of="tenfold_extra/main.py"
    )

    with pytest.raises(PluginError, match="not what the wheel's record says"):
        unpack(wheel, tmp_path / "site")


def test_a_file_that_the_record_does_not_name_is_refused(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tenfold_extra/late.py", "")

    with pytest.raises(PluginError, match="no hash"):
        unpack(wheel, tmp_path / "site")


def test_links_and_twins_are_refused(wheel: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked" / wheel.name
    linked.parent.mkdir()
    linked.write_bytes(wheel.read_bytes())
    entry = zipfile.ZipInfo("tenfold_extra/passwd")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(linked, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(PluginError, match="link"):
        read_wheel(linked)

    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tenfold_extra/MAIN.py", "")
    with pytest.raises(PluginError, match="twice"):
        read_wheel(wheel)


def test_a_bomb_is_refused_by_the_sizes_that_it_claims_and_by_those_that_it_has(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "_MOST_UNPACKED_BYTES", 10_000_000)
    honest = wheel.read_bytes()
    claimed = tmp_path / "claimed" / wheel.name
    claimed.parent.mkdir()
    claimed.write_bytes(honest)
    with zipfile.ZipFile(claimed, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(11):
            archive.writestr(f"tenfold_extra/{number}", bytes(1_000_000))
    assert claimed.stat().st_size < 20_000
    with pytest.raises(PluginError, match="larger than"):
        read_wheel(claimed)

    # The directory at the end claims a smaller size than what is packed.
    place = honest.rindex(b"PK\x01\x02", 0, honest.rindex(b"tenfold_extra/main.py"))
    lying = bytearray(honest)
    assert struct.unpack_from("<I", lying, place + 24)[0] == len("X = 1\n")
    struct.pack_into("<I", lying, place + 24, 2)
    wheel.write_bytes(bytes(lying))
    with pytest.raises(PluginError):
        unpack(wheel, tmp_path / "site")


def test_what_is_no_plugin_or_for_another_system_is_refused(tmp_path: Path) -> None:
    plain = make_wheel(tmp_path, "plain", "1", {"plain.py": ""})
    future = make_wheel(tmp_path, "future", "1", {"future.py": ""}, entry_points=_POINTS, python=">=9")
    other = make_wheel(tmp_path, "other", "1", {"o.py": ""}, entry_points=_POINTS, tag="cp27-cp27m-win32")
    options = make_wheel(tmp_path, "opts", "1", {"opts.py": ""}, entry_points={"a": "os; rm -rf"})

    for wheel, words in (
        (plain, "no plugin of Tenfold"),
        (future, "needs Python"),
        (other, "another system"),
        (options, "names no module"),
    ):
        with pytest.raises(PluginError, match=words):
            read_wheel(wheel)


def test_damaged_bytes_are_a_plugin_error_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    whole = wheel.read_bytes()
    for place in range(0, len(whole), 7):
        wheel.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            unpack(wheel, tmp_path / str(place))
        except PluginError:
            continue
    wheel.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PluginError):
        read_wheel(wheel)


def test_hostile_words_can_not_steer_a_terminal(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path, "tenfold-extra", "1.2", _FILES, entry_points=_POINTS, summary="nice\x1b[2J" + "x" * 5000
    )

    summary = read_wheel(wheel).summary

    assert "\x1b" not in summary and len(summary) <= 400
    assert io.StringIO(summary).readline() == summary
