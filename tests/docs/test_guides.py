"""What the guides tell people to write is accepted as it stands."""

import re
import tomllib
from pathlib import Path

from catalog.config import load_dataset, load_policy
from exchange.cluster_config import ClusterConfig

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


def test_the_toml_of_bring_your_own_data_loads() -> None:
    text = (GUIDES / "bring-your-own-data.md").read_text("utf-8")
    dataset_text, policy_text, cluster_text = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    dataset = load_dataset(tomllib.loads(dataset_text))
    policy = load_policy(tomllib.loads(policy_text), dataset, "guangzhou")
    assert policy.max_rows_per_subject == dataset.max_rows_per_subject == 3
    assert dataset.columns["cost"].bounds == (0, 500_000)
    assert ClusterConfig.model_validate(tomllib.loads(cluster_text)).analysts == ("me",)
