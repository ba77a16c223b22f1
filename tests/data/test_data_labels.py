"""Tables of labels: CSV, plain text and CelebA's; what does not fit gives one clear line."""

import numpy as np
import pytest
from PIL import Image

from minigan.data import DataError, load
from minigan.data.labels import folder_labels, table_labels

PICTURES = ["000001.jpg", "000002.jpg", "sub/000003.jpg"]


def table(tmp_path, text, attributes=(), pictures=PICTURES):
    path = tmp_path / "labels.txt"
    path.write_text(text, encoding="utf-8")
    return table_labels(path, attributes, pictures)


@pytest.mark.parametrize(
    "text",
    [
        "000001.jpg,cat\n000002.jpg,dog\n000003.jpg,cat\n",
        "file,species\n000001.jpg,cat\n000002.jpg,dog\n000003.jpg,cat\n",
        "\ufefffile, species\r\n000003.jpg, cat\r\n000002.jpg, dog\r\n000001.jpg, cat\r\n",
        '"000001.jpg","cat"\n"000002.jpg","dog"\n"sub/000003.jpg","cat"\n',
        "000001.jpg cat\n\n000002.jpg\tdog\n000003.jpg   cat\n",
        "id,species\n000001,cat\n000002,dog\n000003,cat\n",
    ],
)
def test_a_label_for_each_image(tmp_path, text):
    labels = table(tmp_path, text)
    assert labels.values.tolist() == [0, 1, 0] and labels.class_names == ("cat", "dog")
    assert labels.values.dtype == np.int64


def test_the_classes_are_those_of_the_whole_table(tmp_path):
    text = "other.jpg,a\n" + "".join(f"{name},b\n" for name in PICTURES)
    labels = table(tmp_path, text)
    assert labels.values.tolist() == [1, 1, 1] and labels.class_names == ("a", "b")


def test_whole_numbers_are_ordered_as_numbers(tmp_path):
    text = "000001.jpg,10\n000002.jpg,9\n000003.jpg,-1\n"
    labels = table(tmp_path, text)
    assert labels.values.tolist() == [2, 1, 0] and labels.class_names == ("-1", "9", "10")


CELEBA = """3
Male Smiling Young
000001.jpg -1  1  1
000002.jpg  1 -1  1
000003.jpg  1  1 -1
"""
KAGGLE = "image_id,Male,Smiling,Young\n" + "\n".join(
    ",".join(line.split()) for line in CELEBA.splitlines()[2:]
)


@pytest.mark.parametrize("text", [CELEBA, KAGGLE])
@pytest.mark.parametrize(
    ("attributes", "values", "names"),
    [
        (["Male"], [0, 1, 1], ("Male=-1", "Male=1")),
        (["Young"], [1, 1, 0], ("Young=-1", "Young=1")),
        (
            ["Male", "Smiling"],
            [1, 2, 3],
            (
                "Male=-1 Smiling=-1",
                "Male=-1 Smiling=1",
                "Male=1 Smiling=-1",
                "Male=1 Smiling=1",
            ),
        ),
        (["Smiling", "Male"], [2, 1, 3], None),
    ],
)
def test_chosen_attributes_and_their_combinations(tmp_path, text, attributes, values, names):
    labels = table(tmp_path, text, attributes)
    assert labels.values.tolist() == values
    assert names is None or labels.class_names == names


@pytest.mark.parametrize("beside", [False, True])
def test_celebas_table_is_found(tmp_path, beside):
    folder = tmp_path / "img_align_celeba"
    folder.mkdir()
    for i in (1, 2, 3):
        Image.fromarray(np.full((218, 178, 3), i * 60, np.uint8)).save(folder / f"00000{i}.jpg")
    (tmp_path / "list_attr_celeba.txt").write_text(CELEBA)
    data = load(f"folder:{folder if beside else tmp_path}", image_size=64, attributes=["Male"])
    assert data.images.shape == (3, 3, 64, 64)
    assert data.labels.tolist() == [0, 1, 1] and data.classes == 2
    both = load(f"folder:{tmp_path}", image_size=64, attributes="Male, Young")
    assert both.labels.tolist() == [1, 3, 2] and both.classes == 4


@pytest.mark.parametrize(
    ("text", "attributes", "says"),
    [
        ("", (), "expected lines with an image's name and its label"),
        ("000001.jpg\n000002.jpg\n", (), "expected lines with an image's name and its label"),
        ("000001.jpg,1\n", (), "expected a line for each image, '000002.jpg' has none"),
        ("000001.jpg,1\n000002.jpg,1,2\n", (), "2 cells in each line, '000002.jpg' has 3"),
        ('000001.jpg,1\n"000002.jpg,1\n', (), "is no table (unexpected end of data)"),
        ("a,b,c\n000001.jpg,1\n", (), "expected a heading for each of the 2 columns"),
        ("000001.jpg,1\n000002.jpg,1\n", ["x"], "has no column 'x' (it has no heading)"),
        (CELEBA, ["Bald"], "has no column 'Bald' (Male, Smiling, Young)"),
        (CELEBA, (), "has 3 (Male, Smiling, Young)"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(tmp_path, text, attributes, says):
    with pytest.raises(DataError) as caught:
        table(tmp_path, text, attributes)
    message = str(caught.value)
    assert says in message and str(tmp_path / "labels.txt") in message and "\n" not in message


def test_files_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "labels.csv"
    with pytest.raises(DataError, match="cannot be read"):
        table_labels(path, (), PICTURES)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected text in UTF-8"):
        table_labels(path, (), PICTURES)


def test_folders_are_labels_only_where_they_tell_something():
    assert folder_labels(["a/1.png", "a/2.png"]) is None
    assert folder_labels(["a/1.png", "2.png", "b/1.png"]) is None
    labels = folder_labels(["b/a/1.png", "b/c/1.png", "a/1.png"])
    assert labels.values.tolist() == [1, 1, 0] and labels.class_names == ("a", "b")
