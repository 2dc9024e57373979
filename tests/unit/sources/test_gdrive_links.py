"""Any form of Drive link leads to the same file."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.errors import ConfigError
from lightmodel.sources.factory import is_drive
from lightmodel.sources.gdrive import DriveLink, parse_link

IDS = st.text(string.ascii_letters + string.digits + "_-", min_size=5, max_size=44)
FILES = [
    "gdrive://{}",
    "gdrive:{}",
    "GDRIVE://{}/",
    "https://drive.google.com/file/d/{}/view",
    "https://drive.google.com/file/d/{}/view?usp=sharing",
    "https://drive.google.com/file/d/{}/view?usp=drive_link&pli=1",
    "https://drive.google.com/file/d/{}/edit",
    "https://drive.google.com/file/d/{}/preview",
    "https://drive.google.com/file/d/{}",
    "https://drive.google.com/file/d/{}/",
    "https://drive.google.com/file/u/0/d/{}/view",
    "https://drive.google.com/u/1/file/d/{}/view",
    "https://drive.google.com/a/example.org/file/d/{}/view",
    "https://drive.google.com/open?id={}",
    "https://drive.google.com/open?usp=drive_fs&id={}&authuser=0",
    "https://drive.google.com/u/0/open?id={}",
    "https://drive.google.com/uc?id={}",
    "https://drive.google.com/uc?export=download&id={}",
    "https://drive.google.com/u/0/uc?id={}&export=download",
    "http://drive.google.com/uc?id={}",
    "drive.google.com/file/d/{}/view",
    "https://docs.google.com/file/d/{}/edit",
    "https://docs.google.com/uc?id={}",
    "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t",
    "https://drive.usercontent.google.com/u/0/uc?id={}&export=download",
]
SHEETS = [
    "https://docs.google.com/spreadsheets/d/{}/edit#gid=77",
    "https://docs.google.com/spreadsheets/d/{}/edit?gid=77#gid=77",
    "https://docs.google.com/spreadsheets/d/{}/edit?usp=sharing#gid=77",
    "https://docs.google.com/spreadsheets/u/1/d/{}/edit#gid=77",
    "https://docs.google.com/spreadsheets/d/{}/export?format=xlsx&gid=77",
    "https://docs.google.com/spreadsheets/d/{}/gviz/tq?tqx=out:csv&gid=77",
]


@given(IDS, st.sampled_from(FILES))
def test_every_form_of_a_link_to_a_file_gives_its_id(name: str, form: str) -> None:
    link = form.format(name)
    assert is_drive(link)
    assert parse_link(link) == DriveLink(name)


@given(IDS, st.sampled_from(SHEETS))
def test_every_form_of_a_link_to_a_spreadsheet_gives_its_id_and_sheet(name: str, form: str) -> None:
    assert parse_link(form.format(name)) == DriveLink(name, "sheet", "77")


@given(IDS, st.sampled_from(["", "0", "123456"]))
def test_a_spreadsheet_published_to_the_web_has_an_address_of_its_own(
    name: str, sheet: str
) -> None:
    link = parse_link(
        f"https://docs.google.com/spreadsheets/d/e/{name}/pubhtml?gid={sheet}&single=true"
    )
    assert link == DriveLink(name, "published", sheet)
    assert f"/spreadsheets/d/e/{name}/pub?output=csv" in link.url


@given(
    st.builds(
        DriveLink,
        IDS,
        st.sampled_from(["file", "sheet", "published"]),
        st.sampled_from(["", "0", "42"]),
        st.sampled_from(["", "0-abc_DEF"]),
    ).filter(lambda link: link.kind != "file" or not link.sheet)
)
def test_the_canonical_form_of_a_link_is_parsed_as_the_same_link(link: DriveLink) -> None:
    again = parse_link(link.uri)
    assert again.uri == link.uri
    assert (again.id, again.kind, again.sheet) == (link.id, link.kind, link.sheet)


@given(IDS)
def test_the_resource_key_of_an_old_file_is_kept(name: str) -> None:
    link = parse_link(f"https://drive.google.com/file/d/{name}/view?resourcekey=0-Ab_c&usp=sharing")
    assert link.uri == f"gdrive://{name}?resourcekey=0-Ab_c"
    assert "resourcekey=0-Ab_c" in link.url


@given(
    st.text(max_size=40),
    st.sampled_from(["gdrive://", "https://drive.google.com/", "docs.google.com/"]),
)
def test_any_text_is_a_valid_link_or_a_config_error(text: str, start: str) -> None:
    try:
        link = parse_link(start + text)
    except ConfigError:
        return
    assert link.id
    assert set(link.id) <= set(string.ascii_letters + string.digits + "_-")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://drive.google.com/drive/folders/1AbC?usp=sharing", "folder"),
        ("https://drive.google.com/drive/u/0/folders/1AbC", "folder"),
        ("https://drive.google.com/drive/my-drive", "folder"),
        ("https://drive.google.com/folderview?id=1AbC", "folder"),
        ("https://drive.google.com/embeddedfolderview?id=1AbC#list", "folder"),
        ("https://docs.google.com/document/d/1AbC/edit", "Google document"),
        ("https://docs.google.com/presentation/d/1AbC/edit", "Google presentation"),
        ("https://docs.google.com/forms/d/e/1AbC/viewform", "Google form"),
        ("https://drive.google.com/", "holds no file id"),
        ("https://drive.google.com/open", "holds no file id"),
        ("https://drive.google.com/uc?id=train.csv", "holds no file id"),
        ("gdrive://", "holds no file id"),
        ("gdrive://my folder/train.csv", "holds no file id"),
    ],
)
def test_what_is_no_file_is_refused_with_the_reason(link: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_link(link)
    assert caught.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/file/d/x/view",
        "data/drive.google.com.csv",
        "drive.google.csv",
        "https://[",
        "x",
    ],
)
def test_other_addresses_are_not_taken_for_drive(address: str) -> None:
    assert not is_drive(address)
