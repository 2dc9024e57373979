"""A model that cannot be explained says so, and scores."""

from pathlib import Path

from tests.fakes.trained import train


def test_a_model_without_contributions_refuses_to_explain(tmp_path: Path) -> None:
    settings = {
        "data.source": "sklearn://diabetes",
        "train.parameters": "{linear_tree = true, num_leaves = 4, max_rounds = 20}",
    }
    client = train(tmp_path, settings.items()).client(compiled=False)
    (row,) = client.get("/sample.csv").get_data(as_text=True).splitlines()[:2][1:]
    header = client.get("/sample.csv").get_data(as_text=True).splitlines()[0]
    sent = {"data": f"{header}\n{row}\n", "content_type": "text/csv"}
    assert client.post("/predict", **sent).status_code == 200
    refused = client.post("/predict?explain=2", **sent)
    assert refused.status_code == 400
    assert "this model gives no contributions" in refused.get_json()["detail"]
